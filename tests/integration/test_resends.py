"""The same alert again: a resend is judged as of its first receipt; the same text otherwise is a new alert."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from orderhook import listing
from orderhook.commands.cancel import Cancel
from orderhook.orders import Order, Trace, timestamp
from orderhook.resend import first_receipt
from orderhook.store.alert_log import Earlier
from tests.builders import ENTRY, alert, provenance
from tests.client_faults import in_requests_with
from tests.faults import lose_request, lose_response, no_fault, run_before, throttle
from tests.marks import EACH_ONCE, LONG
from tests.output import Answer
from tests.service import Service
from tests.trades import have_long_history

UPDATE, PUT, READ, TRANSACT, QUERY = "UpdateItem", "PutItem", "GetItem", "TransactWriteItems", "Query"

Step = Callable[[Service], object]

LEGS: Mapping[str, Any] = {"take_profit": 5020, "stop_loss": 4980}
TO_STOP: Mapping[str, Any] = {"action": "SELL", "order_type": "STOPMARKET", "limit_price": None}
"""What a CANCELREPLACE of a stop says of it, beside its new stop_price."""


def order(service: Service, order_id: str) -> Order:
    """Return an order as it is now, be it a leg that waits in its entry's item."""
    found = listing.find_order(service.services, service.trader, order_id, timestamp(service.queue.now))
    assert found is not None
    return found


def text_of(service: Service, fields: Mapping[str, Any]) -> str:
    return alert({"key": service.key, **fields})


def in_turn(*steps: Step) -> Step:
    """Return a step that does several; each must succeed."""

    def run(service: Service) -> None:
        for step in steps:
            step(service)

    return run


def sends(command: str | None = None, **fields: object) -> Step:
    """Return the step of sending an alert, which must succeed."""

    def run(service: Service) -> None:
        answer = service.post(text_of(service, {"command": command, **fields}))
        assert answer.status == 200, answer.body

    return run


def places(order_id: str, **changes: object) -> Step:
    return sends("PLACE", **{**ENTRY, "order_id": order_id, **changes})


def limit_of(order_id: str) -> Callable[[Service], object]:
    return lambda service: str(order(service, order_id).limit_price)


def stop_of(order_id: str) -> Callable[[Service], object]:
    return lambda service: str(order(service, order_id).stop_price)


def state_of(order_id: str) -> Callable[[Service], object]:
    return lambda service: str(order(service, order_id).state)


@dataclass(frozen=True)
class Repeated:
    """An alert that comes twice, what comes in between, and what is seen afterwards."""

    fields: Mapping[str, Any]
    between: Step
    see: Callable[[Service], object]
    """What tells whether the second was taken for a resend or for a new alert."""
    resent: object
    new: object
    arrange: Step = lambda _: None
    loses: str = UPDATE
    """The requests whose answers are lost, so that the alert is answered 503 though it was carried out."""
    unanswered: object = None
    """What is seen as long as no resend was answered, where that is not `resent`."""
    new_answer: tuple[int, str] | None = None
    """How a new alert is answered, where it is refused."""
    word: str = "changed"
    more: Mapping[str, Any] = field(default_factory=lambda: {"duplicate": True})

    def body(self, service: Service) -> str:
        return text_of(service, self.fields)

    def lose(self, service: Service) -> Answer:
        """Have it carried out, and its answer lost."""
        return lose(service, self.body(service), self.loses)

    def post(self, service: Service) -> Answer:
        return service.post(self.body(service))

    def assert_resent(self, service: Service, answer: Answer) -> None:
        assert (answer.status, answer.word) == (200, self.word), answer.body
        assert self.more.items() <= answer.body.items()
        assert self.see(service) == self.resent

    def assert_new(self, service: Service, answer: Answer) -> None:
        if self.new_answer:
            assert (answer.status, answer.word) == self.new_answer
        else:
            assert answer.status == 200, answer.body
        assert self.see(service) == self.new


def lose(service: Service, body: str, operation: str) -> Answer:
    """Have an alert be carried out by requests whose answers are lost: TradingView is told to send it again."""
    service.network.inject(operation, *[lose_response] * 6)
    answer = service.post(body)
    service.network.inject(operation)
    assert (answer.status, answer.word) == (503, "temporarily_unavailable"), answer.body
    return answer


