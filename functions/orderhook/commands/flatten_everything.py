"""FLATTENEVERYTHING: cancel every order, and close every position."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from orderhook.commands.cancel_many import Scope, cancel_many
from orderhook.commands.command import NARROWING, Command
from orderhook.commands.instructing import close_once, instructed_before, instruction_of
from orderhook.errors import CommandNotAllowedError
from orderhook.orders import timestamp
from orderhook.outcome import Outcome
from orderhook.provenance import Provenance

if TYPE_CHECKING:
    from orderhook.limits import Limits
    from orderhook.services import Services


class FlattenEverything(Command):
    """Cancel every order of the trader, also those that wait for their delay, and close every position."""

    word: ClassVar[str] = "FLATTENEVERYTHING"
    risk_reducing: ClassVar[bool] = True
    acts_on_positions: ClassVar[bool] = True
    refused_if_unused: ClassVar[Mapping[str, str]] = {
        **NARROWING,
        "account": "FLATTEN closes the positions of one account",
        "instrument": "FLATTEN closes the positions of one instrument",
        **dict.fromkeys(
            ("action", "market_position", "require_market_position"),
            "FLATTEN with market_position closes the positions of one side",
        ),
        **dict.fromkeys(("qty", "percent"), "CLOSEPOSITION closes a part of one position"),
    }
    never_empty: ClassVar[frozenset[str]] = frozenset(("delay",))

    def beyond(self, limits: "Limits") -> CommandNotAllowedError:  # noqa: ARG002
        """Return the refusal of a key with limits, whatever they are: this is about all that the trader has."""
        return CommandNotAllowedError(
            "This key is limited, and FLATTENEVERYTHING is for everything; use a key without limits, or FLATTEN.",
            field="command",
        )

    def already_done(self, services: "Services", provenance: Provenance) -> Outcome | None:
        """Return the outcome where this is a resend of an alert that was accepted."""
        return instructed_before(self, services, provenance, None)

    def run(self, services: "Services", provenance: Provenance) -> Outcome:
        """Ask the bridge to close everything, then cancel each order as CANCELALLORDERS does.

        Raises TemporarilyUnavailableError, with what was done, when the time budget ends before the last; its resend
        cancels the rest, and leaves alone what came in since.
        """
        instructed = close_once(services, provenance, instruction_of(self, services, provenance))
        received = provenance.judged_on
        if instructed.before and provenance.resend_of:
            received = datetime.fromisoformat(instructed.before.received_at)
        until = timestamp(received + timedelta(seconds=self.delay))
        services.controls.note_cancel_all(provenance, min(until, provenance.received_at))
        result = cancel_many(services, provenance, Scope(), until, bar=False, closes=True)
        accepted = instructed.outcome
        return accepted._replace(
            duplicate=accepted.duplicate if not result.affected else None,
            extra={**accepted.extra, **result.as_data()},
            warnings=result.warnings,
            affected_order_ids=result.affected,
        )
