"""Whose money an account trades, as its name and the venue say it: what is not surely simulated is live."""

from typing import Literal

from orderhook.venues import Venue, is_simulated

Money = Literal["live", "simulated", "nothing"]
"""Nothing where no venue is there to bring an order to a market."""


def money_of(account: str, venue: Venue) -> Money:
    """Return whose money an account trades."""
    if venue.name is None:
        return "nothing"
    return "simulated" if is_simulated(account) else "live"
