"""Every authenticated alert leaves a record, by a write of its own whose failure changes no answer."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from cli.views.alerts import show_alert
from orderhook.aws import budget
from orderhook.aws.budget import READ_SECONDS
from orderhook.errors import AlertWarning, InvalidValueError, TemporarilyUnavailableError
from orderhook.orders import timestamp
from orderhook.records import find_record, follow_records, recent_records
from orderhook.representations import represent_alert_record
from orderhook.store.alert_log import AlertRecord, id_prefix
from orderhook.store.items import alert_key
from orderhook.store.table import deserialize
from tests.builders import ENTRY, alert, event
from tests.client_faults import in_requests_with
from tests.faults import (
    Fault,
    block_connection,
    conflict,
    internal_error,
    lose_request,
    lose_response,
    no_fault,
    refuse,
    refuse_connection,
    reject,
    run_before,
    throttle,
    throttle_throughput,
)
from tests.marks import EACH_ONCE
from tests.output import Answer
from tests.service import ALERT_RETENTION, Service

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)


def record(service: Service, at: datetime = AT, more: str = "", **changes: Any) -> AlertRecord:
    """Return the record of a CANCEL that came in at this time."""
    fields: dict[str, Any] = {
        "trader": service.trader,
        "request_id": id_prefix(at) + more,
        "received_at": timestamp(at),
        "key_id": "keyid",
        "key_label": "label",
        "source": "192.0.2.1",
        "fields": {"order_id": "order-1", "command": "CANCEL"},
        "command": "CANCEL",
        "status": 200,
        "outcome": "cancelled",
        "milliseconds": Decimal("1.5"),
    }
    return AlertRecord(**fields | changes)


def everything(service: Service) -> list[AlertRecord]:
    return list(service.alerts.newest(service.trader))


# What it holds


def test_a_record_says_who_asked_for_what_when_and_the_outcome(service: Service) -> None:
    service.have_order("Working")
    before = datetime.now(UTC)
    body = alert({"key": service.key, "Command": "cancel", "order_id": "order-1", "account": "Sim101"})
    answer = service.handle(event(body, source="203.0.113.9"))
    found = service.record_of(answer)
    assert before <= datetime.fromisoformat(found.received_at) <= datetime.now(UTC)
    assert 0 < found.milliseconds < 2300
    assert found == AlertRecord(
        trader=service.trader,
        request_id=answer.request_id,
        received_at=found.received_at,
        key_id=service.key.split("_")[1],
        key_label="a test's",
        source="203.0.113.9",
        fields={"Command": "cancel", "order_id": "order-1", "account": "Sim101"},
        command="CANCEL",
        status=200,
        outcome="cancelled",
        milliseconds=found.milliseconds,
        order_ids=("order-1",),
        warnings=(AlertWarning("ignored_field", "account", "CANCEL does not use account."),),
        api_request_id="hTX8to7cCXiILU4=",
    )
    assert list(found.fields) == ["Command", "order_id", "account"]


def test_a_record_has_the_warnings_of_its_answer(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    service.place("a")
    answer = service.send("CANCELORDERS", account="Sm101", tif="GTC")
    assert {warning["code"] for warning in answer.body["warnings"]} == {"ignored_field", "nothing_to_cancel"}
    found = service.record_of(answer)
    expected = [{"field": None, **warning} for warning in answer.body["warnings"]]
    assert represent_alert_record(found)["warnings"] == expected
    capsys.readouterr()
    show_alert(found)
    shown = capsys.readouterr().out
    assert all(f"Warning: {warning['detail']}" in shown for warning in answer.body["warnings"])


def test_a_record_of_a_refusal_has_its_code_its_detail_and_its_field(service: Service) -> None:
    answer = service.cancel("nobodys")
    found = service.record_of(answer)
    assert (found.status, found.outcome, found.detail, found.field) == (
        404,
        "order_not_found",
        answer.body["detail"],
        "order_id",
    )
    assert (found.order_ids, found.duplicate) == ((), False)


def test_a_record_names_every_order_that_was_placed(service: Service) -> None:
    answer = service.place("order-1", take_profit=5020, stop_loss=4980)
    assert service.record_of(answer).order_ids == ("order-1", *answer.body["legs"].values())


@pytest.mark.parametrize(
    ("first", "word"), [("PLACE", "already_placed"), ("CANCEL", "already_cancelled")], ids=["place", "cancel"]
)
def test_a_record_says_whether_it_is_a_duplicate_of_an_earlier_alert(service: Service, first: str, word: str) -> None:
    service.place("order-1")
    fields = ENTRY if first == "PLACE" else {}
    answers = [service.send(first, **{"order_id": "order-1", **fields}) for _ in range(2)]
    assert answers[-1].word == word
    assert service.record_of(answers[-1]).duplicate is True
    if first == "CANCEL":
        assert service.record_of(answers[0]).duplicate is False


BODIES: dict[str, tuple[str, str, str | None, dict[str, str]]] = {
    "no command": ("order_id=a", "missing_field", None, {"order_id": "a"}),
    "an unknown command": ("command=CANCLE", "unknown_command", None, {"command": "CANCLE"}),
    "a field that is missing": ("command=CANCEL", "missing_field", "CANCEL", {"command": "CANCEL"}),
    "a field twice": ("a=1;a=2", "unknown_field", None, {"a": "1", "a (2)": "2"}),
    "no pair": ("command=CANCEL;nonsense", "malformed_payload", None, {"command": "CANCEL"}),
    "too many fields": (
        70 * "a=1;",
        "malformed_payload",
        None,
        {f"a ({n})" if n > 1 else "a": "1" for n in range(1, 65)},
    ),
}


@pytest.mark.parametrize(("body", "word", "command", "fields"), BODIES.values(), ids=list(BODIES))
def test_an_alert_that_is_refused_before_its_command_has_a_record_too(
    service: Service, body: str, word: str, command: str | None, fields: dict[str, str]
) -> None:
    found = service.record_of(service.post(f"key={service.key};{body}"))
    assert (found.outcome, found.command, found.fields) == (word, command, fields)


def test_a_key_that_may_not_give_the_command_leaves_a_record(service: Service) -> None:
    answer = service.cancel("order-1", key=service.issue_key(scopes=frozenset({"PLACE"})))
    assert (service.record_of(answer).outcome, service.record_of(answer).command) == ("command_not_allowed", "CANCEL")


@pytest.mark.parametrize("body", ["key=wrong;command=CANCEL;order_id=order-1", "", "nonsense", None, b"\xff"])
def test_without_a_key_there_is_no_record(service: Service, body: str | bytes | None) -> None:
    service.post(body)
    assert service.network.records == []
    assert everything(service) == []


def test_from_an_address_that_is_not_allowed_there_is_no_record(service: Service) -> None:
    service.allow_sources("192.0.2.0/24")
    service.handle(event(alert({"key": service.key}), source="203.0.113.9"))
    assert service.network.records == []


def test_a_record_leaves_when_its_time_has_come_and_lies_apart_from_the_orders(service: Service) -> None:
    answer = service.cancel("order-1")
    [item] = [item for item in service.everything() if item["pk"]["S"].startswith("ALERTS#")]
    assert (item["pk"]["S"], item["sk"]["S"]) == (f"ALERTS#{service.trader}", answer.request_id)
    expires = datetime.fromtimestamp(int(item["expires"]["N"]), UTC)
    received = datetime.fromisoformat(item["received_at"]["S"])
    assert timedelta() <= received + ALERT_RETENTION - expires < timedelta(seconds=1)
    assert "open" not in item
    assert service.belongings() == []


def test_with_no_retention_only_what_tells_a_resend_is_kept_for_a_day(service: Service) -> None:
    service.record_nothing()
    service.warm_up()
    answer = service.cancel("order-1", notes="a remark")
    assert answer.status == 404
    item = service.get(alert_key(service.trader, answer.request_id))
    assert item is not None
    kept = deserialize(item)
    assert kept.keys() == {"pk", "sk", "received_at", "status", "expires"}
    assert kept["status"] == 404
    received = datetime.fromisoformat(kept["received_at"])
    assert timedelta() <= received + timedelta(days=1) - datetime.fromtimestamp(int(kept["expires"]), UTC)
    assert everything(service) == []
    assert service.alerts.get(service.trader, answer.request_id) is None
    assert list(service.alerts.beginning_with(service.trader, answer.request_id)) == []
    assert len(service.output.lines()) == 2


def test_a_record_of_several_accounts_names_every_order_that_it_touched(service: Service) -> None:
    service.warm_up()
    service.network.always = in_requests_with("order-1.b", throttle)
    answer = service.place("order-1", account="A,B,C", take_profit=5020)
    assert answer.status == 503
    found = service.record_of(answer)
    assert found.order_ids == ("order-1.a", "order-1.a.TARGET1", "order-1.c", "order-1.c.TARGET1")
    assert (found.outcome, found.command) == ("temporarily_unavailable", "PLACE")


BROKEN = ['{"key": "KEY", "command": "CANCEL",}', '{"key": "KEY"', "key=KEY;=1", '{"key": "KEY", "order_id": {"a": 1}}']


@pytest.mark.parametrize("body", BROKEN)
def test_a_body_that_is_broken_and_holds_one_valid_key_is_its_senders(service: Service, body: str) -> None:
    answer = service.post(body.replace("KEY", service.key))
    assert answer.status == 400
    found = service.record_of(answer)
    assert (found.status, found.outcome, found.detail) == (400, answer.word, answer.body["detail"])
    assert service.key.split("_")[2] not in repr(found)


# What tells a resend


def lose_cancel_all(service: Service) -> Answer:
    service.network.inject("Query", *[lose_response] * 6)
    answer = service.send("CANCELALLORDERS")
    service.network.inject("Query")
    assert answer.status == 503
    return answer


def was_answered(service: Service, answer: Answer) -> bool:
    return service.alerts.earlier(service.trader, answer.request_id).answered


def test_an_answered_resend_is_noted_in_the_record_of_the_first(service: Service) -> None:
    first = lose_cancel_all(service)
    assert not was_answered(service, first)
    before = service.record_of(first)
    service.let_pass(5)
    answer = service.send("CANCELALLORDERS")
    assert was_answered(service, first)
    assert was_answered(service, answer)
    assert service.record_of(first) == before


@pytest.mark.parametrize("seconds", [2, 40])
def test_what_is_not_a_resend_notes_nothing(service: Service, seconds: float) -> None:
    first = lose_cancel_all(service)
    service.let_pass(seconds)
    assert service.send("CANCELALLORDERS").status == 200
    assert not was_answered(service, first)


def test_a_resend_that_is_not_answered_is_not_noted(service: Service) -> None:
    first = lose_cancel_all(service)
    service.let_pass(5)
    lose_cancel_all(service)
    assert not was_answered(service, first)


def test_a_note_without_a_record_leaves_by_its_expiry(service: Service) -> None:
    service.network.records_meet = throttle
    first = lose_cancel_all(service)
    service.network.records_meet = no_fault
    service.let_pass(5)
    service.send("CANCELALLORDERS")
    item = service.get(alert_key(service.trader, first.request_id))
    assert item is not None
    assert item.keys() == {"pk", "sk", "answered", "expires"}
    assert [record.command for record in everything(service)] == ["CANCELALLORDERS"]


@pytest.mark.parametrize("fault", [throttle, lose_request, lose_response, reject], ids=str)
def test_a_note_that_is_not_taken_changes_nothing(service: Service, fault: Fault) -> None:
    first = lose_cancel_all(service)
    service.let_pass(5)
    service.output.take()
    service.network.always = in_requests_with(first.request_id, fault)
    service.network.inject("GetItem", no_fault)
    assert service.send("CANCELALLORDERS").status == 200
    lines = service.output.lines()
    assert [line["message"] for line in lines if "message" in line] == ["alert not recorded", "alert"]


def test_every_answer_below_500_counts_as_one(service: Service) -> None:
    service.place("order-1")
    for answer in (service.cancel("order-1"), service.cancel("nobodys"), service.post(f"key={service.key};a")):
        assert was_answered(service, answer)
    assert not service.alerts.earlier(service.trader, "nothing-has-this-id").answered


# One write of its own


@EACH_ONCE
@pytest.mark.parametrize(
    ("command", "fields", "requests"),
    [
        ("CANCEL", {"order_id": "order-1"}, ["UpdateItem"]),
        ("CANCEL", {"order_id": "entry1", "strategy_id": "strategy-1"}, ["GetItem", "UpdateItem"]),
        ("CANCEL", {"order_id": "nobodys"}, ["UpdateItem"]),
        ("CANCEL", {}, []),
        ("PLACE", {**ENTRY}, ["GetItem", "PutItem"]),
        ("PLACE", {**ENTRY, "take_profit": 5020}, ["GetItem", "GetItem", "TransactWriteItems"]),
        ("CANCELORDERS", {"account": "Sim101"}, ["PutItem", "Query", "UpdateItem"]),
        ("CANCELALLORDERS", {}, ["PutItem", "UpdateItem", "Query", "UpdateItem"]),
        ("CLOSESTRATEGY", {"strategy_id": "strategy-1"}, ["UpdateItem", "Query", "UpdateItem"]),
    ],
    ids=[
        "cancel",
        "by name",
        "not found",
        "no order id",
        "place",
        "with a leg",
        "of an account",
        "of all",
        "of a strategy",
    ],
)
@pytest.mark.parametrize("kept", [True, False], ids=["kept", "not kept"])
def test_a_record_takes_one_conditional_put_and_the_command_what_it_took(
    service: Service, command: str, fields: dict[str, object], requests: list[str], *, kept: bool
) -> None:
    service.have_strategy("Working", "ENTRY1")
    if not kept:
        service.record_nothing()
    service.warm_up()
    service.send(command, **fields)
    [made] = service.network.records
    assert made.operation == "PutItem"
    assert made.payload["ConditionExpression"] == "attribute_not_exists(pk)"
    assert service.network.operations == requests


def test_a_record_is_written_after_the_command(service: Service) -> None:
    service.have_order("Working")
    states: list[str | None] = []
    service.network.records_meet = run_before(lambda: states.append(service.state()))
    service.cancel("order-1")
    assert states == ["Cancelled"]


# Its failure


RECORD_FAULTS: tuple[tuple[Fault, str], ...] = (
    *((fault, fault.code) for fault in (throttle, throttle_throughput, conflict, internal_error)),
    (refuse_connection, "EndpointConnectionError"),
    (block_connection, "ConnectTimeoutError"),
    (lose_request, "ReadTimeoutError"),
    (lose_response, "ReadTimeoutError"),
    (refuse("ValidationException", message="THE-MESSAGE"), "ValidationException"),
    (refuse("AccessDeniedException", message="THE-MESSAGE"), "AccessDeniedException"),
)


def send_cancel(service: Service) -> Answer:
    return service.cancel("order-1")


def send_place(service: Service) -> Answer:
    return service.place()


@EACH_ONCE
@pytest.mark.parametrize(("fault", "reason"), RECORD_FAULTS, ids=str)
@pytest.mark.parametrize(
    ("send", "word"), [(send_cancel, "cancelled"), (send_place, "placed")], ids=["cancel", "place without id"]
)
def test_a_record_that_is_not_taken_is_not_sent_again_and_changes_nothing(
    service: Service, send: Callable[[Service], Answer], word: str, fault: Fault, reason: str
) -> None:
    service.have_order("Working")
    service.warm_up()
    service.network.records_meet = fault
    answer = send(service)
    assert (answer.status, answer.word) == (200, word)
    assert len(service.network.records) == 1
    written = service.output.lines()
    not_recorded, count, line, metric = written
    assert (not_recorded["level"], not_recorded["message"]) == ("WARNING", "alert not recorded")
    always = {"level", "location", "message", "timestamp", "service", "request_id"}
    assert not_recorded.keys() == always | {"reason", "operation"}
    assert (not_recorded["request_id"], not_recorded["reason"]) == (answer.request_id, reason)
    assert not_recorded["operation"] == "PutItem"
    assert (count["AlertsNotRecorded"], count["service"]) == ([1.0], "orderhook")
    assert (line["outcome"], metric["outcome"]) == (word, word)
    assert "THE-MESSAGE" not in str(written)


def test_commands_after_a_record_that_failed_are_retried_as_usual(service: Service) -> None:
    service.have_order("Working")
    service.warm_up()
    service.network.records_meet = throttle
    service.cancel("nobodys")
    service.network.requests.clear()
    service.network.inject("UpdateItem", throttle, internal_error)
    assert service.cancel("order-1").word == "cancelled"
    assert service.network.operations == ["UpdateItem"] * 3


def test_a_table_that_takes_neither_command_nor_record_is_answered_as_usual(service: Service) -> None:
    service.warm_up()
    service.network.always = service.network.records_meet = throttle
    assert (service.cancel("order-1").word, service.place().word) == ("temporarily_unavailable",) * 2
    assert len(service.network.records) == 2


def test_an_order_that_may_have_been_placed_is_recorded_as_that(service: Service) -> None:
    service.warm_up()
    service.network.inject("PutItem", *[lose_response] * 3)
    answer = service.place()
    assert (answer.word, service.record_of(answer).outcome) == ("outcome_unknown", "outcome_unknown")


def test_a_defect_is_recorded_by_what_was_answered(service: Service) -> None:
    service.warm_up()
    service.network.always = refuse("ValidationException", message="THE-MESSAGE")
    found = service.record_of(service.cancel("order-1"))
    assert (found.status, found.outcome) == (409, "outcome_unknown")
    assert "THE-MESSAGE" not in repr(found)


def test_no_record_is_begun_when_there_is_no_time_left_for_it(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "LAST_ATTEMPT_SECONDS", 1.0)
    service.have_order("Working")
    service.warm_up()
    service.network.inject("UpdateItem", run_before(lambda: service.clock.advance(1.4)))
    assert service.cancel("order-1").word == "cancelled"
    assert service.network.records == []
    not_recorded, count, *_ = service.output.lines()
    assert (not_recorded["message"], count["AlertsNotRecorded"]) == ("alert not recorded", [1.0])


def test_an_answer_waits_for_its_record_no_longer_than_for_one_read(service: Service) -> None:
    service.have_order("Working")
    service.warm_up()
    started = service.clock.elapsed
    service.network.records_meet = lose_request
    assert service.cancel("order-1").word == "cancelled"
    assert service.clock.elapsed - started == pytest.approx(READ_SECONDS, abs=0.01)


# Reading them


@pytest.fixture
def three(service: Service) -> list[AlertRecord]:
    """Records that came in at one second's distance, newest first."""
    made = [record(service, AT + timedelta(seconds=number), "abc") for number in (2, 1, 0)]
    for it in made:
        service.alerts.put(it)
    return made


