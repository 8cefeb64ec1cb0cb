"""Quiet hours: the hours of a day in which a trader is told only what cannot wait."""

import re
from datetime import datetime, time
from typing import NamedTuple
from zoneinfo import ZoneInfo

ZONES = (
    *("America/New_York", "America/Chicago", "America/Denver", "America/Phoenix", "America/Los_Angeles"),
    *("America/Anchorage", "America/Bogota", "America/Buenos_Aires", "America/Halifax", "America/Mexico_City"),
    *("America/Sao_Paulo", "America/Toronto", "America/Vancouver", "Pacific/Honolulu"),
    *("Europe/London", "Europe/Lisbon", "Europe/Berlin", "Europe/Paris", "Europe/Madrid", "Europe/Rome"),
    *("Europe/Amsterdam", "Europe/Vienna", "Europe/Zurich", "Europe/Stockholm", "Europe/Warsaw", "Europe/Prague"),
    *("Europe/Athens", "Europe/Helsinki", "Europe/Kyiv", "Europe/Istanbul", "Europe/Moscow"),
    *("Africa/Cairo", "Africa/Johannesburg", "Africa/Lagos", "Africa/Nairobi"),
    *("Asia/Dubai", "Asia/Jerusalem", "Asia/Karachi", "Asia/Kolkata", "Asia/Dhaka", "Asia/Bangkok", "Asia/Jakarta"),
    *("Asia/Singapore", "Asia/Hong_Kong", "Asia/Shanghai", "Asia/Taipei", "Asia/Manila", "Asia/Seoul", "Asia/Tokyo"),
    *("Australia/Perth", "Australia/Brisbane", "Australia/Sydney", "Pacific/Auckland", "Etc/UTC"),
)
"""The time zones that quiet hours may have: those that the functions bring along."""

_HOURS = re.compile(r"((?:[01][0-9]|2[0-3]):[0-5][0-9])-((?:[01][0-9]|2[0-3]):[0-5][0-9])")


class QuietHours(NamedTuple):
    """From when to when it is quiet, by the clocks of a zone; an end before the beginning is tomorrow's."""

    begin: time
    end: time
    zone: str

    @classmethod
    def parse(cls, text: str, zone: str) -> "QuietHours":
        """Read `22:00-07:00`; raises ValueError, which says what to write."""
        found = _HOURS.fullmatch(text.strip())
        if found is None:
            raise ValueError("write quiet hours as 22:00-07:00: two times of a day, from 00:00 to 23:59.")
        asked = zone.strip().casefold().replace(" ", "_")
        name = next((it for it in ZONES if asked in (it.casefold(), _city(it).casefold())), None)
        if name is None:
            raise ValueError(f"the zone must be one of {', '.join(ZONES)}: take one with your clock.")
        begin, end = (time.fromisoformat(part) for part in found.groups())
        if begin == end:
            raise ValueError("quiet hours cannot end when they begin: write another end.")
        return cls(begin, end, name)

    def hold(self, now: datetime) -> bool:
        """Return whether it is quiet at a moment."""
        clock = now.astimezone(ZoneInfo(self.zone)).time()
        if self.begin < self.end:
            return self.begin <= clock < self.end
        return clock >= self.begin or clock < self.end

    @property
    def text(self) -> str:
        """What `parse` reads."""
        return f"{self.begin:%H:%M}-{self.end:%H:%M}"


def _city(zone: str) -> str:
    return zone.rpartition("/")[2]
