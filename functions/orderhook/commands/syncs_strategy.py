"""sync_strategy: the fields by which a strategy says what it thinks its position is, before and after its order."""

from collections.abc import Mapping, Set
from typing import Self

from pydantic import model_validator

from orderhook.commands.command import Command
from orderhook.commands.fields import YesNo, is_off
from orderhook.commands.position_fields import MarketSideWord, OutOfSyncWord, SignedQty
from orderhook.conditions import Sync
from orderhook.errors import InvalidValueError, MissingFieldError

_ALONE = frozenset(("market_position", "prev_market_position", "target_quantity"))
_OF_SYNC = _ALONE | {"sync_strategy", "out_of_sync"}


class SyncsStrategy(Command):
    """A command that may compare the position with the strategy's (CrossTrade, "Strategy Synchronization")."""

    sync_strategy: YesNo = False
    market_position: MarketSideWord | None = None
    prev_market_position: MarketSideWord | None = None
    out_of_sync: OutOfSyncWord | None = None
    target_quantity: SignedQty | None = None

    @classmethod
    def idle(cls, given: Mapping[str, object]) -> Set[str]:
        """Return what is of sync_strategy where that is not on."""
        idle = super().idle(given)
        if "sync_strategy" in given and not is_off("sync_strategy", given["sync_strategy"]):
            return idle
        # out_of_sync alone may be meant to protect.
        own = _OF_SYNC if "sync_strategy" in given or is_off("out_of_sync", given.get("out_of_sync")) else _ALONE
        return idle | own

    @model_validator(mode="after")
    def _sync_has_its_fields(self) -> Self:
        if self.out_of_sync and not self.sync_strategy:
            raise MissingFieldError(
                "out_of_sync is heeded with sync_strategy alone, which needs a venue: add sync_strategy=true and "
                "deploy with Venue=ninjatrader, or take out_of_sync out.",
                field="sync_strategy",
            )
        if self.sync_strategy:
            for name in ("market_position", "prev_market_position"):
                if getattr(self, name) is None:
                    raise MissingFieldError(
                        f"sync_strategy compares the position with the strategy's: add {name}={{{{strategy.{name}}}}}.",
                        field=name,
                    )
        if self.out_of_sync == "resync" and self.target_quantity is None and self.market_position != "flat":
            raise MissingFieldError(
                "out_of_sync=resync brings the position to a quantity: add "
                "target_quantity={{strategy.market_position_size}}.",
                field="target_quantity",
            )
        return self

    @model_validator(mode="after")
    def _target_is_on_its_side(self) -> Self:
        target, side = self.target_quantity, self.market_position
        if target is None or side is None:
            return self
        # TradingView has the size of a short with and without its sign.
        fits = {"flat": target == 0, "long": target > 0, "short": target != 0}
        if not fits[side]:
            raise InvalidValueError(
                f"target_quantity={target} contradicts market_position={side}; correct one of them.",
                field="target_quantity",
            )
        return self

    @property
    def sync(self) -> Sync | None:
        """What the strategy thinks its position is; None where that is not compared."""
        if not self.sync_strategy or self.market_position is None or self.prev_market_position is None:
            return None
        target = None if self.target_quantity is None else abs(self.target_quantity)
        return Sync(self.market_position, self.prev_market_position, self.out_of_sync or "wait", target)
