"""The list of alerts: whether each was done, what became of it, and why not."""

import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from orderhook.console import alert_list
from orderhook.console.http import HttpError
from orderhook.console.overview import overview_of
from orderhook.console.pages import PAGES
from orderhook.instructions import Instruction
from orderhook.limits import Limits
from orderhook.listing import find_order
from orderhook.orders import timestamp
from orderhook.store import items
from orderhook.store.alert_log import AlertRecord, id_prefix
from orderhook.store.items import instruction_item
from orderhook.store.table import serialize
from orderhook.trade_window import NEW_YORK, day_began
from tests.builders import alert, alert_record
from tests.console_pages import get, mark_of, rows, text_of, texts, visit_of
from tests.console_session import Visitor
from tests.faults import lose_request
from tests.marks import OF_PAGES
from tests.service import Service

pytestmark = OF_PAGES

HOSTILE = "a\u202eb\x07<script>alert(1)</script>\"'&$(rm -rf ~)\u200b"
ODD_IDS = ("cancel", "place", "..", "100%", "a+b", "Long Entry", "TP/SL")


def only_row(service: Service, **query: str) -> str:
    [row] = rows(get(service, **query))
    return row


def put_record(service: Service, seconds_ago: float = 0, **changes: Any) -> AlertRecord:
    """Leave a record as of an alert that came so long ago."""
    at = service.queue.now - timedelta(seconds=seconds_ago)
    request_id = changes.pop("request_id", None) or f"{id_prefix(at)}{'0' * 20}"
    told = {"trader": service.trader, "request_id": request_id, "received_at": timestamp(at)}
    record = alert_record(**told | changes)
    service.alerts.put(record)
    return record


# What became of it


@pytest.mark.parametrize(
    ("state", "filled", "mark"),
    [("Working", 0, "good"), ("PartFilled", 2, "good"), ("Filled", 5, "good"), ("Rejected", 0, "bad")],
)
def test_a_row_says_what_became_of_its_order(service: Service, state: str, filled: int, mark: str) -> None:
    service.place("order-1")
    if state != "Working":
        service.report(state, filled)
    row = only_row(service)
    assert mark_of(row) == mark
    assert f"{state}, {filled} of 5 filled" in text_of(row)
    assert "BUY 5 ES 12-26 LIMIT 5000.25 GTC Sim101" in text_of(row)
    assert "/console/order?account=Sim101&amp;orderId=order-1" in row


def test_an_order_that_is_cancelled_later_takes_nothing_from_its_placing(service: Service) -> None:
    service.place("order-1")
    service.cancel("order-1")
    assert [mark_of(row) for row in rows(get(service))] == ["good", "good"]
    assert ["Cancelled, 0 of 5 filled" in text for text in texts(get(service))] == [True, True]


def test_the_cancel_of_a_stop_has_no_green_tick(service: Service) -> None:
    service.place("order-1", stop_loss="4990", strategy_id="s")
    service.report("Filled", 5)
    service.cancel("STOP1", strategy_id="s")
    row = rows(get(service))[0]
    assert mark_of(row) == "warn"
    assert "leaves 5 contracts without a stop" in text_of(row)
    assert "✓" not in row


def test_a_cancel_that_a_venue_has_not_done_is_not_done_yet(service: Service) -> None:
    service.use_venue()
    service.place("order-1")
    service.answer_want("Working", confirmed={"qty": "5", "limit_price": "5000.25", "order_type": "LIMIT"})
    service.cancel("order-1")
    row = rows(get(service))[0]
    assert mark_of(row) == "later"
    assert "Working 5 @ 5000.25, cancel asked" in text_of(row)
    service.answer_want("Working")
    row = rows(get(service))[0]
    assert mark_of(row) == "bad"
    assert "the cancel was not done" in text_of(row)


def test_of_several_accounts_the_worst_marks_the_row(service: Service) -> None:
    service.place("order-1", account="Sim101,Sim102")
    assert mark_of(only_row(service)) == "good"
    service.report("Rejected", order_id="order-1.sim102")
    row = only_row(service)
    assert mark_of(row) == "bad"
    assert "Sim102 order : Rejected, 0 of 5 filled" in text_of(row)


