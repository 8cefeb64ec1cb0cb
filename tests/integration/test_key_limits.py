"""What a key reaches and opens that an operator has limited; a key without limits is in all the other tests."""

from typing import Any

import pytest

from orderhook.administration import MAX_MARKETS
from orderhook.limits import Limits
from orderhook.store import items
from orderhook.store.table import serialize
from tests.builders import ENTRY, alert
from tests.faults import lose_request, lose_response
from tests.marks import EACH_ONCE, LONG, OF_KEYS
from tests.service import Service

pytestmark = OF_KEYS

UPDATE, READ, PUT, QUERY = "UpdateItem", "GetItem", "PutItem", "Query"

ES = {"account": "Sim101", "instrument": "ES 12-26"}
ELSEWHERE: dict[str, dict[str, Any]] = {
    "another account": {"account": "Sim102"},
    "another instrument": {"instrument": "NQ 12-26"},
}
"""Where the limits of `limited` do not reach."""

every_elsewhere = pytest.mark.parametrize("market", ELSEWHERE.values(), ids=list(ELSEWHERE))

every_form_of_limit = pytest.mark.parametrize(
    "limits",
    [
        {"accounts": ("SIM101",)},
        {"instruments": ("es  12-26",)},
        {"accounts": ("Sim109", "sim101"), "instruments": ("NQ 3-27", "Es 12-26")},
    ],
    ids=["accounts", "instruments", "both"],
)


@pytest.fixture
def limited(service: Service) -> str:
    """A key of the trader's for two contracts of ES in Sim101."""
    return service.issue_key(accounts=("Sim101",), instruments=("ES 12-26",), max_qty=2)


def place(service: Service, order_id: str, key: str | None = None, **changes: Any) -> None:
    fields = {"qty": 2, **changes} | ({"key": key} if key else {})
    assert service.place(order_id, **fields).word in ("placed", "scheduled")


# What an alert asks for


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"account": "Sim102"}, "account", "This key is limited to account Sim101; give that, or use another key."),
        ({"instrument": "NQ 12-26"}, "instrument", "This key is limited to instrument ES 12-26;"),
        ({"qty": 3}, "qty", "This key is limited to a quantity of 2; give no more, or use another key."),
    ],
)
@pytest.mark.parametrize("command", ["PLACE", "CANCELREPLACE"])
def test_an_order_beyond_a_limit_is_refused_and_the_limit_named(
    service: Service, limited: str, command: str, changes: dict[str, object], field: str, says: str
) -> None:
    place(service, "order-1", limited)
    order_id = "order-2" if command == "PLACE" else "order-1"
    answer = service.send(command, **{**ENTRY, "qty": 2, **changes, "order_id": order_id, "key": limited})
    assert (answer.status, answer.word, answer.body["field"]) == (403, "command_not_allowed", field)
    assert answer.body["detail"].startswith(says)
    assert [order.order_id for order in service.placed()] == ["order-1"]


@every_form_of_limit
def test_accounts_and_instruments_are_compared_without_case(service: Service, limits: dict[str, Any]) -> None:
    key = service.issue_key(**limits)
    assert service.place("order-1", key=key, account="SIM101", instrument="ES  12-26").word == "placed"
    assert service.send("CHANGE", order_id="order-1", limit_price=4990, key=key).word == "changed"
    assert service.cancel("order-1", key=key).word == "cancelled"


def test_a_refusal_takes_no_request_but_the_look_whether_it_is_a_resend(service: Service, limited: str) -> None:
    service.cancel("nothing", key=limited)
    service.network.forget()
    assert service.place(key=limited).status == 403
    assert service.network.operations == []
    assert service.place("order-1", key=limited).status == 403
    assert service.network.operations == [READ]


def test_a_change_gives_no_larger_quantity_and_leaves_none(service: Service, limited: str) -> None:
    place(service, "mine", limited)
    place(service, "large", qty=5)
    answer = service.send("CHANGE", order_id="mine", qty=3, key=limited)
    assert (answer.status, answer.body["field"]) == (403, "qty")
    # Nor is a larger order brought to another price.
    answer = service.send("CHANGE", order_id="large", limit_price=4990, key=limited)
    assert (answer.status, answer.word, answer.body["field"]) == (403, "command_not_allowed", "qty")
    assert service.plain("large")["limit_price"] == 5000.25
    assert service.send("CHANGE", order_id="large", limit_price=4990, qty=2, key=limited).word == "changed"