CASES: dict[str, Repeated] = {
    "CHANGE": Repeated(
        arrange=places("a"),
        fields={"command": "CHANGE", "order_id": "a", "limit_price": 4000},
        between=sends("CHANGE", order_id="a", limit_price=4500),
        see=limit_of("a"),
        resent="4500",
        new="4000",
        more={"duplicate": True, "limit_price": "4500"},
    ),
    "CHANGE by name": Repeated(
        arrange=places("a", strategy_id="s"),
        fields={"command": "CHANGE", "order_id": "ENTRY1", "strategy_id": "s", "limit_price": 4000},
        between=sends("CHANGE", order_id="a", limit_price=4500),
        see=limit_of("a"),
        resent="4500",
        new="4000",
    ),
    "CHANGE by a name that is rebound": Repeated(
        arrange=places("a", strategy_id="s"),
        fields={"command": "CHANGE", "order_id": "ENTRY1", "strategy_id": "s", "limit_price": 4000},
        between=in_turn(sends("CANCEL", order_id="a"), places("b", strategy_id="s")),
        see=limit_of("b"),
        resent="5000.25",
        new="4000",
        more={"duplicate": True, "order_id": "a"},
    ),
    "CHANGE of a waiting leg": Repeated(
        arrange=places("a", strategy_id="s", **LEGS),
        fields={"command": "CHANGE", "order_id": "STOP1", "strategy_id": "s", "stop_price": 4970},
        between=sends("CHANGE", order_id="a.STOP1", stop_price=4990),
        see=stop_of("a.STOP1"),
        resent="4990",
        new="4970",
    ),
    "CHANGE of a quantity": Repeated(
        arrange=places("a", qty=9),
        fields={"command": "CHANGE", "order_id": "a", "qty": 2},
        between=sends("CHANGE", order_id="a", qty=7),
        see=lambda service: order(service, "a").qty,
        resent=7,
        new=2,
    ),
    "CANCELREPLACE": Repeated(
        arrange=places("a"),
        fields={"command": "CANCELREPLACE", **ENTRY, "order_id": "a", "limit_price": 4000},
        between=sends("CANCELREPLACE", **{**ENTRY, "order_id": "a", "limit_price": 4500}),
        see=limit_of("a"),
        resent="4500",
        new="4000",
        word="replaced",
        more={"duplicate": True, "limit_price": "4500"},
    ),
    "CANCELREPLACE by a name that is rebound": Repeated(
        arrange=places("a", strategy_id="s"),
        fields={
            "command": "CANCELREPLACE",
            **ENTRY,
            "order_id": "ENTRY1",
            "strategy_id": "s",
            "limit_price": 4000,
        },
        between=in_turn(sends("CANCEL", order_id="a"), places("b", strategy_id="s")),
        see=limit_of("b"),
        resent="5000.25",
        new="4000",
        word="replaced",
    ),
    "CANCELREPLACE of a waiting leg": Repeated(
        arrange=places("a", strategy_id="s", **LEGS),
        fields={
            "command": "CANCELREPLACE",
            **ENTRY,
            **TO_STOP,
            "order_id": "STOP1",
            "strategy_id": "s",
            "stop_price": 4970,
        },
        between=sends("CHANGE", order_id="a.STOP1", stop_price=4990),
        see=stop_of("a.STOP1"),
        resent="4990",
        new="4970",
        word="replaced",
    ),
    "CANCEL by a name that is rebound": Repeated(
        arrange=places("a", strategy_id="s"),
        fields={"command": "CANCEL", "order_id": "ENTRY1", "strategy_id": "s"},
        between=places("b", strategy_id="s"),
        see=state_of("b"),
        resent="Working",
        new="Cancelled",
        word="already_cancelled",
        more={"order_id": "a", "state": "Cancelled"},
    ),
    "CANCEL by a leg's name that is rebound": Repeated(
        arrange=places("a", strategy_id="s", **LEGS),
        fields={"command": "CANCEL", "order_id": "STOP1", "strategy_id": "s"},
        between=in_turn(sends("CANCEL", order_id="a"), places("b", strategy_id="s", **LEGS)),
        see=state_of("b.STOP1"),
        resent="Initialized",
        new="Cancelled",
        word="already_cancelled",
        more={"order_id": "a.STOP1"},
    ),
    "kill_switch=off": Repeated(
        arrange=sends(kill_switch="on"),
        fields={"kill_switch": "off"},
        between=sends(kill_switch="on"),
        see=lambda service: service.controls.kill_switch(service.trader).on,
        resent=True,
        new=False,
        word="kill_switch_on",
    ),
    "CANCELORDERS": Repeated(
        arrange=places("a"),
        fields={"command": "CANCELORDERS", "account": "Sim101"},
        between=places("b"),
        see=state_of("b"),
        resent="Working",
        new="Cancelled",
        word="nothing_to_cancel",
        more={"cancelled": []},
    ),
    "CANCELALLORDERS": Repeated(
        arrange=places("a"),
        fields={"command": "CANCELALLORDERS"},
        between=places("b"),
        see=state_of("b"),
        resent="Working",
        new="Cancelled",
        word="cancelled",  # what was lost is the first of its writes, in CONTROLS: nothing was cancelled yet
        more={"cancelled": ["a"]},
    ),
    "CLOSESTRATEGY": Repeated(
        arrange=places("a", strategy_id="s"),
        fields={"command": "CLOSESTRATEGY", "strategy_id": "s"},
        between=places("b", strategy_id="s"),
        see=state_of("b"),
        resent="Working",
        new="Cancelled",
        word="closed",  # and here that in the strategy
        more={"cancelled": ["a"]},
    ),
    "PLACE that is finished since": Repeated(
        fields={"command": "PLACE", **ENTRY, "order_id": "a"},
        loses=PUT,
        between=lambda service: service.report("Filled", 5, order_id="a"),
        see=lambda service: len(service.placed()),
        resent=1,
        new=1,
        new_answer=(409, "duplicate_order_id"),
        word="already_placed",
        more={"order_id": "a", "state": "Filled"},
    ),
    "PLACE in a strategy, then the kill switch": Repeated(
        fields={"command": "PLACE", **ENTRY, **LEGS, "order_id": "a", "strategy_id": "s"},
        loses=TRANSACT,
        between=sends(kill_switch="on"),
        see=lambda service: service.open_orders(),
        resent=["a"],
        new=["a"],
        new_answer=(423, "kill_switch_on"),
        word="already_placed",
        more={"order_id": "a", "order_name": "ENTRY1", "legs": {"TARGET1": "a.TARGET1", "STOP1": "a.STOP1"}},
    ),
    "PLACE with a delay, then the kill switch": Repeated(
        fields={"command": "PLACE", **ENTRY, "order_id": "a", "delay": 60},
        loses=PUT,
        between=sends(kill_switch="on"),
        see=state_of("a"),
        resent="Cancelled",
        new="Cancelled",
        new_answer=(423, "kill_switch_on"),
        word="already_placed",
        more={"order_id": "a", "state": "Cancelled"},
    ),
    "PLACE with rate_limit": Repeated(
        fields={"command": "PLACE", **ENTRY, "order_id": "a", "rate_limit": "1/60", "id": "es"},
        loses=PUT,
        between=lambda service: service.place("b", rate_limit="1/60", id="es"),
        see=lambda service: "a" in service.open_orders(),
        resent=True,
        new=True,
        new_answer=(429, "rate_limited"),
        word="already_placed",
        more={"order_id": "a"},
    ),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))