def test_what_was_put_is_read_back_as_it_was(service: Service) -> None:
    made = record(
        service,
        key_label="",
        fields={"b": "", "a": "\u202e"},
        command=None,
        status=409,
        outcome="strategy_mismatch",
        detail="A detail.",
        field="strategy_id",
        order_ids=("order-1", "order-2"),
        duplicate=True,
        origin="delayed",
    )
    service.alerts.put(made)
    found = service.alerts.get(service.trader, made.request_id)
    assert found == made
    assert list(found.fields) == ["b", "a"]


def test_the_newest_comes_first(service: Service, three: list[AlertRecord]) -> None:
    assert everything(service) == three


def test_a_time_bounds_what_is_read(service: Service, three: list[AlertRecord]) -> None:
    def between(since: datetime | None, until: datetime | None) -> list[AlertRecord]:
        return list(service.alerts.newest(service.trader, since, until))

    middle = AT + timedelta(seconds=1)
    assert between(middle, None) == three[:2]
    assert between(None, middle) == three[2:]
    assert between(middle, AT + timedelta(seconds=2)) == [three[1]]
    assert between(AT + timedelta(seconds=3), None) == []


def test_records_of_another_trader_are_not_read(service: Service, three: list[AlertRecord]) -> None:
    assert list(service.alerts.newest("somebody-else")) == []
    assert service.alerts.get("somebody-else", three[0].request_id) is None


