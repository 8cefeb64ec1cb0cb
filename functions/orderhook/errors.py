"""Everything that an alert can be refused with.

OrderhookError
├── PayloadError                    the text is at fault: correct the alert
│   ├── MalformedPayloadError
│   ├── PayloadTooLargeError
│   ├── MissingFieldError
│   ├── DuplicateFieldError
│   ├── UnknownFieldError
│   ├── InvalidValueError
│   ├── UnresolvedPlaceholderError
│   ├── UnsupportedValueError
│   ├── UnknownCommandError
│   ├── UnsupportedCommandError
│   └── StrategyIdRequiredError
├── AccessError                     the sender is at fault
│   ├── InvalidSecretKeyError
│   ├── CommandNotAllowedError
│   ├── AccountNotConnectedError
│   └── SourceNotAllowedError
├── ControlError                    a control of the trader says no
│   ├── KillSwitchOnError
│   ├── RateLimitedError
│   ├── OutsideTradeWindowError
│   └── TooLateError
├── OrderError                      the orders are not as the command needs them
│   ├── OrderNotFoundError
│   ├── StrategyNotFoundError
│   ├── OrderAlreadyTerminalError
│   ├── StrategyMismatchError
│   ├── DuplicateOrderIdError
│   ├── DuplicateAlertError
│   ├── ChangeDroppedError
│   └── OutcomeUnknownError
└── TemporarilyUnavailableError     nobody is at fault: send it again
    └── VenueOfflineError

An error states a fact in its class and what to do in its `detail`. Which status and code a class answers with stands
in responses.py.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from orderhook.outcome import AccountResults


class AlertWarning(NamedTuple):
    """What a trader should know of an alert that is carried out all the same; clients branch on `code`."""

    code: str
    field: str | None
    detail: str


class OrderhookError(Exception):
    """Refuse an alert; `detail` is one or two sentences for the trader and never holds a secret.

    `extra` stands in the answer besides: what was done before a command over many orders had to stop, whose ids are
    `affected_order_ids`. `results` has what became of each account, where the alert lists several. `warnings` are those
    of what was done.
    """

    def __init__(
        self,
        detail: str,
        *,
        field: str | None = None,
        state: str | None = None,
        extra: Mapping[str, object] | None = None,
        results: "AccountResults" = (),
        affected_order_ids: tuple[str, ...] = (),
        warnings: tuple[AlertWarning, ...] = (),
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field
        self.state = state
        self.extra = extra or {}
        self.results = results
        self.affected_order_ids = affected_order_ids
        self.warnings = warnings


class PayloadError(OrderhookError):
    """The text of the alert cannot be accepted as it stands."""


class MalformedPayloadError(PayloadError):
    """The body is neither `name=value` pairs nor a flat JSON object."""


class PayloadTooLargeError(PayloadError):
    """The body is larger than any alert needs to be."""


class MissingFieldError(PayloadError):
    """A field that the command requires is absent or empty."""


class DuplicateFieldError(PayloadError):
    """A field, or one of its other names, stands in the alert twice."""


class UnknownFieldError(PayloadError):
    """A name is none of the payload language's."""


class InvalidValueError(PayloadError):
    """A value does not have the form that its field asks for."""


class UnresolvedPlaceholderError(PayloadError):
    """A value still holds a `{{placeholder}}` that TradingView did not replace."""


class UnsupportedValueError(PayloadError):
    """A value or option is part of the language and not of this version."""


class UnknownCommandError(PayloadError):
    """The command is none of the payload language's."""


class UnsupportedCommandError(PayloadError):
    """The command is part of the language and not of this version."""


class StrategyIdRequiredError(PayloadError):
    """An order name was given without the strategy in which it is a name."""


class AccessError(OrderhookError):
    """The sender may not do this."""


class InvalidSecretKeyError(AccessError):
    """There is no key, or it is unknown, malformed, wrong or revoked: nobody is told which."""


class CommandNotAllowedError(AccessError):
    """The key is good, but not for this command."""


class AccountNotConnectedError(AccessError):
    """The venue's bridge does not have this account."""


class SourceNotAllowedError(AccessError):
    """The request comes from an address outside the allow-list."""


class ControlError(OrderhookError):
    """The alert is in order, and a control keeps it from being carried out."""


class KillSwitchOnError(ControlError):
    """The trader has turned the kill switch on."""


class RateLimitedError(ControlError):
    """More alerts of this id have come than the alert allows."""


class OutsideTradeWindowError(ControlError):
    """It is not the time of day at which the alert may trade."""

    @property
    def lets_closes_pass(self) -> bool:
        """Whether what only closes may be done all the same."""
        return self.field == "closing_only_after"


class TooLateError(ControlError):
    """The delay of the alert was over long ago, and what it says may open a position."""


class OrderError(OrderhookError):
    """The orders are not in the state that the command needs."""


class OrderNotFoundError(OrderError):
    """The trader has no such order."""


class StrategyNotFoundError(OrderError):
    """The trader has no such strategy, or no such template."""


class OrderAlreadyTerminalError(OrderError):
    """The order is finished, in another way than the command wants."""


class StrategyMismatchError(OrderError):
    """The order or the account does not go with the strategy that the alert names."""


class DuplicateOrderIdError(OrderError):
    """The order id is taken by another order."""


class DuplicateAlertError(OrderError):
    """The same alert came shortly before, and is not carried out twice."""


class ChangeDroppedError(OrderError):
    """What the alert asked of a venue when it came first was dropped there: the order is as it was."""


class OutcomeUnknownError(OrderError):
    """A write that cannot be repeated safely may or may not have happened."""


class TemporarilyUnavailableError(OrderhookError):
    """The table did not answer in time; the same alert may be sent again."""


class VenueOfflineError(TemporarilyUnavailableError):
    """The venue cannot carry out what opens a position, as far as its bridge says."""
