"""FLATPLACE: close the position, leave pending orders, and place an order."""

from typing import ClassVar

from orderhook.commands.placing_after_close import PlacesAfterClose
from orderhook.conditions import Conditions


class FlatPlace(PlacesAfterClose):
    """Place the order once the position is closed; where there is none, at once."""

    word: ClassVar[str] = "FLATPLACE"

    @property
    def position_conditions(self) -> Conditions:
        """What the bridge asks of the position, and does to it, before it places the order."""
        return super().position_conditions._replace(closes_first="position")