def test_more_records_than_a_page_holds_are_all_read(service: Service) -> None:
    for number in range(150):
        at = AT + timedelta(milliseconds=number)
        service.alerts.put(record(service, at, fields={"notes": 8000 * "x"}))
    found = [it.request_id for it in everything(service)]
    assert len(found) == 150
    assert found == sorted(found, reverse=True)


def test_every_read_is_a_consistent_one(service: Service, three: list[AlertRecord]) -> None:
    log = service.handlers_services.alert_log
    list(log.newest(service.trader))
    list(log.beginning_with(service.trader, three[0].request_id[:3]))
    log.get(service.trader, three[0].request_id)
    assert [request.payload["ConsistentRead"] for request in service.network.requests] == [True] * 3


def test_a_record_is_found_by_the_beginning_of_its_id_if_it_is_the_only_one(
    service: Service, three: list[AlertRecord]
) -> None:
    newest = three[0]
    for beginning in (newest.request_id, newest.request_id[:12], newest.request_id[:13].upper()):
        assert find_record(service.alerts, service.trader, beginning) == newest
    with pytest.raises(InvalidValueError, match="More than one alert's id begins with '01'; give more of it"):
        find_record(service.alerts, service.trader, "01")
    for nobodys in ("f", "", three[0].request_id + "0"):
        with pytest.raises(InvalidValueError, match="There is no record of an alert"):
            find_record(service.alerts, service.trader, nobodys)


