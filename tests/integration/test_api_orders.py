"""Orders by the API: placed, cancelled, changed and replaced by the way of every alert, and shown."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest

from orderhook import administration
from orderhook.trade_window import NEW_YORK
from tests.api import ES, Api
from tests.client_faults import in_writes
from tests.faults import lose_response, no_fault
from tests.marks import OF_PAGES
from tests.service import Service

pytestmark = OF_PAGES

ODD_IDS = ["cancel", "place", "..", "100%", "a+b", "Long Entry", "snapshot"]


@pytest.fixture
def api(service: Service) -> Api:
    return Api(service)


def ids(told: Any) -> list[str]:
    return [order["orderId"] for order in told.body["orders"]]


@pytest.mark.parametrize("order_id", ["long.STOP1", "long.stop1", "long.Stop1", "Long Entry", "Long   Entry"])
@pytest.mark.parametrize("what", ["cancel", "change", "replace"])
def test_an_order_is_reached_by_its_own_account_alone(api: Api, order_id: str, what: str) -> None:
    api.place("long", "Apex-7", stopLoss=4990)
    api.place("Long Entry", "Apex-7")
    body = {"cancel": {}, "change": {"quantity": 1}, "replace": ES}[what]
    send = api.put if what == "change" else api.post
    told = send(f"/order/{what}", body, query=urlencode({"account": "Sim101", "orderId": order_id}))
    assert told.refusal == (404, "order_not_found")
    shown = [api.get("/order", account="Apex-7", orderId=it).body["order"] for it in ("long.STOP1", "Long Entry")]
    assert [(it["state"], it["quantity"]) for it in shown] == [("Initialized", 5), ("Working", 5)]
    where = urlencode({"account": "apex-7", "orderId": order_id})
    assert api.post("/order/cancel", {}, query=where).word == "cancelled"


@pytest.mark.parametrize("strategy_id", ["my strategy", "my   strategy"])
@pytest.mark.parametrize("name", ["STOP1", "stop1"])
def test_a_name_is_reached_by_its_own_account_alone(api: Api, strategy_id: str, name: str) -> None:
    api.place("long", "Apex-7", stopLoss=4990, strategyId="my strategy")
    body = {"strategyId": strategy_id}
    told = api.post("/order/cancel", body, query=urlencode({"account": "Sim101", "orderId": name}))
    assert told.refusal == (404, "order_not_found")
    told = api.post("/order/cancel", body, query=urlencode({"account": "apex-7", "orderId": name}))
    assert (told.word, told.body["orderId"]) == ("cancelled", "long.STOP1")


# Placing


def test_an_order_is_placed_with_its_legs_and_leaves_a_record_of_the_api(api: Api) -> None:
    told = api.place("a", strategyId="s", takeProfit=5020, stopLoss=4990.5, notes="from a program")
    assert told.status == 200
    request_id = told.body.pop("requestId")
    assert told.body == {
        "success": True,
        "status": "placed",
        "orderId": "a",
        "strategyId": "s",
        "orderName": "ENTRY1",
        "legs": {"TARGET1": "a.TARGET1", "STOP1": "a.STOP1"},
        "state": "Working",
    }
    record = api.service.alerts.get(api.service.trader, request_id)
    assert record is not None
    assert (record.origin, record.command, record.key_label) == ("api", "PLACE", "a program's")
    assert record.fields == {
        "command": "PLACE",
        "account": "Sim101",
        "instrument": "ES 12-26",
        "action": "BUY",
        "qty": "5",
        "order_type": "LIMIT",
        "limit_price": "5000.25",
        "tif": "GTC",
        "order_id": "a",
        "strategy_id": "s",
        "take_profit": "5020",
        "stop_loss": "4990.5",
        "notes": "from a program",
    }


def test_a_place_that_is_sent_again_places_nothing_more(api: Api) -> None:
    assert [api.place("a").word for _ in range(3)] == ["placed", "already_placed", "already_placed"]
    assert api.place("a", quantity=6).refusal == (409, "duplicate_order_id")
    assert len(api.service.placed()) == 1


def test_a_place_whose_answer_was_lost_is_safe_to_send_again(api: Api) -> None:
    api.service.network.always = in_writes(lose_response)
    assert api.place("a").status in (200, 503)
    api.service.network.always = no_fault
    assert api.place("a").word in ("placed", "already_placed")
    assert [order.order_id for order in api.service.placed()] == ["a"]


def test_the_idempotency_key_serves_as_the_order_id(api: Api) -> None:
    def place(key: str, **body: object) -> Any:
        return api.post("/accounts/Sim101/orders/place", {**ES, **body}, headers={"idempotency-key": key})

    assert [place("a").word, place("a").word] == ["placed", "already_placed"]
    assert place("a", orderId="a").word == "already_placed"
    assert place("a", orderId="b").refusal == (400, "invalid_value")
    assert place(" ").refusal == (400, "invalid_value")
    assert place("STOP1").refusal == (400, "invalid_value")
    assert place("a=b").refusal == (400, "invalid_value")
    assert [order.order_id for order in api.service.placed()] == ["a"]


def test_without_an_order_id_each_request_places_an_order_and_is_warned(api: Api) -> None:
    told = [api.place(), api.place()]
    assert [it.body["warnings"][0]["code"] for it in told] == ["no_order_id", "no_order_id"]
    assert told[0].body["warnings"][0]["field"] == "orderId"
    assert len(api.service.placed()) == 2


def test_a_refusal_names_the_field_as_the_api_does(api: Api) -> None:
    for changes, field in (
        ({"quantity": 0}, "quantity"),
        ({"timeInForce": "NEVER"}, "timeInForce"),
        ({"orderType": "STOPLIMIT"}, "stopPrice"),
        ({"limitPrice": -1}, "limitPrice"),
        ({"takeProfit": 4000}, "takeProfit"),
        ({"action": "HOLD"}, "action"),
        ({"instrument": " ES 12-26"}, "instrument"),
    ):
        told = api.place("a", **changes)
        assert (told.status, told.body["field"]) == (400, field)
    assert api.place("a", account="Sim101,Sim102").refusal == (400, "invalid_value")
    assert api.service.placed() == []


def test_the_kill_switch_stops_a_place_and_lets_a_cancel_pass(api: Api) -> None:
    api.place("a")
    assert api.put("/killswitch", {"on": True}).word == "kill_switch_on"
    assert api.get("/killswitch").body["on"] is True
    assert api.place("b").refusal == (423, "kill_switch_on")
    assert api.post("/accounts/Sim101/orders/a/cancel").word == "cancelled"
    assert api.put("/killswitch", {"on": False}).word == "kill_switch_off"
    assert api.place("b").word == "placed"


def test_a_trade_window_and_a_rate_limit_hold_here_too(api: Api) -> None:
    there = datetime.now(NEW_YORK)
    begins, ends = (f"{there + timedelta(hours=hours):%H:%M}" for hours in (2, 3))
    closed = api.place("a", startTime=begins, endTime=ends)
    assert closed.refusal == (423, "outside_trade_window")
    assert closed.body["field"] in ("startTime", "endTime")
    limited = [api.place(f"r-{n}", rateLimit="1/60", id="es").status for n in range(2)]
    assert limited == [200, 429]


# One order


@pytest.mark.parametrize("order_id", ODD_IDS)
def test_an_odd_id_is_an_id_in_a_path(api: Api, order_id: str) -> None:
    api.place("another")
    assert api.place(order_id).word == "placed"
    path = f"/accounts/Sim101/orders/{order_id}"
    assert api.get(path).body["order"]["orderId"] == order_id
    assert api.put(f"{path}/change", {"quantity": 4}).word == "changed"
    assert api.post(f"{path}/cancel").word == "cancelled"
    assert api.service.state("another") == "Working"


@pytest.mark.parametrize("order_id", [*ODD_IDS, "TP/SL"])
def test_an_odd_id_is_an_id_in_a_query(api: Api, order_id: str) -> None:
    api.place("another")
    assert api.place(order_id).word == "placed"
    query = {"account": "Sim101", "orderId": order_id}
    assert api.get("/order", **query).body["order"]["orderId"] == order_id
    encoded = "&".join(f"{name}={_encoded(value)}" for name, value in query.items())
    assert api.send("PUT", "/order/change", {"quantity": 4}, query=encoded).word == "changed"
    assert api.send("POST", "/order/replace", {**ES, "quantity": 3}, query=encoded).word == "replaced"
    assert api.send("POST", "/order/cancel", query=encoded).word == "cancelled"
    assert api.service.state("another") == "Working"


def _encoded(value: str) -> str:
    return "".join(f"%{byte:02X}" for byte in value.encode())


def test_a_path_is_never_decoded_twice(api: Api) -> None:
    api.place("100%")
    assert api.get("/accounts/Sim101/orders/100%25").refusal == (404, "order_not_found")


def test_an_account_may_be_called_snapshot(api: Api) -> None:
    assert api.place("a", account="snapshot").word == "placed"
    assert ids(api.get("/accounts/snapshot/orders")) == ["a"]


def test_an_order_of_another_account_is_not_there(api: Api) -> None:
    api.place("a", strategyId="s")
    path = "/accounts/Sim102/orders/a"
    for told in (
        api.get(path),
        api.post(f"{path}/cancel"),
        api.put(f"{path}/change", {"quantity": 1}),
        api.post(f"{path}/replace", ES),
        api.post("/accounts/Sim102/orders/ENTRY1/cancel", {"strategyId": "s"}),
    ):
        assert told.refusal == (404, "order_not_found")
    assert api.service.state("a") == "Working"
    assert api.post("/accounts/sim101/orders/a/cancel").word == "cancelled"


def test_a_name_in_a_strategy_is_an_address_too(api: Api) -> None:
    api.place("a", strategyId="s")
    assert api.post("/accounts/Sim101/orders/ENTRY1/cancel").refusal == (400, "strategy_id_required")
    assert api.post("/accounts/Sim101/orders/ENTRY1/cancel", {"strategyId": "s"}).word == "cancelled"


def test_a_cancel_twice_is_a_success_twice(api: Api) -> None:
    api.place("a")
    told = [api.post("/accounts/Sim101/orders/a/cancel") for _ in range(2)]
    assert [it.word for it in told] == ["cancelled", "already_cancelled"]
    assert api.post("/accounts/Sim101/orders/nobodys/cancel").refusal == (404, "order_not_found")


def test_a_filled_order_is_not_changed(api: Api) -> None:
    api.service.have_order("Filled", "a", filled=5)
    told = api.put("/accounts/Sim101/orders/a/change", {"limitPrice": 5001})
    assert told.refusal == (409, "order_already_terminal")
    assert told.body["state"] == "Filled"


def test_a_change_is_made_each_time_that_it_is_asked_for(api: Api) -> None:
    api.place("a")
    path = "/accounts/Sim101/orders/a/change"
    told = [api.put(path, {"quantity": quantity}).body["quantity"] for quantity in (3, 4, 3)]
    assert told == [3, 4, 3]
    order = api.service.order("a")
    assert order is not None
    assert order.qty == 3


def test_a_price_is_changed_exactly(api: Api) -> None:
    api.place("a")
    told = api.put("/accounts/Sim101/orders/a/change", text='{"limitPrice": 4999.10}')
    assert told.body["limitPrice"] == Decimal("4999.1")


def test_a_replacement_takes_the_account_of_the_path(api: Api) -> None:
    api.place("a")
    told = api.post("/accounts/Sim101/orders/a/replace", {**ES, "quantity": 3, "limitPrice": 4998.75})
    assert (told.word, told.body["quantity"], told.body["limitPrice"]) == ("replaced", 3, Decimal("4998.75"))


def test_an_order_is_shown_with_its_history_and_legs(api: Api) -> None:
    api.place("a", takeProfit=5020, stopLoss=4990.5)
    api.put("/accounts/Sim101/orders/a/change", {"limitPrice": 5001})
    order = api.get("/accounts/Sim101/orders/a").body["order"]
    assert (order["quantity"], order["limitPrice"], order["timeInForce"]) == (5, 5001, "GTC")
    assert [leg["orderId"] for leg in order["legs"]] == ["a.STOP1", "a.TARGET1"]
    assert order["history"][-1]["changes"] == {"limitPrice": 5001}
    assert api.get("/accounts/Sim101/orders/a.STOP1").body["order"]["stopPrice"] == Decimal("4990.5")


# Many orders


def test_the_orders_of_an_account_or_an_instrument_are_cancelled(api: Api) -> None:
    api.place("es")
    api.place("nq", instrument="NQ 12-26", limitPrice=21000)
    api.place("other", account="Sim102")
    told = api.send("POST", "/accounts/Sim101/orders/cancel", query="instrument=NQ+12-26")
    assert told.body["cancelled"] == ["nq"]
    assert told.body["counts"]["alreadyCancelled"] == 0
    different = api.send("POST", "/accounts/Sim101/orders/cancel", {"instrument": "ES 12-26"}, query="instrument=NQ")
    assert different.refusal == (400, "invalid_value")
    assert api.post("/accounts/Sim101/orders/cancel", {"instrument": ""}).refusal == (400, "invalid_value")
    assert api.post("/accounts/Sim101/orders/cancel", {"instrument": None}).refusal == (400, "invalid_value")
    assert api.post("/accounts/Sim101/orders/cancel", {"instrument": "ES 12-26"}).body["cancelled"] == ["es"]
    assert api.post("/orders/cancelall").body["cancelled"] == ["other"]


@pytest.mark.parametrize("path", ["/orders/cancelall", "/accounts/Sim101/orders/cancel"])
def test_what_is_cancelled_again_ends_what_has_come_in_since(api: Api, path: str) -> None:
    api.place("a")
    assert api.post(path).body["cancelled"] == ["a"]
    api.place("b")
    assert api.post(path).body["cancelled"] == ["b"]


def test_a_strategy_is_listed_and_closed_again_after_a_new_start(api: Api) -> None:
    api.place("a", strategyId="s")
    [strategy] = api.get("/strategies").body["strategies"]
    assert strategy == {
        "strategyId": "s",
        "account": "Sim101",
        "instrument": "ES 12-26",
        "template": None,
        "entries": {"ENTRY1": "a"},
        "closedAt": None,
    }
    assert api.post("/strategies/s/close").body["cancelled"] == ["a"]
    api.place("b", strategyId="s")
    assert api.post("/strategies/s/close").body["cancelled"] == ["b"]
    assert api.post("/strategies/nobodys/close").refusal == (404, "strategy_not_found")


# A limited key


def test_a_limited_key_sees_and_reaches_what_lies_within_its_limits_alone(api: Api) -> None:
    api.place("mine", strategyId="s-1", stopLoss=4990)
    api.place("others", account="Sim102", strategyId="s-2")
    limited = api.limited(accounts=("Sim101",))
    assert ids(limited.get("/orders")) == ["mine", "mine.STOP1"]
    assert ids(limited.get("/orders", account="Sim102")) == []
    assert ids(limited.get("/accounts/Sim102/orders")) == []
    assert limited.get("/accounts/Sim102/orders/others").refusal == (404, "order_not_found")
    assert limited.post("/accounts/Sim102/orders/others/cancel").refusal == (404, "order_not_found")
    assert [it["strategyId"] for it in limited.get("/strategies").body["strategies"]] == ["s-1"]
    assert limited.post("/strategies/s-2/close").refusal == (404, "strategy_not_found")
    assert limited.place("new", account="Sim102").refusal == (403, "command_not_allowed")
    assert limited.put("/killswitch", {"on": True}).refusal == (403, "command_not_allowed")
    assert limited.post("/orders/cancelall").body["cancelled"] == ["mine"]
    assert api.service.state("others") == "Working"


OF_ORDERS = [
    ("POST", "cancel", {}),
    ("POST", "replace", {**ES, "quantity": 3}),
    ("PUT", "change", {"limitPrice": 5001}),
    ("GET", "", None),
]


def without_names(told: Any, *names: str) -> str:
    """Return what an answer says, but for the request's id and the names that were asked for."""
    texts = {name: text for name, text in told.body.items() if name != "requestId"}
    said = f"{told.status} {sorted(texts.items())}"
    for name in sorted(names, key=len, reverse=True):
        said = said.replace(name, "…")
    return said