def test_a_cancel_ends_an_order_of_any_size(service: Service, limited: str) -> None:
    place(service, "large", qty=5)
    assert service.cancel("large", key=limited).word == "cancelled"


def test_a_leg_has_the_quantity_of_its_own(service: Service) -> None:
    service.put_template("brackets", (2, 10, 5), (8, 20, 5))
    place(service, "order-1", qty=10, strategy="brackets")
    key = service.issue_key(max_qty=2)
    assert service.send("CHANGE", order_id="order-1.TARGET1", limit_price=12, key=key).status == 400  # an offset
    place(service, "order-2", qty=10, stop_loss=4980, strategy_id="two")
    assert service.send("CHANGE", order_id="STOP1", stop_price=4981, strategy_id="two", key=key).status == 403
    place(service, "order-3", qty=2, stop_loss=4980, strategy_id="three")
    assert service.send("CHANGE", order_id="STOP1", stop_price=4981, strategy_id="three", key=key).word == "changed"


@pytest.mark.parametrize("limits", [{"accounts": ("Sim101",)}, {"max_qty": 5}, {"max_orders_per_minute": 5}], ids=str)
@pytest.mark.parametrize("turn", ["on", "off"])
def test_a_limited_key_does_not_turn_the_kill_switch(service: Service, limits: dict[str, Any], turn: str) -> None:
    answer = service.turn(turn, key=service.issue_key(**limits))
    assert (answer.status, answer.word, answer.body["field"]) == (403, "command_not_allowed", "kill_switch")
    assert service.controls.kill_switch(service.trader).since is None


# Orders that are there


@EACH_ONCE
@LONG
@every_elsewhere
@pytest.mark.parametrize(
    ("command", "fields"),
    [
        ("CANCEL", {"order_id": "order-1"}),
        ("CANCEL", {"order_id": "order-1", "strategy_id": "strategy-1"}),
        ("CANCEL", {"order_id": "order-1.STOP1"}),
        ("CHANGE", {"order_id": "order-1", "limit_price": 4990}),
        ("CHANGE", {"order_id": "order-1", "limit_price": 4990, "qty": 2}),
        ("CHANGE", {"order_id": "order-1.STOP1", "stop_price": 4981}),
        ("CANCELREPLACE", {**ENTRY, "qty": 2, "order_id": "order-1"}),
    ],
    ids=lambda value: value if isinstance(value, str) else value["order_id"],
)
@pytest.mark.parametrize("state", ["Working", "Filled", "Cancelled"])
def test_an_order_elsewhere_is_as_one_that_is_not_there(
    service: Service, limited: str, market: dict[str, Any], command: str, fields: dict[str, Any], state: str
) -> None:
    place(service, "order-1", stop_loss=4980, strategy_id="strategy-1", **market)
    if state != "Working":
        service.report(state, 2 if state == "Filled" else None)
    before = service.belongings()
    answer = service.send(command, **fields, key=limited)
    absent = service.send(command, **{**fields, "order_id": fields["order_id"].replace("1", "9", 1)}, key=limited)
    assert (answer.status, answer.word) == (404, "order_not_found")
    assert answer.body["detail"] == absent.body["detail"].replace("order-9", "order-1")
    assert service.belongings() == before


@every_elsewhere
@pytest.mark.parametrize(
    ("command", "fields"),
    [
        ("CANCEL", {"order_id": "ENTRY1"}),
        ("CANCEL", {"order_id": "STOP1"}),
        ("CHANGE", {"order_id": "STOP1", "stop_price": 4981}),
        ("CLOSESTRATEGY", {}),
    ],
    ids=lambda value: value if isinstance(value, str) else value.get("order_id", ""),
)
def test_a_strategy_elsewhere_is_as_one_that_is_not_there(
    service: Service, limited: str, market: dict[str, Any], command: str, fields: dict[str, Any]
) -> None:
    place(service, "order-1", stop_loss=4980, strategy_id="strategy-1", **market)
    before = service.belongings()
    answer = service.send(command, **fields, strategy_id="strategy-1", key=limited)
    assert (answer.status, answer.word) == (404, "strategy_not_found")
    assert service.belongings() == before