BY_TRACE = (
    "CHANGE",
    "CANCELREPLACE",
    "CANCEL by a name that is rebound",
    "kill_switch=off",
    "CANCELORDERS",
    "CANCELALLORDERS",
    "CLOSESTRATEGY",
    "PLACE that is finished since",
    "PLACE with rate_limit",
)
"""One case for each place where a trace lies."""
each_trace = pytest.mark.parametrize("case", [CASES[name] for name in BY_TRACE], ids=BY_TRACE)


# What is a resend


@every_case
def test_a_resend_is_judged_as_of_its_first_receipt(service: Service, case: Repeated) -> None:
    case.arrange(service)
    case.lose(service)
    service.let_pass(1)
    case.between(service)
    service.let_pass(4)
    case.assert_resent(service, case.post(service))


@LONG
@every_case
def test_the_same_text_after_an_answer_is_a_new_alert(service: Service, case: Repeated) -> None:
    case.arrange(service)
    assert case.post(service).status == 200
    service.let_pass(1)
    case.between(service)
    service.let_pass(4)
    case.assert_new(service, case.post(service))


@EACH_ONCE
@LONG
@each_trace
@pytest.mark.parametrize(("seconds", "resent"), [(0.2, False), (4.1, True), (25, True), (31, False)])
def test_a_resend_comes_from_4_to_30_s_after_the_first(
    service: Service, case: Repeated, seconds: float, *, resent: bool
) -> None:
    case.arrange(service)
    case.lose(service)
    case.between(service)
    service.let_pass(seconds)
    (case.assert_resent if resent else case.assert_new)(service, case.post(service))


@pytest.mark.parametrize(
    ("milliseconds", "resent"),
    [(-1, False), (0, False), (3_999, False), (4_000, True), (30_000, True), (30_001, False)],
)
def test_both_ends_of_that_time_count(service: Service, milliseconds: int, *, resent: bool) -> None:
    first = provenance(service.trader, "first")
    trace = Trace("text", "first", first.received_at)
    again = first._replace(
        request_id="again", alert_digest="text", received=first.at + timedelta(milliseconds=milliseconds)
    )
    assert first_receipt(service.services, again, [trace]) == (trace if resent else None)
    assert not first_receipt(service.services, again._replace(alert_digest="another"), [trace])
    assert not first_receipt(service.services, again, [])
    assert not first_receipt(service.services, again._replace(request_id="first"), [trace])


def test_of_equal_alerts_the_first_that_was_not_answered_is_the_one_that_is_resent(service: Service) -> None:
    first = provenance(service.trader, "first")
    traces = [
        Trace("text", name, timestamp(first.at + timedelta(seconds=seconds)))
        for name, seconds in (("long ago", -40), ("first", 0), ("just now", 3))
    ]
    again = first._replace(request_id="again", alert_digest="text", received=first.at + timedelta(seconds=5))
    assert first_receipt(service.services, again, traces) == traces[1]


@pytest.mark.parametrize("skipped", ["of another text", "of this request", "answered", "long ago"])
def test_what_was_not_left_by_the_first_receipt_hides_no_trace_after_it(service: Service, skipped: str) -> None:
    first = provenance(service.trader, "first")
    again = first._replace(request_id="again", alert_digest="text", received=first.at + timedelta(seconds=6))
    service.alerts.note_answered(service.trader, "answered", first.at)
    before = {
        "of another text": Trace("another", "other", first.received_at),
        "of this request": Trace("text", "again", first.received_at),
        "answered": Trace("text", "answered", first.received_at),
        "long ago": Trace("text", "earlier", timestamp(first.at - timedelta(seconds=25))),
    }
    trace = Trace("text", "first", first.received_at)
    assert first_receipt(service.services, again, [before[skipped], trace]) == trace


def test_what_was_answered_in_one_account_was_answered_with_its_whole_alert(service: Service) -> None:
    first = provenance(service.trader, "first.sim101")
    again = first._replace(
        request_id="again.sim101", alert_digest="text", received=first.at + timedelta(seconds=6), resend_of={}
    )
    trace = Trace("text", "first.sim101", first.received_at)
    assert first_receipt(service.services, again, [trace]) == trace
    assert again.resend_of == {"first": Earlier()}
    service.alerts.note_answered(service.trader, "first", first.at)
    assert first_receipt(service.services, again._replace(resend_of={}), [trace]) is None


@each_trace
def test_after_an_answered_resend_the_same_text_is_a_new_alert(service: Service, case: Repeated) -> None:
    case.arrange(service)
    case.lose(service)
    case.between(service)
    service.let_pass(5)
    case.assert_resent(service, case.post(service))
    service.let_pass(15)
    case.assert_new(service, case.post(service))


@LONG
@every_case
def test_a_resend_whose_answer_is_lost_too_comes_again_and_is_one(service: Service, case: Repeated) -> None:
    case.arrange(service)
    case.lose(service)
    case.between(service)
    for _ in range(2):
        service.let_pass(5)
        service.network.always = lose_response
        assert case.post(service).status == 503
        service.network.always = no_fault
    assert case.see(service) == (case.unanswered or case.resent)
    service.let_pass(5)
    case.assert_resent(service, case.post(service))


