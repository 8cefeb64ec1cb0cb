"""How many requests the handler sends to the table, counted on the wire."""

import pytest

from tests.builders import ENTRY, template
from tests.service import Service

UPDATE, READ, PUT, TRANSACTION = "UpdateItem", "GetItem", "PutItem", "TransactWriteItems"


@pytest.mark.parametrize(
    ("fields", "operations"),
    [
        ({"order_id": "order-1"}, [UPDATE]),
        ({"order_id": "order-1", "strategy_id": "strategy-1"}, [UPDATE]),
        ({"order_id": "stop1", "strategy_id": "strategy-1"}, [READ, UPDATE]),
    ],
    ids=["by id", "by id and strategy", "by name"],
)
@pytest.mark.parametrize("state", ["Working", "Cancelled", "Filled"])
def test_a_cancel_takes_one_write_and_a_name_one_read_more(
    service: Service, state: str, fields: dict[str, str], operations: list[str]
) -> None:
    service.have_strategy(state, "STOP1")
    service.warm_up()
    service.send("CANCEL", **fields)
    assert service.wire.operations == operations


def test_a_key_not_seen_lately_takes_one_read_more(service: Service) -> None:
    service.have_strategy("Working", "STOP1")
    service.cancel("order-1")
    assert service.wire.operations == [READ, UPDATE]
    service.work_on(service.wired_book)
    service.wire.requests.clear()
    service.cancel("stop1", strategy_id="strategy-1")
    assert service.wire.operations == [READ, READ, UPDATE]


@pytest.mark.parametrize(
    ("fields", "operations"),
    [
        ({}, [PUT]),
        ({"order_id": "order-1"}, [PUT]),
        ({"strategy_id": "strategy-1"}, [TRANSACTION]),
        ({"take_profit": 5020, "stop_loss": 4980}, [TRANSACTION]),
        ({"strategy": "brackets"}, [READ, TRANSACTION]),
        ({"strategy_id": "running"}, [TRANSACTION, TRANSACTION]),
    ],
    ids=["without id", "with an id", "starting a strategy", "with legs", "with a template", "joining a strategy"],
)
def test_a_place_takes_one_write_unless_its_strategy_is_running(
    service: Service, fields: dict[str, object], operations: list[str]
) -> None:
    service.book.put_template(service.trader, template("brackets", (1, 10, 5)))
    service.place("first", strategy_id="running")
    service.warm_up()
    assert service.send("PLACE", **{**ENTRY, **fields}).word == "placed"
    assert service.wire.operations == operations


@pytest.mark.parametrize(("order_id", "operations"), [(None, [READ]), ("order-1", [READ, READ])])
def test_without_its_template_a_place_takes_one_read_more_only_where_it_may_be_a_duplicate(
    service: Service, order_id: str | None, operations: list[str]
) -> None:
    service.warm_up()
    assert service.place(order_id, strategy="nobodys").word == "strategy_not_found"
    assert service.wire.operations == operations


@pytest.mark.parametrize("fields", [{"order_id": "STOP1"}, {"order_id": "{{a}}"}, {}], ids=str)
def test_an_alert_that_cannot_be_right_takes_none(service: Service, fields: dict[str, str]) -> None:
    service.warm_up()
    assert service.send("CANCEL", **fields).status == 400
    assert service.wire.operations == []


@pytest.mark.parametrize("key", ["", "your-secret-key", "ohk_000000000000_" + 43 * "A" + "00000000"])
def test_a_text_that_cannot_be_a_key_takes_none(service: Service, key: str) -> None:
    assert service.cancel("order-1", key=key).status == 401
    assert service.wire.operations == []


def test_every_read_is_a_consistent_one_and_every_write_has_a_condition(service: Service) -> None:
    service.have_strategy("Working", "STOP1")
    service.book.put_template(service.trader, template("brackets", (1, 10, 5)))
    service.place("order-2")
    service.place("order-3", strategy_id="strategy-1", strategy="brackets")
    service.cancel("stop1", strategy_id="strategy-1")
    for request in service.wire.requests:
        if request.operation == READ:
            assert request.payload["ConsistentRead"] is True
        for write in request.writes:
            assert write["ConditionExpression"]
            assert write["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD"
    assert set(service.wire.operations) == {READ, PUT, UPDATE, TRANSACTION}
