"""Whose money an account trades, as its name and the venue say it: what is not surely simulated is live."""

from typing import Literal

from orderhook.venues import Venue

Money = Literal["live", "simulated", "nothing"]
"""Nothing where no venue is there to bring an order to a market."""

_PREFIX, _PLAYBACK = "sim", "playback101"


def is_simulated(account: str) -> bool:
    """Return whether an account is one of NinjaTrader's simulation: Sim101, or that of its playback."""
    name = account.strip().casefold()
    return name.startswith(_PREFIX) or name == _PLAYBACK


def money_of(account: str, venue: Venue) -> Money:
    """Return whose money an account trades."""
    if venue.name is None:
        return "nothing"
    return "simulated" if is_simulated(account) else "live"