@each_trace
def test_without_the_record_of_the_first_it_counts_as_unanswered(service: Service, case: Repeated) -> None:
    case.arrange(service)
    service.network.records_meet = throttle
    first = case.lose(service)
    service.network.records_meet = no_fault
    assert service.alerts.get(service.trader, first.request_id) is None
    case.between(service)
    service.let_pass(5)
    case.assert_resent(service, case.post(service))
    service.let_pass(15)
    case.assert_new(service, case.post(service))


@EACH_ONCE
@each_trace
@pytest.mark.parametrize("answered", [False, True], ids=["unanswered", "answered"])
def test_a_deployment_that_keeps_no_records_knows_a_resend(service: Service, case: Repeated, *, answered: bool) -> None:
    service.record_nothing()
    case.arrange(service)
    if answered:
        assert case.post(service).status == 200
    else:
        case.lose(service)
    case.between(service)
    service.let_pass(5)
    (case.assert_new if answered else case.assert_resent)(service, case.post(service))
    assert list(service.alerts.newest(service.trader)) == []


@each_trace
def test_another_traders_alert_of_the_same_text_is_not_a_resend(service: Service, case: Repeated) -> None:
    theirs = service.issue_key(trader=f"{service.trader}-too")
    case.arrange(service)
    service.network.inject(case.loses, *[lose_response] * 6)
    service.post(alert({"key": theirs, **case.fields}))
    service.network.inject(case.loses)
    if case.word not in ("already_placed", "scheduled"):
        assert case.post(service).status == 200
        case.between(service)
        service.let_pass(5)
        case.assert_new(service, case.post(service))
        return
    service.let_pass(5)
    assert case.post(service).word in ("placed", "scheduled")


@each_trace
def test_the_same_text_with_another_key_of_the_trader_is_a_new_alert(service: Service, case: Repeated) -> None:
    case.arrange(service)
    case.lose(service)
    case.between(service)
    service.let_pass(5)
    case.assert_new(service, service.post(alert({"key": service.issue_key(), **case.fields})))


@each_trace
def test_another_alert_with_the_same_effect_is_not_a_resend(service: Service, case: Repeated) -> None:
    case.arrange(service)
    case.lose(service)
    case.between(service)
    service.let_pass(5)
    case.assert_new(service, service.post(alert({"key": service.key, **case.fields, "notes": "another"})))


@pytest.mark.parametrize("name", ["CHANGE", "CANCELREPLACE", "CANCELORDERS"])
def test_a_new_alert_of_the_same_text_has_resends_of_its_own(service: Service, name: str) -> None:
    case = CASES[name]
    case.arrange(service)
    assert case.post(service).status == 200
    service.let_pass(100)
    sends("CHANGE", order_id="a", limit_price=4700)(service) if name != "CANCELORDERS" else places("c")(service)
    # The first of its writes meets the trace of the day before, and the second is done.
    service.network.inject(UPDATE, *[] if name == "CANCELORDERS" else [no_fault], *[lose_response] * 6)
    assert case.post(service).status == 503
    service.network.inject(UPDATE)
    case.between(service)
    service.let_pass(5)
    case.assert_resent(service, case.post(service))


# What it costs


def test_a_met_trace_costs_one_read_and_the_answer_is_noted(service: Service) -> None:
    case = CASES["CHANGE"]
    case.arrange(service)
    case.lose(service)
    case.between(service)
    service.let_pass(5)
    service.network.forget()
    answer = case.post(service)
    assert service.network.operations == [READ, UPDATE, READ, UPDATE]  # the first read is that of the controls
    [*_, read, note] = service.network.requests
    first = read.payload["Key"]
    assert first["pk"] == {"S": f"ALERTS#{service.trader}"}
    assert note.payload["Key"] == first
    assert note.payload["ConditionExpression"]
    assert service.record_of(answer).duplicate is True


@pytest.mark.parametrize("seconds", [1, 40])
def test_out_of_time_no_record_is_read(service: Service, seconds: float) -> None:
    case = CASES["CANCELORDERS"]
    case.arrange(service)
    case.lose(service)
    case.between(service)
    service.let_pass(seconds)
    service.network.forget()
    case.post(service)
    assert READ not in service.network.operations


def test_the_key_is_not_part_of_what_tells_a_resend(service: Service) -> None:
    service.place("a")
    service.cancel("a")
    traces = [item for item in service.everything() if "digest" in item]
    assert service.key.split("_")[2] not in repr([*traces, service.item("a")])


# PLACE


def lost_place(service: Service, operation: str = PUT, **changes: object) -> str:
    """Place an order, lose the answer, and return the text of the alert."""
    body = text_of(service, {"command": "PLACE", **ENTRY, "order_id": "a", **changes})
    lose(service, body, operation)
    return body


def resend(service: Service, body: str, seconds: float = 5) -> Answer:
    service.let_pass(seconds)
    return service.post(body)


def test_a_resent_place_stands_by_its_order_whatever_has_replaced_that(service: Service) -> None:
    body = lost_place(service)
    sends("CANCELREPLACE", **{**ENTRY, "order_id": "a", "qty": 2, "limit_price": 4000})(service)
    answer = resend(service, body)
    assert (answer.status, answer.word) == (200, "already_placed")
    assert (order(service, "a").qty, order(service, "a").generation) == (2, 2)


def test_a_resent_place_does_not_revive_what_was_cancelled_in_between(service: Service) -> None:
    body = lost_place(service)
    service.cancel("a")
    answer = resend(service, body)
    assert (answer.word, answer.body["state"]) == ("already_placed", "Cancelled")
    assert service.open_orders() == []