@pytest.mark.parametrize(("method", "does", "body"), OF_ORDERS, ids=["cancel", "replace", "change", "show"])
def test_a_limited_key_cannot_tell_an_account_beyond_it_from_none(
    api: Api, method: str, does: str, body: dict[str, object] | None
) -> None:
    api.place("mine", strategyId="s-1")
    api.place("others", account="Sim102", strategyId="s-2", stopLoss=4990)
    limited = api.limited(accounts=("Sim101",))

    def asked(account: str, order_id: str) -> str:
        told = limited.send(method, f"/accounts/{account}/orders/{order_id}{does and f'/{does}'}", body)
        return without_names(told, account, order_id)

    for order_id in ("mine", "others", "others.STOP1", "nobodys"):
        assert asked("Sim102", order_id) == asked("Nowhere", order_id)
    for order_id, name in (("others", "nobodys"), ("others.STOP1", "nobodys.STOP1")):
        assert asked("Sim101", order_id) == asked("Sim101", name)
    if does in ("cancel", "change"):
        of_strategies = [
            without_names(
                limited.send(method, f"/accounts/{account}/orders/ENTRY1/{does}", {**(body or {}), "strategyId": it}),
                account,
                it,
            )
            for account in ("Sim101", "Sim102", "Nowhere")
            for it in ("s-2", "s-3")
        ]
        assert len(set(of_strategies)) == 1
    assert api.service.state("others") == api.service.state("mine") == "Working"


