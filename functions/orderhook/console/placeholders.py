"""TradingView's placeholders: which a kind of alert fills in, and what each may become when the alert fires.

Plain data, pure functions. The names are `payload.PLACEHOLDERS`, TradingView's own list ("How to use a variable value
in alert"); those of a strategy's orders it fills in for the orders of a strategy alone.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Literal, NamedTuple

from orderhook.filled_in import PRICE_FIELDS
from orderhook.orders import decimal_text
from orderhook.payload import is_filled_in, placeholders

AlertKind = Literal["strategy", "indicator"]

SAYS: Mapping[str, str] = MappingProxyType(
    {
        "timenow": "the time at which the alert fires, in whole seconds",
        "time": "the time at which the bar began",
        "close": "the price at the close of the bar",
        "open": "the price at its open",
        "high": "its high",
        "low": "its low",
        "volume": "its volume",
        "ticker": "the symbol of the chart",
        "exchange": "its exchange",
        "interval": "the chart's interval",
        "plot_0": "what the script plots first; plot_1 to plot_19 are the next ones",
        'plot("title")': "what it plots under this title",
        "strategy.order.action": "buy or sell",
        "strategy.order.contracts": "how many contracts the order has",
        "strategy.order.price": "the price at which it was executed",
        "strategy.order.id": "the id that the script gives it",
        "strategy.order.comment": "its comment, or else its id",
        "strategy.order.alert_message": "its alert_message in the script",
        "strategy.position_size": "the position after it, below 0 for a short",
        "strategy.market_position": "long, flat or short, after the order",
        "strategy.market_position_size": "the size of that position",
        "strategy.prev_market_position": "long, flat or short, before the order",
        "strategy.prev_market_position_size": "the size of that position",
    }
)

FREE = frozenset(("strategy.order.id", "strategy.order.comment", "strategy.order.alert_message"))
"""What the script itself decides: no sample says what will stand there."""

_OF_STRATEGY = "strategy."
_PLACEHOLDER = re.compile(r"\{\{([^{}\n]*)\}\}")
_PLOT = re.compile(r"plot(_|\()")
_OFFSETS: Mapping[str, Decimal] = MappingProxyType(
    {
        "take_profit": Decimal(10),
        "stop_loss": Decimal(-10),
        "stop_loss_stop": Decimal(-10),
        "stop_loss_limit": Decimal(-11),
    }
)
"""How far from the entry a plotted price of these fields lies where the order buys."""
_OF_A_BAR = MappingProxyType({"open": Decimal(-1), "high": Decimal(2), "low": Decimal(-2)})
_COUNTS: Mapping[str, str] = MappingProxyType(
    {"qty": "2", "target_quantity": "2", "max_positions": "1", "percent": "0.5", "delay": "2", "cancel_after": "15"}
)
BASE = Decimal("5000.25")


class Firing(NamedTuple):
    """One moment at which an alert fires, and what the market and the strategy are like then."""

    at: datetime
    buys: bool = True
    base: Decimal = BASE
    """Where the price is."""
    crossed: bool = False
    """Whether plotted prices lie on the other side of it than their fields expect."""


def is_of(kind: AlertKind, name: str) -> bool:
    """Return whether an alert of this kind has this placeholder filled in."""
    return is_filled_in(name) and (kind == "strategy" or not name.startswith(_OF_STRATEGY))


def unknown(kind: AlertKind, text: str) -> Iterator[str]:
    """Yield what is wrong with each placeholder of a text that this kind of alert leaves as it stands."""
    for name in placeholders(text):
        if is_of(kind, name):
            continue
        if is_filled_in(name):
            yield f"{{{{{name}}}}} is filled in for the orders of a strategy only, and this is an indicator's alert."
        elif is_filled_in(name.strip().lower()) or is_filled_in(name.strip()):
            right = name.strip() if is_filled_in(name.strip()) else name.strip().lower()
            yield f"{{{{{name}}}}} stays as it stands: TradingView writes it {{{{{right}}}}}."
        else:
            yield f"TradingView knows no {{{{{name}}}}}, and would leave it as it stands."


def fill_in(values: Mapping[str, str], firing: Firing) -> dict[str, str]:
    """Return what the fields of an alert become when it fires: one placeholder is one value in all of them."""
    found: dict[str, str] = {}
    for field, value in values.items():
        for name in placeholders(value):
            alone = value.strip() == f"{{{{{name}}}}}"
            found.setdefault(name, _sample(name, field if alone or field not in PRICE_FIELDS else "", firing))
    return {field: _PLACEHOLDER.sub(lambda it: found.get(it[1], it[0]), text) for field, text in values.items()}


def _sample(name: str, field: str, firing: Firing) -> str:
    if not is_filled_in(name):
        return f"{{{{{name}}}}}"
    if _PLOT.match(name):
        return _plotted(field, firing)
    if name in _OF_A_BAR:
        return decimal_text(firing.base + _OF_A_BAR[name])
    return _samples(firing).get(name, "USD")  # what is left is of the symbol


def _plotted(field: str, firing: Firing) -> str:
    if not field:
        return "10"  # of a distance, such as -{{plot_0}} ticks
    if field not in PRICE_FIELDS:
        return _COUNTS.get(field, "1")
    offset = _OFFSETS.get(field, Decimal(0))
    return decimal_text(firing.base + (offset if firing.buys != firing.crossed else -offset))


def _samples(firing: Firing) -> Mapping[str, str]:
    price = decimal_text(firing.base)
    side = "long" if firing.buys else "short"
    return {
        "timenow": f"{firing.at:%Y-%m-%dT%H:%M:%SZ}",
        "time": f"{firing.at.replace(second=0):%Y-%m-%dT%H:%M:%SZ}",
        "close": price,
        "volume": "1250",
        "ticker": "ES1!",
        "exchange": "CME_MINI",
        "interval": "5",
        "strategy.order.action": "buy" if firing.buys else "sell",
        "strategy.order.contracts": "2",
        "strategy.order.price": price,
        "strategy.order.id": "Long Entry" if firing.buys else "Short Entry",
        "strategy.order.comment": "Long Entry" if firing.buys else "Short Entry",
        "strategy.order.alert_message": "my message",
        "strategy.position_size": "2" if firing.buys else "-2",
        "strategy.market_position": side,
        "strategy.market_position_size": "2",
        "strategy.prev_market_position": "flat",
        "strategy.prev_market_position_size": "0",
    }
