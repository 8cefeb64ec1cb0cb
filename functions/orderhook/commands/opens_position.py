"""What the commands that may open a position share: limits on how often and when they are carried out."""

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Self

from pydantic import PlainValidator, ValidationInfo, model_validator

from orderhook.commands.command import Command
from orderhook.commands.fields import Id, YesNo
from orderhook.errors import InvalidValueError, MissingFieldError
from orderhook.rate_limit import MAX_ALERTS, MAX_SECONDS, Rate
from orderhook.trade_window import TradeWindow, minute_of_day

_RATE = re.compile(r"([0-9]{1,4})(?: */ *([0-9]{1,5}))?")
_DEFAULT_SECONDS = 60


def _time_of_day(value: str, info: ValidationInfo) -> int:
    minute = minute_of_day(value)
    if minute is None:
        raise InvalidValueError(
            f"{info.field_name} must be a time of day in New York such as 13:30 or 1:30 PM.", field=info.field_name
        )
    return minute


def _rate_limit(value: str, info: ValidationInfo) -> Rate:
    # CrossTrade, "Rate-Limiting": a number of alerts a minute, or a number of alerts in a number of seconds.
    match = _RATE.fullmatch(value)
    if match:
        rate = Rate(int(match[1]), int(match[2] or _DEFAULT_SECONDS))
        if 1 <= rate.alerts <= MAX_ALERTS and 1 <= rate.seconds <= MAX_SECONDS:
            return rate
    raise InvalidValueError(
        f"{info.field_name} must be alerts or alerts/seconds, such as 5 or 5/300: 1 to {MAX_ALERTS} alerts in "
        f"1 to {MAX_SECONDS} seconds.",
        field=info.field_name,
    )


TimeOfDay = Annotated[int | None, PlainValidator(_time_of_day)]
"""A time of day in New York, as the minutes since midnight."""

RateLimit = Annotated[Rate | None, PlainValidator(_rate_limit)]
"""A number of alerts, and of the seconds in which there may be no more."""


class OpensPosition(Command):
    """A command that may open a position, so that its alert may limit how often and at what time of day it is done.

    These fields are not part of the order: with other values, the same order is still the same.
    """

    refused: ClassVar[Mapping[str, str]] = {
        "percent": "is of CLOSEPOSITION, which closes that part of a position; take it out",
        **dict.fromkeys(
            ("flatten_first", "require_market_position", "max_positions", "sync_strategy", "out_of_sync"),
            "is of PLACE, and nothing here would heed it; take it out",
        ),
    }

    never_empty: ClassVar[frozenset[str]] = frozenset(
        "take_profit stop_loss stop_loss_limit stop_loss_stop strategy strategy_id oco_id cancel_after rate_limit id "
        "start_time end_time closing_only_after delay flatten_first require_market_position max_positions "
        "market_position prev_market_position sync_strategy out_of_sync target_quantity".split()
    )

    rate_limit: RateLimit = None
    id: Id | None = None
    start_time: TimeOfDay = None
    end_time: TimeOfDay = None
    closing_only_after: TimeOfDay = None
    bypass_trade_windows: YesNo = False

    @property
    def window(self) -> TradeWindow | None:
        """The time of day at which it may trade; None is any."""
        return None if self.bypass_trade_windows else self._window()

    @property
    def rate(self) -> tuple[str, Rate] | None:
        """The id whose alerts are counted, and how many of them may come."""
        return (self.id, self.rate_limit) if self.id and self.rate_limit else None

    @model_validator(mode="after")
    def _rate_limit_has_its_id(self) -> Self:
        if self.rate_limit and self.id is None:
            raise MissingFieldError("rate_limit counts the alerts of an id: add id=...", field="id")
        return self

    @model_validator(mode="after")
    def _times_make_a_window(self) -> Self:
        # CrossTrade, "Trading Window": closing_only_after lies between a start_time and an end_time.
        for name in ("start_time", "end_time"):
            if self.closing_only_after is not None and getattr(self, name) is None:
                raise MissingFieldError(
                    f"closing_only_after needs a start_time and an end_time: add {name}=...", field=name
                )
        window = self._window()
        if window and window.is_empty:
            raise InvalidValueError("The trade window ends when it begins; give another end_time.", field="end_time")
        if window and window.closing_only_after is not None and not window.holds(window.closing_only_after):
            raise InvalidValueError(
                "closing_only_after must lie between start_time and end_time.", field="closing_only_after"
            )
        return self

    def _window(self) -> TradeWindow | None:
        bounds = {"start": self.start_time, "end": self.end_time, "closing_only_after": self.closing_only_after}
        given = {name: minute for name, minute in bounds.items() if minute is not None}
        return TradeWindow(**given) if given else None
