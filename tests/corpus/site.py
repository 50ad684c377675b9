"""All services in this process, asked by an admin; and what their databases keep."""

import re
from typing import Any

from common.config import Config
from common.identity import HEADER
from common.service import services
from common.web.csrf import token_for
from gateway.models import primary as gateway
from tests.conftest import CAST, Ground
from tests.corpus.conftest import Doors

# For anybody, or minding how often they are tried.
ELSEWHERE = ("/healthz", "/readyz", "/metrics", "/static", "/log", "/account/")
# Kept of whoever tries, by intent.
NOT_COUNTED = ('"guess"', '"audit"', '"session"')
NOBODY = "00000000-0000-0000-0000-000000000000"


class Site:
    """`open` is a request that Fay's browser, or the gateway for her, could have sent."""

    def __init__(
        self, apps: Any, config: Config, grounds: list[Ground], doors: Doors, cookie: str
    ) -> None:
        self.apps, self.config, self.grounds, self.doors = apps, config, grounds, doors
        self.cookie, self.task_id = cookie, NOBODY
        self.session_id = gateway.value("SELECT id FROM session WHERE user_id = %s", CAST.fay.id)

    def token(self, service: str) -> str:
        """What her forms there carry."""
        session_id = self.session_id if service == "gateway" else CAST.fay.id
        return token_for(self.config.secret_keys[0], str(session_id))

    def pages(self, method: str) -> list[tuple[str, str]]:
        """`(service, path)` of each that takes the method, of things that are there or not."""
        return sorted(
            (service.name, self.path(rule.rule))
            for service in services()
            for rule in self.apps(service.name).url_map.iter_rules()
            if method in (rule.methods or ()) and not rule.rule.startswith(ELSEWHERE)
        )

    def path(self, rule: str) -> str:
        known = {"task_id": self.task_id, "user_id": str(CAST.cat.id), "unit": "days"}
        return re.sub(r"<(?:[^<>]*:)?(\w+)>", lambda name: known.get(name[1], NOBODY), rule)

    def open(self, service: str, method: str, path: str, query: str = "", **more: Any) -> Any:
        headers = {"Accept": more.pop("accept", "application/json")}
        if service == "gateway":
            headers["Cookie"] = f"session={self.cookie}"
        else:
            headers[HEADER] = self.doors.identity(service, method, path)
        http = self.apps(service).test_client(use_cookies=False)
        return http.open(path, method=method, query_string=query, headers=headers,
                         base_url=self.config.public_url, **more)  # fmt: skip

    def kept(self) -> dict[str, int]:
        """`{table: rows}` of all databases, but for the traces of trying."""
        return {
            f"{number} {table}": ground.db.value(f"SELECT count(*) FROM {table}")
            for number, ground in enumerate(self.grounds)
            for table in ground.tables
            if table not in NOT_COUNTED
        }
