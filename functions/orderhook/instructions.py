"""What is asked of a venue that is not one order: to close, turn or protect a position. Plain data.

The table keeps an instruction until the bridge has carried it out and its report tells the result.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Literal, NamedTuple

from orderhook.conditions import NO_CONDITIONS, Conditions, MarketSide
from orderhook.orders import Action

Result = Literal["done", "no_position", "blocked", "failed", "too_late", "superseded", "unresolved"]
"""What became of an instruction.

done: the venue was seen to have done it
no_position: there was nothing to do it to, or, of what closes all, nothing was said of what `reason` names
blocked: a condition did not hold, or entries of the pair are blocked; `reason` says which
failed: it was tried, and was not seen to succeed; a person has to look
too_late: the bridge was away
superseded: a later command that closes has ended it
unresolved: nobody can know what has become of it
"""


OVERDUE = timedelta(minutes=5)
"""How long an instruction may be under way: its bridge, if there is one, gives it up in a minute."""


class InstructionResult(NamedTuple):
    """What became of an instruction, as the record of its alert keeps it."""

    instruction_id: str
    result: Result
    at: str
    """When it ended."""
    reason: str | None = None
    order_ids: tuple[str, ...] = ()
    """The orders that the bridge has made to carry it out."""


class Instruction(NamedTuple):
    """What an alert asks of a venue about positions; its id is the request id of the alert in its account."""

    instruction_id: str
    command: str
    """The word of its command."""
    received_at: str
    """When its alert was first received: no order that was received later is touched."""
    venue: str
    account: str | None = None
    """None is every account of the bridge that the instruction is not limited from (`accounts`)."""
    instrument: str | None = None
    """None is every instrument."""
    root: str | None = None
    """Of an alert that names a continuous contract (ES1!): every month of this root is meant."""
    action: Action | None = None
    qty: int | None = None
    percent: Decimal | None = None
    """Which part of the position, above 0 and at most 1."""
    market_position: MarketSide | None = None
    """The side of the positions that are meant (FLATTEN); None is either."""
    take_profit: str | None = None
    """Prices as the alert has them, for a relative one is known with the position alone."""
    stop_loss: str | None = None
    stop_loss_limit: str | None = None
    stop_loss_stop: str | None = None
    strategy_id: str | None = None
    conditions: Conditions = NO_CONDITIONS
    accounts: tuple[str, ...] = ()
    """The accounts that the key of the alert reaches, where it is limited; empty is all. Likewise the instruments."""
    instruments: tuple[str, ...] = ()
    not_after: str | None = None
    """Until when it may begin; None for what closes."""
    notes: str | None = None
    result: Result | None = None
    """None while it is not done."""
    reason: str | None = None
    ended_at: str | None = None
    order_ids: tuple[str, ...] = ()
    """The orders that the bridge has made to carry it out: `<instruction id>.1` and so on."""
    report_seq: int | None = None
    """The sequence number of the last report."""

    asked_at: str | None = None
    """When it was written: of an alert with a delay, when that was over."""
    record_id: str | None = None
    """The id of its alert's record."""

    @property
    def is_open(self) -> bool:
        """Whether it is not done."""
        return self.result is None

    @property
    def since(self) -> str:
        """Since when the bridge could have known of it."""
        return self.asked_at or self.received_at

    @property
    def told(self) -> InstructionResult | None:
        """What became of it; None while it is not done."""
        if self.result is None:
            return None
        return InstructionResult(
            self.instruction_id, self.result, self.ended_at or self.since, self.reason, self.order_ids
        )
