"""How many requests each alert sends to the table."""

import pytest

from tests.builders import ENTRY, alert
from tests.client_faults import in_writes
from tests.faults import lose_request, lose_response, no_fault
from tests.marks import EACH_ONCE, LONG
from tests.service import Service

UPDATE, READ, PUT, TRANSACTION, QUERY = "UpdateItem", "GetItem", "PutItem", "TransactWriteItems", "Query"
SEND = "SendMessage"

STRATEGY = {"strategy_id": "strategy-1"}
LEGS: dict[str, object] = {"take_profit": 5020, "stop_loss": 4980}
STOP: dict[str, object] = {
    **ENTRY,
    "action": "SELL",
    "order_type": "STOPMARKET",
    "limit_price": None,
    "stop_price": "4981",
}
"""What a CANCELREPLACE says of the stop of builders.ENTRY."""

every_way = pytest.mark.parametrize(
    ("way", "operations"),
    [
        ({"order_id": "order-1"}, [UPDATE]),
        ({"order_id": "order-1", **STRATEGY}, [UPDATE]),
        ({"order_id": "entry1", **STRATEGY}, [READ, UPDATE]),
    ],
    ids=["by id", "by id and strategy", "by name"],
)
every_way_to_a_leg = pytest.mark.parametrize(
    ("way", "operations"),
    [({"order_id": "order-1.stop1"}, [UPDATE]), ({"order_id": "stop1", **STRATEGY}, [READ, UPDATE])],
    ids=["by id", "by name"],
)
with_legs_or_without = pytest.mark.parametrize("legs", [{}, LEGS], ids=["without legs", "with legs"])


def have(service: Service, *reported: object, **legs: object) -> None:
    """Have order-1 be ENTRY1 of strategy-1, with what a venue reported of it."""
    assert service.place("order-1", **STRATEGY, **legs).word == "placed"
    if reported:
        service.report(*reported)  # type: ignore[arg-type]
    service.warm_up()


# One order


@every_way
@with_legs_or_without
def test_a_cancel_takes_one_write_and_by_name_one_read_more(
    service: Service, legs: dict[str, object], way: dict[str, str], operations: list[str]
) -> None:
    have(service, **legs)
    assert service.send("CANCEL", **way).word == "cancelled"
    assert service.network.operations == operations


@every_way
@pytest.mark.parametrize("reported", ["Cancelled", "Filled"])
def test_a_cancel_of_what_is_finished_reads_its_name_once_more_and_who_waits_for_it(
    service: Service, reported: str, way: dict[str, str], operations: list[str]
) -> None:
    have(service, reported)
    service.send("CANCEL", **way)
    by_name = [READ, QUERY] if READ in operations else []
    assert service.network.operations == operations + by_name


@every_way_to_a_leg
@pytest.mark.parametrize("released", [False, True], ids=["that waits", "that works"])
def test_a_cancel_of_a_leg_takes_one_write_and_of_one_that_works_another(
    service: Service, way: dict[str, str], operations: list[str], *, released: bool
) -> None:
    have(service, *(("Filled", 5) if released else ()), **LEGS)
    assert service.send("CANCEL", **way).word == "cancelled"
    assert service.network.operations == [*operations, *[UPDATE] * released]


def test_a_key_not_seen_lately_takes_one_read_more(service: Service) -> None:
    have(service)
    service.remember_keys(30)
    service.cancel("entry1", **STRATEGY)
    assert service.network.operations == [READ, READ, UPDATE]


@EACH_ONCE
@every_way
@pytest.mark.parametrize("reported", [None, "Cancelled", "Filled"])
@with_legs_or_without
@pytest.mark.parametrize("command", ["CHANGE", "CANCELREPLACE"])
def test_a_change_and_a_replacement_take_one_write_after_the_kill_switch(
    service: Service,
    command: str,
    legs: dict[str, object],
    reported: str | None,
    way: dict[str, str],
    operations: list[str],
) -> None:
    have(service, *([reported] if reported else []), **legs)
    fields = {**ENTRY, "limit_price": 4990} if command == "CANCELREPLACE" else {"limit_price": 4990}
    answer = service.send(command, **way, **fields)
    assert answer.status == (409 if reported else 200)
    # A name that leads to a finished order is read once more, and which orders wait to take it.
    again = [READ, QUERY] if reported and READ in operations else []
    assert service.network.operations == [READ, *operations, *again]


