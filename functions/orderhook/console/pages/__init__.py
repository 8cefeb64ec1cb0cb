"""The pages of the console: which address and method is answered by which, and what it needs of a session."""

import re
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Literal, NamedTuple

from orderhook.console.http import HttpError
from orderhook.console.visit import Visit
from orderhook.responses import Response

ROOT = "/console"
STOP = f"{ROOT}/stop"

_REQUEST_ID = re.compile(r"[0-9a-f]{1,64}(\.[0-9a-z_]{1,20}){0,2}")
"""What follows an alert may have an id that ends in what it is, such as `.cancel_after`."""

Needs = Literal["see", "act"]


class Page(NamedTuple):
    """What answers one method at one address."""

    needs: Needs
    """Whether a session must be allowed to act; a page that stops says itself whether one may."""
    answer: Callable[[Visit], Response]


class Pages:
    """All pages, by their addresses; a module is imported when one of its pages is first asked for."""

    def __init__(self, table: Mapping[str, Mapping[str, tuple[Needs, str]]]) -> None:
        """Take a table in which an address may end in `{id}`: the id of a request, or its beginning."""
        self._table = table

    def addresses(self, method: str) -> Iterator[str]:
        """Yield the addresses that take a method."""
        return (address for address, methods in self._table.items() if method in methods)

    def find(self, method: str, path: str) -> Page:
        """Return the page; raises HttpError, 404 or 405."""
        begins, _, last = path.rpartition("/")
        methods = self._table.get(path) or (
            self._table.get(f"{begins}/{{id}}") if _REQUEST_ID.fullmatch(last) else None
        )
        if methods is None:
            raise HttpError(404, "There is no such page. The console begins at /console.")
        if method not in methods:
            raise HttpError(405, f"This page takes {' and '.join(methods)}.", {"Allow": ", ".join(methods)})
        needs, name = methods[method]
        module, _, function = name.partition(".")
        found = import_module(f"{__name__}.{module}")
        return Page(needs, getattr(found, function))


PAGES = Pages(
    {
        ROOT: {"GET": ("see", "alerts.page")},
        STOP: {"GET": ("see", "stop.page"), "POST": ("see", "stop.turn_on")},
        f"{STOP}/entries": {"POST": ("act", "entries.cancel")},
        f"{STOP}/flatten": {"GET": ("see", "flatten.page"), "POST": ("act", "flatten.flatten")},
        f"{ROOT}/start": {"GET": ("see", "start.page"), "POST": ("act", "start.turn_off")},
        f"{ROOT}/alerts/missing": {"GET": ("see", "missing.page")},
        f"{ROOT}/alerts/{{id}}": {"GET": ("see", "alert.page")},
        f"{ROOT}/looked": {"POST": ("act", "overview.looked")},
        f"{ROOT}/keys": {"GET": ("see", "keys.page")},
        f"{ROOT}/keys/revoke": {"GET": ("see", "keys.confirm"), "POST": ("act", "keys.revoke")},
        f"{ROOT}/orders": {"GET": ("see", "orders.page")},
        f"{ROOT}/order": {"GET": ("see", "order.page")},
        f"{ROOT}/order/cancel": {"GET": ("see", "order_cancel.confirm"), "POST": ("act", "order_cancel.send")},
        f"{ROOT}/positions": {"GET": ("see", "positions.page")},
        f"{ROOT}/positions/act": {"GET": ("see", "position_acts.confirm"), "POST": ("act", "position_acts.send")},
        f"{ROOT}/executions": {"GET": ("see", "executions.page")},
        f"{ROOT}/strategies": {"GET": ("see", "strategies.page")},
        f"{ROOT}/strategy": {"GET": ("see", "strategy.page")},
        f"{ROOT}/strategy/close": {"GET": ("see", "strategy_close.confirm"), "POST": ("act", "strategy_close.send")},
        f"{ROOT}/builder": {"GET": ("see", "builder.page"), "POST": ("see", "builder.show")},
        f"{ROOT}/trade": {"GET": ("see", "trade.page"), "POST": ("act", "trade.check_form")},
        f"{ROOT}/trade/send": {"POST": ("act", "trade.send")},
        f"{ROOT}/sign-out": {"POST": ("see", "sign_in.sign_out")},
    }
)
