"""What a newer version wrote beside what this one knows: every command answers as without it, and it stays.

While a deployment shifts the traffic by and by, and after a way back, both versions write the same items.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from orderhook import listing
from orderhook.orders import timestamp
from orderhook.representations import represent_order_with_history
from orderhook.store.table import deserialize, serialize
from tests.marks import LONG
from tests.output import Answer
from tests.service import Service
from tests.tables import Item

LEGS = {"take_profit": 5020, "stop_loss": 4980}
REPLACED = {"account": "Sim101", "instrument": "ES 12-26", "action": "BUY", "qty": 4, "tif": "GTC"} | {
    "order_type": "LIMIT",
    "limit_price": 5001,
}
STOP = {"order_type": "STOPMARKET", "limit_price": None, "stop_price": 4985, "action": "SELL"}

BY_NAME = ("numbers", "freed", "legs", "wanted")
"""Attributes whose values are parts of the item by their names or numbers."""
ABOUT = ("order_id", "request_id", "leg", "state")
"""What tells the parts of a list from one another."""
TEXTS = ("placed", "changes")
"""Attributes whose values are texts by the names of fields."""


def arrange(service: Service) -> None:
    """Have an item of every kind, with every part that it may have."""
    service.put_template("two", (2, 10, 5), (3, 20, 5))
    service.place("order-0", strategy_id="strategy-1", strategy="two")
    service.send("CLOSESTRATEGY", strategy_id="strategy-1")
    service.send("CANCELALLORDERS")
    service.send("CANCELORDERS", account="Sim101")
    service.turn("on")
    service.turn("off")
    service.let_pass(5)
    service.place("order-1", strategy_id="strategy-1", **LEGS)
    service.send("CHANGE", order_id="order-1", limit_price=5002)
    service.cancel("TARGET1", strategy_id="strategy-1")
    service.place("order-2", strategy_id="strategy-1", **LEGS)
    service.report("PartFilled", 2, order_id="order-2")
    service.place("order-3", **LEGS, delay=30)
    service.place("order-4", id="counted", rate_limit="9/60")


def send(command: str, **fields: object) -> Callable[[Service], Answer]:
    """Return what sends an alert."""
    return lambda service: service.send(command, **fields)


def place(order_id: str, **fields: Any) -> Callable[[Service], Answer]:
    """Return what places an order."""
    return lambda service: service.place(order_id, **fields)


def released(service: Service) -> None:
    """Have the order released that waits for its delay."""
    service.pass_time(40)


def filled(service: Service) -> None:
    """Have a fill reported that releases and raises legs."""
    service.report("Filled", 5, order_id="order-1")
    service.report("Filled", 5, order_id="order-2")


def shown(service: Service) -> object:
    """Return what `orderhook orders` lists."""
    now = timestamp(service.queue.now)
    rows = listing.list_orders(service.services, service.trader, now, open_only=False)
    return [represent_order_with_history(row) for row in rows]  # type: ignore[arg-type]


COMMANDS: dict[str, Callable[[Service], object]] = {
    "CANCEL by id": send("CANCEL", order_id="order-1"),
    "CANCEL by name": send("CANCEL", order_id="ENTRY1", strategy_id="strategy-1"),
    "CANCEL of what is finished": send("CANCEL", order_id="order-0"),
    "CANCEL of a waiting leg": send("CANCEL", order_id="STOP1", strategy_id="strategy-1"),
    "CANCEL of an ended leg": send("CANCEL", order_id="TARGET1", strategy_id="strategy-1"),
    "CANCEL of a released leg": send("CANCEL", order_id="STOP2", strategy_id="strategy-1"),
    "CANCEL of what waits": send("CANCEL", order_id="order-3"),
    "CHANGE": send("CHANGE", order_id="order-1", qty=4),
    "CHANGE below what is filled": send("CHANGE", order_id="order-2", qty=1),
    "CHANGE of a waiting leg": send("CHANGE", order_id="STOP1", strategy_id="strategy-1", stop_price=4985),
    "CHANGE of a released leg": send("CHANGE", order_id="STOP2", strategy_id="strategy-1", stop_price=4985),
    "CANCELREPLACE": send("CANCELREPLACE", order_id="order-1", **REPLACED),
    "CANCELREPLACE with a leg": send("CANCELREPLACE", order_id="order-1", **REPLACED, stop_loss=4979),
    "CANCELREPLACE of a leg": send(
        "CANCELREPLACE", order_id="STOP1", strategy_id="strategy-1", **{**REPLACED, "qty": 5, **STOP}
    ),
    "CANCELORDERS": send("CANCELORDERS", account="Sim101"),
    "CANCELALLORDERS": send("CANCELALLORDERS"),
    "CLOSESTRATEGY": send("CLOSESTRATEGY", strategy_id="strategy-1"),
    "PLACE": place("order-5"),
    "PLACE into a strategy": place("order-5", strategy_id="strategy-1", **LEGS),
    "PLACE with a template": place("order-5", strategy_id="strategy-1", strategy="two"),
    "PLACE once more": place("order-1", strategy_id="strategy-1", **LEGS),
    "PLACE that is counted": place("order-5", id="counted", rate_limit="9/60"),
    "PLACE that is one too many": place("order-5", id="counted", rate_limit="1/60"),
    "kill_switch=on": lambda service: service.turn("on"),
    "kill_switch=off": lambda service: service.turn("off"),
    "a release": released,
    "a fill": filled,
    "a list": shown,
}


@LONG
@pytest.mark.parametrize("command", COMMANDS)
def test_a_part_that_this_version_does_not_know_changes_no_answer_and_stays(service: Service, command: str) -> None:
    run = COMMANDS[command]
    arrange(service)
    answer = plain(run(service))
    after = told(service)
    service.table.empty()
    service.key = service.issue_key()
    arrange(service)
    for item in table(service):
        service.table.client.put_item(TableName=service.table.name, Item=serialize(with_more(item)))
    before = known(service)
    assert plain(run(service)) == answer
    assert told(service) == after
    kept = before.keys() & (now := known(service)).keys()
    assert [path for path in kept if "newer" not in now[path]] == []
    assert len(kept) > 40


def test_the_name_after_a_close_that_a_newer_version_noted_is_reached(service: Service) -> None:
    arrange(service)
    for item in table(service):
        service.table.client.put_item(TableName=service.table.name, Item=serialize(with_more(item)))
    service.cancel("ENTRY1", strategy_id="strategy-1")
    answer = service.place("order-5", strategy_id="strategy-1")
    assert (answer.word, answer.body["order_name"]) == ("placed", "ENTRY1")
    answer = service.cancel("ENTRY1", strategy_id="strategy-1")
    assert (answer.word, answer.body["order_id"]) == ("cancelled", "order-5")


def test_a_state_of_a_newer_version_in_a_history_is_shown_and_stays(service: Service) -> None:
    arrange(service)
    item = service.plain("order-1")
    item["history"][1]["state"] = "Melted"
    service.table.client.put_item(TableName=service.table.name, Item=serialize(item))
    service.report("Filled", 5, order_id="order-1")
    order = service.order("order-1")
    assert order is not None
    assert [event["state"] for event in represent_order_with_history(order)["history"]][1] == "Melted"
    assert service.plain("order-1")["history"][1]["state"] == "Melted"


def table(service: Service) -> list[Item]:
    """Return every item, in plain values."""
    return [deserialize(item) for item in sorted(service.everything(), key=lambda it: (it["pk"]["S"], it["sk"]["S"]))]


def told(service: Service) -> list[str]:
    """Return what the items say that a run of the same alerts says again."""
    return [plain(without_more(item)) for item in table(service) if not item["pk"].startswith("KEY")]


def known(service: Service) -> dict[tuple[object, ...], Item]:
    """Return every item and every part of one, by where it is and what it is about."""
    return {path: part for item in table(service) for path, part in parts("", item, (item["pk"], item["sk"]))}


def parts(name: str, value: Any, path: tuple[object, ...]) -> Iterator[tuple[tuple[object, ...], Item]]:
    """Yield the parts of a value of an attribute, itself included."""
    if isinstance(value, list):
        for number, part in enumerate(value):
            if isinstance(part, dict):
                about = [number] if "qty" in part else map(part.get, ABOUT)
                yield from parts("", part, (*path, *about))
    elif isinstance(value, dict) and name in BY_NAME:
        for key, part in value.items():
            # A number that is freed is the same still.
            place = ("numbers", key, part["order_id"]) if "order_id" in part else (name, key)
            yield from parts("", part, (*path, *place))
    elif isinstance(value, dict) and name not in TEXTS:
        yield path, value
        for key, part in value.items():
            yield from parts(key, part, path if isinstance(part, dict) and key in BY_NAME else (*path, key))


def with_more(item: Item) -> Item:
    """Return an item with one attribute more, in each of its parts too."""
    for _, part in list(parts("", item, ())):
        part["newer"] = "x"
    return item


def without_more(item: Item) -> Item:
    """Return an item as this version alone writes it."""
    for _, part in list(parts("", item, ())):
        part.pop("newer", None)
    return item


def plain(value: object) -> str:
    """Return it as text, without what differs from run to run."""
    text = json.dumps([value.status, value.body] if isinstance(value, Answer) else value, sort_keys=True, default=str)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME", text)
    text = re.sub(r"\b\d{9,}\b", "NUMBER", text)
    text = re.sub(r'key_id": "\w+"|KEYUSE#\w+', "KEY", text)
    return re.sub(r"[0-9a-f]{32}", "REQUEST", text)
