"""The API's own table: every method and path, who may use it, and what it takes, does and answers."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Literal, NamedTuple

from orderhook.console.api import models as m
from orderhook.console.api.errors import MethodNotAllowedError, NoSuchPathError
from orderhook.console.http import API
from orderhook.errors import InvalidValueError, UnsupportedCommandError

Scope = Literal["read", "trade"]


class Route(NamedTuple):
    """An operation."""

    method: str
    path: str
    """Below API; a segment in braces stands for one of the caller's."""
    does: str
    """`module.function` of this package."""
    scope: Scope | None
    """None needs no key."""
    answer: str
    """The model of `answers` for what is answered."""
    summary: str
    query: type[m.Given] = m.NoParameters
    body: type[m.Given] | None = None
    venue: bool = False
    """Whether it is there with a venue alone."""

    def match(self, segments: Sequence[str]) -> dict[str, str] | None:
        """Return what stands for the path's segments in braces, None for another path."""
        if not _matches(self.path, segments):
            return None
        pairs = zip(self.path[1:].split("/"), segments, strict=True)
        return {own[1:-1]: sent for own, sent in pairs if own.startswith("{")}


_ACCOUNT = "/accounts/{account}"
_ORDER = "/accounts/{account}/orders/{orderId}"

ROUTES = (
    Route("GET", "/health", "about.health", None, "Health", "Say that the API answers"),
    Route("GET", "/openapi.json", "about.openapi", None, "OpenApi", "Describe this API as OpenAPI 3.1"),
    # Orders
    Route("GET", "/orders", "orders.of_all", "read", "Orders", "List orders, each with its legs", m.OrdersQuery),
    Route(
        "GET", f"{_ACCOUNT}/orders", "orders.of_account", "read", "Orders", "List those of an account", m.AccountOrders
    ),
    Route("GET", _ORDER, "orders.one", "read", "OneOrder", "Show an order and its history"),
    Route("GET", "/order", "orders.one", "read", "OneOrder", "Show an order, whatever its id", m.OrderAddress),
    Route("POST", f"{_ACCOUNT}/orders/place", "acting.place", "trade", "Done", "Place an order", body=m.Place),
    Route("POST", f"{_ORDER}/cancel", "acting.cancel", "trade", "Done", "Cancel an order", body=m.Cancel),
    Route("POST", "/order/cancel", "acting.cancel", "trade", "Done", "Cancel an order", m.OrderAddress, m.Cancel),
    Route("POST", f"{_ORDER}/replace", "acting.replace", "trade", "Done", "Replace an order", body=m.Replace),
    Route("POST", "/order/replace", "acting.replace", "trade", "Done", "Replace an order", m.OrderAddress, m.Replace),
    Route("PUT", f"{_ORDER}/change", "acting.change", "trade", "Done", "Change quantity or prices", body=m.Change),
    Route("PUT", "/order/change", "acting.change", "trade", "Done", "Change an order", m.OrderAddress, m.Change),
    Route(
        "POST",
        f"{_ACCOUNT}/orders/cancel",
        "acting.cancel_orders",
        "trade",
        "Done",
        "Cancel the working orders of an account, or of an instrument in it",
        m.OptionalInstrument,
        m.CancelOrders,
    ),
    Route("POST", "/orders/cancelall", "acting.cancel_all", "trade", "Done", "Cancel all orders", body=m.Remarked),
    # Strategies
    Route("GET", "/strategies", "strategies.listed", "read", "Strategies", "List strategies", m.Page),
    Route(
        "POST",
        "/strategies/{strategyId}/close",
        "acting.close_strategy",
        "trade",
        "Done",
        "End a strategy's orders and, with a venue, close its position",
        body=m.Remarked,
    ),
    # Alerts
    Route("GET", "/alerts", "alerts.listed", "read", "Alerts", "List what came in, newest first", m.AlertsQuery),
    Route("GET", "/alerts/{requestId}", "alerts.one", "read", "OneAlert", "Show what came in, and what came of it"),
    Route("POST", "/check", "alerts.check", "read", "Checked", "Explain an alert without sending it", body=m.Check),
    # The kill switch
    Route("GET", "/killswitch", "kill_switch.shown", "read", "KillSwitch", "Show the kill switch"),
    Route("PUT", "/killswitch", "acting.turn", "trade", "Done", "Turn the kill switch", body=m.Switch),
    # With a venue
    Route("GET", "/accounts", "positions.accounts", "read", "Accounts", "List the bridge's accounts", venue=True),
    Route("GET", "/positions", "positions.of_all", "read", "Positions", "List positions", m.PositionsQuery, venue=True),
    Route(
        "GET",
        f"{_ACCOUNT}/positions",
        "positions.of_account",
        "read",
        "Positions",
        "List the positions of an account",
        m.PositionsQuery,
        venue=True,
    ),
    Route(
        "GET",
        f"{_ACCOUNT}/position",
        "positions.one",
        "read",
        "OnePosition",
        "Show the position in an instrument",
        m.InstrumentQuery,
        venue=True,
    ),
    Route(
        "GET",
        "/executions",
        "executions.of_all",
        "read",
        "Executions",
        "List what was filled",
        m.Executions,
        venue=True,
    ),
    Route(
        "GET",
        f"{_ACCOUNT}/executions",
        "executions.of_account",
        "read",
        "Executions",
        "List what was filled in an account",
        m.AccountExecutions,
        venue=True,
    ),
    Route(
        "POST",
        f"{_ACCOUNT}/positions/close",
        "acting.close",
        "trade",
        "Done",
        "Close a position, or a part of it",
        body=m.Close,
        venue=True,
    ),
    Route(
        "POST",
        f"{_ACCOUNT}/positions/reverse",
        "acting.reverse",
        "trade",
        "Done",
        "Turn a position over",
        body=m.Reverse,
        venue=True,
    ),
    Route(
        "POST",
        "/positions/flatten",
        "acting.flatten",
        "trade",
        "Done",
        "Close the positions that the body says, or everything",
        body=m.Flatten,
        venue=True,
    ),
)