def test_a_place_again_when_its_order_is_finished_is_told_since_when_and_the_way_out(service: Service) -> None:
    service.place("a")
    service.report("Filled", 5, order_id="a")
    since = order(service, "a").since
    answer = service.place("a")
    assert (answer.status, answer.word, answer.body["state"]) == (409, "duplicate_order_id", "Filled")
    assert since in answer.body["detail"]
    assert "order_id=a-{{timenow}};strategy_id=S" in answer.body["detail"]
    assert "order_id=ENTRY1;strategy_id=S" in answer.body["detail"]


def test_a_resent_place_in_a_strategy_that_was_closed_in_between_is_placed_already(service: Service) -> None:
    body = lost_place(service, TRANSACT, strategy_id="s")
    sends("CLOSESTRATEGY", strategy_id="s")(service)
    answer = resend(service, body)
    assert (answer.word, answer.body["state"]) == ("already_placed", "Cancelled")


def test_a_resent_place_of_a_strategy_that_began_anew_elsewhere_is_placed_already(service: Service) -> None:
    body = lost_place(service, TRANSACT, strategy_id="s")
    service.cancel("a")
    places("b", strategy_id="s", account="Sim102")(service)
    answer = resend(service, body)
    assert (answer.word, answer.body["order_id"]) == ("already_placed", "a")
    assert service.open_orders() == ["b"]


def test_a_resent_place_whose_template_is_gone_is_placed_already(service: Service) -> None:
    service.put_template("brackets", (5, 10, 5))
    body = lost_place(service, TRANSACT, strategy_id="s", strategy="brackets")
    service.remove_template("brackets")
    answer = resend(service, body)
    assert (answer.status, answer.word) == (200, "already_placed"), answer.body


def test_a_resent_place_whose_window_is_over_is_placed_already(service: Service) -> None:
    there = service.queue.now.astimezone(ZoneInfo("America/New_York"))
    service.let_pass((45 - there.second) % 60)
    there = service.queue.now.astimezone(ZoneInfo("America/New_York"))
    window = {"start_time": clock(there.hour * 60 + there.minute - 60), "end_time": clock_after(there)}
    body = lost_place(service, **window)
    assert service.place("b", **window).word == "placed"
    answer = resend(service, body, 16)
    assert (answer.status, answer.word) == (200, "already_placed"), answer.body
    assert service.place("c", **window).word == "outside_trade_window"


def clock(minute: int) -> str:
    return f"{minute // 60 % 24:02}:{minute % 60:02}"


def clock_after(there: datetime) -> str:
    return clock(there.hour * 60 + there.minute + 1)


def test_a_resent_place_for_several_accounts_stands_by_those_that_were_placed(service: Service) -> None:
    body = text_of(service, {"command": "PLACE", **ENTRY, "order_id": "a", "account": "A,B"})
    service.network.always = in_requests_with("a.b", lose_request)
    assert service.post(body).status == 503
    service.network.always = no_fault
    assert service.open_orders() == ["a.a"]
    service.turn("on")
    answer = resend(service, body)
    assert (answer.status, answer.word) == (423, "kill_switch_on")
    [first, second] = answer.body["results"]
    assert (first["account"], first["status"]) == ("A", "already_placed")
    assert (second["account"], second["error"]) == ("B", "kill_switch_on")
    assert service.open_orders() == ["a.a"]


def test_of_a_resent_place_for_several_accounts_the_rest_is_placed(service: Service) -> None:
    body = text_of(service, {"command": "PLACE", **ENTRY, "order_id": "a", "account": "A,B"})
    service.network.always = in_requests_with("a.b", lose_request)
    assert service.post(body).status == 503
    service.network.always = no_fault
    answer = resend(service, body)
    assert [result["status"] for result in answer.body["results"]] == ["already_placed", "placed"]
    assert (answer.status, service.open_orders()) == (200, ["a.a", "a.b"])


def test_a_place_that_left_no_trace_is_carried_out_whatever_came_in_between(service: Service) -> None:
    body = text_of(service, {"command": "PLACE", **ENTRY, "order_id": "a"})
    service.warm_up()
    service.network.inject(PUT, *[throttle] * 6)
    assert service.post(body).status == 503
    service.network.inject(PUT)
    sends("CANCELALLORDERS")(service)
    assert resend(service, body).word == "placed"
    assert service.open_orders() == ["a"]


def test_a_place_that_left_no_trace_heeds_the_kill_switch(service: Service) -> None:
    body = text_of(service, {"command": "PLACE", **ENTRY, "order_id": "a"})
    service.warm_up()
    service.network.inject(PUT, *[throttle] * 6)
    assert service.post(body).status == 503
    service.network.inject(PUT)
    service.turn("on")
    assert resend(service, body).word == "kill_switch_on"
    assert service.open_orders() == []


def test_a_place_without_id_whose_answer_is_lost_is_never_to_be_sent_again(service: Service) -> None:
    service.warm_up()
    service.network.inject(PUT, *[lose_response] * 6)
    answer = service.place()
    assert (answer.status, answer.word) == (409, "outcome_unknown")


def test_a_resent_place_that_was_refused_by_its_rate_limit_is_refused_again(service: Service) -> None:
    limited: dict[str, Any] = {"rate_limit": "1/60", "id": "es"}
    service.place("a", **limited)
    for _ in range(2):
        assert service.place("b", **limited).word == "rate_limited"
        service.let_pass(5)
    assert service.open_orders() == ["a"]


# CANCEL


@pytest.mark.parametrize("fields", [{"order_id": "a"}, {"order_id": "ENTRY1", "strategy_id": "s"}], ids=["id", "name"])
def test_a_resent_cancel_of_an_order_that_nothing_has_followed_is_a_duplicate(
    service: Service, fields: dict[str, Any]
) -> None:
    places("a", strategy_id="s")(service)
    body = text_of(service, {"command": "CANCEL", **fields})
    lose(service, body, UPDATE)
    answer = resend(service, body)
    assert (answer.word, answer.body["order_id"]) == ("already_cancelled", "a")


