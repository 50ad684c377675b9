"""`exchange analytics …`."""

from analytics.sources import connect
from common.service import Service

service = Service(name="analytics", app="analytics.app:create_app", connect=connect)