UNKNOWABLE = ("/market/quote", "/market/bars", f"{_ACCOUNT}/quote")
"""What CrossTrade's API tells and nobody here can know: NinjaTrader's files have no prices of a market."""


def find(method: str, path: str) -> tuple[Route, dict[str, str]]:
    """Return the operation at a whole path, and what its segments in braces stand for; raises what is wrong with it."""
    below = path.removeprefix(API)
    segments = below[1:].split("/") if below else []
    if not all(segments):
        raise InvalidValueError("A segment of the path is empty: no slash is left out, and none may be added.")
    at_path = [(route, given) for route in ROUTES if (given := route.match(segments)) is not None]
    method = "GET" if method == "HEAD" else method
    for route, given in at_path:
        if route.method == method:
            return route, given
    if at_path:
        raise _not_allowed([route.method for route, _ in at_path])
    if any(_matches(template, segments) for template in UNKNOWABLE):
        raise UnsupportedCommandError(
            "Nobody here knows the prices of a market: NinjaTrader's files have none. Take them where your charts do."
        )
    raise _no_such_path(below)


def _matches(template: str, segments: Sequence[str]) -> bool:
    own = template[1:].split("/")
    return len(own) == len(segments) and all(
        it.startswith("{") or it == sent for it, sent in zip(own, segments, strict=True)
    )


def _not_allowed(methods: Sequence[str]) -> MethodNotAllowedError:
    allowed = ", ".join(sorted({*methods, *(("HEAD",) if "GET" in methods else ())}))
    return MethodNotAllowedError(f"This path takes {allowed}.", allowed)


def _no_such_path(below: str) -> NoSuchPathError:
    closest = _with_slash(below) or get_close_matches(below[:200], dict.fromkeys(route.path for route in ROUTES), n=1)
    hint = {"didYouMean": f"{API}{closest[0]}"} if closest else {}
    way_out = "Ids that hold a slash fit no path: give them as /order?account=...&orderId=..."
    return NoSuchPathError(f"There is nothing at this path. {way_out}", extra=hint)


def _with_slash(below: str) -> list[str]:
    """Return where an order whose id holds a slash is addressed: by its look the path could be one for all orders."""
    match below[1:].split("/"):
        case ["accounts", _, "orders", _, _, *_] as segments:
            return [f"/order/{segments[-1]}" if segments[-1] in ("cancel", "replace", "change") else "/order"]
    return []
