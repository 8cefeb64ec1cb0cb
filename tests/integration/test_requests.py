"""How many requests each alert sends to the table."""

import pytest

from tests.builders import ENTRY
from tests.service import Service

UPDATE, READ, PUT, TRANSACTION, QUERY = "UpdateItem", "GetItem", "PutItem", "TransactWriteItems", "Query"


every_way = pytest.mark.parametrize(
    ("fields", "operations"),
    [
        ({"order_id": "order-1"}, [UPDATE]),
        ({"order_id": "order-1", "strategy_id": "strategy-1"}, [UPDATE]),
        ({"order_id": "stop1", "strategy_id": "strategy-1"}, [READ, UPDATE]),
    ],
    ids=["by id", "by id and strategy", "by name"],
)


@every_way
@pytest.mark.parametrize("state", ["Working", "Cancelled", "Filled"])
def test_a_cancel_takes_one_write_and_by_name_one_read_more(
    service: Service, state: str, fields: dict[str, str], operations: list[str]
) -> None:
    service.have_strategy(state, "STOP1")
    service.warm_up()
    service.send("CANCEL", **fields)
    assert service.network.operations == operations


def test_a_key_not_seen_lately_takes_one_read_more(service: Service) -> None:
    service.have_strategy("Working", "STOP1")
    service.cancel("order-1")
    assert service.network.operations == [READ, UPDATE]
    service.remember_keys(30)
    service.network.requests.clear()
    service.cancel("stop1", strategy_id="strategy-1")
    assert service.network.operations == [READ, READ, UPDATE]


@pytest.mark.parametrize(
    ("fields", "operations"),
    [
        ({}, [PUT]),
        ({"order_id": "order-1"}, [PUT]),
        ({"strategy_id": "strategy-1"}, [TRANSACTION]),
        ({"take_profit": 5020, "stop_loss": 4980}, [TRANSACTION]),
        ({"strategy": "brackets"}, [READ, TRANSACTION]),
        ({"strategy_id": "running"}, [TRANSACTION, TRANSACTION]),
        ({"rate_limit": "5", "id": "es"}, [UPDATE, PUT]),
        ({"start_time": "00:00"}, [PUT]),
    ],
    ids=[
        "without id",
        "with an id",
        "starting a strategy",
        "with legs",
        "with a template",
        "joining a strategy",
        "with a rate limit",
        "with a window",
    ],
)
def test_a_place_takes_a_read_of_the_kill_switch_and_one_write_or_two_to_join(
    service: Service, fields: dict[str, object], operations: list[str]
) -> None:
    service.put_template("brackets", (1, 10, 5))
    service.place("first", strategy_id="running")
    service.warm_up()
    assert service.send("PLACE", **{**ENTRY, **fields}).word == "placed"
    assert service.network.operations == [READ, *operations]


@pytest.mark.parametrize("sent", ["on", "off"])
def test_the_kill_switch_takes_one_write(service: Service, sent: str) -> None:
    service.warm_up()
    assert service.turn(sent).status == 200
    assert service.network.operations == [UPDATE]


def test_a_cancel_reads_the_kill_switch_only_where_that_stops_cancels(service: Service) -> None:
    service.have_order("Working")
    key = service.issue_key(strict_kill_switch=True)
    service.cancel("nothing-has-this-id", key=key)
    service.network.requests.clear()
    assert service.cancel("order-1", key=key).word == "cancelled"
    assert service.network.operations == [READ, UPDATE]


@every_way
@pytest.mark.parametrize("state", ["Working", "Cancelled", "Filled"])
def test_a_change_takes_a_read_and_a_write_and_by_name_one_read_more(
    service: Service, state: str, fields: dict[str, str], operations: list[str]
) -> None:
    service.have_strategy(state, "STOP1")
    service.warm_up()
    service.send("CHANGE", qty=7, **fields)
    assert service.network.operations == [READ, *operations]