def test_what_was_done_in_one_account_alone_is_partly_done(service: Service) -> None:
    service.place("order-1.sim101")
    service.send("CANCEL", order_id="order-1", account="Sim101,Sim102")
    row = rows(get(service))[0]
    assert mark_of(row) == "bad"
    assert "partly done: in 1 of 2 accounts" in text_of(row)
    assert "Sim102 : There is no order" in text_of(row)
    assert len(rows(get(service, show="refused"))) == 1


def test_the_reason_of_a_refusal_stands_in_its_row(service: Service) -> None:
    service.place("order-1", instrument="{{ticker}}")
    row = only_row(service)
    assert mark_of(row) == "bad"
    assert "instrument still holds {{ticker}}" in text_of(row)
    assert "nothing was done" in text_of(row)
    assert "order-1" in text_of(row), "its id is known from its fields alone"


def test_an_alert_without_a_command_shows_what_it_says(service: Service) -> None:
    service.post(f"key={service.key};comand=CANCEL;oid=abc")
    assert "CANCEL abc" in text_of(only_row(service))


def test_orders_that_the_table_has_no_more_are_said_to_be_gone(service: Service) -> None:
    service.place("order-1")
    service.cancel("order-1")
    service.remove("order-1")
    assert all("no longer in the table" in text for text in texts(get(service)))


def test_of_many_orders_the_first_ones_are_told(service: Service) -> None:
    for number in range(6):
        service.have_order("Working", f"order-{number}")
    service.send("CANCELORDERS", account="Sim101")
    row = only_row(service)
    assert "and 2 more" in text_of(row)
    assert row.count("orderId=") == 4


def test_what_an_alert_asks_of_positions_is_told_until_it_is_done(service: Service) -> None:
    at = timestamp(service.queue.now)
    asked = Instruction("0123", "FLATTEN", at, "ninjatrader")
    service.table.client.put_item(TableName=service.table.name, Item=serialize(instruction_item(service.trader, asked)))
    put_record(service, command="FLATTEN", outcome="accepted", instruction_ids=("0123",))
    assert mark_of(only_row(service)) == "later"
    assert "under way at the venue" in text_of(only_row(service))
    done = asked._replace(result="failed", reason="it was not seen flat", ended_at=at)
    service.table.client.put_item(TableName=service.table.name, Item=serialize(instruction_item(service.trader, done)))
    assert mark_of(only_row(service)) == "bad"
    assert "at the venue: failed : it was not seen flat" in text_of(only_row(service))


# Which belong together


def test_a_repetition_is_neutral_and_leads_to_what_it_repeats(service: Service) -> None:
    first = service.place("order-1")
    service.let_pass(2)
    service.place("order-1")
    row, _ = rows(get(service))
    assert mark_of(row) == "neutral"
    assert f"/console/alerts/{first.request_id}" in row
    assert re.search("2.[0-9] s earlier: nothing was done twice", text_of(row))
    assert texts(get(service, show="repeated")) == [text_of(row)]


def test_a_repeated_cancel_leads_to_the_one_that_cancelled(service: Service) -> None:
    service.place("order-1")
    first = service.cancel("order-1")
    service.let_pass(60)
    service.cancel("order-1")
    row = rows(get(service))[0]
    assert f"/console/alerts/{first.request_id}" in row
    assert "1 min earlier" in text_of(row)


def test_of_several_accounts_each_repetition_is_told(service: Service) -> None:
    service.place("order-1", account="Sim101,Sim102")
    service.let_pass(60)
    service.place("order-1", account="Sim101,Sim102")
    text = texts(get(service))[0]
    assert "In Sim101 : a repetition of" in text
    assert "In Sim102 : a repetition of" in text


def test_what_was_answered_503_and_came_again_says_so(service: Service) -> None:
    service.network.inject("PutItem", lose_request, lose_request, lose_request)
    first = service.place("order-1")
    assert first.status == 503
    assert mark_of(only_row(service)) == "bad"
    service.let_pass(5)
    again = service.place("order-1")
    second, unavailable = rows(get(service))
    assert (mark_of(second), mark_of(unavailable)) == ("good", "neutral")
    assert re.search("It came again [0-9.]+ s later: placed", text_of(unavailable))
    assert f"/console/alerts/{again.request_id}" in unavailable
    assert re.search("TradingView sent it again, [0-9.]+ s after", text_of(second))
    assert f"/console/alerts/{first.request_id}" in second


