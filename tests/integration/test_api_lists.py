"""Lists of the API: page by page, while new alerts come in; and alerts one by one."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from orderhook.console.api import paging
from tests.api import Api, Told
from tests.builders import ENTRY
from tests.client_faults import in_writes
from tests.console_session import Visitor
from tests.faults import Fault, lose_response, no_fault, throttle
from tests.service import Service


@pytest.fixture
def api(service: Service) -> Api:
    return Api(service)


def names(told: Told, kind: str) -> list[str]:
    name = {"orders": "orderId", "alerts": "requestId", "strategies": "strategyId", "executions": "orderId"}[kind]
    return [it[name] for it in told.body[kind]]


def pages(api: Api, path: str, kind: str, *, between: Any = lambda: None, **query: object) -> list[list[str]]:
    """Return what each page shows, up to the last one."""
    found: list[list[str]] = []
    while True:
        told = api.get(path, **query)
        assert told.status == 200, told.body
        found.append(names(told, kind))
        if told.body["nextCursor"] is None:
            return found
        query["cursor"] = told.body["nextCursor"]
        between()


def in_trouble(api: Api, fault: Fault, send: Callable[[], Told]) -> Told:
    """Return what is answered while every write of the table but a record's meets a fault."""
    api.service.network.always = in_writes(fault)
    told = send()
    api.service.network.always = no_fault
    return told


# Orders


def test_open_orders_come_page_by_page_legs_under_their_entry(api: Api) -> None:
    api.place("a", stopLoss=4990)
    api.place("a-b")
    api.place("c")
    assert pages(api, "/orders", "orders", limit=1) == [["a"], ["a.STOP1"], ["a-b"], ["c"]]
    assert pages(api, "/orders", "orders", limit=2) == [["a", "a.STOP1"], ["a-b", "c"]]
    assert pages(api, "/orders", "orders") == [["a", "a.STOP1", "a-b", "c"]]


def test_what_is_placed_meanwhile_moves_no_page(api: Api) -> None:
    for order_id in ("b", "d", "f"):
        api.place(order_id)
    new = iter(("a", "e", "c"))
    found = pages(api, "/orders", "orders", limit=1, between=lambda: api.place(next(new)))
    assert [order_id for page in found for order_id in page] == ["b", "d", "e", "f"]


def test_orders_are_filtered_by_what_they_have(api: Api) -> None:
    api.place("a", strategyId="s")
    api.place("b", account="Sim102")
    api.place("c", instrument="NQ 12-26", limitPrice=21000)
    assert names(api.get("/orders", account="sim101"), "orders") == ["a", "c"]
    assert names(api.get("/orders", instrument="ESZ6"), "orders") == ["a", "b"]
    assert names(api.get("/orders", instrument="NQ1!"), "orders") == ["c"]
    assert names(api.get("/orders", strategyId="s"), "orders") == ["a"]


def test_a_delayed_order_is_listed_once_on_all_pages(api: Api) -> None:
    api.place("delayed", delay=5)
    api.place("between")
    api.service.pass_time(6)
    for order_id in ("delayed", "between"):
        assert api.post(f"/accounts/Sim101/orders/{order_id}/cancel").status == 200
    assert pages(api, "/orders", "orders", status="closed", limit=1) == [["between"], ["delayed"]]


def test_closed_orders_are_listed_by_when_they_were_placed(api: Api) -> None:
    api.place("old", takeProfit=5020, stopLoss=4990)
    api.place("open")
    api.place("new")
    api.post("/accounts/Sim101/orders/new/cancel")
    api.post("/accounts/Sim101/orders/old/cancel")
    everything = ["new", "old", "old.TARGET1", "old.STOP1"]
    assert names(api.get("/orders", status="closed"), "orders") == everything
    for limit in (1, 2, 3):
        found = pages(api, "/orders", "orders", status="closed", limit=limit, between=lambda: api.place())
        assert [order_id for page in found for order_id in page] == everything
    tomorrow = datetime.now().astimezone() + timedelta(days=1)
    assert names(api.get("/orders", status="closed", since=tomorrow.isoformat()), "orders") == []


def test_an_order_that_was_sent_twice_is_listed_once(api: Api) -> None:
    for _ in range(3):
        api.place("a")
    api.post("/accounts/Sim101/orders/a/cancel")
    assert pages(api, "/orders", "orders", status="closed", limit=1) == [["a"]]


def test_an_order_whose_own_record_is_missing_is_listed_by_its_resend(api: Api) -> None:
    told = api.place("a")
    api.remove_record(told.body["requestId"])
    api.place("a")
    api.post("/accounts/Sim101/orders/a/cancel")
    assert names(api.get("/orders", status="closed"), "orders") == ["a"]


