"""What every command is: a frozen set of checked fields, and what it does."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from pydantic import BaseModel, ConfigDict

from orderhook.commands.fields import Notes, Seconds
from orderhook.orders import Outcome, Provenance

if TYPE_CHECKING:
    from orderhook.rate_limit import Rate
    from orderhook.services import Services
    from orderhook.trade_window import TradeWindow


class TimeLimit(NamedTuple):
    """An order that is to be cancelled `minutes` after it is placed, if it is still open then."""

    order_id: str
    content: str
    """The fingerprint by which the order is known to be the one that the command places."""
    minutes: int


class Command(BaseModel):
    """One instruction of a trader; making one checks its fields and raises the PayloadError of the first bad one."""

    # Built when first used, so that a cold start does not wait for commands that its alert does not give.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)

    word: ClassVar[str]
    """The command as an alert writes it."""

    refused: ClassVar[Mapping[str, str]] = {}
    """Fields that would change what this command does and cannot yet, each with what to do instead."""

    risk_reducing: ClassVar[bool] = False
    """Whether it can only make what is at stake smaller: the kill switch lets it pass, unless the trader says no."""

    notes: Notes | None = None
    """The trader's remark; it is kept with the order that is placed, and with the record of the alert."""

    delay: Seconds = 0
    """How long after its alert was received it is to be done."""

    @classmethod
    def alert_fields(cls) -> dict[str, bool]:
        """Return the fields that an alert may give this command, and whether it must."""
        return {name: field.is_required() for name, field in cls.model_fields.items()}

    @property
    def repeatable(self) -> bool:
        """Whether the same alert, sent again, does nothing more than the first did."""
        return True

    @property
    def window(self) -> "TradeWindow | None":
        """The time of day at which it may be carried out; None is any."""
        return None

    @property
    def rate(self) -> "tuple[str, Rate] | None":
        """The id whose alerts are counted, and how many of them may come; None does not count it."""
        return None

    def time_limit(self, services: "Services", provenance: Provenance) -> TimeLimit | None:  # noqa: ARG002
        """Return the order that `run` with the same provenance places for a limited time; None if there is none.

        Raises what `run` raises where the order's id depends on another order that cannot be found.
        """
        return None

    @abstractmethod
    def run(self, services: "Services", provenance: Provenance) -> Outcome:
        """Do it, or raise the OrderError that says why not."""