def test_a_delayed_alert_leads_to_what_came_of_it(service: Service) -> None:
    service.have_order("Working")
    service.send("CANCELORDERS", account="Sim101", delay=30)
    row = only_row(service)
    assert mark_of(row) == "later"
    assert "waits for its delay, until" in text_of(row)
    service.pass_time(31)
    result, scheduled = rows(get(service))
    assert "its delay was over" in text_of(result)
    assert "What came of it: cancelled" in text_of(scheduled)
    assert rows(get(service, show="later")) == [], "it waits no more"


def test_an_order_that_waits_for_its_delay_is_later(service: Service) -> None:
    service.place("order-1", delay=30)
    row = only_row(service)
    assert mark_of(row) == "later"
    assert "waits for its delay, until" in text_of(row)


def test_a_time_limit_that_finds_its_order_finished_is_no_refusal(service: Service) -> None:
    service.place("order-1", cancel_after=1)
    service.report("Filled", 5)
    service.pass_time(62)
    text = texts(get(service))[0]
    assert "time limit: had ended before" in text
    assert mark_of(rows(get(service))[0]) != "bad"


def test_what_an_operator_did_is_a_row(service: Service) -> None:
    put_record(service, command="KEYS CREATE", outcome="key_created", origin="operator", fields={"label": "phone"})
    text = text_of(only_row(service))
    assert "by the command line" in text
    assert "KEYS CREATE" in text


# What comes from outside


def test_a_record_that_cannot_be_read_is_a_row_and_hides_no_other(service: Service) -> None:
    good = service.place("long").request_id
    newer = items.alert_key(service.trader, good[:-1] + "f") | {"fields": [["command", "CANCEL"]], "status": "odd"}
    service.table.client.put_item(TableName=service.table.name, Item=serialize(newer))
    assert ["cannot be read" in text for text in texts(get(service))] == [True, False]
    assert "cannot read" in text_of(get(service, f"/console/alerts/{good[:-1]}f"))


def test_an_order_that_cannot_be_read_is_said_to_be_so(service: Service) -> None:
    service.place("order-1")
    service.table.client.update_item(
        TableName=service.table.name,
        Key=serialize(items.order_key(service.trader, "order-1")),
        UpdateExpression="SET #state = :odd",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":odd": {"S": "Teleported"}},
    )
    row = only_row(service)
    assert mark_of(row) == "warn"
    assert "unreadable: Teleported" in text_of(row)


NAMES = ("command", "order_id", "strategy_id", "instrument", "account", "action", "qty", "order_type", "notes", HOSTILE)


@pytest.mark.parametrize("name", NAMES)
def test_what_comes_from_outside_is_text_everywhere(service: Service, name: str) -> None:
    fields: Mapping[str, str] = {"command": "PLACE", "action": "BUY"} | {name: HOSTILE}
    told: dict[str, Any] = {"detail": HOSTILE, "field": name, "key_label": HOSTILE, "source": HOSTILE}
    record = put_record(service, status=400, outcome="invalid_value", fields=fields, command=None, **told)
    for page in (
        get(service),
        get(service, alert=record.request_id),
        get(service, f"/console/alerts/{record.request_id}"),
    ):
        body = str(page["body"])
        assert "<script>alert" not in body
        assert not re.search("[\u202e\u200b\x07]", body)
        assert "<U+202E>" in text_of(page).replace("&lt;", "<")
        assert not [line for line in re.findall("<code>orderhook.*?</code>", body) if "$(" in line]


@pytest.mark.parametrize("order_id", [*ODD_IDS, HOSTILE])
def test_ids_of_orders_stand_in_queries_alone(service: Service, order_id: str) -> None:
    service.have_order("Working", order_id, account="snapshot")
    put_record(service, command="CANCEL", outcome="cancelled", order_ids=(order_id,), fields={"order_id": order_id})
    row = only_row(service)
    [href] = re.findall('href="(/console/order[^"]*)"', row)
    assert re.fullmatch(r"/console/order\?account=snapshot&amp;orderId=[A-Za-z0-9.%+_~-]+", href)