def test_a_strategy_elsewhere_is_not_joined_and_not_told_of(service: Service, limited: str) -> None:
    place(service, "order-1", strategy_id="strategy-1", account="Sim102")
    answer = service.place("order-2", qty=2, strategy_id="strategy-1", key=limited)
    assert (answer.status, answer.word) == (409, "strategy_mismatch")
    assert answer.body["detail"] == "Strategy strategy-1 has open orders elsewhere; give another strategy_id."


@EACH_ONCE
@LONG
@every_form_of_limit
@pytest.mark.parametrize(
    "fields",
    [
        {"command": "CANCELORDERS", "account": "sim101"},
        {"command": "CANCELALLORDERS"},
        {"command": "CLOSESTRATEGY", "strategy_id": "strategy-1"},
    ],
    ids=lambda fields: fields["command"],
)
def test_what_limits_do_not_reach_is_left_alone_by_commands_over_many(
    service: Service, limits: dict[str, Any], fields: dict[str, str]
) -> None:
    place(service, "here", strategy_id="strategy-1", stop_loss=4980)
    place(service, "wait", delay=30, strategy_id="strategy-1")
    place(service, "there", account="Sim102", instrument="NQ 12-26")
    place(service, "wait-there", account="Sim102", instrument="NQ 12-26", delay=30, strategy_id="strategy-1")
    service.let_pass(5)
    answer = service.send(**fields, key=service.issue_key(**limits))
    assert answer.status == 200
    assert sorted(answer.body["cancelled"]) == ["here", "wait"]
    assert "there" not in str(answer.body)
    assert sorted(service.open_orders()) == ["there", "wait-there"]
    service.pass_time(30)
    assert service.state("wait-there") == "Working"


def test_nothing_to_cancel_within_the_limits_tells_of_nothing_beyond(service: Service, limited: str) -> None:
    place(service, "there", account="Sim102")
    for fields in ({"command": "CANCELORDERS", "account": "Sim102"}, {"command": "CANCELALLORDERS"}):
        answer = service.send(**fields, key=limited)
        assert (answer.status, answer.word) == (200, "nothing_to_cancel")
        [warning] = answer.body["warnings"]
        assert warning["detail"] == (
            "No open order matched. No account has an open order. This key is limited to some accounts or instruments."
        )
    assert service.state("there") == "Working"


@pytest.mark.parametrize("own", ["ES 12-26", "ES1!"])
def test_as_many_markets_as_a_key_can_have_fit_into_every_condition(service: Service, own: str) -> None:
    names = [f"{'x' * 60}{number:02}" for number in range(MAX_MARKETS - 1)]
    others = [f"{name[2:]}1!" for name in names] if own == "ES1!" else names
    key = service.issue_key(accounts=(*names, "Sim101"), instruments=(*others, own))
    place(service, "order-1", key, stop_loss=4980, take_profit=5020, strategy_id="strategy-1")
    replacement = {**ENTRY, "qty": 2, "limit_price": 4995, "strategy_id": "strategy-1"}
    assert service.send("CHANGE", order_id="ENTRY1", limit_price=4990, strategy_id="strategy-1", key=key).status == 200
    assert service.send("CANCELREPLACE", order_id="order-1", **replacement, key=key).word == "replaced"
    assert service.send("CHANGE", order_id="STOP1", stop_price=4981, strategy_id="strategy-1", key=key).status == 200
    assert service.send("CLOSESTRATEGY", strategy_id="strategy-1", key=key).body["cancelled"] == ["order-1"]


@pytest.mark.parametrize("order_id", ["a#nq 12-26#b", "#nq 12-26#", "3#sim101#es 12-26#x", "%23"])
def test_nothing_in_an_id_passes_for_a_market(service: Service, order_id: str) -> None:
    place(service, order_id)
    for key in (service.issue_key(instruments=("NQ 12-26",)), service.issue_key(accounts=("ES 12-26",))):
        assert service.cancel(order_id, key=key).word == "order_not_found"
    assert service.cancel(order_id, key=service.issue_key(instruments=("ES 12-26",))).word == "cancelled"


