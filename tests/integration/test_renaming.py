"""`orderhook migrate` over a table that has instruments as alerts wrote them, as version 0.2 kept them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from orderhook import instruments
from orderhook.bridge_messages import PositionReport
from orderhook.instruments import front_month
from orderhook.migration import MigrationResult, migrate
from orderhook.store import items
from orderhook.store.table import deserialize, serialize
from orderhook.trade_window import day_in_new_york
from tests.builders import provenance
from tests.service import Service

FRONT = "ES 12-26"


@pytest.fixture
def old(service: Service) -> Service:
    """Orders of a strategy, written in three ways; the key has a limit."""
    for order_id, spelling in (
        ("a", "ESZ26"),
        ("b", "es dec26"),
        ("c", "CME_MINI:ESZ2026"),
        ("d", "AAPL"),
        ("e", "NQZ2026"),
    ):
        in_strategy = {"strategy_id": "s"} if order_id in "abc" else {}
        instrument = {"d": "AAPL", "e": "NQ 12-26"}.get(order_id, FRONT)
        service.place(order_id, instrument=instrument, stop_loss=4990 if order_id == "a" else None, **in_strategy)
        be_written(service, items.order_key(service.trader, order_id), spelling)
    be_written(service, items.strategy_key(service.trader, "s"), "ESZ26")
    return service


def be_written(service: Service, key: dict[str, str], spelling: str) -> None:
    """Have an item name its instrument as version 0.2 wrote it."""
    found = service.get(key)
    assert found is not None
    item = deserialize(found) | {"instrument": spelling}
    if "open" in item:
        item["open"] = f"2#sim101#{spelling.lower()}#{item['order_id']}"
    if "placed" in item:
        item["placed"] |= {"instrument": spelling.lower()}
    service.table.client.put_item(TableName=service.table.name, Item=serialize(item))


def run(service: Service) -> MigrationResult:
    return migrate(service.services, provenance(service.trader, f"migration-{datetime.now(UTC).isoformat()}"))


def cancelled(service: Service, **fields: Any) -> list[str]:
    answer = service.send("CANCELORDERS", account="Sim101", **fields)
    return sorted(answer.body["cancelled"])


def test_it_says_what_was_written_otherwise(old: Service) -> None:
    result = run(old)
    assert result.instruments == {
        "a": ("ESZ26", FRONT),
        "b": ("es dec26", FRONT),
        "c": ("CME_MINI:ESZ2026", FRONT),
        "e": ("NQZ2026", "NQ 12-26"),
    }
    assert result.named == ["strategy s"]
    assert (sorted(result.indexed), result.left) == (["a", "b", "c", "d", "e"], {})


def test_run_twice_it_finds_nothing_more_to_do(old: Service) -> None:
    run(old)
    before = old.belongings()
    assert run(old) == MigrationResult()
    assert old.belongings() == before


def test_before_it_no_order_is_found_by_its_account_and_afterwards_all_are(old: Service) -> None:
    assert cancelled(old) == []
    run(old)
    assert cancelled(old, instrument="ES DEC26") == ["a", "b", "c"]
    assert old.state("a.STOP1") is None
    assert cancelled(old, instrument="NQ1!") == ["e"]
    assert cancelled(old) == ["d"]


def test_an_order_that_it_cannot_read_is_left_and_keeps_no_other_from_it(old: Service) -> None:
    found = old.get(items.order_key(old.trader, "b"))
    assert found is not None
    item = deserialize(found) | {"received_at": "another day"}
    old.table.client.put_item(TableName=old.table.name, Item=serialize(item))
    result = run(old)
    assert result.left == {"b": "this version cannot read it"}
    assert sorted(result.indexed) == ["a", "c", "d", "e"]


def test_the_same_place_again_is_the_same_afterwards(old: Service) -> None:
    run(old)
    answer = old.place("b", instrument="es dec26", strategy_id="s")
    assert answer.word == "already_placed", answer.body


def test_a_strategy_goes_on_in_its_contract(old: Service) -> None:
    run(old)
    assert old.place("f", instrument=FRONT, strategy_id="s").body["order_name"] == "ENTRY4"


def test_a_released_stop_is_found_by_its_contract(old: Service) -> None:
    old.report("Filled", 5, order_id="a")
    be_written(old, items.order_key(old.trader, "a.STOP1"), "ESZ26")
    run(old)
    assert old.plain("a.STOP1")["instrument"] == FRONT
    assert cancelled(old, instrument="ES1!") == ["a.STOP1", "b", "c"]


def test_a_front_month_is_that_of_its_receipt(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instruments, "PUBLISHED_OTHERWISE", {})
    service.place("long", instrument="CL 12-49")
    be_written(service, items.order_key(service.trader, "long"), "CL1!")
    key = serialize(items.order_key(service.trader, "long"))
    service.table.client.update_item(
        TableName=service.table.name,
        Key=key,
        UpdateExpression="SET received_at = :at",
        ExpressionAttributeValues=serialize({":at": "2026-10-19T03:59:00.000000Z"}),
    )
    run(service)
    assert service.plain("long")["instrument"] == "CL 11-26"  # it was still the 18th in New York


def test_the_limits_of_keys_have_the_one_name(service: Service) -> None:
    key = service.issue_key(instruments=("esz6", "ESZ26", "cme_mini:nq1!", "AAPL"))
    assert run(service).named == [f"key {key.split('_')[1]}"]
    stored = service.keys.get(key.split("_")[1])
    assert stored
    assert stored.limits
    assert stored.limits.instruments == (FRONT, "NQ1!", "AAPL")
    assert service.place("a", key=key, instrument="ESZ2026").word == "placed"
    assert run(service) == MigrationResult()


def test_a_position_has_the_key_of_its_contract(service: Service) -> None:
    for spelling, quantity, at in (("ESZ6", 1, "2026-11-20"), ("NQZ6", 1, "2026-11-20"), ("NQ 12-26", 2, "2026-11-21")):
        position = PositionReport("Sim101", spelling, "LONG", quantity, None, f"{at}T15:00:00.000000Z")
        service.services.bridge.put_position(service.trader, position)
    assert run(service).named == ["position Sim101 ESZ6", "position Sim101 NQZ6"]
    held = {it.instrument: it.quantity for it in service.services.bridge.positions(service.trader)}
    assert held == {FRONT: 1, "NQ 12-26": 2}
    assert run(service) == MigrationResult()


def test_an_instrument_means_what_it_does_on_the_day_in_new_york() -> None:
    assert front_month("CL", day_in_new_york(datetime(2026, 10, 19, 3, 59, tzinfo=UTC))).name == "CL 11-26"