@every_way_to_a_leg
@pytest.mark.parametrize("command", ["CHANGE", "CANCELREPLACE"])
def test_a_new_price_of_a_leg_that_waits_takes_one_write(
    service: Service, command: str, way: dict[str, str], operations: list[str]
) -> None:
    have(service, **LEGS)
    fields = STOP if command == "CANCELREPLACE" else {"stop_price": "4981"}
    assert service.send(command, **way, **fields).status == 200
    assert service.network.operations == [READ, *operations]


@every_way_to_a_leg
@pytest.mark.parametrize("command", ["CHANGE", "CANCELREPLACE"])
def test_a_new_price_of_a_leg_that_works_beside_another_takes_a_look_and_a_transaction(
    service: Service, command: str, way: dict[str, str], operations: list[str]
) -> None:
    have(service, "Filled", 5, **LEGS)
    fields = STOP if command == "CANCELREPLACE" else {"stop_price": "4981"}
    assert service.send(command, **way, **fields).status == 200
    assert service.network.operations == [READ, *operations, READ, TRANSACTION]


@every_way_to_a_leg
@pytest.mark.parametrize("command", ["CHANGE", "CANCELREPLACE"])
def test_a_new_price_of_a_stop_that_works_alone_takes_one_request_more(
    service: Service, command: str, way: dict[str, str], operations: list[str]
) -> None:
    have(service, "Filled", 5, stop_loss=4980)
    fields = STOP if command == "CANCELREPLACE" else {"stop_price": "4981"}
    assert service.send(command, **way, **fields).status == 200
    assert service.network.operations == [READ, *operations, UPDATE]


# New orders


@pytest.mark.parametrize(
    ("fields", "operations"),
    [
        ({}, [PUT]),
        ({"order_id": "order-1"}, [PUT]),
        ({"strategy_id": "strategy-1"}, [READ, TRANSACTION]),
        (LEGS, [READ, TRANSACTION]),
        ({"strategy": "brackets"}, [READ, READ, TRANSACTION]),
        ({"strategy_id": "finished", **LEGS}, [READ, TRANSACTION]),
        # What of a strategy is open is learned from the transaction that it stops.
        ({"strategy_id": "running", **LEGS}, [READ, TRANSACTION, TRANSACTION]),
        ({"strategy_id": "running", "strategy": "brackets"}, [READ, READ, TRANSACTION, TRANSACTION]),
        ({"rate_limit": "5", "id": "es"}, [UPDATE, PUT]),
        ({"start_time": "00:00"}, [PUT]),
        ({"delay": "5"}, [SEND, PUT]),
        ({"delay": "5", "strategy_id": "running", **LEGS}, [SEND, PUT]),
    ],
    ids=[
        "without id",
        "with an id",
        "starting a strategy",
        "with legs",
        "with a template",
        "in a strategy with nothing open",
        "joining a strategy",
        "joining a strategy with a template",
        "with a rate limit",
        "with a window",
        "with a delay",
        "with a delay in a strategy",
    ],
)
def test_a_place_takes_a_read_of_the_kill_switch_and_one_write(
    service: Service, fields: dict[str, object], operations: list[str]
) -> None:
    service.put_template("brackets", (5, 10, 5))
    for strategy_id in ("running", "finished"):
        for number in (1, 2):
            service.place(f"{strategy_id}-{number}", strategy_id=strategy_id, stop_loss=4980)
    service.send("CLOSESTRATEGY", strategy_id="finished")
    service.warm_up()
    assert service.send("PLACE", **{**ENTRY, **fields}).status == 200
    assert service.network.operations == [READ, *operations]