def test_a_market_with_the_marks_of_the_index_is_compared_whole(service: Service) -> None:
    place(service, "order-1", instrument="ES#12%26")
    assert service.cancel("order-1", key=service.issue_key(instruments=("ES",))).word == "order_not_found"
    assert service.cancel("order-1", key=service.issue_key(instruments=("es#12%26",))).word == "cancelled"


def test_an_order_that_its_limits_cannot_judge_is_not_said_to_be_cancelled(service: Service, limited: str) -> None:
    place(service, "order-1", limited)
    service.table.client.update_item(  # as an index value of another version
        TableName=service.table.name,
        Key=serialize(items.order_key(service.trader, "order-1")),
        UpdateExpression="SET #open = :open",
        ExpressionAttributeNames={"#open": "open"},
        ExpressionAttributeValues={":open": {"S": "9#Sim101#ES 12-26#order-1"}},
    )
    assert service.cancel("order-1", key=limited).word == "order_not_found"
    assert service.send("CANCELALLORDERS", key=limited).word == "nothing_to_cancel"
    assert service.state("order-1") == "Working"


# Requests


def test_a_limit_makes_a_cancel_no_slower(service: Service, limited: str) -> None:
    place(service, "order-1", limited, strategy_id="strategy-1")
    place(service, "order-2", limited, strategy_id="strategy-1")
    service.network.forget()
    assert service.cancel("order-1", key=limited).word == "cancelled"
    assert service.network.operations == [UPDATE]
    service.network.forget()
    assert service.cancel("ENTRY2", strategy_id="strategy-1", key=limited).word == "cancelled"
    assert service.network.operations == [READ, UPDATE]


def test_a_cancel_whose_answer_is_lost_recognises_its_own_write(service: Service, limited: str) -> None:
    place(service, "order-1", limited)
    service.network.inject(UPDATE, lose_response)
    assert service.cancel("order-1", key=limited).word == "cancelled"


# Several accounts


def test_each_account_of_a_list_is_judged(service: Service) -> None:
    key = service.issue_key(accounts=("Sim101", "Sim103"))
    answer = service.place("long", account="Sim101,Sim102,Sim103", key=key)
    assert (answer.status, answer.word) == (403, "command_not_allowed")
    assert [(result["account"], result.get("status") or result["error"]) for result in answer.body["results"]] == [
        ("Sim101", "placed"),
        ("Sim102", "command_not_allowed"),
        ("Sim103", "placed"),
    ]
    assert sorted(order.order_id for order in service.placed()) == ["long.sim101", "long.sim103"]


# Delays


def test_a_release_is_judged_by_what_its_key_may_by_then(service: Service, limited: str) -> None:
    place(service, "order-1", limited, delay=5)
    place(service, "order-2", limited, delay=5)
    assert service.send("CHANGE", order_id="order-1", qty=3).word == "changed"  # by a key that may
    narrow(service, limited, Limits(accounts=("Sim101",), max_qty=1))
    service.pass_time(6)
    assert (service.state("order-1"), service.state("order-2")) == ("Working", "Cancelled")
    assert service.plain("order-2")["reason"].startswith("This key is limited to a quantity of 1;")


def test_limits_that_became_narrower_while_it_waited_void_a_place_and_a_change(service: Service) -> None:
    key = service.issue_key(accounts=("Sim101",), max_qty=5)
    place(service, "order-1", key, delay=5)
    place(service, "order-2", key)
    assert service.send("CHANGE", order_id="order-2", qty=4, delay=5, key=key).word == "scheduled"
    narrow(service, key, Limits(accounts=("Sim101",), max_qty=1))
    service.pass_time(6)
    assert service.state("order-1") == "Cancelled"
    assert service.plain("order-2")["qty"] == 2


def narrow(service: Service, secret: str, limits: Limits) -> None:
    """Have the table hold a key with other limits."""
    key_id = secret.split("_")[1]
    key = service.keys.get(key_id)
    assert key is not None
    item = serialize(items.key_item(key._replace(limits=limits)))
    service.table.client.put_item(TableName=service.table.name, Item=item)


def test_the_end_of_its_time_comes_to_an_order_whatever_its_key_may_by_then(service: Service) -> None:
    key = service.issue_key(accounts=("Sim101",))
    place(service, "order-1", key, cancel_after=1)
    narrow(service, key, Limits(accounts=("Sim109",)))
    service.pass_time(61)
    assert service.state("order-1") == "Cancelled"


