"""The contract between services: one module a producer, one class an event and version."""

from common.events.accounting import PayoutMade, TasksPriced
from common.events.base import Envelope, Event, Unreadable
from common.events.gateway import LanguageChosen, LinkIssued, UserAdded, UserChanged
from common.events.mailer import LetterSettled
from common.events.tracker import TaskAdded, TaskCompleted, TasksDealt, TaskWithdrawn

__all__ = [
    "Envelope",
    "Event",
    "LanguageChosen",
    "LetterSettled",
    "LinkIssued",
    "PayoutMade",
    "TaskAdded",
    "TaskCompleted",
    "TaskWithdrawn",
    "TasksDealt",
    "TasksPriced",
    "Unreadable",
    "UserAdded",
    "UserChanged",
]
