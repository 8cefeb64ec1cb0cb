"""Items that hold what no version writes are unreadable ones, and never a crash of what lists them."""

from collections.abc import Mapping
from typing import Any

import pytest

from cli.views.keys import show_keys
from cli.views.orders import show_order, show_orders
from orderhook import listing
from orderhook.keys import issue
from orderhook.limits import Limits
from orderhook.listing import Unreadable
from orderhook.representations import represent_key, represent_order_with_history, represent_unreadable
from orderhook.store import items
from tests.builders import order, provenance

_, KEY = issue(trader="main", label="mine", scopes=frozenset({"CANCEL"}), created="2026-01-02", limits=Limits(("A",)))
KEY_ITEM = {name: value for name, value in items.key_item(KEY).items() if value is not None}
ORDER_ITEM = items.order_item("main", order(provenance("main", "r"), "order-1", notes="mine"))
ODD: tuple[Any, ...] = (True, 3, {"a": 1}, [True])


class Services:
    """As much of the services as lists keys: their items."""

    def __init__(self, *found: Mapping[str, Any]) -> None:
        self.keys = self
        self.items = lambda: found


def keys_of(*found: Mapping[str, Any]) -> list[Any]:
    return list(listing.list_keys(Services(*found)))  # type: ignore[arg-type]


@pytest.mark.parametrize("odd", ODD, ids=str)
@pytest.mark.parametrize("name", KEY_ITEM)
def test_a_key_with_any_odd_value_is_a_row(name: str, odd: Any) -> None:
    [key] = keys_of({**KEY_ITEM, "pk": f"KEY#{KEY.key_id}", name: odd} if name != "pk" else KEY_ITEM)
    show_keys([(key, None)])
    if not isinstance(key, Unreadable):
        represent_key(key)


def test_a_key_whose_label_is_no_text_is_unreadable() -> None:
    assert keys_of({**KEY_ITEM, "label": True}, KEY_ITEM) == [Unreadable(KEY.key_id), KEY]


@pytest.mark.parametrize("odd", ODD, ids=str)
@pytest.mark.parametrize("name", ORDER_ITEM)
def test_an_order_with_any_odd_value_is_a_row(name: str, odd: Any) -> None:
    found = listing._read_order({**ORDER_ITEM, name: odd})
    show_orders([found])
    if isinstance(found, Unreadable):
        represent_unreadable(found)
    else:
        show_order(found)
        represent_order_with_history(found)


@pytest.mark.parametrize(("dropped", "shown"), [(0, 1), (7, 2)])
def test_a_value_is_shown_again_where_what_changed_it_in_between_was_dropped(
    capsys: pytest.CaptureFixture[str], dropped: int, shown: int
) -> None:
    signed = provenance("main", "r")
    history = tuple(signed.event(None, {"limit_price": "5000.25"}) for _ in range(3))
    show_order(order(signed, "order-1", history=history, history_dropped=dropped))
    assert capsys.readouterr().out.count("limit_price 5000.25") == shown


def test_an_unreadable_order_is_told_with_where_it_is() -> None:
    found = listing._read_order({**ORDER_ITEM, "notes": True})
    assert found == Unreadable("order-1", "Initialized", "Sim101", "ES 12-26")