def test_a_resent_cancel_by_a_name_that_a_release_took_means_the_order_before_it(service: Service) -> None:
    places("a", strategy_id="s")(service)
    places("b", strategy_id="s", delay=40)(service)
    service.let_pass(38)
    body = text_of(service, {"command": "CANCEL", "order_id": "ENTRY1", "strategy_id": "s"})
    lose(service, body, UPDATE)
    service.pass_time(2.5)
    assert (order(service, "b").order_name, state_of("b")(service)) == ("ENTRY1", "Working")
    answer = resend(service, body, 2.5)
    assert (answer.word, answer.body["order_id"]) == ("already_cancelled", "a")
    assert state_of("b")(service) == "Working"


def test_a_resent_cancel_leaves_a_leg_that_was_given_anew_since(service: Service) -> None:
    body = text_of(service, {"command": "CANCEL", "order_id": "a.STOP1"})
    places("a", **LEGS)(service)
    lose(service, body, UPDATE)
    sends("CANCELREPLACE", **{**ENTRY, "order_id": "a", "stop_loss": 4985})(service)
    answer = resend(service, body)
    assert (answer.status, answer.word) == (200, "already_cancelled")
    assert not {"state", "cancelled_at", "previous_state"} & answer.body.keys()
    assert state_of("a.STOP1")(service) == "Initialized"
    again = service.post(body)  # the resend was answered, so this is a new alert
    assert (again.word, again.body["state"]) == ("cancelled", "Cancelled")
    assert state_of("a.STOP1")(service) == "Cancelled"
    assert state_of("a.TARGET1")(service) == "Initialized"


def test_a_resent_cancel_is_a_success_though_the_kill_switch_stops_cancels_since(service: Service) -> None:
    body = text_of(service, {"command": "CANCEL", "order_id": "a"})
    places("a")(service)
    lose(service, body, UPDATE)
    service.set_strict_kill_switch(strict=True)
    service.turn("on")
    service.remember_keys(30)
    answer = resend(service, body)
    assert (answer.status, answer.word) == (200, "already_cancelled")
    assert service.cancel("a").word == "kill_switch_on"


def test_a_cancel_by_name_after_an_answered_resend_is_of_the_order_that_has_it_then(
    service: Service,
) -> None:
    body = text_of(service, {"command": "CANCEL", "order_id": "ENTRY1", "strategy_id": "s"})
    places("a", strategy_id="s")(service)
    lose(service, body, UPDATE)
    assert resend(service, body).word == "already_cancelled"
    places("b", strategy_id="s")(service)
    answer = resend(service, body)
    assert (answer.word, answer.body["order_id"]) == ("cancelled", "b")


def test_a_cancel_by_a_name_that_is_delivered_twice_is_of_the_order_that_it_ended(service: Service) -> None:
    places("a", strategy_id="s")(service)
    cancel = Cancel(order_id="ENTRY1", strategy_id="s")
    service.run(cancel, "r1")
    places("b", strategy_id="s")(service)
    again = service.run(cancel, "r1")
    assert (again.status, again.order_id) == ("cancelled", "a")
    assert service.open_orders() == ["b"]


def test_a_cancel_by_a_name_that_was_rebound_long_ago_means_the_order_that_has_it(service: Service) -> None:
    places("a", strategy_id="s")(service)
    cancel = sends("CANCEL", order_id="ENTRY1", strategy_id="s")
    cancel(service)
    places("b", strategy_id="s")(service)
    service.let_pass(31)
    cancel(service)
    assert state_of("b")(service) == "Cancelled"


def test_a_cancel_by_a_name_that_another_order_takes_meanwhile_is_of_that_one(service: Service) -> None:
    places("a", strategy_id="s")(service)
    sends("CANCEL", order_id="a")(service)
    service.warm_up()
    service.network.inject(UPDATE, run_before(lambda: places("b", strategy_id="s")(service)))
    answer = service.cancel("ENTRY1", strategy_id="s")
    assert (answer.word, answer.body["order_id"]) == ("cancelled", "b")


def test_a_resent_cancel_for_several_accounts_means_the_orders_of_the_first(service: Service) -> None:
    places("a", strategy_id="s", account="A,B")(service)
    body = text_of(service, {"command": "CANCEL", "order_id": "ENTRY1", "strategy_id": "s", "account": "A,B"})
    service.network.always = in_requests_with('"ORDER#a.b"', lose_response)
    assert service.post(body).status == 503
    service.network.always = no_fault
    places("c", strategy_id="s", account="A,B")(service)
    answer = resend(service, body)
    assert [result["status"] for result in answer.body["results"]] == ["already_cancelled"] * 2
    assert service.open_orders() == ["c.a", "c.b"]


# CHANGE and CANCELREPLACE


@pytest.mark.parametrize("name", ["CHANGE", "CANCELREPLACE"])
def test_what_left_no_trace_is_carried_out_though_another_change_came_in_between(service: Service, name: str) -> None:
    case = CASES[name]
    case.arrange(service)
    service.network.inject(UPDATE, *[lose_request] * 6)
    assert case.post(service).status == 503
    service.network.inject(UPDATE)
    case.between(service)
    service.let_pass(5)
    case.assert_new(service, case.post(service))