def test_the_key_stands_nowhere(service: Service) -> None:
    answer = service.post(alert({"key": service.key, "command": "PLACE", "notes": service.key}))
    for path in ("/console", f"/console/alerts/{answer.request_id}"):
        assert service.key not in str(get(service, path)["body"])
        assert service.key[-20:] not in str(get(service, path)["body"])


# Which are shown


def test_a_page_goes_on_where_the_one_before_it_ended(service: Service) -> None:
    for number in range(alert_list.SHOWN + 7):
        put_record(service, seconds_ago=number, fields={"order_id": f"order-{number}"})
    first = get(service)
    [older] = re.findall('href="/console([^"]*before=[^"]*)"', str(first["body"]))
    second = get(service, before=older.partition("before=")[2])
    ids = re.findall('<tr id="a([0-9a-f]+)"', str(first["body"]) + str(second["body"]))
    assert (len(rows(first)), len(rows(second))) == (alert_list.SHOWN, 7)
    assert len(set(ids)) == alert_list.SHOWN + 7
    assert "Older alerts" not in text_of(second)
    assert "Newest alerts" in text_of(second)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "order-1"}, ["order-1"]),
        ({"q": "orb-"}, ["order-2"]),
        ({"q": "nq 12"}, ["order-2"]),
        ({"q": "ORDER_NOT_found"}, ["order-3"]),
        ({"q": "order not found"}, ["order-3"]),
        ({"q": "{id}"}, ["order-1"]),
        ({"show": "refused"}, ["order-3"]),
        ({"show": "done"}, ["order-1", "order-2"]),
        ({"show": "refused", "q": "order-1"}, []),
        ({"show": "no such kind"}, ["order-1", "order-2", "order-3"]),
    ],
)
def test_chips_and_search_find_what_they_say(service: Service, query: dict[str, str], found: list[str]) -> None:
    first = put_record(service, 1, order_ids=("order-1",), command="CANCEL")
    put_record(service, 2, fields={"order_id": "order-2", "strategy_id": "orb-es", "instrument": "NQ 12-26"})
    put_record(service, 3, fields={"order_id": "order-3"}, status=404, outcome="order_not_found")
    query = {name: text.format(id=first.request_id[:14]) for name, text in query.items()}
    shown = texts(get(service, **query))
    assert [
        name
        for name in ("order-1", "order-2", "order-3")
        if any(name in text or (name == "order-1" and "no longer" in text) for text in shown)
    ] == found


def test_the_span_says_how_far_back_alerts_are_shown(service: Service) -> None:
    put_record(service, 1800, fields={"order_id": "in-the-hour"})
    put_record(service, 3 * 86_400, fields={"order_id": "in-the-week"})
    assert [len(rows(get(service, span=span))) for span in ("1h", "7d")] == [1, 2]
    assert len(rows(get(service, span="own", **{"from": "5d", "to": "2d"}))) == 1
    page = get(service, span="own", **{"from": "whenever"})
    assert "is not a time" in text_of(page)


def test_today_begins_at_the_last_17_00_of_new_york(service: Service) -> None:
    began = day_began(service.queue.now).astimezone(NEW_YORK)
    assert (began.hour, began.minute) == (17, 0)
    assert began <= service.queue.now < began + timedelta(days=1, hours=1)
    since = (service.queue.now - began).total_seconds()
    put_record(service, since - 0.5)
    put_record(service, since + 0.5)
    assert len(rows(get(service))) == 1


def test_a_search_ends_in_time_and_can_go_on(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_list, "READ_AT_ONCE", 3)
    for number in range(9):
        put_record(service, number * 60, fields={"order_id": "last" if number == 8 else "other"})
    body = str(get(service, q="last", span="7d")["body"])
    assert "Searched back to" not in body
    service.network.always = lambda *_: service.clock.advance(0.8)
    page = get(service, q="last", span="7d")
    service.network.always = lambda *_: None
    assert rows(page) == []
    assert "Searched back to" in text_of(page)
    assert "the search goes on below" in text_of(page)
    [onward] = re.findall('before=([0-9a-f]+)"', str(page["body"]))
    [row] = rows(get(service, q="last", span="7d", before=onward))
    assert "last" in text_of(row)


def test_before_the_first_alert_the_page_says_how_to_send_it(service: Service) -> None:
    page = text_of(get(service))
    assert "No alert has come yet." in page
    assert "orderhook send" in page


