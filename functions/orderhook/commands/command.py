"""What every command is: a frozen set of checked fields that can be run against the book."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from orderhook.book import OrderBook
from orderhook.commands.fields import Notes
from orderhook.orders import Outcome, Stamp


class Command(BaseModel):
    """One instruction of a trader; making one checks its fields and raises the PayloadError of the first bad one."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    word: ClassVar[str]
    """The command as an alert writes it."""

    refused: ClassVar[Mapping[str, str]] = {}
    """Fields that would change what this command does and cannot yet, with the way out: better refused than ignored."""

    notes: Notes | None = None
    """The trader's remark; it is kept with the order that is placed, and with the record of the alert."""

    @property
    def repeatable(self) -> bool:
        """Tell whether the same alert, sent again, does nothing more than the first did."""
        return True

    def run(self, book: OrderBook, stamp: Stamp) -> Outcome:
        """Do it, or raise the OrderError that says why not."""
        raise NotImplementedError
