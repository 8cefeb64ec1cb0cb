"""What FLATPLACE and REVERSEPOSITION share: PLACE's order, which the bridge places once it has closed a position."""

from collections.abc import Mapping
from typing import ClassVar

from orderhook.commands.command import Command
from orderhook.commands.place import Place
from orderhook.commands.syncs_strategy import SyncsStrategy

_REFUSED = ("flatten_first", "sync_strategy", "out_of_sync")


class PlacesAfterClose(Place):
    """A command that closes a position, and then places an order, which carries that as its condition."""

    acts_on_positions: ClassVar[bool] = True
    once: ClassVar[bool] = True
    refused: ClassVar[Mapping[str, str]] = {
        **Place.refused,
        **dict.fromkeys(_REFUSED, "goes with PLACE alone, for this closes the position in any case; take it out"),
    }

    @classmethod
    def alert_fields(cls) -> dict[str, bool]:
        """Return the fields that an alert may give this command, and whether it must: PLACE's, without its options."""
        of_place_alone = {"flatten_first", *SyncsStrategy.model_fields} - Command.model_fields.keys()
        return {name: it for name, it in super().alert_fields().items() if name not in of_place_alone}

    @property
    def _placed(self) -> Mapping[str, str]:
        # A PLACE of the same order is another one.
        return {**super()._placed, "command": self.word}
