"""What needs a person: told by the real handlers, shown by the console, and looked at by a press."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

import reports
from orderhook.attention.needing import Attention
from orderhook.bridge_messages import Execution, Heartbeat, InstructionReport, PositionReport, Sent, Side
from orderhook.bridge_messages import serialize as message_of
from orderhook.console import app
from orderhook.console.http import Request
from orderhook.console.overview import Overview, overview_in_time, overview_of
from orderhook.console.remembered import forget
from orderhook.console.sessions import ProcessSessions
from orderhook.console.visit import Deployment, Visit
from orderhook.grants import Grant, Session
from orderhook.instructions import Instruction
from orderhook.keys import API, issue
from orderhook.limits import Limits
from orderhook.order_reports import Report
from orderhook.orders import Leg, LegEnd, OrderState, timestamp
from orderhook.store import items
from orderhook.store.alert_log import AlertRecord
from orderhook.store.writes import Put
from orderhook.venues import TABLE
from tests import builders
from tests.client_faults import in_requests_with
from tests.console_pages import text_of
from tests.faults import no_fault, throttle
from tests.integration.test_venue_reports import deliver, have, say
from tests.service import Service

FORM = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}
Page = Mapping[str, Any]


@pytest.fixture(autouse=True)
def _with_venue(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "settings", reports.settings._replace(venue_trader=service.trader))
    service.use_venue()


class Console:
    """The console's handler, and somebody who is signed in."""

    def __init__(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        self.service = service
        self.sessions = ProcessSessions()
        self.console = app.Console(service.handlers_services, self.sessions, Deployment("demo"), "http://127.0.0.1:1")
        monkeypatch.setattr(app, "datetime", self._clock())
        self.cookie = self.sign_in()

    def _clock(self) -> type[datetime]:
        queue = self.service.queue

        class Clock(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]  # noqa: ARG003
                return queue.now

        return Clock

    def sign_in(self, **grant: Any) -> str:
        code = self.sessions.issue_code(Grant(self.service.trader, **grant), self.service.queue.now)
        token = self.sessions.redeem(code, self.service.queue.now)
        return f"orderhook={token}"

    def get(self, path: str, query: str = "") -> Page:
        return self._ask("GET", path, query)

    def post(self, path: str, cookie: str | None = None, **fields: str) -> Page:
        body = "&".join(f"{name}={text}" for name, text in fields.items())
        return self._ask("POST", path, "", body, cookie)

    def _ask(self, method: str, path: str, query: str, body: str = "", cookie: str | None = None) -> Page:
        http = {"method": method, "path": path, "sourceIp": "192.0.2.1"}
        event = {"rawPath": path, "rawQueryString": query, "requestContext": {"http": http}, "headers": FORM}
        return app.answer(self.console, event | {"cookies": [cookie or self.cookie], "body": body}, None)

    def look(self, it: Attention, cookie: str | None = None) -> Page:
        return self.post("/console/looked", cookie, what=it.code, of=it.key, told=it.at)


@pytest.fixture
def console(service: Service, monkeypatch: pytest.MonkeyPatch) -> Console:
    return Console(service, monkeypatch)


def visit(service: Service, *, later: float = 11, **grant: Any) -> Visit:
    """Return a visit so much later, in seconds."""
    now = service.queue.now + timedelta(seconds=later)
    session = Session("12345678", Grant(service.trader, **grant), now, now)
    return Visit(service.handlers_services, ProcessSessions(), Deployment("demo"), Request({}), session, "t", now)


def seen(service: Service, **options: Any) -> Overview:
    """Return what the page says that nothing is remembered for."""
    forget(service.trader)
    return overview_of(visit(service, **options))


def needs(service: Service, **options: Any) -> list[str]:
    return [it.code for it in seen(service, **options).needs]


def hold(service: Service, side: Side, quantity: int = 0, *, later: float = 0) -> None:
    """Have the bridge report the position in ES."""
    at = timestamp(service.queue.now + timedelta(seconds=later))
    deliver(service, PositionReport("Sim101", "ES 12-26", side, quantity, None, at))


def looks(service: Service) -> list[AlertRecord]:
    return [it for it in service.alerts.newest(service.trader) if it.outcome == "looked_at"]


# Orders


def test_an_unknown_order_needs_a_person_until_its_state_is_known(service: Service) -> None:
    have(service, state="Working")
    deliver(service, say("Unknown"))
    assert needs(service) == ["unknown"]
    deliver(service, say("Working", seq=2))
    assert needs(service) == []


def test_an_unresolved_order_needs_a_person_until_it_is_resolved(service: Service) -> None:
    have(service, state="Working")
    deliver(service, say("Working", unresolved="NinjaTrader was started", alarms=["unresolved"]))
    assert needs(service) == ["unresolved"]
    signed = builders.provenance(service.trader, "resolve")
    assert service.services.reports.resolve(signed, "order-1", Report(OrderState.CANCELLED, 0)).applied
    assert needs(service) == []


def test_a_position_without_its_stop_needs_a_person_until_it_was_seen_flat(service: Service) -> None:
    have(service, state="Working")
    deliver(service, say("Filled", 5, alarms=["unprotected"]))
    hold(service, "LONG", 5)
    assert needs(service) == ["unprotected"]
    hold(service, "FLAT", later=5)
    assert needs(service) == []
    hold(service, "LONG", 2, later=6)
    assert needs(service) == []


def test_a_position_without_its_stop_needs_nobody_once_a_stop_works(service: Service) -> None:
    have(service, state="Working")
    deliver(service, say("Filled", 5, alarms=["unprotected"]))
    hold(service, "LONG", 5)
    deliver(service, say("Working", order_id="order-1.STOP1", acked=1, values={"qty": "5", "stop_price": "4990"}))
    assert needs(service) == []
    deliver(service, say("Cancelled", order_id="order-1.STOP1", seq=2, acked=1))
    assert needs(service) == ["unprotected"]


def test_a_fill_that_reaches_a_stop_which_was_ended_is_unprotected(service: Service) -> None:
    ended = LegEnd(OrderState.CANCELLED, timestamp(service.queue.now), "r0", "key")
    have(service, state="Working", legs={"STOP1": Leg("STOPMARKET", stop_price=Decimal(4990), end=ended)})
    deliver(service, say("Filled", 5))
    assert [(it.code, it.id) for it in seen(service).needs] == [("unprotected", "order-1.STOP1")]


def test_a_refused_cancel_needs_a_person_until_the_order_ends(service: Service) -> None:
    have(service, state="CancelPending", n=2, kind="cancel")
    deliver(service, say("Working", acked=2, alarms=["cancel_refused"]))
    assert needs(service) == ["cancel_refused"]
    deliver(service, say("Filled", 5, seq=2, acked=2))
    assert needs(service) == []


def test_what_is_filled_after_its_end_is_kept_though_the_order_is_finished(service: Service) -> None:
    have(service, state="Working", legs={})
    deliver(service, say("Cancelled"))
    deliver(service, say("Cancelled", 7, seq=2))
    assert needs(service) == ["overfill", "filled_after_end"]


def test_a_fill_that_belongs_to_nothing_known_is_kept(service: Service) -> None:
    fill = Execution("v1", 1, 1, None, timestamp(service.queue.now))
    deliver(service, say("Filled", 1, order_id="nobodys", executions=[fill]))
    assert [(it.code, it.id) for it in seen(service).needs] == [("unattached", "nobodys")]


# Instructions and heartbeats


def ask(service: Service) -> None:
    signed = builders.provenance(service.trader, "0c")._replace(at=service.queue.now)
    asked = Instruction("0c", "CLOSEPOSITION", signed.now, "ninjatrader", account="Sim101", instrument="ES 12-26")
    service.services.instructions.put(signed, asked)


@pytest.mark.parametrize(
    ("result", "reason", "alarms", "codes"),
    [
        ("failed", "not seen flat", ["close_failed"], ["close_failed", "failed"]),
        ("unresolved", "NinjaTrader says nothing", [], ["result_unresolved"]),
        ("done", "unclean: own orders had not ended when it was closed", [], ["unclean"]),
        ("done", None, [], []),
        ("blocked", "the pair is blocked", ["blocked"], ["blocked"]),
    ],
)
def test_what_became_of_an_instruction_is_kept_until_looked_at(
    service: Service, result: Any, reason: str | None, alarms: list[str], codes: list[str]
) -> None:
    ask(service)
    deliver(service, InstructionReport("0c", 1, timestamp(service.queue.now), result, reason, (), alarms))
    assert needs(service) == codes
    assert all((it.account, it.instrument) == ("Sim101", "ES 12-26") for it in seen(service).needs)


def test_a_position_in_any_month_without_its_stop_is_looked_at(service: Service, console: Console) -> None:
    signed = builders.provenance(service.trader, "0c")._replace(at=service.queue.now)
    asked = Instruction("0c", "CANCELANDBRACKET", signed.now, "ninjatrader", "Sim101", "ES", root="ES")
    service.services.instructions.put(signed, asked)
    at = timestamp(service.queue.now)
    deliver(service, InstructionReport("0c", 1, at, "done", "1 of 2 have no stop", (), ["unprotected"]))
    [it] = seen(service).needs
    assert (it.code, it.account, it.instrument, it.may_be_looked_at) == ("unprotected", "Sim101", None, True)
    console.look(it)
    assert needs(service) == []


def test_what_cannot_be_read_in_time_is_said_and_is_not_nothing(service: Service, console: Console) -> None:
    now = visit(service)
    service.network.always = in_requests_with("NEEDS#", throttle)
    assert overview_in_time(now) is None
    page = console.get("/console")["body"]
    assert "<title>! 1 · Alerts" in page
    assert "could not be read in time" in page
    assert "Nothing needs you" not in page
    service.network.always = no_fault


def test_an_instruction_without_a_result_is_overdue(service: Service) -> None:
    ask(service)
    assert needs(service) == []
    service.let_pass(301)
    service.hear_bridge()
    assert needs(service) == ["overdue"]


def test_what_a_heartbeat_tells_is_kept_once_for_each_sentence(service: Service) -> None:
    told = ["unreadable: order a is of a newer version", "unreadable: order b is of a newer version"]
    for seconds in (0, 30):
        at = timestamp(service.queue.now + timedelta(seconds=seconds))
        deliver(service, Heartbeat("j1", "PC", ("Sim101",), ready=True, at=at, alarms=told))
    found = seen(service).needs
    assert [it.code for it in found] == ["unreadable", "unreadable"]
    assert {it.detail for it in found} == {"order a is of a newer version", "order b is of a newer version"}


def test_a_bridge_that_is_away_needs_a_person_until_it_is_back(service: Service) -> None:
    assert needs(service, later=95) == ["bridge_away"]
    service.let_pass(95)
    service.hear_bridge()
    assert needs(service) == []


def test_a_report_that_is_given_up_is_kept(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "settings", reports.settings._replace(report_dead_letter_arn="arn:dead"))
    sent = str(int(service.queue.now.timestamp() * 1000))
    message = {"messageId": "m-1", "body": "{}", "attributes": {"SentTimestamp": sent}}
    assert reports.handler({"Records": [message]}, None)["batchItemFailures"]
    assert needs(service) == []
    dead = message | {"eventSourceARN": "arn:dead"}
    assert reports.handler({"Records": [dead]}, None) == {"batchItemFailures": []}
    assert needs(service) == ["dead_letter"]


# Alerts


def test_an_alert_answered_503_whose_repetition_was_done_needs_nobody(service: Service) -> None:
    service.hear_bridge(ready=False)
    assert service.place("a").status == 503
    service.let_pass(5)
    service.hear_bridge()
    assert service.place("a").status == 200
    service.let_pass(31)
    service.hear_bridge()
    assert needs(service) == []


def test_an_alert_answered_503_that_nobody_repeats_needs_a_person(service: Service) -> None:
    service.hear_bridge(ready=False)
    for _ in range(2):
        assert service.place("a").status == 503
        service.let_pass(5)
    service.hear_bridge()
    assert needs(service, later=1) == []
    service.let_pass(31)
    service.hear_bridge()
    assert needs(service) == ["not_repeated"]


def test_an_alert_that_is_partly_done_is_looked_at(service: Service, console: Console) -> None:
    service.hear_bridge(accounts=("Sim101", "Sim102"))
    service.place("a.sim102", account="Sim102")
    answer = service.place("a", account="Sim101,Sim102", qty=3)
    [it] = seen(service).needs
    assert (it.code, it.id) == ("partly_done", answer.request_id)
    assert it.detail == "Sim102: duplicate order id"
    assert console.look(it)["statusCode"] == 303
    assert needs(service) == []


# "I have looked"


def overfilled(service: Service) -> Attention:
    have(service, state="Working", legs={})
    deliver(service, say("Filled", 9, alarms=["overfill"]))
    [it] = seen(service).needs
    assert it.code == "overfill"
    return it


def test_looking_leaves_one_record_with_the_sessions_label(service: Service, console: Console) -> None:
    it = overfilled(service)
    phone = console.sign_in(label="phone")
    assert [console.look(it, phone)["statusCode"] for _ in range(2)] == [303, 303]
    assert needs(service) == []
    [record] = looks(service)
    assert (record.key_label, record.origin, record.command) == ("phone", "console", "LOOKED AT")
    assert (record.fields["what"], record.order_ids) == ("overfill", ("order-1",))


def test_the_same_report_again_brings_nothing_back_and_a_new_one_does(service: Service, console: Console) -> None:
    it = overfilled(service)
    console.look(it)
    deliver(service, say("Filled", 9, alarms=["overfill"]), at=datetime.fromisoformat(it.at))
    assert needs(service) == []
    deliver(service, say("Filled", 9, seq=2, alarms=["overfill"]), at=service.queue.now + timedelta(seconds=1))
    assert needs(service) == ["overfill"]


def test_what_was_told_anew_since_the_page_was_made_stays(service: Service, console: Console) -> None:
    it = overfilled(service)
    deliver(service, say("Filled", 9, seq=2, alarms=["overfill"]), at=service.queue.now + timedelta(seconds=1))
    console.look(it)
    assert needs(service) == ["overfill"]
    assert looks(service) == []


def test_a_condition_is_not_looked_away(service: Service, console: Console) -> None:
    have(service, state="Working")
    deliver(service, say("Filled", 5, alarms=["unprotected"]))
    hold(service, "LONG", 5)
    [it] = seen(service).needs
    console.look(it)
    assert needs(service) == ["unprotected"]
    assert looks(service) == []


def test_all_of_a_kind_are_looked_at_by_one_press(service: Service, console: Console) -> None:
    told = [f"orphans: trade {number}" for number in range(7)]
    deliver(service, Heartbeat("j1", "PC", ("Sim101",), ready=True, at=timestamp(service.queue.now), alarms=told))
    page = console.get("/console")["body"]
    assert page.count("I have looked<") == 5
    assert "I have looked at all 7" in page
    console.post("/console/looked", what="orphans", of="", told=seen(service).needs[0].at)
    assert needs(service) == []
    assert len(looks(service)) == 1


def test_who_may_only_look_takes_nothing_away(service: Service, console: Console) -> None:
    it = overfilled(service)
    assert console.look(it, console.sign_in(read_only=True))["statusCode"] == 403
    assert needs(service) == ["overfill"]


# What the page says


def test_the_title_says_how_many_things_need_a_person(service: Service, console: Console) -> None:
    assert "<title>Alerts" in console.get("/console")["body"]
    overfilled(service)
    assert len(overview_of(visit(service)).needs) == 1
    page = Console(service, service.monkeypatch)
    service.let_pass(11)
    service.hear_bridge()
    assert "<title>! 1 · Alerts" in page.get("/console")["body"]


def test_a_post_shows_at_once_what_it_has_done(service: Service, console: Console) -> None:
    it = overfilled(service)
    assert "needs you" in console.get("/console")["body"]
    console.look(it)
    assert "Nothing needs you" in console.get("/console")["body"]


def test_a_session_for_an_account_sees_nothing_of_another(service: Service) -> None:
    overfilled(service)
    other = Limits(accounts=("Sim102",))
    assert needs(service, limits=other) == []
    assert needs(service, limits=Limits(accounts=("Sim101",))) == ["overfill"]


def test_an_overview_costs_nine_requests_and_one_when_asked_again(service: Service) -> None:
    have(service, state="Working", legs={})
    first = visit(service)
    service.network.forget()
    assert not overview_of(first).needs
    assert not overview_of(first).needs
    assert [it.operation for it in service.network.requests].count("Query") == 7
    assert len(service.network.requests) == 9
    service.network.forget()
    overview_of(replace(first, now=first.now + timedelta(seconds=2), _controls=[]))
    assert [it.operation for it in service.network.requests] == ["GetItem"]


# Whether alerts trade


def test_the_first_that_holds_says_whether_alerts_trade(service: Service) -> None:
    assert seen(service).standing == "trades"
    assert seen(service, later=95).standing == "bridge away"
    service.revoke_key()
    assert seen(service, later=95).standing == "no key"
    service.controls.turn_on(builders.provenance(service.trader, "0f"), lock=True)
    known = seen(service, later=95)
    assert (known.standing, known.kill_switch.locked) == ("stopped", True)


def test_a_key_of_the_api_takes_no_alerts(service: Service, console: Console) -> None:
    _, of_api = issue(trader=service.trader, label="", scopes=frozenset({"read"}), created="", kind=API)
    service.keys.put(of_api)
    assert "the last valid key" in console.get("/console/keys/revoke", f"key={key_id(service)}")["body"]
    service.revoke_key()
    assert seen(service, later=95).standing == "no key"


def test_a_key_that_this_version_cannot_read_takes_the_overview_from_nobody(service: Service) -> None:
    _, newer = issue(trader="another", label="", scopes=frozenset(), created="")
    service.services.table.put(Put(items.key_item(newer) | {"limits": {"max_qty": "many"}}))
    service.services.table.put(Put({"pk": items.KEY_LIST, "sk": newer.key_id}))
    assert seen(service).standing == "trades"


def test_without_a_venue_alerts_change_the_table_only(service: Service) -> None:
    service.use_venue(TABLE, heard=False)
    known = seen(service)
    assert (known.standing, known.bridge, known.positions) == ("no venue", None, None)


def test_a_stop_says_by_whom_it_was_turned_on(service: Service, console: Console) -> None:
    service.turn("on")
    assert "by an alert with the key <bdi>a test&#39;s</bdi>. What opens" in console.get("/console")["body"]


def test_the_counts_are_of_alerts_alone_and_say_for_how_many_reasons(service: Service, console: Console) -> None:
    console.look(overfilled(service))
    for order_id in ("a", "a", "b"):
        service.place(order_id)
    service.send("CANCLE")
    service.cancel("nobodys")
    service.cancel("nobodys-either")
    today = seen(service).today
    assert today.counts == {"done": 2, "repeated": 1, "refused": 3}
    assert (today.reasons, today.is_whole) == (2, True)


def test_what_works_is_counted_by_accounts_and_waiting_legs_are_not(service: Service) -> None:
    have(service, state="Working")
    hold(service, "UNKNOWN")
    known = seen(service)
    assert known.working == {"Sim101": 1}
    assert [it.side for it in known.positions or ()] == ["UNKNOWN"]


def positions_on_first_page(service: Service, console: Console) -> str:
    """Return what the first page says of them where nothing is remembered for it."""
    forget(service.trader)
    return text_of(re.findall(r"<a href=./console/positions.>(.{,200}?)</a>", console.get("/console")["body"])[-1])


def test_a_position_that_was_opened_without_a_stop_is_told_and_calls_for_nobody(
    service: Service, console: Console
) -> None:
    have(service, state="Working", legs={})
    deliver(service, say("Filled", 5))
    hold(service, "LONG", 5)
    assert needs(service) == []
    assert positions_on_first_page(service, console) == "1 position open ( 1 without a stop )"


def test_a_position_is_told_until_stops_that_work_cover_all_of_it(service: Service, console: Console) -> None:
    have(service, state="Working")
    deliver(service, say("Filled", 5))
    hold(service, "LONG", 5)
    less = "1 position open ( 1 not wholly protected )"
    assert positions_on_first_page(service, console) == less
    for seq, (qty, told) in enumerate((("2", less), ("5", "1 position open")), 1):
        values = {"qty": qty, "stop_price": "4990"}
        deliver(service, say("Working", order_id="order-1.STOP1", acked=1, seq=seq, values=values))
        assert positions_on_first_page(service, console) == told


# Keys


def key_id(service: Service) -> str:
    return service.key.split("_")[1]


def test_a_key_is_revoked_once_with_a_record_by_a_page_of_its_own(service: Service, console: Console) -> None:
    listed = console.get("/console/keys")["body"]
    assert "keys create --label TradingView" in listed
    assert service.key not in listed
    assert service.key[-4:] in listed
    asked = console.get("/console/keys/revoke", f"key={key_id(service)}")["body"]
    assert "the last valid key" in asked
    assert not next(service.keys.list()).revoked
    for _ in range(2):
        assert console.post("/console/keys/revoke", key=key_id(service))["statusCode"] == 303
    assert next(service.keys.list()).revoked
    [record] = [it for it in service.alerts.newest(service.trader) if it.outcome == "key_revoked"]
    assert (record.fields["key_id"], record.origin) == (key_id(service), "console")


def test_no_key_of_another_trader_is_shown_or_revoked(service: Service, console: Console) -> None:
    theirs = service.issue_key(trader="another").split("_")[1]
    assert f"key={theirs}" not in console.get("/console/keys")["body"]
    assert console.get("/console/keys/revoke", f"key={theirs}")["statusCode"] == 404
    assert console.post("/console/keys/revoke", key=theirs)["statusCode"] == 404
    assert not any(key.revoked for key in service.keys.list())


def test_a_limited_session_revokes_nothing(service: Service, console: Console) -> None:
    limited = console.sign_in(limits=Limits(accounts=("Sim101",)))
    assert console.post("/console/keys/revoke", limited, key=key_id(service))["statusCode"] == 403
    assert not any(key.revoked for key in service.keys.list())


def test_one_bad_item_hides_no_other(service: Service) -> None:
    overfilled(service)
    service.table.client.put_item(
        TableName=service.table.name,
        Item={"pk": {"S": f"NEEDS#{service.trader}"}, "sk": {"S": "x"}, "open": {"S": "9"}, "at": {"N": "1"}},
    )
    assert needs(service) == ["overfill"]


def test_a_bad_message_of_another_trader_is_kept_nowhere(service: Service) -> None:
    body = message_of(Sent("another", "j1", say("Filled", 9, alarms=["overfill"])))
    sent = str(int(service.queue.now.timestamp() * 1000))
    reports.handler({"Records": [{"messageId": "m", "body": body, "attributes": {"SentTimestamp": sent}}]}, None)
    assert needs(service) == []