@pytest.mark.parametrize(
    ("fields", "operations"),
    [
        ({}, [TRANSACTION]),
        (STRATEGY, [READ, TRANSACTION]),
        (LEGS, [READ, TRANSACTION]),
        ({**STRATEGY, "strategy": "brackets"}, [READ, READ, TRANSACTION]),
    ],
    ids=["alone", "in a strategy", "with legs", "with a template"],
)
def test_a_release_takes_a_read_of_its_key_and_its_order_and_one_transaction(
    service: Service, fields: dict[str, object], operations: list[str]
) -> None:
    service.put_template("brackets", (5, 10, 5))
    assert service.place("order-1", delay=5, **fields).word == "scheduled"
    service.warm_up()
    service.pass_time(6)
    assert service.state() == "Working"
    assert service.network.operations == [READ, READ, *operations]
    assert len(service.network.records) == 1


@pytest.mark.parametrize(("order_id", "operations"), [(None, [READ, READ]), ("order-1", [READ, READ, READ])])
def test_without_its_template_a_place_is_looked_up_only_if_it_may_be_a_duplicate(
    service: Service, order_id: str | None, operations: list[str]
) -> None:
    service.warm_up()
    assert service.place(order_id, strategy="nobodys").word == "strategy_not_found"
    assert service.network.operations == operations


# Several accounts


@pytest.mark.parametrize(
    ("fields", "operations"),
    [
        ({"command": "CANCEL", "order_id": "order-1"}, [PUT, UPDATE, UPDATE]),
        ({"command": "CHANGE", "order_id": "order-1", "qty": "3"}, [READ, PUT, UPDATE, UPDATE]),
        ({"command": "CANCELORDERS"}, [PUT, PUT, PUT, QUERY, QUERY, UPDATE, UPDATE]),
    ],
    ids=["CANCEL", "CHANGE", "CANCELORDERS, which leaves one in each too"],
)
def test_an_alert_for_several_accounts_leaves_a_trace_first(
    service: Service, fields: dict[str, str], operations: list[str]
) -> None:
    service.place("order-1", account="A,B")
    service.warm_up()
    assert service.send(**fields, account="A,B").status == 200
    assert sorted(service.network.operations) == sorted(operations)


# Many orders


@LONG
@pytest.mark.parametrize(
    ("fields", "operations"),
    [
        ({"command": "CANCELORDERS", "account": "Sim101"}, [PUT, QUERY]),
        ({"command": "CANCELALLORDERS"}, [PUT, UPDATE, QUERY]),
        ({"command": "CLOSESTRATEGY", **STRATEGY}, [UPDATE, QUERY]),
    ],
    ids=lambda value: value["command"] if isinstance(value, dict) else "",
)
@with_legs_or_without
def test_a_cancel_of_many_takes_one_write_for_each_open_order(
    service: Service, legs: dict[str, object], fields: dict[str, str], operations: list[str]
) -> None:
    for number in range(5):
        assert service.place(f"order-{number}", **STRATEGY, **legs).word == "placed"
    for number in range(3):
        service.have_order("Filled", f"filled-{number}")
    service.warm_up()
    answer = service.send(**fields)
    assert answer.body["counts"]["cancelled"] == 5
    assert service.network.operations == [*operations, *[UPDATE] * 5]


def test_a_close_passes_over_the_orders_of_others(service: Service) -> None:
    service.place("order-1", **STRATEGY)
    service.place("order-2")
    service.warm_up()
    assert service.send("CLOSESTRATEGY", **STRATEGY).word == "closed"
    assert service.network.operations == [UPDATE, QUERY, UPDATE]
    service.network.requests.clear()
    service.send("CLOSESTRATEGY", strategy_id="nobodys")
    assert service.network.operations == [UPDATE, QUERY]


