"""What FLATPLACE and REVERSEPOSITION share: PLACE's order, which the bridge places once it has closed a position."""

from collections.abc import Mapping
from typing import ClassVar

from orderhook.commands.place import Place

_OF_PLACE = ("flatten_first", "sync_strategy", "out_of_sync")


class PlacesAfterClose(Place):
    """A command that closes a position, and then places an order, which carries that as its condition."""

    acts_on_positions: ClassVar[bool] = True
    once: ClassVar[bool] = True
    refused: ClassVar[Mapping[str, str]] = {
        **Place.refused,
        **dict.fromkeys(_OF_PLACE, "goes with PLACE alone, for this closes the position in any case; take it out"),
    }

    @property
    def _placed(self) -> Mapping[str, str]:
        # A PLACE of the same order is another one.
        return {**super()._placed, "command": self.word}