@pytest.mark.parametrize(
    ("fields", "operations"),
    [
        ({}, [TRANSACTION]),
        ({"take_profit": 5020, "stop_loss": 4980}, [TRANSACTION]),
        ({"strategy_id": "new"}, [TRANSACTION]),
        ({"strategy": "brackets"}, [READ, TRANSACTION]),
        ({"strategy_id": "strategy-1"}, [TRANSACTION, TRANSACTION]),
        ({"order_id": "stop1", "strategy_id": "strategy-1"}, [READ, TRANSACTION, TRANSACTION]),
    ],
    ids=["alone", "with legs", "starting a strategy", "with a template", "joining a strategy", "by name"],
)
@pytest.mark.parametrize("state", ["Working", "Cancelled", "Filled"])
def test_a_replacement_takes_one_transaction_where_a_place_takes_one_write(
    service: Service, state: str, fields: dict[str, object], operations: list[str]
) -> None:
    service.put_template("brackets", (1, 10, 5))
    service.have_strategy(state, "STOP1")
    service.warm_up()
    answer = service.send("CANCELREPLACE", **{**ENTRY, "order_id": "order-1", **fields})
    if state == "Working":
        assert (answer.word, service.network.operations) == ("replaced", [READ, *operations])
    else:  # what is finished is known after the first transaction
        assert (answer.word, service.network.operations) == (
            "order_already_terminal",
            [READ, *operations[: operations.index(TRANSACTION) + 1]],
        )


@pytest.mark.parametrize("fields", [{"command": "CANCELORDERS", "account": "Sim101"}, {"command": "CANCELALLORDERS"}])
def test_a_cancel_of_many_takes_one_query_and_one_write_for_each_open_order(
    service: Service, fields: dict[str, str]
) -> None:
    for number in range(20):
        service.have_order("Working" if number % 4 == 0 else "Filled", f"order-{number:02}")
    service.warm_up()
    assert service.send(**fields).body["counts"]["cancelled"] == 5
    assert service.network.operations == [QUERY, *[UPDATE] * 5]


def test_a_close_takes_one_write_more_and_passes_over_the_orders_of_others(service: Service) -> None:
    service.place("order-1", strategy_id="strategy-1", take_profit=5020, stop_loss=4980)
    service.place("order-2")
    service.warm_up()
    assert service.send("CLOSESTRATEGY", strategy_id="strategy-1").word == "closed"
    assert service.network.operations == [UPDATE, QUERY, *[UPDATE] * 3]
    service.network.requests.clear()
    service.send("CLOSESTRATEGY", strategy_id="strategy-1")
    service.send("CLOSESTRATEGY", strategy_id="nobodys")
    assert service.network.operations == [UPDATE, QUERY, UPDATE]


@pytest.mark.parametrize(("order_id", "operations"), [(None, [READ, READ]), ("order-1", [READ, READ, READ])])
def test_without_its_template_a_place_is_looked_up_only_if_it_may_be_a_duplicate(
    service: Service, order_id: str | None, operations: list[str]
) -> None:
    service.warm_up()
    assert service.place(order_id, strategy="nobodys").word == "strategy_not_found"
    assert service.network.operations == operations


@pytest.mark.parametrize("fields", [{"order_id": "STOP1"}, {"order_id": "{{a}}"}, {}], ids=str)
def test_an_alert_that_is_refused_as_it_stands_takes_none(service: Service, fields: dict[str, str]) -> None:
    service.warm_up()
    assert service.send("CANCEL", **fields).status == 400
    assert service.network.operations == []


@pytest.mark.parametrize("key", ["", "your-secret-key", "ohk_000000000000_" + 43 * "A" + "00000000"])
def test_a_text_that_cannot_be_a_key_takes_none(service: Service, key: str) -> None:
    assert service.cancel("order-1", key=key).status == 401
    assert service.network.operations == []


def test_every_read_is_a_consistent_one_and_every_write_has_a_condition(service: Service) -> None:
    service.have_strategy("Working", "STOP1")
    service.put_template("brackets", (1, 10, 5))
    service.place("order-2")
    service.place("order-3", strategy_id="strategy-1", strategy="brackets")
    service.cancel("stop1", strategy_id="strategy-1")
    for _ in range(3):
        service.place(rate_limit=2, id="es")
        service.turn("on")
        service.turn("off")
    service.send("CHANGE", order_id="order-2", qty=7)
    service.send("CANCELREPLACE", **{**ENTRY, "order_id": "order-2", "strategy_id": "strategy-1"})
    service.send("CLOSESTRATEGY", strategy_id="strategy-1")
    service.send("CANCELALLORDERS")
    for request in service.network.requests:
        if request.operation in (READ, QUERY):
            assert request.payload["ConsistentRead"] is True
        for write in request.writes:
            assert write["ConditionExpression"]
            assert write["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD"
    assert set(service.network.operations) == {READ, PUT, UPDATE, TRANSACTION, QUERY}