def test_a_limited_key_sees_alerts_within_its_limits_and_its_own(api: Api) -> None:
    inside, outside = (api.place(name, account=name).body["requestId"] for name in ("Sim101", "Sim102"))
    unnamed = api.post("/accounts/Sim102/orders/Sim102/cancel").body["requestId"]
    limited = api.limited(accounts=("Sim101",), instruments=("ES 12-26",))
    own = limited.post("/accounts/Sim101/orders/nobodys/cancel").body["requestId"]
    assert [it["requestId"] for it in limited.get("/alerts").body["alerts"]] == [own, inside]
    assert limited.get(f"/alerts/{inside}").status == 200
    for request_id in (outside, unnamed, "0" * 32, "x", "../alerts"):
        assert limited.get(f"/alerts/{request_id}").refusal[0] == 404


def test_the_orders_of_another_trader_are_not_there(api: Api) -> None:
    api.place("a")
    theirs = Api(api.service, _key_of(api, "somebody-else"))
    assert ids(theirs.get("/orders")) == []
    assert theirs.get("/alerts").body["alerts"] == []
    assert theirs.post("/accounts/Sim101/orders/a/cancel").refusal == (404, "order_not_found")
    assert api.service.state("a") == "Working"


def _key_of(api: Api, trader: str) -> str:
    secret, _ = administration.create_key(
        api.service.keys, trader=trader, label="", scopes=(), now=api.service.queue.now, api=True
    )
    return secret
