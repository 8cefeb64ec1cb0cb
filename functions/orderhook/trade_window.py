"""Trade windows: the time of day in New York at which an alert may trade.

Source of the fields: CrossTrade, "Trading Window"; its times are US/Eastern. The clock on the wall decides, so on the
days on which it is changed a window lasts an hour less or more: from 02:00 to 03:00 never opens in spring, and from
01:00 to 02:00 is open for two hours in autumn.
"""

import re
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from orderhook.errors import OutsideTradeWindowError

_DAY = 24 * 60
NEW_YORK = ZoneInfo("America/New_York")
_TIME = re.compile(r"([0-9]{1,2}):([0-5][0-9])(?: *([AP])M)?", re.IGNORECASE | re.ASCII)


def minute_of_day(text: str) -> int | None:
    """Return the minutes from midnight to a time such as 13:30 or 1:30 PM; None if the text is not a time."""
    match = _TIME.fullmatch(text)
    if not match:
        return None
    hour, minute, half = int(match[1]), int(match[2]), match[3]
    if half is None:
        return hour * 60 + minute if hour < 24 else None
    afternoon = half in "Pp"
    return (hour % 12 + 12 * afternoon) * 60 + minute if 1 <= hour <= 12 else None


def clock(minute: int) -> str:
    """Write the minutes since midnight as a clock shows them."""
    return f"{minute // 60 % 24:02}:{minute % 60:02}"


def day_in_new_york(at: datetime) -> date:
    """Return which day it is in New York at this moment."""
    return at.astimezone(NEW_YORK).date()


def end_of_day(at: datetime) -> datetime:
    """Return when a DAY order ends that is received at this moment: the first 17:00 in New York after it."""
    there = at.astimezone(NEW_YORK)
    end = there.replace(hour=17, minute=0, second=0, microsecond=0)
    return end if end > there else end + timedelta(days=1)


def day_began(at: datetime) -> datetime:
    """Return when the day of the exchange began in which this moment is: at the last 17:00 in New York."""
    return end_of_day(at) - timedelta(days=1)


class TradeWindow(NamedTuple):
    """From the minute `start` to before the minute `end` of each day; over midnight where the end comes first."""

    start: int = 0
    end: int = _DAY
    closing_only_after: int | None = None
    """From this minute on an alert may only close what is open."""

    @property
    def is_empty(self) -> bool:
        """Whether it begins when it ends."""
        return self.start == self.end

    def holds(self, minute: int) -> bool:
        """Return whether this minute of the day lies inside."""
        return self._after_start(minute) < self._after_start(self.end - 1) + 1

    def check(self, at: datetime) -> None:
        """Raise OutsideTradeWindowError, naming the field that decides, if an alert must not trade at this moment.

        From `closing_only_after` on only what closes passes.
        """
        there = at.astimezone(NEW_YORK)
        minute = there.hour * 60 + there.minute
        if not self.holds(minute):
            raise OutsideTradeWindowError(
                f"It is {there:%H:%M %Z} in New York, and this alert trades from {clock(self.start)} to "
                f"{clock(self.end)}; bypass_trade_windows=true would let it pass.",
                field="start_time" if minute < self.start else "end_time",
            )
        closing = self.closing_only_after
        if closing is not None and self._after_start(minute) >= self._after_start(closing):
            raise OutsideTradeWindowError(
                f"It is {there:%H:%M %Z} in New York, and from {clock(closing)} to {clock(self.end)} only closing "
                "orders pass: a CHANGE that lowers what is at stake, and the commands that close or cancel, which have "
                "no window. bypass_trade_windows=true would let it pass.",
                field="closing_only_after",
            )

    def _after_start(self, minute: int) -> int:
        return (minute - self.start) % _DAY
