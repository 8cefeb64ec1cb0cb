"""The pages of the console: which address and method is answered by which, and what it needs of a session."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Literal, NamedTuple

from orderhook.console.http import HttpError
from orderhook.console.visit import Visit
from orderhook.responses import Response

ROOT = "/console"
STOP = f"{ROOT}/stop"

Needs = Literal["see", "stop", "act"]


class Page(NamedTuple):
    """What answers one method at one address."""

    needs: Needs
    """Whether a session must be allowed to act, or to stop, which it may for longer."""
    answer: Callable[[Visit], Response]


class Pages:
    """All pages, by their addresses; a module is imported when one of its pages is first asked for."""

    def __init__(self, table: Mapping[str, Mapping[str, tuple[Needs, str]]]) -> None:
        self._table = table

    def find(self, method: str, path: str) -> Page:
        """Return the page; raises HttpError, 404 or 405."""
        methods = self._table.get(path)
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
        f"{ROOT}/builder": {"GET": ("see", "builder.page"), "POST": ("see", "builder.show")},
        f"{ROOT}/trade": {"GET": ("see", "trade.page"), "POST": ("act", "trade.check_form")},
        f"{ROOT}/trade/send": {"POST": ("act", "trade.send")},
        f"{ROOT}/sign-out": {"POST": ("see", "sign_in.sign_out")},
    }
)