def test_where_nothing_is_found_the_page_says_what_to_try(service: Service) -> None:
    put_record(service, 3 * 86_400)
    assert "No alert came in this time." in text_of(get(service))
    assert "Nothing matches." in text_of(get(service, q="zzz"))


def test_the_last_alert_is_told_with_what_became_of_it(service: Service) -> None:
    service.place("order-1")
    page = get(service)
    assert "now Working, 0 of 5 filled" in text_of(page).partition("All Done")[0]
    body = str(page["body"])
    assert 'class="age" data-at=' in body
    assert "Last alert: placed; now Working, 0 of 5 filled" in body, "a screen reader is told"


def test_what_is_done_beside_alerts_is_not_the_last_alert(service: Service) -> None:
    put_record(service, 5 * 86_400, outcome="cancelled")
    put_record(service, 20, command="SIGN IN", outcome="signed_in", origin="console")
    put_record(service, 10, command="KEYS CREATE", outcome="key_created", origin="operator")
    for query in ({}, {"show": "done"}, {"q": "zzz"}, {"span": "1h"}):
        told = text_of(get(service, **query)).partition("All Done")[0]
        assert re.search(r"Last alert .* New York : ✓ good: cancelled", told), query
    assert len(rows(get(service))) == 1
    assert rows(get(service, show="done")) == []
    put_record(service, 5, outcome="placed", origin="api")
    assert re.search("Last alert .*✓ good: placed", text_of(get(service, show="refused")))


def test_the_last_alert_says_the_worst_of_its_orders_and_why_it_was_not_done(service: Service) -> None:
    def last() -> str:
        return text_of(get(service)).partition("Today, since")[0].rpartition("Last alert")[2]

    service.place("order-1", account="Sim101,Sim102")
    assert "now Working, 0 of 5 filled" in last(), "both are alike"
    service.report("Rejected", order_id="order-1.sim102")
    assert "✕ wrong: placed ; now Sim102 order-1.sim102: Rejected, 0 of 5 filled, and 1 more" in last()
    service.place("order-2", instrument="{{ticker}}")
    assert "✕ wrong: unresolved placeholder : instrument still holds {{ticker}}" in last()
    service.place("order-3.sim101")
    service.send("CANCEL", order_id="order-3", account="Sim101,Sim102")
    assert "Sim102: There is no order" in last()


def test_what_is_not_of_today_is_told_with_its_day(service: Service) -> None:
    put_record(service, 2 * 86_400, status=409, outcome="outcome_unknown", command="CANCEL")
    was = (service.queue.now - timedelta(days=2)).astimezone(NEW_YORK)
    told = text_of(get(service, span="1h"))
    assert told.count(f"{was:%a %-d %b} {was:%H:%M:%S}") == 2, "of the last alert, and of what needs a person"


def test_no_page_says_that_alerts_trade_while_the_bridge_is_away(service: Service) -> None:
    service.use_venue(heard=False)
    assert "Alerts trade: no, bridge away" in text_of(get(service))
    service.hear_bridge(accounts=("Sim101",))
    assert "Alerts trade: yes" in text_of(get(service))


def test_the_last_alert_stands_before_the_numbers_of_today(service: Service) -> None:
    service.place("order-1")
    text = text_of(get(service))
    assert re.search(r"Last alert [0-9:]+ New York .*Today, since 17:00", text)


def test_no_page_says_of_a_day_with_an_alert_that_none_came(service: Service) -> None:
    assert "No alert since" in text_of(get(service))
    service.place("order-1")
    text = text_of(get(service))
    assert "placed" in text
    assert "No alert since" not in text


def test_an_alert_whose_delay_is_over_is_marked_and_counted_by_its_result(service: Service) -> None:
    fields = {"command": "CLOSESTRATEGY", "strategy_id": "s", "delay": "30"}
    late = put_record(service, 60, fields=fields, outcome="scheduled")
    another = f"{id_prefix(service.queue.now - timedelta(seconds=5))}{'1' * 20}"
    waiting = put_record(service, 5, request_id=another, fields=fields, outcome="scheduled")
    result = f"{id_prefix(service.queue.now - timedelta(seconds=30))}{late.request_id[12:]}"
    put_record(service, 30, request_id=result, fields=fields, outcome="order_not_found", status=404, origin="delayed")
    assert [mark_of(row) for row in rows(get(service))] == ["later", "bad", "bad"]
    assert "scheduled, then order not found" in texts(get(service))[2]
    assert waiting.request_id in rows(get(service, show="later"))[0]
    assert len(rows(get(service, show="later"))) == 1
    assert overview_of(visit_of(service, now=service.queue.now)).today.counts == {"later": 1, "refused": 1}
    assert "until" not in texts(get(service, before=result))[0], "its delay is over"


