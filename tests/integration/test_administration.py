"""What an operator reads and stores: orders, strategies, templates and keys."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from orderhook import keys, listing
from orderhook.errors import TemporarilyUnavailableError
from orderhook.keys import Key
from orderhook.orders import Order, timestamp
from orderhook.services import Services
from orderhook.store.items import order_key
from orderhook.store.table import serialize
from orderhook.store.writes import TransactionFailed
from tests.builders import template
from tests.faults import deny
from tests.service import Service

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
STORED = template("one", (1, 10, 5))
OTHER = template("one", (2, None, 5), (3, 20, None))


def new_key(service: Service) -> Key:
    return keys.issue(trader=service.trader, label="a test's", scopes=frozenset({"CANCEL"}), created="2026-01-02")[1]


def test_orders_are_listed_by_id_and_the_open_ones_alone(service: Service) -> None:
    for order_id, state in [("b", "Working"), ("a", "Filled"), ("d", "PartFilled"), ("c", "Cancelled")]:
        service.have_order(state, order_id, filled=2 if state == "PartFilled" else None)
    assert service.place("theirs", key=service.issue_key(trader="somebody-else")).word == "placed"
    listed = list(service.services.orders.items(service.trader))
    still_open = list(service.services.orders.items(service.trader, open_only=True))
    assert [item["order_id"] for item in listed] == ["a", "b", "c", "d"]
    assert [item["order_id"] for item in still_open] == ["b", "d"]
    assert listed == [service.services.orders.item(service.trader, item["order_id"]) for item in listed]


def listed(service: Service, *, open_only: bool = False) -> list[tuple[str, str]]:
    """Return the id and the state of each order of the trader as a person is shown them."""
    now = timestamp(service.queue.now)
    found = listing.list_orders(service.services, service.trader, now, open_only=open_only)
    return [(each.id if isinstance(each, listing.Unreadable) else each.order_id, str(each.state)) for each in found]


def test_waiting_legs_are_listed_after_their_entry_and_released_ones_by_their_ids(service: Service) -> None:
    for order_id in ("a", "b", "c"):
        service.place(order_id, take_profit=5020, stop_loss=4980)
    service.report("Filled", 5, order_id="b")
    service.cancel("c.STOP1")
    waiting = [("a", "Working"), ("a.STOP1", "Initialized"), ("a.TARGET1", "Initialized")]
    working = [("b.STOP1", "Working"), ("b.TARGET1", "Working")]
    assert listed(service) == [
        *waiting,
        ("b", "Filled"),
        *working,
        ("c", "Working"),
        ("c.STOP1", "Cancelled"),
        ("c.TARGET1", "Initialized"),
    ]
    assert listed(service, open_only=True) == [*waiting, *working, ("c", "Working"), ("c.TARGET1", "Initialized")]
    service.cancel("a")
    assert listed(service)[:3] == [("a", "Cancelled"), ("a.STOP1", "Cancelled"), ("a.TARGET1", "Cancelled")]


def test_a_day_order_is_listed_as_expired_when_its_day_is_over(service: Service) -> None:
    service.place("day", tif="DAY", stop_loss=4980)
    service.place("gtc")
    service.let_pass(24 * 3600)
    assert listed(service) == [("day", "Expired"), ("day.STOP1", "Cancelled"), ("gtc", "Working")]
    assert listed(service, open_only=True) == [("gtc", "Working")]


def test_one_item_that_cannot_be_read_hides_no_other(service: Service) -> None:
    for order_id in ("a", "b", "c"):
        service.place(order_id)
    service.table.client.update_item(
        TableName=service.table.name,
        Key=serialize(order_key(service.trader, "b")),
        UpdateExpression="SET #state = :state",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":state": {"S": "OfALaterVersion"}},
    )
    for open_only in (False, True):
        shown = listed(service, open_only=open_only)
        assert shown == [("a", "Working"), ("b", "OfALaterVersion"), ("c", "Working")]


@pytest.mark.parametrize("order_id", ["a", "a.STOP1", "a.TARGET1", "b.STOP1", "b.STOP2", "c", "a.STOP1.STOP1"])
def test_one_order_is_found_as_the_list_shows_it(service: Service, order_id: str) -> None:
    service.place("a", take_profit=5020, stop_loss=4980)
    service.place("b", stop_loss=4980)
    service.report("Filled", 5, order_id="b")
    now = timestamp(service.queue.now)
    shown = {
        each.order_id: each
        for each in listing.list_orders(service.services, service.trader, now)
        if isinstance(each, Order)
    }
    found, listed_as = listing.find_order(service.services, service.trader, order_id, now), shown.get(order_id)
    # The history of a leg that waits is told otherwise: its entry's part of it bears the entry's name.
    assert (found and found._replace(history=())) == (listed_as and listed_as._replace(history=()))


def test_strategies_are_listed_by_id(service: Service) -> None:
    for strategy_id in ("second", "first"):
        service.place(f"of-{strategy_id}", strategy_id=strategy_id)
    service.close_strategy("first")
    listed = list(service.services.strategies.list(service.trader))
    assert [(found.strategy_id, found.closed_at is None) for found in listed] == [("first", False), ("second", True)]
    assert listed == [service.services.strategies.get(service.trader, found.strategy_id) for found in listed]
    assert list(service.services.strategies.list("somebody-else")) == []


def test_templates_are_listed_by_name(service: Service) -> None:
    service.place("order-1", strategy_id="strategy-1")
    second = template("two", (1, 1, None))
    for stored in (second, STORED):
        assert service.services.templates.put(service.trader, stored)
    assert list(service.services.templates.list(service.trader)) == [STORED, second]
    assert list(service.services.templates.list("somebody-else")) == []


def test_a_template_is_found_in_any_case(service: Service) -> None:
    assert service.services.templates.put(service.trader, template("Scale  Out", (1, 10, 5)))
    found = service.services.templates.get(service.trader, "SCALE out")
    assert found is not None
    assert found.name == "Scale  Out"
    assert not service.services.templates.put(service.trader, template("scale out", (2, 10, 5)))


def test_a_template_is_replaced_only_when_that_is_wanted(service: Service) -> None:
    assert not service.services.templates.put(service.trader, STORED, replacing=True)
    assert service.services.templates.get(service.trader, "one") is None
    assert service.services.templates.put(service.trader, STORED)
    assert not service.services.templates.put(service.trader, OTHER)
    assert service.services.templates.get(service.trader, "one") == STORED
    assert service.services.templates.put(service.trader, OTHER, replacing=True)
    assert service.services.templates.get(service.trader, "one") == OTHER


def test_keys_are_listed_by_id(service: Service) -> None:
    issued = [new_key(service) for _ in range(3)]
    for key in issued:
        service.services.keys.put(key)
    listed = list(service.services.keys.list())
    assert [key.key_id for key in listed] == sorted(key.key_id for key in listed)
    assert [key for key in listed if key in issued] == sorted(issued, key=lambda key: key.key_id)


def test_a_key_keeps_its_id(service: Service) -> None:
    key = new_key(service)
    service.services.keys.put(key)
    with pytest.raises(TransactionFailed):
        service.services.keys.put(key._replace(label="another"))
    assert service.services.keys.get(key.key_id) == key


def test_a_key_is_revoked_once_and_for_good(service: Service) -> None:
    key = new_key(service)
    service.services.keys.put(key)
    revoked = service.services.keys.revoke(key.key_id, AT)
    assert revoked == service.services.keys.get(key.key_id) == key._replace(revoked="2026-01-02T03:04:05.000000Z")
    assert service.services.keys.revoke(key.key_id, AT + timedelta(days=1)) == revoked


def test_a_key_says_whether_the_kill_switch_stops_all(service: Service) -> None:
    key = new_key(service)
    service.services.keys.put(key)
    for strict in (True, False):
        stored = service.services.keys.set_strict_kill_switch(key.key_id, strict=strict)
        assert stored == service.services.keys.get(key.key_id) == key._replace(strict_kill_switch=strict)


@pytest.mark.parametrize(
    "store",
    [
        lambda services: services.templates.put("trader", STORED),
        lambda services: services.keys.revoke("0" * 12, AT),
        lambda services: services.keys.set_strict_kill_switch("0" * 12, strict=True),
    ],
    ids=["template", "revocation", "kill switch"],
)
def test_a_refusal_for_another_reason_is_an_error(service: Service, store: Callable[[Services], object]) -> None:
    service.network.always = deny
    with pytest.raises(TemporarilyUnavailableError) as refused:
        store(service.handlers_services)
    # The command line tells the cause.
    assert isinstance(refused.value.__cause__, ClientError)


def test_a_key_that_is_not_there_is_not_made(service: Service) -> None:
    before = service.everything()
    assert service.services.keys.revoke("0" * 12, AT) is None
    assert service.services.keys.set_strict_kill_switch("0" * 12, strict=True) is None
    assert service.services.keys.get("0" * 12) is None
    assert service.everything() == before
