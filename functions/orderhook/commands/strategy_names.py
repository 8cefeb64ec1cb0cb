"""What the open orders of a strategy tell of a name that leads to nothing open: who bears it all the same, or will.

A name leads to the order that took it last. Legs of an earlier one come to work by a fill that is reported after its
end, and an order that waits for its delay has no name before its release.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from orderhook.commands.fields import ORDER_NAME
from orderhook.orders import SAME_BAR, folded, timestamp
from orderhook.provenance import Provenance

if TYPE_CHECKING:
    from orderhook.services import Services
    from orderhook.store.writes import Item


def bearing(open_items: "Iterable[Item]", order_name: str, until: str | None) -> Sequence[str]:
    """Return the ids of the open orders that bear this name; with `until`, that were to be reached by it then."""

    def bears(item: "Item") -> bool:
        since = str(item.get("released_at") or item.get("received_at", ""))
        return item.get("order_name") == order_name and (until is None or since <= until)

    return [item["order_id"] for item in open_items if bears(item)]


def market_of(order: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the account, the instrument and the side of an order, as they are compared."""
    return tuple(folded(str(order[name])) for name in ("account", "instrument", "action"))


def to_come(
    services: "Services", provenance: Provenance, open_items: "Sequence[Item]", order_name: str, *, of_bar: bool
) -> Sequence[str]:
    """Return the ids of the orders that wait of which one takes this free name at its release, as things are now.

    One that came in the same bar may be meant to be placed after this alert, and counts with `of_bar` only. What a
    control has voided is never placed.
    """
    bar = timestamp(provenance.judged_on - SAME_BAR)
    waiting = [item for item in open_items if "due" in item and (of_bar or str(item["received_at"]) < bar)]
    if not waiting:
        return ()
    kind, number = _kind_and_number(order_name)
    taken = {_kind_and_number(name)[1] for item in open_items for name in _names(item)}
    free_below = set(range(1, number)) - taken
    # How many numbers the brackets of a template take shows at the release only.
    if number in taken or (len(free_below) >= len(waiting) and not any("template" in item for item in waiting)):
        return ()
    voided = services.controls.voiding(provenance.trader)
    return [
        item["order_id"] for item in waiting if _is_to_have(item, kind) and voided(str(item["received_at"])) is None
    ]


def _names(item: "Item") -> Sequence[str]:
    """Return the names of an open order and of its legs; none of one that waits for its delay."""
    return [item["order_name"], *item.get("legs", ())] if "order_name" in item else []


def _is_to_have(waiting: "Item", kind: str) -> bool:
    """Return whether an order that waits is to have a name of this kind."""
    legs = (_kind_and_number(name)[0] for name in waiting.get("wanted", ()))
    return kind == "ENTRY" or "template" in waiting or kind in legs


def _kind_and_number(order_name: str) -> tuple[str, int]:
    match = ORDER_NAME.fullmatch(order_name)
    kind = match[1] if match else ""
    return kind, int(order_name.removeprefix(kind))