def test_a_table_that_does_not_answer_is_an_error(service: Service) -> None:
    log = service.handlers_services.alert_log
    service.network.always = refuse_connection
    with pytest.raises(TemporarilyUnavailableError):
        list(log.newest(service.trader))


# Following them


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no second pass between two looks, and end after a few: what has not come by then never comes."""
    looks = iter(range(20))
    monkeypatch.setattr(time, "sleep", lambda _: next(looks))


def following(service: Service, shown: list[AlertRecord]) -> Iterator[AlertRecord]:
    last = recent_records(service.alerts, service.trader)
    return follow_records(service.alerts, service.trader, last, shown)


@pytest.mark.usefixtures("at_once")
def test_new_records_are_followed_oldest_first_and_each_once(service: Service, three: list[AlertRecord]) -> None:
    followed = following(service, three)
    new = [record(service, AT + timedelta(seconds=number)) for number in (3, 4, 500)]
    for it in new[:2]:
        service.alerts.put(it)
    assert [next(followed), next(followed)] == new[:2]
    service.alerts.put(new[2])
    assert next(followed) == new[2]


@pytest.mark.usefixtures("at_once")
def test_the_record_of_an_alert_that_took_long_is_followed_after_later_ones(
    service: Service, three: list[AlertRecord]
) -> None:
    followed = following(service, three)
    late, later = (record(service, AT + timedelta(seconds=number), "late") for number in (1, 4))
    service.alerts.put(later)
    assert next(followed) == later
    service.alerts.put(late)
    assert next(followed) == late


@pytest.mark.usefixtures("at_once")
def test_what_was_there_before_is_not_followed_whether_or_not_it_was_shown(
    service: Service, three: list[AlertRecord]
) -> None:
    old = record(service, AT - timedelta(days=1))
    service.alerts.put(old)
    followed = following(service, three[:1])
    service.alerts.put(new := record(service, AT + timedelta(seconds=3)))
    assert next(followed) == new


@pytest.mark.usefixtures("at_once")
def test_the_first_record_of_all_is_followed(service: Service) -> None:
    followed = following(service, [])
    service.alerts.put(first := record(service))
    assert next(followed) == first


def test_an_alert_from_an_address_that_is_not_text_is_recorded(service: Service) -> None:
    answer = service.handle(event(alert({"key": service.key, "command": "CANCEL", "order_id": "a"}), source="\ud800"))
    assert service.record_of(answer).source == "?"
