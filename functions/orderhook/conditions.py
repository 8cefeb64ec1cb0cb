"""What must hold of a position before something is done at a venue, and what is done to it before. Plain data.

Positions are decided by the bridge at that moment, against NinjaTrader's own files: the conditions travel with the
order or the instruction.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from orderhook.limits import Limits

MarketSide = Literal["flat", "long", "short"]
"""A position as an alert names it."""

OutOfSync = Literal["wait", "flatten", "resync"]
"""What is done where the position is not what a strategy thinks it is: nothing, close it, or bring it there."""

_UNKNOWN: Mapping[str, Any] = {}
"""Nobody changes it. The bridge's journal copies it, which a mappingproxy does not allow."""


class Sync(NamedTuple):
    """What a strategy thinks its position is, before and after its order (sync_strategy)."""

    market_position: MarketSide
    prev_market_position: MarketSide
    out_of_sync: OutOfSync = "wait"
    target_quantity: int | None = None
    """How many contracts the position has afterwards, on the side of market_position; resync has it."""
    unknown: Mapping[str, Any] = _UNKNOWN


class Conditions(NamedTuple):
    """What the bridge asks of the position, and does to it, before it places an order or carries out an instruction."""

    closes_first: Literal["orders_and_position", "position"] | None = None
    """What is ended before: flatten_first and REVERSEPOSITION end own orders too, FLATPLACE leaves pending ones."""
    reverses: bool = False
    """Whether there must be a position to close (REVERSEPOSITION)."""
    require_market_position: tuple[MarketSide, ...] = ()
    """The positions with which it may be done; none is any."""
    max_positions: int | None = None
    """How many instruments of the account may be open with it."""
    sync: Sync | None = None
    root: str | None = None
    """Of an alert that names a continuous contract (ES1!): what is closed first is every month of this root."""
    instruments: tuple[str, ...] = ()
    """To which of those months its key is limited; empty is to none."""
    unknown: Mapping[str, Any] = _UNKNOWN

    def given_anew(self, given: "Conditions") -> "Conditions":
        """Return these, with what a later alert asks in the place of what was asked."""
        return self._replace(
            require_market_position=given.require_market_position or self.require_market_position,
            max_positions=given.max_positions or self.max_positions,
        )

    def reaching(self, limits: "Limits | None") -> "Conditions":
        """Return these, of no more months than a key with these limits reaches."""
        return self._replace(instruments=limits.instruments) if limits and self.root else self

    @property
    def if_any(self) -> "Conditions | None":
        """These conditions, or None where they ask nothing."""
        return None if self._replace(root=None, instruments=()) == NO_CONDITIONS else self


NO_CONDITIONS = Conditions()