@pytest.mark.parametrize("name", ["CHANGE", "CANCELREPLACE"])
def test_a_resend_for_an_order_that_is_finished_meanwhile_is_a_success(service: Service, name: str) -> None:
    case = CASES[name]
    case.arrange(service)
    case.lose(service)
    service.cancel("a")
    service.let_pass(5)
    answer = case.post(service)
    assert (answer.status, answer.word, answer.body["duplicate"]) == (200, case.word, True)
    assert answer.body["state"] == "Cancelled"


def test_a_resend_is_known_though_the_history_was_trimmed_before(service: Service) -> None:
    have_long_history(service, 205)
    body = text_of(service, {"command": "CHANGE", "order_id": "order-1", "limit_price": 4995})
    service.network.inject(UPDATE, no_fault, *[lose_response] * 6)  # the second of its writes trims
    assert service.post(body).status == 503
    service.network.inject(UPDATE)
    assert len(order(service, "order-1").history) < 200
    sends("CHANGE", order_id="order-1", limit_price=4997)(service)
    answer = resend(service, body)
    assert (answer.status, answer.body["duplicate"], answer.body["limit_price"]) == (200, True, "4997")


def test_a_resend_after_many_changes_in_between_is_known(service: Service) -> None:
    case = CASES["CHANGE"]
    case.arrange(service)
    case.lose(service)
    for number in range(5):
        sends("CHANGE", order_id="a", limit_price=4100 + number)(service)
    service.let_pass(5)
    assert case.post(service).body["limit_price"] == "4104"


# The kill switch


def test_a_resent_on_turns_it_on_again(service: Service) -> None:
    body = text_of(service, {"kill_switch": "on"})
    lose(service, body, UPDATE)
    service.turn("off")
    answer = resend(service, body)
    assert (answer.status, answer.word) == (200, "kill_switch_on")
    assert service.controls.kill_switch(service.trader).on


def test_a_resent_off_that_nothing_has_followed_is_a_duplicate(service: Service) -> None:
    service.turn("on")
    body = text_of(service, {"kill_switch": "off"})
    lose(service, body, UPDATE)
    answer = resend(service, body)
    assert (answer.word, answer.body["duplicate"]) == ("kill_switch_off", True)


def test_the_off_of_every_day_turns_it_off(service: Service) -> None:
    for _ in range(3):
        service.turn("on")
        assert service.turn("off").word == "kill_switch_off"
        service.let_pass(86_400)
    assert not service.controls.kill_switch(service.trader).on


def test_a_resent_off_that_met_a_switch_that_was_off_does_not_undo_a_later_on(service: Service) -> None:
    service.turn("on")
    service.turn("off", notes="another")
    body = text_of(service, {"kill_switch": "off"})
    lose(service, body, UPDATE)
    service.turn("on")
    answer = resend(service, body)
    assert (answer.word, answer.body["duplicate"]) == ("kill_switch_on", True)
    assert "This is a resend" in answer.body["warnings"][0]["detail"]
    assert service.controls.kill_switch(service.trader).on


def test_an_off_in_between_does_not_make_a_resent_off_undo_a_later_on(service: Service) -> None:
    service.turn("on")
    body = text_of(service, {"kill_switch": "off"})
    lose(service, body, UPDATE)
    for fields in ({"kill_switch": "on"}, {"kill_switch": "off", "notes": "another"}, {"kill_switch": "on"}):
        sends(**fields)(service)
    answer = resend(service, body)
    assert answer.word == "kill_switch_on"
    assert service.controls.kill_switch(service.trader).on


# Commands over many orders

MANY: dict[str, dict[str, Any]] = {
    "CANCELORDERS": {"command": "CANCELORDERS", "account": "Sim101"},
    "CANCELORDERS of an instrument": {"command": "CANCELORDERS", "account": "Sim101", "instrument": "ES 12-26"},
    "CANCELALLORDERS": {"command": "CANCELALLORDERS"},
    "CLOSESTRATEGY": {"command": "CLOSESTRATEGY", "strategy_id": "s"},
}
every_command_over_many = pytest.mark.parametrize("fields", MANY.values(), ids=list(MANY))


@every_command_over_many
def test_a_resend_finishes_what_the_first_left_and_touches_nothing_newer(
    service: Service, fields: dict[str, Any]
) -> None:
    for order_id in ("a", "b"):
        places(order_id, strategy_id="s")(service)
    body = text_of(service, fields)
    service.network.always = in_requests_with('"ORDER#b"', throttle)
    first = service.post(body)
    service.network.always = no_fault
    assert (first.status, first.body["cancelled"], first.body["remaining"]) == (503, ["a"], ["b"])
    places("c", strategy_id="s")(service)
    answer = resend(service, body)
    assert (answer.status, answer.body["cancelled"]) == (200, ["b"])
    assert service.open_orders() == ["c"]


@every_command_over_many
def test_a_resend_of_what_could_not_even_list_touches_nothing_newer(service: Service, fields: dict[str, Any]) -> None:
    places("a", strategy_id="s")(service)
    body = text_of(service, fields)
    lose(service, body, QUERY)
    assert service.open_orders() == ["a"]
    places("b", strategy_id="s")(service)
    assert resend(service, body).body["cancelled"] == ["a"]
    assert service.open_orders() == ["b"]


@every_command_over_many
def test_what_left_no_trace_touches_all_that_was_placed_before_it_came_again(
    service: Service, fields: dict[str, Any]
) -> None:
    places("a", strategy_id="s")(service)
    service.warm_up()
    body = text_of(service, fields)
    service.network.always = throttle
    assert service.post(body).status == 503
    service.network.always = no_fault
    places("b", strategy_id="s")(service)
    assert sorted(resend(service, body).body["cancelled"]) == ["a", "b"]


