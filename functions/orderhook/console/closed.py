"""Whether what a stop was for was closed since: then nothing is left without it."""

from collections.abc import Mapping
from functools import cache

from orderhook.attention.needing import Pair, pair_of
from orderhook.attention.protection import closing_action
from orderhook.bridge_messages import PositionReport
from orderhook.console.fates import Closed
from orderhook.console.visit import Visit
from orderhook.listing import each_readable
from orderhook.orders import Order


def seen_closed(visit: Visit) -> Closed:
    """Return what says it of a stop: its position was seen flat since, or is on the side that the stop would enlarge.

    The table is asked where that is asked, and once for a page.
    """
    bridge, trader = visit.services.bridge, visit.trader

    @cache
    def positions() -> Mapping[Pair, PositionReport]:
        told = each_readable(bridge.positions(trader))
        return {pair_of(it.account, it.instrument): it for it in told if it}

    @cache
    def last_flat(account: str, instrument: str) -> str:
        return bridge.last_flat(trader, account, instrument) or ""

    def is_closed(stop: Order, since: str) -> bool:
        if stop.venue is None or (position := positions().get(pair_of(stop.account, stop.instrument))) is None:
            return False
        if closing_action(position) not in (None, stop.action):
            return True
        is_flat = position.side == "FLAT" and position.at > since
        return is_flat or last_flat(position.account, position.instrument) > since

    return is_closed