@pytest.mark.parametrize(
    ("order_id", "refusal"), [("a", (503, "temporarily_unavailable")), (None, (409, "outcome_unknown"))]
)
def test_an_order_of_which_nobody_knew_whether_it_was_placed_is_listed(
    api: Api, order_id: str | None, refusal: tuple[int, str]
) -> None:
    lost = in_trouble(api, lose_response, lambda: api.place(order_id))
    assert lost.refusal == refusal
    order_id = order_id or lost.body["requestId"]
    assert api.post(f"/accounts/Sim101/orders/{order_id}/cancel").word == "cancelled"
    assert names(api.get("/orders", status="closed"), "orders") == [order_id]


def test_an_order_that_was_sent_again_after_a_503_is_listed_once(api: Api) -> None:
    assert in_trouble(api, lose_response, lambda: api.place("a")).status == 503
    api.place("between")
    assert api.place("a").word == "already_placed"
    for order_id in ("a", "between"):
        api.post(f"/accounts/Sim101/orders/{order_id}/cancel")
    assert pages(api, "/orders", "orders", status="closed", limit=1) == [["between"], ["a"]]


def test_an_order_that_a_later_503_names_is_listed_by_its_own_placing(api: Api) -> None:
    api.place("a")
    api.place("between")
    assert in_trouble(api, throttle, lambda: api.place("a", quantity=6)).status == 503
    for order_id in ("a", "between"):
        api.post(f"/accounts/Sim101/orders/{order_id}/cancel")
    assert pages(api, "/orders", "orders", status="closed", limit=1) == [["between"], ["a"]]


def test_an_alert_for_several_accounts_is_listed_with_all_its_orders(api: Api) -> None:
    api.service.send("PLACE", **{**ENTRY, "account": "A,B", "order_id": "many"})
    api.post("/orders/cancelall")
    assert names(api.get("/orders", status="closed"), "orders") == ["many.a", "many.b"]


def test_closed_orders_are_refused_where_no_records_are_kept(api: Api) -> None:
    api.service.record_nothing()
    api.place("a")
    api.service.cancel("a")
    api.place("b")
    for told in (api.get("/orders", status="closed"), api.get("/accounts/Sim101/orders")):
        assert told.refusal == (400, "unsupported_command")
        assert "AlertRetentionDays=0" in told.body["detail"]
    assert names(api.get("/orders"), "orders") == ["b"]
    assert names(api.get("/accounts/Sim101/orders", activeOnly="true"), "orders") == ["b"]
    page = Visitor(api.service).get("/console/orders", status="closed")
    assert "none are kept here" in page.text
    assert "No order placed then" not in page.text


def test_the_orders_of_an_account_are_the_open_ones_and_then_the_closed_ones(api: Api) -> None:
    for order_id in ("a", "b", "c"):
        api.place(order_id)
    api.place("other", account="Sim102")
    api.post("/accounts/Sim101/orders/b/cancel")
    path = "/accounts/Sim101/orders"
    assert names(api.get(path), "orders") == ["a", "c", "b"]
    assert names(api.get(path, activeOnly="true"), "orders") == ["a", "c"]
    assert [it for page in pages(api, path, "orders", limit=1) for it in page] == ["a", "c", "b"]
    assert api.get(path, activeOnly="yes").refusal == (400, "invalid_value")


def test_an_order_that_cannot_be_read_hides_no_other(api: Api) -> None:
    for order_id in ("a", "b", "c"):
        api.place(order_id)
    api.spoil("b")
    told = api.get("/orders")
    assert names(told, "orders") == ["a", "b", "c"]
    assert [it.get("unreadable", False) for it in told.body["orders"]] == [False, True, False]
    assert api.get("/accounts/Sim101/orders/b").body["order"]["unreadable"] is True


# Alerts


def test_alerts_come_newest_first_page_by_page_while_new_ones_come_in(api: Api) -> None:
    ids = [api.place(f"a-{number}").body["requestId"] for number in range(5)]
    found = pages(api, "/alerts", "alerts", limit=2, between=lambda: api.place())
    assert [request_id for page in found for request_id in page] == ids[::-1]


def test_alerts_after_one_are_those_that_came_in_later(api: Api) -> None:
    first, second, third = (api.place(name).body["requestId"] for name in "abc")
    assert names(api.get("/alerts", after=first), "alerts") == [third, second]
    assert names(api.get("/alerts", after=third), "alerts") == []
    assert pages(api, "/alerts", "alerts", after=first, limit=1) == [[third], [second]]
    assert api.get("/alerts", after="yesterday").refusal == (400, "invalid_value")
    assert api.get("/alerts", after="f" * 32).refusal == (400, "invalid_value")


def test_alerts_are_filtered_by_what_came_of_them(api: Api) -> None:
    placed = api.place("a").body["requestId"]
    refused = api.place("a", quantity=6).body["requestId"]
    by_webhook = api.service.cancel("nobodys").request_id
    assert names(api.get("/alerts", status="done"), "alerts") == [placed]
    assert names(api.get("/alerts", status="409"), "alerts") == [refused]
    assert names(api.get("/alerts", command="cancel"), "alerts") == [by_webhook]
    assert names(api.get("/alerts", orderId="a"), "alerts") == [refused, placed]
    assert api.get("/alerts", status="lost").refusal == (400, "invalid_value")