def test_a_cancel_with_a_delay_reaches_no_further_than_its_key(service: Service, limited: str) -> None:
    place(service, "here", limited)
    place(service, "there", account="Sim102")
    for order_id in ("here", "there"):
        assert service.cancel(order_id, delay=5, key=limited).word == "scheduled"
    service.pass_time(6)
    assert (service.state("here"), service.state("there")) == ("Cancelled", "Working")


# Orders a minute


def test_only_so_many_orders_are_opened_in_a_minute(service: Service) -> None:
    key = service.issue_key(max_orders_per_minute=2)
    place(service, "order-1", key)
    place(service, "order-2", key)
    answer = service.place("order-3", key=key)
    assert (answer.status, answer.word, answer.body.get("field")) == (429, "rate_limited", None)
    assert answer.body["detail"].startswith("2 orders were opened by this key within 60 s, and its limit allows 2.")
    place(service, "order-4")  # another key of the trader's is not counted
    service.let_pass(61)
    place(service, "order-3", key)


def test_what_reduces_risk_is_not_counted_and_not_refused(service: Service) -> None:
    key = service.issue_key(max_orders_per_minute=1)
    place(service, "order-1", key, stop_loss=4980)
    assert service.place("order-2", key=key).word == "rate_limited"
    assert service.send("CHANGE", order_id="order-1.STOP1", stop_price=4981, key=key).word == "changed"
    assert service.send("CHANGE", order_id="order-1", qty=1, key=key).word == "changed"
    assert service.send("CHANGE", order_id="order-1", limit_price=4999, key=key).word == "rate_limited"
    replacement = {**ENTRY, "qty": 1, "limit_price": 4999}
    assert service.send("CANCELREPLACE", order_id="order-1", **replacement, key=key).word == "rate_limited"
    assert service.send("CANCELALLORDERS", key=key).body["cancelled"] == ["order-1"]


def test_each_account_of_a_list_is_an_order(service: Service) -> None:
    key = service.issue_key(accounts=("Sim101", "Sim102", "Sim103"), max_orders_per_minute=3)
    assert service.place("long", account="Sim101,Sim102", key=key).word == "placed"
    assert service.place("short", account="Sim101,Sim102", key=key).word == "rate_limited"
    # What is refused is not counted.
    assert service.place("short", account="Sim101,Sim109", key=key).word == "command_not_allowed"
    assert service.placed()[-1].order_id == "short.sim101"
    assert service.place("last", key=key).word == "rate_limited"
    # What the key may never do is told as that, however many orders it has opened.
    forbidden = service.place("short", account="Sim109", key=key)
    assert (forbidden.status, forbidden.word) == (403, "command_not_allowed")


@pytest.mark.parametrize("earlier", [{"limit_price": 4000}, {}], ids=["refused", "done before"])
def test_an_account_in_which_nothing_is_opened_does_not_count(service: Service, earlier: dict[str, Any]) -> None:
    key = service.issue_key(max_orders_per_minute=3)
    service.place("long.sim102", account="Sim102", **earlier)
    answer = service.place("long", account="Sim101,Sim102", key=key)
    assert [result.get("status") or result["error"] for result in answer.body["results"]] == [
        "placed",
        "duplicate_order_id" if earlier else "already_placed",
    ]
    place(service, "out-1", key)
    place(service, "out-2", key)
    assert service.place("out-3", key=key).word == "rate_limited"


def test_an_alert_for_more_accounts_than_orders_a_minute_says_so(service: Service) -> None:
    key = service.issue_key(max_orders_per_minute=2)
    answer = service.place("long", account="Sim101,Sim102,Sim103", key=key)
    assert (answer.status, answer.word) == (429, "rate_limited")
    assert "This alert is 3 orders, and its key may open 2 within 60 s: send fewer" in answer.body["detail"]


@pytest.mark.parametrize("accounts", ["Sim101", "Sim101,Sim102"])
def test_a_resend_is_not_refused_for_being_counted_twice(service: Service, accounts: str) -> None:
    key = service.issue_key(max_orders_per_minute=len(accounts.split(",")))
    text = alert({**ENTRY, "key": key, "command": "PLACE", "order_id": "long", "account": accounts})
    service.cancel("nothing", key=key)
    # It is counted, and no order is written, as far as anybody knows.
    service.network.inject(PUT, *[lose_request] * 20)
    assert service.post(text).status == 503
    assert service.placed() == []
    service.network.inject(PUT)
    service.let_pass(5)
    assert service.post(text).word == "placed"
    assert service.place("another", key=key).word == "rate_limited"


