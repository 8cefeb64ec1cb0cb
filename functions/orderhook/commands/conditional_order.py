"""What PLACE asks of the position, and does to it, before the bridge places its order."""

from collections.abc import Mapping, Set
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import ValidationInfo, model_validator

from orderhook.commands.close_position import ClosePosition
from orderhook.commands.fields import YesNo, is_off
from orderhook.commands.new_order import PlacesOrder
from orderhook.commands.syncs_strategy import SyncsStrategy
from orderhook.conditions import NO_CONDITIONS, Conditions, MarketSide
from orderhook.errors import AlertWarning, CommandNotAllowedError, ControlError, InvalidValueError
from orderhook.orders import Order
from orderhook.outcome import Outcome
from orderhook.provenance import Provenance

if TYPE_CHECKING:
    from orderhook.limits import Limits
    from orderhook.services import Services

_OWN = frozenset(("flatten_first", "sync_strategy", "out_of_sync"))

_FIELD_OF: Mapping[str, str] = {"closes_first": "flatten_first", "sync": "sync_strategy"}
"""The field of an alert that gives a condition, where that has another name."""

_OF_MONTHS = frozenset(("root", "instruments"))
"""What is no condition of its own, but says of which months the others are."""

_CLOSING_ONLY = AlertWarning(
    "closing_only",
    "closing_only_after",
    "From closing_only_after on nothing is opened: the bridge closes the position, and the order is not placed.",
)

_LEGS_STAY = AlertWarning(
    "legs_stay",
    "sync_strategy",
    "One order turns the position over, and the targets and stops of the trade before stay at work: add "
    "flatten_first=true with the qty of the new position, or cancel them by an alert of their own.",
)

_DIRECTIONS: Mapping[MarketSide, int] = {"short": -1, "flat": 0, "long": 1}


class PlacesConditionally(SyncsStrategy, PlacesOrder):
    """A command whose order is placed where the position is as it asks, and perhaps once that is closed."""

    flatten_first: YesNo = False

    refused: ClassVar[Mapping[str, str]] = {name: why for name, why in PlacesOrder.refused.items() if name not in _OWN}

    @model_validator(mode="after")
    def _action_leads_from_side_to_side(self, info: ValidationInfo) -> Self:
        """Refuse an order that cannot bring the position where its strategy says; how large it must be nobody knows."""
        if (sync := self.sync) is None:
            return self
        before, after = (_DIRECTIONS[side] for side in (sync.prev_market_position, sync.market_position))
        action = self.new_order.action
        if before != after and action != ("BUY" if after > before else "SELL"):
            raise InvalidValueError(
                f"action={action} does not lead from prev_market_position={sync.prev_market_position} to "
                f"market_position={sync.market_position}; correct one of them, or write "
                "action={{strategy.order.action}}.",
                field="action",
            )
        if before * after < 0 and not self.flatten_first and info.context is not None:
            info.context.append(_LEGS_STAY)
        return self

    @property
    def has_closing_half(self) -> bool:
        """Whether it closes a position before it opens one; with a delay it does neither before its release."""
        return self.flatten_first and not self.sync_strategy and not self.delay

    def reduce(self, services: "Services", provenance: Provenance, refusal: ControlError) -> Outcome:
        """Close the position and place nothing; raise `refusal` where it has nothing to close first."""
        if not self.has_closing_half:
            raise refusal
        new = self.new_order
        close = ClosePosition(
            account=new.account,
            instrument=new.instrument,
            sent_instrument=self.sent_instrument,
            notes=self.notes,
            **{"require_market_position": "/".join(sides)} if (sides := self.require_market_position) else {},
        )
        if provenance.limits and (beyond := close.beyond(provenance.limits)):
            raise beyond
        outcome = close.run(services, provenance)
        return outcome._replace(warnings=(*outcome.warnings, _CLOSING_ONLY))

    def beyond(self, limits: "Limits") -> CommandNotAllowedError | None:
        """Return the refusal of what the key is not for, and of a resync where it has a largest quantity.

        How much a resync buys or sells nobody knows before the bridge does.
        """
        if refusal := super().beyond(limits):
            return refusal
        if limits.max_qty is None or self.out_of_sync != "resync" or self.market_position == "flat":
            return None
        return CommandNotAllowedError(
            f"This key is limited to a quantity of {limits.max_qty}, and a resync sends as much as is missing; give "
            "out_of_sync=wait or flatten, or use another key.",
            field="out_of_sync",
        )

    @classmethod
    def idle(cls, given: Mapping[str, object]) -> Set[str]:
        """Return what the alert switches off."""
        return super().idle(given) | {name for name in ("flatten_first",) if is_off(name, given.get(name))}

    @property
    def position_conditions(self) -> Conditions:
        """What the bridge asks of the position, and does to it, before it places the order."""
        return super().position_conditions._replace(
            closes_first="orders_and_position" if self.flatten_first else None, sync=self.sync, root=self.root
        )

    def other_conditions(self, order: Order) -> list[AlertWarning]:
        """Return the warning that an order which is there already asks other things of the position, as it was placed.

        Once something else was asked of it, its conditions are not those of its placing any more.
        """
        if order.want and order.want.n > 1:
            return []
        placed = order.conditions or NO_CONDITIONS
        mine = zip(Conditions._fields, self.position_conditions, placed, strict=True)
        fields = [_FIELD_OF.get(name, name) for name, own, other in mine if own != other and name not in _OF_MONTHS]
        return [
            AlertWarning(
                "ignored_field",
                field,
                "The order is there already, and was placed with another condition on the position, which stays.",
            )
            for field in fields
        ]
