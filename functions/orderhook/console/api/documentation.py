"""What docs/api.md has of each operation: an example, and what CrossTrade's API has in its place."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from orderhook.console.api.errors import GUIDANCE
from orderhook.console.api.routes import ROUTES, Route

PAGE = Path(__file__).parents[4] / "docs" / "api.md"


class Described(NamedTuple):
    """What stands beside an operation."""

    path: str
    """The path of the example, below the base."""
    body: Mapping[str, object] | None = None
    crosstrade: str = ""
    """The operation of CrossTrade's API that means the same; empty where there is none."""
    differs: str = ""


_ENTRY = {"instrument": "ES 12-26", "action": "BUY", "orderType": "LIMIT", "timeInForce": "GTC"}
_A = "/accounts/{account}"
_O = f"{_A}/orders/{{orderId}}"
_ONE = "The order keeps its id and its history"
_BY_QUERY = "For ids and accounts that fit no path"

DESCRIBED: Mapping[tuple[str, str], Described] = {
    ("GET", "/health"): Described("/health"),
    ("GET", "/openapi.json"): Described("/openapi.json", None, "`GET /openapi.json`", "OpenAPI 3.1, too"),
    ("POST", f"{_A}/orders/place"): Described(
        "/accounts/Sim101/orders/place",
        {**_ENTRY, "quantity": 2, "limitPrice": 5000.25, "stopLoss": 4990, "takeProfit": 5020, "orderId": "es-1"},
        f"`POST {_A}/orders/place`",
        "`orderId` makes it safe to send again. Targets and stops, `strategyId`, time limits, windows and delays come "
        "with it",
    ),
    ("GET", "/orders"): Described("/orders?status=open&instrument=ES1!", differs="Across all accounts, page by page"),
    ("GET", f"{_A}/orders"): Described(
        "/accounts/Sim101/orders?activeOnly=true",
        None,
        f"`GET {_A}/orders`",
        "Page by page. Closed orders are those that were placed in the span, today unless you say otherwise",
    ),
    ("GET", _O): Described(
        "/accounts/Sim101/orders/es-1", None, f"`GET {_O}`", "Under `order`, with its history and its legs"
    ),
    ("GET", "/order"): Described("/order?account=Sim101&orderId=es-1", differs=_BY_QUERY),
    ("PUT", f"{_O}/change"): Described(
        "/accounts/Sim101/orders/es-1/change",
        {"limitPrice": 4999.5},
        f"`PUT {_O}/change`",
        "Also of targets and stops that wait for their entry. 0 or absent means unchanged",
    ),
    ("PUT", "/order/change"): Described(
        "/order/change?account=Sim101&orderId=es-1.STOP1", {"stopPrice": 4985}, differs=_BY_QUERY
    ),
    ("POST", f"{_O}/replace"): Described(
        "/accounts/Sim101/orders/es-1/replace",
        {**_ENTRY, "quantity": 3, "limitPrice": 4998.75},
        f"`POST {_O}/replace`",
        f"{_ONE}; `quantity` is the total, fills included. CrossTrade answers with a new id",
    ),
    ("POST", "/order/replace"): Described(
        "/order/replace?account=Sim101&orderId=es-1",
        {**_ENTRY, "quantity": 2, "limitPrice": 4997},
        differs=_BY_QUERY,
    ),
    ("POST", f"{_O}/cancel"): Described(
        "/accounts/Sim101/orders/es-1/cancel",
        None,
        f"`POST {_O}/cancel`",
        "A second cancel is a success, `already_cancelled`. With a venue the first is `cancel_pending` at first",
    ),
    ("POST", "/order/cancel"): Described("/order/cancel?account=Sim101&orderId=es-1", differs=_BY_QUERY),
    ("POST", f"{_A}/orders/cancel"): Described(
        "/accounts/Sim101/orders/cancel",
        {"instrument": "ES 12-26"},
        f"`POST {_A}/orders/cancel`",
        "`instrument` in the query or the body. The ids are listed by what became of each, in place of `orderIds`",
    ),
    ("POST", "/orders/cancelall"): Described("/orders/cancelall", differs="Those that wait for a `delay`, too"),
    ("GET", "/strategies"): Described("/strategies", None, f"`GET {_A}/strategies`", "Those of all accounts"),
    ("POST", "/strategies/{strategyId}/close"): Described(
        "/strategies/es-trend/close",
        None,
        f"`POST {_A}/strategies/{{strategyId}}/close`",
        "A strategy has one account. Its orders end and, with a venue, what is filled of it is closed",
    ),
    ("GET", "/alerts"): Described("/alerts?status=refused&limit=10", differs="What the web page *Alert History* shows"),
    ("GET", "/alerts/{requestId}"): Described("/alerts/REQUEST_ID"),
    ("POST", "/check"): Described(
        "/check", {"alert": "command=CANCEL; order_id=es-1;"}, differs="Nothing is sent or looked up"
    ),
    ("GET", "/killswitch"): Described("/killswitch"),
    ("PUT", "/killswitch"): Described(
        "/killswitch", {"on": False}, differs="Not for a limited key. One that is locked only the command line opens"
    ),
    ("GET", "/accounts"): Described(
        "/accounts", None, "`GET /accounts`", "Their names: NinjaTrader's files tell no balances"
    ),
    ("GET", "/positions"): Described(
        "/positions?includeFlat=true",
        None,
        "`GET /positions`",
        "`marketPosition` may be `Unknown`, which is not flat. `bridge` says whether what is told is as it is now. No "
        "market price and no unrealized profit, which nobody here knows",
    ),
    ("GET", f"{_A}/positions"): Described(
        "/accounts/Sim101/positions", None, f"`GET {_A}/positions`", "As `/positions`"
    ),
    ("GET", f"{_A}/position"): Described(
        "/accounts/Sim101/position?instrument=ES%2012-26",
        None,
        f"`GET {_A}/position`",
        "As `/positions`, under `position`",
    ),
    ("GET", "/executions"): Described("/executions", differs="Of all accounts"),
    ("GET", f"{_A}/executions"): Described(
        "/accounts/Sim101/executions",
        None,
        f"`GET {_A}/executions`",
        "What the bridge's orders were filled; no commissions",
    ),
    ("POST", f"{_A}/positions/close"): Described(
        "/accounts/Sim101/positions/close",
        {"instrument": "ES 12-26"},
        f"`POST {_A}/positions/close`",
        "Answered `accepted`; `/alerts/{requestId}` tells the result. `percent` above 0 and at most 1",
    ),
    ("POST", f"{_A}/positions/reverse"): Described(
        "/accounts/Sim101/positions/reverse",
        {"instrument": "ES 12-26"},
        f"`POST {_A}/positions/reverse`",
        "Answered `accepted`. A close, and only then an order for as many; the same within a minute is refused",
    ),
    ("POST", "/positions/flatten"): Described(
        "/positions/flatten",
        {"account": "Sim101"},
        "`POST /positions/flatten`",
        "Answered `accepted`. `{}` closes everything and cancels every order, as there; without a body it is refused",
    ),
}