def test_an_alert_is_shown_with_what_it_means_and_its_fields_as_sent(api: Api) -> None:
    request_id = api.service.cancel("nobodys").request_id
    alert = api.get(f"/alerts/{request_id}").body["alert"]
    assert alert["fields"] == {"command": "CANCEL", "order_id": "nobodys"}
    assert (alert["origin"], alert["outcome"], alert["sentAgain"]) == ("webhook", "order_not_found", False)
    assert alert["whatToDo"]
    for unknown in ("0" * 32, "x", request_id.upper(), request_id[:12]):
        assert api.get(f"/alerts/{unknown}").refusal == (404, "alert_not_found")


def test_an_alert_is_explained_and_not_sent(api: Api) -> None:
    told = api.post("/check", {"alert": "command=CANCEL; order_id=a;"}).body
    assert (told["accepted"], told["verdict"]) == (True, "This alert would cancel order a.")
    wrong = api.post("/check", {"alert": "key=your-secret-key; command=CANCEL;"}).body
    assert wrong["accepted"] is False
    assert [fault["error"] for fault in wrong["faults"]] == ["invalid_secret_key", "missing_field"]
    assert api.get("/alerts").body["alerts"] == []


@pytest.mark.parametrize("kind", ["alert", "api"])
def test_a_key_in_an_alert_that_is_checked_comes_back_masked(api: Api, kind: str) -> None:
    key = api.key if kind == "api" else api.service.key
    told = api.post("/check", {"alert": f"key={key}; command=CANCEL; order_id=a; notes={key};"})
    assert key.split("_")[2][:16] not in told.text
    assert told.body["accepted"] is False


# Cursors


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "é",
        "AAAA",
        paging.cursor("alerts"),
        paging.cursor("alerts", "x"),
        paging.cursor("alerts", "f" * 32, "x"),
        paging.cursor("open", "a"),
        paging.cursor("closed", "a", "b"),
        paging.cursor("executions", "a", "b", "c"),
        paging.cursor("executions"),
        paging.cursor("strategies"),
        paging.cursor("alerts", "0" * 300),
        paging.cursor("alerts", "0" * 32) + "=",
    ],
)
def test_a_cursor_that_is_not_of_the_list_is_refused(api: Api, cursor: str) -> None:
    api.service.use_venue()
    api.place("a", strategyId="s")
    for path, query in (
        ("/alerts", {}),
        ("/orders", {}),
        ("/orders", {"status": "closed"}),
        ("/strategies", {}),
        ("/executions", {}),
    ):
        assert api.get(path, cursor=cursor, **query).refusal == (400, "invalid_value")


def test_strategies_come_page_by_page(api: Api) -> None:
    for name in ("s-1", "s-2", "s-3"):
        api.place(f"of-{name}", strategyId=name)
    assert pages(api, "/strategies", "strategies", limit=2) == [["s-1", "s-2"], ["s-3"]]


# Executions and positions


def test_executions_come_newest_first_page_by_page(api: Api) -> None:
    api.service.use_venue()
    api.place("a")
    for number in range(3):
        api.have_execution("a", f"V{number}", number + 1, "5000.25")
    told = api.get("/executions")
    assert [it["cumulative"] for it in told.body["executions"]] == [3, 2, 1]
    assert '"price": 5000.25' in told.text
    assert [len(page) for page in pages(api, "/executions", "executions", limit=2)] == [2, 1]
    assert len(api.get("/accounts/Sim101/executions", instrument="ES1!").body["executions"]) == 3
    assert api.get("/executions", account="Sim102").body["executions"] == []
    assert api.limited(accounts=("Sim102",)).get("/executions").body["executions"] == []


# Out of time


def test_a_list_that_ran_out_of_time_goes_on_and_says_no_end(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.service.use_venue()
    for name in ("a", "b", "c"):
        api.place(name, strategyId=f"s-{name}")
    for number in range(3):
        api.have_execution("a", f"V{number}", number + 1, "5000.25")
    monkeypatch.setattr(paging, "SEARCH_SECONDS", -1)
    assert pages(api, "/orders", "orders") == [["a"], ["b"], ["c"]]
    assert pages(api, "/orders", "orders", strategyId="s-c") == [[], [], ["c"]]
    assert [len(page) for page in pages(api, "/alerts", "alerts")] == [1, 1, 1]
    assert pages(api, "/strategies", "strategies") == [["s-a"], ["s-b"], ["s-c"]]
    assert [len(page) for page in pages(api, "/executions", "executions")] == [1, 1, 1]


def test_closed_orders_go_on_when_the_time_is_over(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        api.place(name, takeProfit=5020, stopLoss=4990)
        api.post(f"/accounts/Sim101/orders/{name}/cancel")
    whole = names(api.get("/orders", status="closed"), "orders")
    monkeypatch.setattr(paging, "SEARCH_SECONDS", -1)
    assert pages(api, "/orders", "orders", status="closed") == [[order_id] for order_id in whole]
