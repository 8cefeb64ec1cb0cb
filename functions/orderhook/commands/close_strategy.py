"""CLOSESTRATEGY: end a strategy's orders and, with a venue, its position; entries sent before do not join any more."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from orderhook.commands.addressed_order import strategy_not_found
from orderhook.commands.cancel_many import Scope, cancel_many
from orderhook.commands.command import NARROWING, Command
from orderhook.commands.fields import Id
from orderhook.commands.instructing import instruction_of
from orderhook.errors import AlertWarning, UnsupportedValueError
from orderhook.orders import Strategy, Trace, timestamp
from orderhook.outcome import Outcome
from orderhook.provenance import Provenance
from orderhook.resend import first_receipt

if TYPE_CHECKING:
    from orderhook.services import Services


class CloseStrategy(Command):
    """Close the strategy. A PLACE received later starts it anew."""

    word: ClassVar[str] = "CLOSESTRATEGY"
    risk_reducing: ClassVar[bool] = True
    refused_if_unused: ClassVar[Mapping[str, str]] = {
        **NARROWING,
        **dict.fromkeys(("qty", "percent"), "CLOSEPOSITION closes a part of one position"),
    }

    strategy_id: Id

    def run(self, services: "Services", provenance: Provenance) -> Outcome:
        """Close it, then cancel each of its working orders that was received before: none of those can join any more.

        With a venue the bridge is asked to close what is filled of it besides. Raises StrategyNotFoundError where
        neither the strategy is known nor an order that names it waits for its delay, and TemporarilyUnavailableError,
        with what was done, when the time budget ends before the last order. Likewise, where there is no venue any more,
        UnsupportedValueError if it has entries of NinjaTrader's own templates: what is filled goes on there. Run twice,
        the second finds what the first left.
        """
        strategy, first = self._close(services, provenance)
        until = first.received_at if first else timestamp(provenance.judged_on)
        asked = self._close_position(services, provenance, strategy, first, until) if strategy else {}
        # Whatever their account: one that waits for its delay need not have the strategy's.
        scope = Scope(strategy_id=self.strategy_id)
        # What protects the position the bridge ends itself, once it knows that it can close it.
        result = cancel_many(
            services, provenance, scope, until, delay=self.delay, closes=bool(asked), spares_legs=bool(asked)
        )
        warnings = (*result.warnings, *(() if asked else _overtakable(result.overtakable)))
        if strategy and strategy.has_atm and not asked:
            raise UnsupportedValueError(
                f"The orders of {self.strategy_id} are cancelled as told here, but it has entries of NinjaTrader's own "
                "templates, and orderhook cannot close what is filled of those: close that in NinjaTrader.",
                field="strategy_id",
                extra=result.as_data(),
                affected_order_ids=result.affected,
                warnings=warnings,
            )
        return Outcome(
            status="accepted" if asked or result.waits_for_venue else "closed",
            duplicate=True if first and not result.affected else None,
            strategy_id=self.strategy_id,
            extra={**asked, **result.as_data()},
            warnings=warnings,
            affected_order_ids=result.affected,
        )

    def _close_position(
        self, services: "Services", provenance: Provenance, strategy: Strategy, first: Trace | None, until: str
    ) -> Mapping[str, str]:
        """Ask the bridge to close what is filled of the strategy, and return what is told of that.

        Before its orders are cancelled, so that this goes on where the time is not enough for those. A resend asks
        under the id of the first alert: whether that got so far, nobody knows.
        """
        if services.venue.name is None:
            return {}
        asked = instruction_of(
            self,
            services,
            provenance,
            account=strategy.account,
            instrument=strategy.instrument,
            strategy_id=strategy.strategy_id,
        )
        first_id = first.request_id if first else asked.instruction_id
        asked = asked._replace(instruction_id=first_id, received_at=until)
        services.instructions.put(provenance, asked)
        return {"instruction_id": asked.instruction_id}

    def _close(self, services: "Services", provenance: Provenance) -> tuple[Strategy | None, Trace | None]:
        """Note the close, and return the strategy, and the trace of the first receipt if this is a resend."""
        first = partial(first_receipt, services, provenance)
        strategy, trace = services.strategies.close(provenance, self.strategy_id, first)
        if strategy is not None:
            return strategy, trace
        named = next(services.orders.naming(provenance, self.strategy_id), None)
        if named is None:
            raise strategy_not_found(self.strategy_id)
        # Without an item of the strategy its close could not be told from a resend.
        started = Strategy(self.strategy_id, named["account"], named["instrument"])
        if services.strategies.start_closed(provenance, started):
            return started, None
        return services.strategies.close(provenance, self.strategy_id, first)


def _overtakable(overtakable: Sequence[str]) -> tuple[AlertWarning, ...]:
    """Return the warning for entries that may still be filled: what is filled is not left without its stop."""
    if not overtakable:
        return ()
    order_ids = sorted(overtakable)[:5]
    detail = (
        f"A fill may overtake the cancel of {', '.join(order_ids)}: its targets and stops are placed then. To end "
        "those too, send CLOSESTRATEGY once more when the cancels are done, or cancel them by name."
    )
    return (AlertWarning("fill_may_overtake", None, detail),)
