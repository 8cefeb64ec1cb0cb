"""REVERSEPOSITION: close the position, and place an order in its place."""

from typing import ClassVar

from orderhook.commands.placing_after_close import PlacesAfterClose
from orderhook.conditions import Conditions


class ReversePosition(PlacesAfterClose):
    """Place the order once the position is closed; where there is none, not at all."""

    word: ClassVar[str] = "REVERSEPOSITION"

    @property
    def position_conditions(self) -> Conditions:
        """What the bridge asks of the position, and does to it, before it places the order."""
        return super().position_conditions._replace(closes_first="orders_and_position", reverses=True)