def example(route: Route) -> str:
    """Return the example of an operation, as a line for a shell."""
    told = DESCRIBED[route.method, route.path]
    method = "" if route.method == "GET" else f" -X {route.method}"
    key = ' -H "$KEY"' if route.scope else ""
    body = f" -H 'Content-Type: application/json' -d '{json.dumps(told.body)}'" if told.body is not None else ""
    return f'curl{method} "$API{quote(told.path, safe="/?=&%!")}"{key}{body}'


def render_page(page: str) -> str:
    """Return the text of docs/api.md with what is made of the code, between its marks, made anew."""
    for mark, made in (("codes", _codes()), ("operations", _operations()), ("examples", _examples())):
        begin, end = f"<!-- {mark} -->\n", f"\n<!-- /{mark} -->"
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}\n{made}\n{end}{rest.partition(end.strip())[2]}"
    return page


def _codes() -> str:
    codes = sorted(GUIDANCE, key=lambda error: (error.status, error.code))
    rows = ((str(it.status), f"`{it.code}`", GUIDANCE[it].meaning, GUIDANCE[it].what_to_do) for it in codes)
    return _table(("Status", "Code", "Meaning", "What to do"), rows)


def _operations() -> str:
    return _table(("Operation", "Scope", "What it does", "CrossTrade", "What differs"), map(_row, ROUTES))


def _row(route: Route) -> Sequence[str]:
    told = DESCRIBED[route.method, route.path]
    venue = ", with a venue" if route.venue else ""
    named = f"`{route.method} {route.path}`"
    return named, f"{route.scope or 'none'}{venue}", route.summary, told.crosstrade or "-", told.differs or "-"


def _examples() -> str:
    return "\n\n".join(f"{route.summary}:\n\n```sh\n{example(route)}\n```" for route in ROUTES)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
