"""What a bridge sends to the report queue."""

import json
from decimal import Decimal
from types import MappingProxyType

import pytest

from orderhook.bridge_messages import Execution, Heartbeat, OrderReport, PositionReport, Sent, parse, serialize
from orderhook.messages import MessageError
from orderhook.orders import OrderState

AT = "2026-01-02T03:04:05.000000Z"

ORDER = OrderReport(
    order_id="long.STOP1",
    placed_by="r1",
    state=OrderState.PART_FILLED,
    filled=2,
    seq=1764300000000,
    acked=3,
    average=Decimal("5000.125"),
    values={"qty": "5", "limit_price": "5000.25", "stop_price": "-0.5", "order_type": "STOPLIMIT", "tif": "GTC"},
    reason="the exchange says why",
    unresolved="its file was not read",
    venue_ids=["oh1"],
    executions=[Execution("oh1", 2, 1, Decimal("5000.25"), AT), Execution("oh1", 1, 1, None, AT)],
    alarms=["cancel_refused"],
)
POSITION = PositionReport("Sim101", "ES 12-26", "LONG", 2, Decimal("5000.125"), AT)
HEARTBEAT = Heartbeat("j1", "PC", ["Sim101"], True, AT, positions=[POSITION], alarms=["orphan"])

PLAIN = OrderReport("a", "r1", OrderState.WORKING, 0, 1, venue_ids=[], executions=[], alarms=[])

MESSAGES = [ORDER, PLAIN, POSITION, HEARTBEAT]


@pytest.mark.parametrize("what", MESSAGES, ids=lambda what: type(what).__name__)
def test_a_message_comes_back_as_it_went(what: OrderReport | PositionReport | Heartbeat) -> None:
    body = serialize(Sent("main", "j1", what))
    assert body.isascii()
    assert parse(body) == Sent("main", "j1", what)


def test_a_price_is_exact_on_its_way() -> None:
    assert json.loads(serialize(Sent("main", "j1", ORDER)))["order"]["average"] == "5000.125"


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"version": 2}, "version"),
        ({"version": None}, "version"),
        ({"trader": ""}, "whose"),
        ({"journal": None}, "whose"),
        ({"position": {}}, "none of"),
        ({"order": None}, "its order has no fields"),
        ({"order": []}, "its order has no fields"),
    ],
)
def test_a_message_of_another_form_is_refused(values: dict[str, object], why: str) -> None:
    whole = json.loads(serialize(Sent("main", "j1", ORDER)))
    with pytest.raises(MessageError, match=why):
        parse(json.dumps(whole | values))


def test_what_a_bridge_does_not_say_is_absent() -> None:
    least = {"order_id": "a", "placed_by": "r1", "state": "Working", "filled": 0, "seq": 1}
    order = parse(json.dumps({"version": 1, "trader": "main", "journal": "j1", "order": least})).what
    assert order == OrderReport("a", "r1", OrderState.WORKING, 0, 1)
    assert isinstance(order, OrderReport)
    assert (order.acked, order.average, order.values, order.reason, order.unresolved) == (0, None, {}, None, None)
    least = {"journal": "j1", "host": "PC", "accounts": [], "ready": False, "at": AT}
    heartbeat = parse(json.dumps({"version": 1, "trader": "main", "journal": "j1", "heartbeat": least})).what
    assert isinstance(heartbeat, Heartbeat)
    assert (heartbeat.reason, heartbeat.take_over) == (None, False)


@pytest.mark.parametrize("values", [{"qty": "5", "limit_price": "5000"}, {"stop_price": "-5000.25"}, {}])
def test_a_quantity_and_whole_or_broken_prices_are_taken(values: dict[str, str]) -> None:
    report = PLAIN._replace(values=values, order_id="a" * 200)
    assert parse(serialize(Sent("main", "j1", report))).what == report


def test_what_nobody_can_change_is_sent_as_well() -> None:
    report = PLAIN._replace(venue_ids=("oh1", "oh2"), values=MappingProxyType({"qty": "5"}))
    sent = json.loads(serialize(Sent("main", "j1", report)))["order"]
    assert (sent["venue_ids"], sent["values"]) == (["oh1", "oh2"], {"qty": "5"})


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ("[]", "it is not a JSON object"),
        ("{}", "its version is unknown"),
        ('{"version": 2}', "its version is unknown"),
        ('{"version": 1, "trader": "main", "order": {}}', "it does not say whose it is"),
        ('{"version": 1, "trader": 1, "journal": "j1", "order": {}}', "it does not say whose it is"),
        ('{"version": 1, "trader": "main", "journal": "", "order": {}}', "it does not say whose it is"),
        ('{"version": 1, "trader": "main", "journal": "j1"}', "it is none of order, instruction, position, heartbeat"),
        (
            '{"version": 1, "trader": "main", "journal": "j1", "heartbeat": {"journal": "j1", "at": "SECRET"}}',
            "fields of its heartbeat are missing, wrong or unknown: accounts, at, host, ready",
        ),
    ],
)
def test_a_message_that_is_not_understood_is_told_why_without_its_values(body: str, why: str) -> None:
    with pytest.raises(MessageError) as refused:
        parse(body)
    assert str(refused.value) == why


def test_what_a_bridge_sends_says_its_version_whose_it_is_and_what_it_is_in_json() -> None:
    assert json.loads(serialize(Sent("main", "j1", POSITION))) == {
        "version": 1,
        "trader": "main",
        "journal": "j1",
        "position": {
            "account": "Sim101",
            "instrument": "ES 12-26",
            "side": "LONG",
            "quantity": 2,
            "average": "5000.125",
            "at": AT,
        },
    }


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '{"version": 1}', "[" * 100_000])
def test_what_is_no_message_is_refused(body: str) -> None:
    with pytest.raises(MessageError):
        parse(body)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("order_id", ""),
        ("order_id", "a" * 201),
        ("seq", 0),
        ("filled", -1),
        ("state", "Lost"),
        ("average", "NaN"),
        ("values", {"qty": "-1"}),
        ("values", {"qty": "1.5"}),
        ("values", {"qty": ""}),
        ("values", {"limit_price": "1e9"}),
        ("values", {"tif": "1"}),
        ("values", {"order_type": "STOP"}),
        ("values", {"account": "1"}),
        ("values", {"qty": "5", "limit_price": "five"}),
        ("executions", [{"venue_id": "oh1", "cumulative": 0, "quantity": 1, "price": None, "at": AT}]),
        ("executions", [{"venue_id": "oh1", "cumulative": 1, "quantity": 1, "price": None, "at": "yesterday"}]),
        ("one_more", "1"),
    ],
)
def test_a_field_that_is_wrong_is_named_and_never_quoted(name: str, value: object) -> None:
    whole = json.loads(serialize(Sent("main", "j1", ORDER)))
    whole["order"][name] = value
    with pytest.raises(MessageError) as refused:
        parse(json.dumps(whole))
    assert name in str(refused.value) or name == "one_more"
    assert "yesterday" not in str(refused.value)
