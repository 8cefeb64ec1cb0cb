"""A request of the API that is understood, and who sends it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orderhook.console.http import Request
from orderhook.console.sight import reaches
from orderhook.errors import InvalidValueError
from orderhook.keys import Key, holds_key
from orderhook.services import Services


@dataclass(frozen=True, slots=True)
class Call:
    """A request of somebody whose key is good; `query` and `body` are what the route's models made of them."""

    services: Services
    request: Request
    key: Key
    path: dict[str, str]
    query: Any
    body: Any
    now: datetime
    started: float
    """When it came in, as a second of time.monotonic."""

    @property
    def trader(self) -> str:
        """Whose orders this is about."""
        return self.key.trader

    @property
    def account(self) -> str:
        """The account that the path or the query names; raises InvalidValueError for what cannot be one."""
        return plain("account", self.path.get("account") or self.query.account)

    @property
    def order_id(self) -> str:
        """The order that the path or the query names; raises InvalidValueError for what cannot be an id."""
        return plain("orderId", self.path.get("orderId") or self.query.order_id)

    def reaches(self, account: str | None, instrument: str | None) -> bool:
        """Return whether what is in this account and instrument is there for the key; None is not known."""
        return reaches(self.key.limits, account, instrument)


def plain(name: str, value: str) -> str:
    """Return what names something, as it is looked up; raises InvalidValueError for what cannot be a name, or is a key.

    A key must not get into a request to the table.
    """
    if holds_key(value):
        raise InvalidValueError(
            f"A key stands in {name}; take it out, and have it revoked if others saw it.", field=name
        )
    if value != value.strip():
        raise InvalidValueError(f"{name} begins or ends with a blank; take it out.", field=name)
    if name == "account" and "," in value:
        raise InvalidValueError("account is one account here; send a request for each.", field=name)
    return value
