"""What an operator reads and stores: orders, strategies, templates and keys."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from orderhook import keys
from orderhook.keys import Key
from orderhook.orders import StrategyState
from orderhook.services import Services
from orderhook.store.table import TransactionFailed
from tests.builders import provenance, template
from tests.faults import deny
from tests.service import Service

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
STORED = template("one", (1, 10, 5))
OTHER = template("one", (2, None, 5), (3, 20, None))


def new_key(service: Service) -> Key:
    return keys.issue(trader=service.trader, label="office", scopes=frozenset({"CANCEL"}), created="2026-01-02")[1]


def test_orders_are_listed_by_id_and_the_open_ones_alone(service: Service) -> None:
    for order_id, state in [("b", "Working"), ("a", "Filled"), ("d", "PartFilled"), ("c", "Cancelled")]:
        service.have_order(state, order_id, filled=2 if state == "PartFilled" else None)
    assert service.place("theirs", key=service.issue_key(trader="somebody-else")).word == "placed"
    listed = list(service.services.orders.list(service.trader))
    still_open = list(service.services.orders.list(service.trader, open_only=True))
    assert [order.order_id for order in listed] == ["a", "b", "c", "d"]
    assert [order.order_id for order in still_open] == ["b", "d"]
    assert listed == [service.services.orders.get(service.trader, order.order_id) for order in listed]


def test_strategies_are_listed_by_id(service: Service) -> None:
    for strategy_id in ("second", "first"):
        service.place(f"of-{strategy_id}", strategy_id=strategy_id)
    service.services.strategies.close(provenance(service.trader, "closing"), "first")
    listed = list(service.services.strategies.list(service.trader))
    assert [(found.strategy_id, found.state) for found in listed] == [
        ("first", StrategyState.CLOSED),
        ("second", StrategyState.ACTIVE),
    ]
    assert listed == [service.services.strategies.get(service.trader, found.strategy_id) for found in listed]
    assert list(service.services.strategies.list("somebody-else")) == []


def test_templates_are_listed_by_name(service: Service) -> None:
    service.place("order-1", strategy_id="strategy-1")
    second = template("two", (1, 1, None))
    for stored in (second, STORED):
        assert service.services.templates.put(service.trader, stored)
    assert list(service.services.templates.list(service.trader)) == [STORED, second]
    assert list(service.services.templates.list("somebody-else")) == []


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
    with pytest.raises(ClientError, match="AccessDenied"):
        store(service.handlers_services)


def test_a_key_that_is_not_there_is_not_made(service: Service) -> None:
    before = service.everything()
    assert service.services.keys.revoke("0" * 12, AT) is None
    assert service.services.keys.set_strict_kill_switch("0" * 12, strict=True) is None
    assert service.services.keys.get("0" * 12) is None
    assert service.everything() == before