def test_what_is_to_come_is_told_as_such(service: Service) -> None:
    service.place("order-1", delay="40")
    assert re.search(
        r"waits for its delay, until <time.*</time> <span class=\"age\" data-at=\"[^\"]+\" data-due", only_row(service)
    )


def test_a_repetition_on_the_newer_page_speaks_for_what_was_answered_503(service: Service) -> None:
    fields = {"command": "CANCEL", "order_id": "order-1"}
    failed = put_record(service, 20, fields=fields, status=503, outcome="temporarily_unavailable")
    again = put_record(service, 15, fields=fields, outcome="cancelled")
    put_record(service, 14)
    for query in ({"before": again.request_id}, {"span": "own", "to": "17s"}):
        [row] = [it for it in rows(get(service, **query)) if failed.request_id in it]
        assert mark_of(row) == "neutral"
        assert again.request_id in row


def test_a_limited_session_sees_the_alerts_of_its_limits_alone(service: Service) -> None:
    service.place("mine", account="Sim101")
    service.place("another", account="Sim102")
    [mine, another] = [it.request_id for it in reversed(list(service.alerts.newest(service.trader)))]
    visitor = Visitor(service, limits=Limits(accounts=("Sim101",)))
    page = visitor.get("/console")
    assert f"a{mine}" in page.markup
    assert "another" not in page.markup
    assert "1 done" in page.text, page.text
    assert ">another<" not in visitor.get("/console", alert=another, q="another").markup
    assert [visitor.get(f"/console/alerts/{it}").status for it in (mine, another)] == [200, 404]
    assert [visitor.get("/console/builder", alert=it).status for it in (mine, another)] == [200, 404]


# What it costs


def test_a_sign_in_is_not_the_last_alert(service: Service) -> None:
    service.place("order-1")
    put_record(service, -1, command="SIGN IN", outcome="signed_in", order_ids=(), origin="console")
    for query in ({}, {"show": "refused"}):
        said = text_of(get(service, **query)).partition("All Done")[0]
        assert "signed in" not in said
        assert "now Working, 0 of 5 filled" in said


def test_sign_ins_stand_among_the_alerts_only_where_somebody_asks_for_them(service: Service) -> None:
    put_record(service, 3, outcome="cancelled", command="CANCEL")
    for number in range(alert_list.SHOWN + 1):
        outcome = ("signed_in", "signed_out")[number % 2]
        command = outcome.replace("ed", "").replace("_", " ").upper()
        put_record(service, 2 - number / 1000, command=command, outcome=outcome, order_ids=(), origin="console")
    assert ["cancelled" in row for row in texts(get(service))] == [True], "also behind a page of sign-ins"
    assert len(texts(get(service, show="sign-ins"))) == alert_list.SHOWN
    assert len(texts(get(service, q="signed out"))) == 25
    assert "Sign-ins" in text_of(get(service))


def test_a_page_of_fifty_alerts_costs_three_requests(service: Service) -> None:
    for number in range(alert_list.SHOWN + 1):
        order_id = f"order-{number}"
        service.have_order("Working", order_id)
        put_record(service, number, command="PLACE", outcome="placed", order_ids=(order_id,))
    get(service)  # what stands above the list is remembered
    service.network.forget()
    page = get(service)
    assert service.network.operations == ["GetItem", "Query", "BatchGetItem"]
    query, batch = (request.payload for request in service.network.requests[1:])
    assert query["Limit"] == alert_list.SHOWN + 1
    [asked] = batch["RequestItems"].values()
    assert len(asked["Keys"]) == alert_list.SHOWN
    assert asked["ConsistentRead"] is True
    assert "history[0]" in asked["ProjectionExpression"]
    assert all("Working, 0 of 5 filled" in text for text in texts(page))


