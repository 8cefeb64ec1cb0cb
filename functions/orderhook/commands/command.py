"""What every command is: a frozen set of checked fields, and what it does."""

from abc import abstractmethod
from collections.abc import Mapping, Set
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict

from orderhook.commands.fields import Notes, Seconds
from orderhook.errors import UnsupportedCommandError
from orderhook.outcome import Outcome
from orderhook.provenance import Provenance

if TYPE_CHECKING:
    from orderhook.errors import AlertWarning, CommandNotAllowedError, ControlError
    from orderhook.limits import Limits
    from orderhook.rate_limit import Rate
    from orderhook.services import Services
    from orderhook.trade_window import TradeWindow
    from orderhook.venues import Venue


NARROWING: Mapping[str, str] = {
    "account": "CANCELORDERS acts on one account",
    "instrument": "CANCELORDERS acts on one account and instrument",
    "order_id": "CANCEL cancels one order",
    "strategy_id": "CLOSESTRATEGY acts on one strategy",
    "action": "no command acts on one side alone",
    **dict.fromkeys(
        ("require_market_position", "market_position"),
        "CANCELORDERS with require_market_position asks for the position in one instrument",
    ),
}
"""Fields by which a trader says which orders are meant, or when, and what heeds them."""


class Command(BaseModel):
    """One instruction of a trader; making one checks its fields and raises the PayloadError of the first bad one."""

    # Built when first used, so that a cold start does not wait for commands that its alert does not give.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)

    word: ClassVar[str]
    """The command as an alert writes it."""

    refused: ClassVar[Mapping[str, str]] = {}
    """Fields that would change what this command does and cannot yet, each with what to do instead."""

    never_empty: ClassVar[frozenset[str]] = frozenset()
    """Fields that must not be empty: without them the command would do more, or less, than the alert asks for."""

    refused_if_unused: ClassVar[Mapping[str, str]] = {}
    """Fields that were meant to narrow what the command does, where it does not use them, with the way out, if any."""

    takes_unknown_names: ClassVar[bool] = False
    """Whether a field that does not exist is a warning; what the command needs must be there all the same."""

    risk_reducing: ClassVar[bool] = False
    """Whether it can only make what is at stake smaller: the kill switch lets it pass, unless the trader says no."""

    waits_in_table: ClassVar[bool] = False
    """Whether what has a delay is written at once and waits in the table, and not in the queue."""

    acts_on_positions: ClassVar[bool] = False
    """Whether it acts on a position, which only a venue knows."""

    notes: Notes | None = None
    """The trader's remark; it is kept with the order that is placed, and with the record of the alert."""

    delay: Seconds = 0
    """How long after its alert was received it is to be done."""

    sent_instrument: str | None = None
    """The instrument as its alert spells it, where a contract has another name; no alert can give this itself."""

    @classmethod
    def alert_fields(cls) -> dict[str, bool]:
        """Return the fields that an alert may give this command, and whether it must."""
        fields = cls.model_fields.items()
        return {name: field.is_required() for name, field in fields if name != "sent_instrument"}

    @property
    def root(self) -> str | None:
        """The root of the continuous contract that its alert names, ES of `ES1!`; None where it names a single one.

        What closes or cancels acts on every month of it: in the old one there may be something after a roll.
        """
        if self.sent_instrument is None:
            return None
        from orderhook.instruments import continuous_root  # as in pipeline.alert_of

        return continuous_root(self.sent_instrument)

    @classmethod
    def narrowing(cls, given: Mapping[str, object]) -> Mapping[str, str]:  # noqa: ARG003
        """Return `refused_if_unused`, as far as it holds for what the alert gives."""
        return cls.refused_if_unused

    @classmethod
    def idle(cls, given: Mapping[str, object]) -> Set[str]:  # noqa: ARG003
        """Return the fields that it has no use for with what the alert gives; they are told like any such field."""
        return frozenset()

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

    @property
    def opens(self) -> bool:
        """Whether it may make what is at stake larger: it counts among the orders that a key may open in a minute."""
        return not (self.risk_reducing or self.may_reduce)

    @property
    def venue_account(self) -> str | None:
        """The account that the venue must have, where the command says it."""
        return None

    def needs_venue(self, services: "Services", provenance: Provenance) -> bool:  # noqa: ARG002
        """Return whether it opens something at a venue, which must be ready for that now."""
        return False

    def check_venue(self, venue: "Venue") -> None:
        """Raise UnsupportedCommandError, or UnsupportedValueError of a field, for what only another venue can do."""
        self.check_word(venue)

    @classmethod
    def check_word(cls, venue: "Venue") -> None:
        """Raise UnsupportedCommandError where this venue cannot do the command, whatever its fields are."""
        if cls.acts_on_positions and venue.name is None:
            raise UnsupportedCommandError(
                f"{cls.word} acts on a position, which only a venue knows: deploy with Venue=ninjatrader.",
                field="command",
            )

    def certain_warnings(self, venue: "Venue") -> "tuple[AlertWarning, ...]":  # noqa: ARG002
        """Return what its answer warns of whatever the orders are, where the deployment has this venue.

        What its fields are warned of as they are read is not among it.
        """
        return ()

    def beyond(self, limits: "Limits") -> "CommandNotAllowedError | None":  # noqa: ARG002
        """Return the refusal of what its fields ask for beyond the limits of a key; None where there is nothing."""
        return None

    def already_done(self, services: "Services", provenance: Provenance) -> Outcome | None:  # noqa: ARG002
        """Return the outcome where the alert is a resend of one that was done, though a control refuses it now."""
        return None

    @property
    def may_reduce(self) -> bool:
        """Whether `reduce` may do it, as far as its fields say."""
        return False

    def check_reduces(self, services: "Services", provenance: Provenance, refusal: "ControlError") -> None:  # noqa: ARG002
        """Raise `refusal` unless it makes what is at stake smaller, as the order is now."""
        raise refusal

    @property
    def has_closing_half(self) -> bool:
        """Whether it closes a position before it opens one, so that `reduce` may do that alone (closing_only_after)."""
        return False

    @property
    def may_enlarge(self) -> bool:
        """Whether it may make an order larger, though `reduce` may do it: that shows when the order is looked at."""
        return False

    def reduce(self, services: "Services", provenance: Provenance, refusal: "ControlError") -> Outcome:  # noqa: ARG002
        """Do what makes what is at stake smaller, though a control refuses; raise `refusal` where it does not."""
        raise refusal

    @abstractmethod
    def run(self, services: "Services", provenance: Provenance) -> Outcome:
        """Do it, or raise the OrderError that says why not."""