@every_command_over_many
def test_the_same_text_twice_in_20_s_is_two_alerts(service: Service, fields: dict[str, Any]) -> None:
    for order_id in ("a", "b"):
        places(order_id, strategy_id="s")(service)
        assert service.post(text_of(service, fields)).body["cancelled"] == [order_id]
        service.let_pass(20)


@every_command_over_many
def test_another_command_in_between_does_not_take_the_trace_away(service: Service, fields: dict[str, Any]) -> None:
    places("a", strategy_id="s")(service)
    body = text_of(service, fields)
    lose(service, body, UPDATE)
    service.let_pass(1)
    sends(**{**fields, "notes": "another"})(service)
    places("b", strategy_id="s")(service)
    resend(service, body, 4)
    assert service.open_orders() == ["b"]


def test_a_resent_cancelallorders_does_not_void_what_waits_since(service: Service) -> None:
    places("a")(service)
    body = text_of(service, {"command": "CANCELALLORDERS"})
    lose(service, body, UPDATE)
    service.let_pass(1)
    places("b", delay=20)(service)
    assert resend(service, body, 4).status == 200
    assert state_of("b")(service) == "Initialized"
    service.pass_time(17)
    assert state_of("b")(service) == "Working"


def test_a_resent_closestrategy_of_a_strategy_that_only_waits_touches_nothing_newer(service: Service) -> None:
    places("a", strategy_id="s", delay=60)(service)
    service.let_pass(5)
    body = text_of(service, {"command": "CLOSESTRATEGY", "strategy_id": "s"})
    service.network.always = in_requests_with('"ORDER#a"', lose_response)
    assert service.post(body).status == 503
    service.network.always = no_fault
    assert state_of("a")(service) == "Cancelled"
    service.let_pass(1)
    places("b", strategy_id="s", delay=60)(service)
    resend(service, body, 8)
    assert state_of("b")(service) == "Initialized"


@pytest.mark.parametrize("name", ["CANCELORDERS", "CLOSESTRATEGY"])
def test_a_resend_leaves_alone_what_was_of_the_bar_of_the_first(service: Service, name: str) -> None:
    places("a", strategy_id="s")(service)
    service.let_pass(10)
    places("b", strategy_id="s", delay=20)(service)
    service.let_pass(0.5)
    body = text_of(service, MANY[name])
    lose(service, body, UPDATE)
    answer = resend(service, body)
    assert answer.body["waiting"] == ["b"]
    assert state_of("b")(service) == "Initialized"


def test_a_resend_for_several_accounts_touches_nothing_newer(service: Service) -> None:
    places("a", account="A,B")(service)
    body = text_of(service, {"command": "CANCELORDERS", "account": "A,B"})
    service.network.always = in_requests_with('"ORDER#a.b"', throttle)
    assert service.post(body).status == 503
    service.network.always = no_fault
    places("c", account="A,B")(service)
    answer = resend(service, body)
    assert answer.status == 200
    assert [result.get("cancelled") for result in answer.body["results"]] == [[], ["a.b"]]
    assert service.open_orders() == ["c.a", "c.b"]


def test_the_trace_of_a_command_over_many_leaves_by_its_expiry(service: Service) -> None:
    sends("CANCELALLORDERS")(service)
    [trace] = [item for item in service.everything() if item["pk"]["S"].startswith("TRACES#")]
    assert int(trace["expires"]["N"]) > service.queue.now.timestamp()
    assert service.key not in repr(trace)


# rate_limit


def test_an_alert_that_fails_by_the_deadline_and_comes_again_is_not_one_too_many(service: Service) -> None:
    body = text_of(service, {"command": "PLACE", **ENTRY, "order_id": "a", "rate_limit": "1/60", "id": "es"})
    service.warm_up()
    service.network.inject(PUT, *[lose_request] * 6)
    assert service.post(body).status == 503
    service.network.inject(PUT)
    assert resend(service, body).word == "placed"
    assert service.place("b", rate_limit="1/60", id="es").word == "rate_limited"


def test_an_alert_that_fails_by_a_defect_and_comes_again_is_not_one_too_many(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = text_of(service, {"command": "PLACE", **ENTRY, "order_id": "a", "rate_limit": "1/60", "id": "es"})
    with monkeypatch.context() as broken:
        broken.setattr("orderhook.commands.place.place_entry", None)
        assert service.post(body).status == 503
    assert resend(service, body).word == "placed"
    assert service.place("b", rate_limit="1/60", id="es").word == "rate_limited"


def test_an_alert_that_stays_counted_and_comes_again_takes_its_own_place(service: Service) -> None:
    body = text_of(service, {"command": "PLACE", **ENTRY, "order_id": "a", "rate_limit": "1/60", "id": "es"})
    service.warm_up()
    # The count is done, and neither the order nor the taking back of the count.
    service.network.inject(UPDATE, no_fault, *[throttle] * 6)
    service.network.inject(PUT, *[throttle] * 6)
    assert service.post(body).status == 503
    service.network.inject(PUT)
    service.network.inject(UPDATE)
    assert resend(service, body).word == "placed"
    assert service.place("b", rate_limit="1/60", id="es").word == "rate_limited"


def test_of_five_equal_alerts_in_ten_seconds_one_is_placed(service: Service) -> None:
    words = []
    for _ in range(5):
        words.append(service.place("a", rate_limit="1/60", id="es").word)
        service.let_pass(2)
    assert words == ["placed", *["rate_limited"] * 4]
    assert service.open_orders() == ["a"]


def test_equal_alerts_without_id_are_counted_each(service: Service) -> None:
    words = []
    for _ in range(3):
        words.append(service.place(None, rate_limit="2/60", id="es").word)
        service.let_pass(5)
    assert words == ["placed", "placed", "rate_limited"]