def test_more_orders_than_one_request_reads_are_said_not_to_be_known(service: Service) -> None:
    for number in range(alert_list.SHOWN):
        ids = tuple(f"order-{number}-{leg}" for leg in range(4))
        put_record(service, number, command="PLACE", outcome="placed", order_ids=ids)
    get(service)
    service.network.forget()
    page = get(service)
    assert service.network.operations == ["GetItem", "Query", "BatchGetItem"]
    assert all("and 2 more" in text for text in texts(page)), "of each alert as many as of any other"


# One alert


def test_one_alert_says_what_happened_and_what_to_do(service: Service) -> None:
    answer = service.place("order-1", instrument="{{ticker}}")
    page = get(service, f"/console/alerts/{answer.request_id[:20]}")
    text, body = text_of(page), str(page["body"])
    assert "TradingView did not fill it in." in text
    assert "Use a placeholder that this kind of alert knows." in text
    assert "TradingView does not send it again." in text
    assert re.search("<mark>.*?instrument.*?</mark>", body)
    assert f"/console/builder?alert={answer.request_id}" in body
    assert f"orderhook alerts show {answer.request_id}" in text


def test_one_alert_shows_each_account_and_its_orders_as_they_are_now(service: Service) -> None:
    service.place("order-1.sim101")
    answer = service.send("CANCEL", order_id="order-1", account="Sim101,Sim102")
    text = text_of(get(service, f"/console/alerts/{answer.request_id}"))
    assert "Sim101 : ✓ good: cancelled" in text
    assert "Sim102 : ✕ wrong: order not found" in text
    assert "order-1.sim101 ✓ Cancelled, 0 of 5 filled" in text


def test_one_alert_leads_to_what_followed_it(service: Service) -> None:
    answer = service.place("order-1", delay=5, cancel_after=1)
    service.pass_time(6)
    service.pass_time(62)
    page = get(service, f"/console/alerts/{answer.request_id}")
    assert "What came of it: placed" in text_of(page)
    assert "Its time limit was over" in text_of(page)
    followed = re.findall('href="(/console/alerts/[0-9a-f]{32}[^"]*)"', str(page["body"]))
    assert [text_of(get(service, path)).count("there is no such alert") for path in followed] == [0, 0]


def test_the_chosen_alert_stands_beside_the_list(service: Service) -> None:
    answer = service.place("order-1")
    service.cancel("nothing-has-this-id")
    body = str(get(service, alert=answer.request_id)["body"])
    assert '<aside class="detail alert"' in body
    assert f"orderhook alerts show {answer.request_id}" in body
    assert re.search(f'<tr id="a{answer.request_id}" class="good chosen"', body)
    assert "<aside" not in str(get(service, alert="abc")["body"])


@pytest.mark.parametrize("number", [0, 2])
def test_an_id_of_no_alert_or_of_two_is_a_page_that_says_so(service: Service, number: int) -> None:
    for each in range(number):
        service.cancel(f"nothing-{each}")
    page = get(service, "/console/alerts/0")
    assert page["statusCode"] == 404
    assert "There is no such alert" in text_of(page)


@pytest.mark.parametrize("name", [*ODD_IDS, "", "ABCDEF", "0123~", "a" * 65, HOSTILE])
def test_only_ids_of_requests_stand_in_paths(name: str) -> None:
    with pytest.raises(HttpError):
        PAGES.find("GET", f"/console/alerts/{name}")


def test_what_is_too_long_for_a_key_of_the_table_is_not_asked_for(service: Service) -> None:
    services, now = service.handlers_services, timestamp(service.queue.now)
    service.network.forget()
    assert services.alert_log.get(service.trader, "f" * 1025) is None
    assert find_order(services, service.trader, "x" * 1025, now) is None
    assert service.network.operations == []


def test_an_alert_that_is_not_in_the_list_has_its_reasons(service: Service) -> None:
    text = text_of(get(service, "/console/alerts/missing"))
    for why in (
        "no valid key",
        "throttling",
        "AlertRetentionDays",
        "TradingView's own log",
        "another trader's",
        "narrowed",
    ):
        assert why in text


def test_milliseconds_are_told_as_they_were_measured(service: Service) -> None:
    record = put_record(service, milliseconds=Decimal("12.5"))
    assert "answered in 12.5 ms" in text_of(get(service, f"/console/alerts/{record.request_id}"))
