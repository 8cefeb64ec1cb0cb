"""What is known of a request so far, for its log line and its record; and how far it has come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from orderhook.aws.budget import Fault
from orderhook.aws.clients import error_code
from orderhook.errors import OrderhookError, OutcomeUnknownError, TemporarilyUnavailableError, VenueOfflineError
from orderhook.keys import Key
from orderhook.outcome import Outcome

if TYPE_CHECKING:
    from concurrent.futures import Future

    from orderhook.commands.contracts import Meaning
    from orderhook.store.alert_log import Earlier

CONTENTION = "Contention"
"""The reason of what was given up though the table answered: others kept changing what it was to write."""


@dataclass(slots=True)
class Progress:
    """How far an alert has come."""

    ended: list[str] = field(default_factory=list)
    """The orders that a command over many has ended so far."""
    stops: dict[str, str] = field(default_factory=dict)
    """The stops that it has set out to cancel, each with the number of its account in the list, if there is one."""
    accounts: "list[tuple[str, Future[Outcome | OrderhookError]]]" = field(default_factory=list)
    """What becomes of it in each account that it lists."""
    defects: list[Exception] = field(default_factory=list)
    """What kept single orders of a command over many from being cancelled, and nobody foresaw."""


@dataclass(slots=True)
class RequestFacts:
    """What is known of a request so far; nothing in it can hold a secret."""

    request_id: str
    key_id: str | None = None
    command: str | None = None
    order_id: str | None = None
    strategy_id: str | None = None
    repeatable: bool = True
    """Whether the alert, sent again, does nothing more than the first did."""
    key: Key | None = None
    """Who sent it; without a valid key, nobody is known and nothing is recorded."""
    source: str = ""
    """The address that it came from."""
    fields: Mapping[str, str] | None = None
    """Its fields as alert_log.as_sent gives them."""
    instrument: "Meaning | None" = None
    """What its instrument means."""
    received: datetime | None = None
    """When API Gateway received it."""
    resend_of: "dict[str, Earlier]" = field(default_factory=dict)
    """The requests that it turned out to be a resend of, with what is known of each."""
    aws_ids: Mapping[str, str] = field(default_factory=dict)
    """What AWS calls the request, by the names that a log line has for it."""
    progress: Progress = field(default_factory=Progress)
    faults: list[Fault] = field(default_factory=list)
    """What its requests to AWS met that were given up."""
    defects: list[Exception] = field(default_factory=list)
    """What kept it, or single accounts of a list, from being served, and nobody foresaw."""

    @property
    def told(self) -> Mapping[str, str]:
        """What its answer says whatever came of it: of an instrument that has another name, both."""
        return self.instrument.told if self.instrument else {}

    @property
    def all_defects(self) -> Sequence[Exception]:
        """Those of the alert, of its accounts and of single orders, each once."""
        return list(dict.fromkeys((*self.defects, *self.progress.defects)))

    @property
    def reason(self) -> str:
        """Why it could not be answered for good: what came after the first was its consequence."""
        if self.faults:
            return self.faults[0].reason
        return error_code(self.all_defects[0]) if self.all_defects else CONTENTION

    def why(self, result: Outcome | OrderhookError) -> Fault | None:
        """Return what kept the alert from being carried out; None where it was, or where its answer is the reason."""
        if not isinstance(result, TemporarilyUnavailableError | OutcomeUnknownError):
            return None
        if self.faults:
            return self.faults[0]
        if isinstance(result, OutcomeUnknownError):
            reason = result.extra.get("reason") or (self.reason if self.all_defects else None)
            return Fault(str(reason)) if reason else None
        return None if isinstance(result, VenueOfflineError) else Fault(self.reason)