@pytest.mark.parametrize(
    "fields",
    [{"command": "CANCELORDERS", "account": "Sim101"}, {"command": "CANCELALLORDERS"}],
    ids=lambda fields: fields["command"],
)
def test_with_nothing_to_cancel_one_query_more_says_where_orders_are_open(
    service: Service, fields: dict[str, str]
) -> None:
    service.warm_up()
    assert service.send(**fields).word == "nothing_to_cancel"
    noted = [UPDATE] if fields["command"] == "CANCELALLORDERS" else []
    assert service.network.operations == [PUT, *noted, QUERY, QUERY]


# Positions


INSTRUCTED: dict[str, object] = {"account": "Sim101", "instrument": "ES 12-26"}
BRACKET: dict[str, object] = {"action": "BUY", "qty": 1, "stop_loss": 4980}


@pytest.mark.parametrize(
    ("command", "fields", "operations"),
    [
        ("CLOSEPOSITION", INSTRUCTED, [TRANSACTION]),
        ("FLATTEN", {}, [TRANSACTION]),
        ("CANCELANDBRACKET", {**INSTRUCTED, **BRACKET}, [TRANSACTION]),
        ("CANCELORDERS", {**INSTRUCTED, "require_market_position": "flat"}, [TRANSACTION]),
        ("FLATTENEVERYTHING", {}, [TRANSACTION, UPDATE, QUERY, UPDATE]),
        ("REVERSE", INSTRUCTED, [READ, TRANSACTION]),
        ("FLATPLACE", {**ENTRY, "order_id": "a"}, [READ, PUT]),
        ("REVERSEPOSITION", {**ENTRY, "order_id": "a"}, [READ, PUT]),
        ("FLATPLACE", ENTRY, [READ, TRANSACTION]),
        ("FLATPLACE", {**ENTRY, "order_id": "a", **STRATEGY}, [READ, READ, TRANSACTION]),
        ("CLOSESTRATEGY", STRATEGY, [UPDATE, PUT, QUERY, UPDATE]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_asked_of_a_position_takes_one_write_and_rings(
    service: Service, command: str, fields: dict[str, object], operations: list[str]
) -> None:
    service.use_venue()
    if command in ("FLATTENEVERYTHING", "CLOSESTRATEGY"):
        service.place("order-1", **STRATEGY)
    service.warm_up()
    assert service.send(command, **fields).word == "accepted"
    assert service.network.operations == [*operations, SEND]


def test_the_same_close_takes_two_looks_and_writes_where_it_does_not_fold(service: Service) -> None:
    service.use_venue()
    service.warm_up()
    first = service.send("CLOSEPOSITION", **INSTRUCTED)
    service.let_pass(2)
    service.network.forget()
    assert service.send("CLOSEPOSITION", **INSTRUCTED).body["instruction_id"] == first.body["instruction_id"]
    assert service.network.operations[:4] == [TRANSACTION, READ, QUERY, SEND]


# Traces, records and controls


@pytest.mark.parametrize("seconds", [0, 10, 40])
@pytest.mark.parametrize("command", ["CHANGE", "CLOSESTRATEGY"])
def test_a_trace_that_may_be_of_a_resend_takes_a_read_of_its_record(
    service: Service, command: str, seconds: float
) -> None:
    have(service)
    text = alert(
        {"key": service.key, "command": command, **STRATEGY}
        | ({"order_id": "order-1", "limit_price": 4990} if command == "CHANGE" else {})
    )
    assert service.post(text).status == 200
    service.let_pass(seconds)
    service.network.forget()
    assert service.post(text).status == 200
    read = [READ] if 4 <= seconds <= 30 else []
    if command == "CHANGE":
        assert service.network.operations == [READ, UPDATE, *read, UPDATE]
    else:
        assert service.network.operations == [UPDATE, *read, UPDATE, QUERY]
    assert len(service.network.records) == 1


def test_a_resend_takes_one_read_more_and_is_noted_in_the_record_of_the_first(service: Service) -> None:
    service.warm_up()
    service.network.always = in_writes(lose_response)
    assert service.place("order-1").status == 503
    service.network.always = no_fault
    service.let_pass(5)
    service.cancel("order-1")
    service.network.forget()
    assert service.place("order-1").word == "already_placed"
    assert service.network.operations == [READ, PUT, READ, UPDATE]
    assert len(service.network.records) == 1


@pytest.mark.parametrize(
    ("command", "fields", "operations"),
    [
        ("CANCEL", {}, [UPDATE, UPDATE]),
        ("CHANGE", {"stop_price": "4981"}, [UPDATE, READ]),
        ("CANCELREPLACE", {**STOP, "qty": 5}, [UPDATE, READ]),
    ],
)
def test_a_name_that_leads_to_an_earlier_trade_is_noted_for_its_resend(
    service: Service, command: str, fields: dict[str, object], operations: list[str]
) -> None:
    service.place("order-0", **STRATEGY, **LEGS)
    service.cancel("order-0")
    have(service)
    service.report("Filled", 5, order_id="order-0")
    service.network.records_meet = lose_request
    controls = [] if command == "CANCEL" else [READ]
    change = {"order_id": "STOP1", **STRATEGY, **fields}
    assert service.send(command, **change).status == 200
    last = [UPDATE, UPDATE] if command == "CANCEL" else [UPDATE, READ, TRANSACTION]
    assert service.network.operations[-len(last) - 2 :] == [READ, UPDATE, *last]
    service.let_pass(5)
    service.network.forget()
    assert service.send(command, **change).status == 200
    assert service.network.operations == [*controls, READ, READ, *operations]


@pytest.mark.parametrize("sent", ["on", "off"])
def test_the_kill_switch_takes_one_write(service: Service, sent: str) -> None:
    service.turn("on" if sent == "off" else "off")
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


@pytest.mark.parametrize("fields", [{"order_id": "STOP1"}, {"order_id": "{{a}}"}, {}], ids=str)
def test_an_alert_that_is_refused_as_it_stands_takes_none(service: Service, fields: dict[str, str]) -> None:
    service.warm_up()
    assert service.send("CANCEL", **fields).status == 400
    assert service.network.operations == []
    assert len(service.network.records) == 1


@pytest.mark.parametrize("key", ["", "your-secret-key", "ohk_000000000000_" + 43 * "A" + "00000000"])
def test_a_text_that_cannot_be_a_key_takes_none(service: Service, key: str) -> None:
    assert service.cancel("order-1", key=key).status == 401
    assert service.network.operations == []
    assert service.network.records == []


def test_every_read_is_a_consistent_one_and_every_write_has_a_condition(service: Service) -> None:
    service.put_template("brackets", (1, 10, 5), (1, 20, 5))
    service.place("order-1", **STRATEGY, **LEGS)
    service.place("order-2")
    service.place("order-3", **STRATEGY, strategy="brackets")
    service.place("order-4", delay=5, **LEGS)
    service.cancel("stop1", **STRATEGY)
    for _ in range(3):
        service.place(rate_limit=2, id="es")
        service.turn("on")
        service.turn("off")
    service.send("CHANGE", order_id="order-2", qty=7)
    service.send("CHANGE", order_id="TARGET1", limit_price=5030, **STRATEGY)
    service.send("CANCELREPLACE", **{**ENTRY, "order_id": "order-2"})
    service.send("CANCELREPLACE", **{**ENTRY, "order_id": "order-1", **LEGS})
    service.pass_time(6)
    service.send("CLOSESTRATEGY", **STRATEGY)
    service.send("CANCELORDERS", account="Nobody")
    service.send("CANCELALLORDERS")
    writes = [write for request in service.network.requests for write in request.writes]
    for request in service.network.requests:
        if request.operation in (READ, QUERY):
            assert request.payload["ConsistentRead"] is True
    for write in writes:
        assert write["ConditionExpression"]
        assert write["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD"
    assert {READ, PUT, UPDATE, TRANSACTION, QUERY, SEND} <= set(service.network.operations)
    assert "Scan" not in service.network.operations