def test_an_alert_that_its_key_refuses_does_not_count_in_its_own_rate_limit(service: Service) -> None:
    key = service.issue_key(max_orders_per_minute=1)
    place(service, "order-1", key)
    for _ in range(3):
        answer = service.place("order-2", rate_limit="1/3600", id="es", key=key)
        assert (answer.word, answer.body.get("field")) == ("rate_limited", None)
    service.let_pass(61)
    place(service, "order-2", key, rate_limit="1/3600", id="es")


def test_an_alert_with_the_id_of_a_key_does_not_count_for_it(service: Service) -> None:
    key = service.issue_key(max_orders_per_minute=1)
    place(service, "order-1", rate_limit="1", id=f"key{key.split('_')[1]}")
    place(service, "order-2", key)


# Resends


def test_a_resend_is_judged_as_of_its_first_receipt_though_the_limits_are_others_now(service: Service) -> None:
    key = service.issue_key(accounts=("Sim101",))
    service.remember_keys(0)
    text = alert({**ENTRY, "key": key, "command": "PLACE", "order_id": "order-1"})
    service.network.inject(PUT, lose_response, lose_response, lose_response, lose_response)
    assert service.post(text).status == 503
    narrow(service, key, Limits(accounts=("Sim109",)))
    service.network.inject(PUT)
    service.let_pass(5)
    assert service.post(text).word == "already_placed"
    service.let_pass(40)
    assert service.post(text).word == "command_not_allowed"


def test_what_the_limit_of_a_key_refuses_rings_an_alarm(service: Service) -> None:
    key = service.issue_key(max_orders_per_minute=1)
    assert service.place("one", key=key).word == "placed"
    service.output.take()
    assert service.place("two", key=key).word == "rate_limited"
    assert any("RefusedAlerts" in line for line in service.output.lines())
    service.place("three", rate_limit="1/60", id="x")
    service.output.take()
    assert service.place("four", rate_limit="1/60", id="x").word == "rate_limited"
    assert not any("RefusedAlerts" in line for line in service.output.lines())


def test_an_id_that_an_order_elsewhere_has_is_taken_and_no_more_is_said(service: Service, limited: str) -> None:
    service.place("secret", account="Sim102", strategy_id="mine", delay=30)
    service.turn("on")
    service.turn("off")
    before = service.plain("secret")
    answer = service.place("secret", key=limited, qty=1)
    assert (answer.status, answer.word) == (409, "duplicate_order_id")
    assert "state" not in answer.body
    assert "mine" not in answer.body["detail"]
    assert service.plain("secret") == before


def test_the_way_out_of_an_id_that_is_taken_in_a_list_is_one_to_be_written(service: Service, limited: str) -> None:
    service.place("long.sim101", account="Sim102")
    answer = service.place("long", key=limited, qty=1, account="Sim101,Sim102")
    taken = answer.body["results"][0]
    assert (taken["error"], taken["field"]) == ("duplicate_order_id", "order_id")
    assert "such as long-{{timenow}}." in taken["detail"]


def test_what_a_limited_key_tried_is_not_the_first_receipt_of_another(service: Service, limited: str) -> None:
    service.place("old", account="Sim102")
    service.network.inject("Query", *[lose_request] * 3)
    assert service.send("CANCELALLORDERS", key=limited).status == 503
    service.network.inject("Query")
    service.place("new", account="Sim102")
    service.let_pass(5)
    assert service.send("CANCELALLORDERS").word == "cancelled"
    assert service.open_orders() == []


def test_a_delayed_list_says_at_once_which_accounts_the_key_does_not_reach(service: Service, limited: str) -> None:
    service.place("long", account="Sim101,Sim102", qty=1)
    fields = {**ENTRY, "account": "Sim101,Sim102", "qty": 1}
    answer = service.send("CANCELREPLACE", key=limited, order_id="long", delay=5, **fields)
    assert (answer.status, answer.word) == (403, "command_not_allowed")
    assert [result["success"] for result in answer.body["results"]] == [True, False]
