"""What became of an instruction: in its item, in the record of its alert, and before a person's eyes."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, get_args

import pytest

import reports
from cli.views.alerts import show_alert_line
from cli.views.instructions import readable_age
from orderhook import venue_words
from orderhook.bridge_messages import Heartbeat, InstructionReport, Sent
from orderhook.bridge_messages import serialize as message_of
from orderhook.instructions import Instruction, InstructionResult, Result
from orderhook.orders import OrderState, timestamp
from orderhook.records import follow_records, recent_records
from orderhook.store import items
from orderhook.store.alert_log import AlertRecord
from orderhook.store.table import serialize
from tests import builders
from tests.client_faults import in_requests_with
from tests.faults import no_fault, run_before, throttle
from tests.integration.conftest import Run, be_a_terminal
from tests.output import Answer
from tests.service import Service

MARKET: dict[str, Any] = {"account": "Sim101", "instrument": "ES 12-26"}
AT = "2026-01-02T03:04:05.000000Z"


@pytest.fixture(autouse=True)
def _with_venue(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service.use_venue()
    monkeypatch.setattr(reports, "settings", reports.settings._replace(venue_trader=service.trader))


def close(service: Service, **fields: object) -> Answer:
    """Send CLOSEPOSITION."""
    answer = service.send("CLOSEPOSITION", **{**MARKET, **fields})
    assert answer.word == "accepted", answer.body
    return answer


def report(
    service: Service, instruction_id: str, result: Result | None = "done", reason: str | None = None, **more: Any
) -> list[str]:
    """Deliver what the bridge says of an instruction, and return the metrics that are counted."""
    said = InstructionReport(instruction_id, more.pop("seq", 1), AT, result, reason, **more)
    return deliver(service, said)


def deliver(service: Service, what: InstructionReport | Heartbeat, *, taken: bool = True) -> list[str]:
    service.output.take()
    body = message_of(Sent(service.trader, "j1", what))
    sent = str(int(service.queue.now.timestamp() * 1000))
    answer = reports.handler(
        {"Records": [{"messageId": "m", "body": body, "attributes": {"SentTimestamp": sent}}]}, None
    )
    assert (answer["batchItemFailures"] == []) == taken
    declared = [line["_aws"]["CloudWatchMetrics"] for line in service.output.lines() if "_aws" in line]
    names = [metric["Name"] for [directive] in declared for metric in directive["Metrics"]]
    return [name for name in names if name != "Reports"]


def results_of(record: AlertRecord) -> list[tuple[str, str, str | None]]:
    return [(it.instruction_id, it.result, it.reason) for it in record.instruction_results]


# In the record


def test_a_reason_is_kept_as_far_as_an_item_has_room_for_it(service: Service) -> None:
    asked = close(service)
    report(service, asked.request_id, "failed", "x" * 10_000)
    instruction = service.services.instructions.get(service.trader, asked.request_id)
    assert instruction is not None
    assert instruction.reason == "x" * 500


def test_the_record_of_an_alert_has_the_result_of_its_instruction(service: Service) -> None:
    answer = close(service)
    asked = service.record_of(answer)
    assert (asked.instruction_ids, asked.instruction_results) == ((answer.request_id,), ())
    report(service, answer.request_id, None)
    assert service.record_of(answer).instruction_results == ()
    report(service, answer.request_id, "failed", "not seen flat", seq=2, order_ids=[f"{answer.request_id}.1"])
    expected = InstructionResult(answer.request_id, "failed", AT, "not seen flat", (f"{answer.request_id}.1",))
    assert service.record_of(answer) == asked._replace(instruction_results=(expected,))


def test_each_account_of_a_list_has_its_own_result(service: Service) -> None:
    service.hear_bridge(accounts=("Sim101", "Sim102"))
    answer = close(service, account="Sim101,Sim102")
    one, two = f"{answer.request_id}.1", f"{answer.request_id}.2"
    record = service.record_of(answer)
    assert record.instruction_ids == (one, two)
    assert [result.instruction_id for result in record.results] == [one, two]
    report(service, two, "no_position")
    assert results_of(service.record_of(answer)) == [(two, "no_position", None)]
    report(service, one)
    assert results_of(service.record_of(answer)) == [(one, "done", None), (two, "no_position", None)]


def test_a_record_that_comes_after_the_result_has_both(service: Service) -> None:
    """The record is written last: the bridge may be faster."""

    def finish() -> None:
        service.network.records_meet = no_fault
        [instruction] = service.services.instructions.open(service.trader)
        report(service, instruction.instruction_id)

    service.network.records_meet = run_before(finish)
    answer = close(service)
    record = service.record_of(answer)
    assert (record.outcome, record.command) == ("accepted", "CLOSEPOSITION")
    assert results_of(record) == [(answer.request_id, "done", None)]


def test_a_result_before_its_record_is_no_record(service: Service, run: Run) -> None:
    answer = close(service)
    service.table.client.delete_item(
        TableName=service.table.name, Key=serialize(items.alert_key(service.trader, answer.request_id))
    )
    assert report(service, answer.request_id) == []
    assert service.alerts.get(service.trader, answer.request_id) is None
    assert list(service.alerts.newest(service.trader)) == []
    assert run("alerts", "--json").stdout == "[]\n"


def test_a_result_that_the_record_did_not_take_comes_again(service: Service) -> None:
    answer = close(service)
    service.network.always = in_requests_with("ALERTS#", throttle)
    said = InstructionReport(answer.request_id, 1, AT, "done")
    deliver(service, said, taken=False)
    assert service.record_of(answer).instruction_results == ()
    service.network.always = no_fault
    for _ in range(2):
        deliver(service, said)
        assert results_of(service.record_of(answer)) == [(answer.request_id, "done", None)]


def test_the_result_of_a_delayed_alert_is_in_the_record_of_what_was_done(service: Service) -> None:
    scheduled = service.send("CLOSEPOSITION", **MARKET, delay=10)
    assert scheduled.word == "scheduled"
    service.pass_time(10)
    report(service, scheduled.request_id)
    done, first = service.alerts.newest(service.trader)
    assert (done.origin, done.outcome) == ("delayed", "accepted")
    assert results_of(done) == [(scheduled.request_id, "done", None)]
    assert (first.instruction_ids, first.instruction_results) == ((), ())


def test_a_later_word_changes_no_result(service: Service) -> None:
    answer = close(service)
    report(service, answer.request_id, "failed")
    report(service, answer.request_id, "done", seq=2)
    assert results_of(service.record_of(answer)) == [(answer.request_id, "failed", None)]


# Before a person's eyes


def test_show_says_what_is_asked_and_since_when_it_is_under_way(service: Service, run: Run) -> None:
    answer = close(service)
    shown = run("alerts", "show", answer.request_id).stdout
    assert f"instruction  {answer.request_id}: CLOSEPOSITION ES 12-26, Sim101" in shown
    assert "result       none yet: under way for 0 s" in shown
    assert venue_words.UNDER_WAY.what_to_do in shown
    told = json.loads(run("alerts", "show", answer.request_id, "--json").stdout)
    [instruction] = told["instructions"]
    assert (instruction["command"], instruction["under_way"], instruction["result"]) == ("CLOSEPOSITION", True, None)


@pytest.mark.parametrize("result", get_args(Result))
def test_show_says_what_a_result_means_and_what_to_do(service: Service, run: Run, result: Result) -> None:
    answer = close(service)
    report(service, answer.request_id, result, "because of |")
    shown = run("alerts", "show", answer.request_id).stdout
    assert f"result       {result}: because of |, at 2026-01-02 03:04:05 UTC" in shown
    guidance = venue_words.INSTRUCTION_RESULTS[result]
    assert guidance.meaning in shown
    assert guidance.what_to_do in shown
    told = json.loads(run("alerts", "show", answer.request_id, "--json").stdout)
    [instruction] = told["instructions"]
    assert instruction["under_way"] is False
    assert instruction["result"] == told["instruction_results"][0]
    assert (instruction["result"]["meaning"], instruction["result"]["at"]) == (guidance.meaning, AT)


def test_show_tells_the_orders_that_the_bridge_has_made(service: Service, run: Run) -> None:
    answer = close(service)
    made = f"{answer.request_id}.1"
    placed = builders.provenance(service.trader, made)
    assert service.orders.put(placed, builders.order(placed, made, state=OrderState.FILLED, filled=5)).applied
    report(service, answer.request_id, order_ids=[made])
    assert f"now          {made}: Filled, BUY 5 ES 12-26" in run("alerts", "show", answer.request_id).stdout


@pytest.mark.parametrize(
    ("result", "reason", "says", "not_said"),
    [
        ("blocked", "the position is SHORT, and require_market_position is flat", "on the side", "resume"),
        ("blocked", "position_unknown: NinjaTrader has not told the position since its start", "confirm", "resume"),
        ("blocked", "several months are held: ES 03-27, ES 12-26", "for each month", "resume"),
        ("blocked", "the position is not settled: a fill is under way", "under way for 2 seconds", "resume"),
        ("blocked", "the close of 12:00 was not seen", "bridge resume", "for each month"),
        ("unresolved", "NinjaTrader says nothing of the position within 60 s of its closing", "confirm", "stopped"),
        ("unresolved", "position_unknown: it may be on the other side", "was not closed", "stopped"),
        ("unresolved", None, "was stopped", "confirm"),
    ],
)
def test_the_reason_of_a_result_decides_what_it_means(
    service: Service, run: Run, result: Result, reason: str | None, says: str, not_said: str
) -> None:
    answer = close(service)
    report(service, answer.request_id, result, reason)
    shown = run("alerts", "show", answer.request_id).stdout
    assert says in shown
    assert not_said not in shown
    [told] = json.loads(run("alerts", "show", answer.request_id, "--json").stdout)["instruction_results"]
    assert says in told["meaning"] + told["way_out"]


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        ("blocked: the position is LONG, and require_market_position is flat", "that is what the alert asks"),
        ("blocked: max_positions is 2: ES 12-26, NQ 12-26", "that is what the alert asks"),
        ("blocked: out of sync: the position is FLAT, not long", "Compare the strategy's position"),
        ("blocked: it is SHORT 1", "bridge resume"),
        ("resynced: BUY 2 by 01a.1 in its place", "CANCELANDBRACKET"),
    ],
)
def test_an_ordinary_condition_is_not_a_blocked_pair(service: Service, run: Run, reason: str, says: str) -> None:
    service.place("order-1", **MARKET)
    service.answer_want("Rejected", reason=reason)
    shown = run("order", "order-1").stdout
    assert says in shown
    assert ("bridge resume" in shown) is ("SHORT 1" in reason)


def test_show_does_not_say_of_what_is_finished_that_nothing_is_done_yet(service: Service, run: Run) -> None:
    service.hear_bridge(accounts=("Sim101", "Sim102"))
    answer = close(service, account="Sim101,Sim102")
    again = close(service, account="Sim101,Sim102")
    assert again.body["duplicate"]
    report(service, f"{answer.request_id}.1")
    assert "Nothing of it is done yet" in run("alerts", "show", answer.request_id).stdout
    report(service, f"{answer.request_id}.2", "failed", "it is not flat")
    for shown in (answer, again):
        text = run("alerts", "show", shown.request_id).stdout
        assert "Nothing of it is done yet" not in text
        assert text.endswith("What to do: What stands beside the result.\n")
    told = json.loads(run("alerts", "show", answer.request_id, "--json").stdout)
    assert "done with it" in told["meaning"]


@pytest.mark.parametrize("word", [*venue_words.ORDER_REASONS, "not replaced: blocked"])
def test_show_tells_of_an_order_why_the_bridge_has_not_placed_it(service: Service, run: Run, word: str) -> None:
    answer = service.place("order-1", **MARKET)
    service.answer_want("Rejected", reason=f"{word}: it must be flat")
    guidance = venue_words.ORDER_REASONS[word.removeprefix("not replaced: ")]
    assert f"{word}: it must be flat: {guidance.meaning}" in run("alerts", "show", answer.request_id).stdout
    shown = run("order", "order-1").stdout
    assert f"reason: {word}: it must be flat" in shown
    assert f"{guidance.meaning} {guidance.what_to_do}" in shown


def test_a_reason_of_ninjatraders_own_is_told_as_it_is(service: Service, run: Run) -> None:
    answer = service.place("order-1", **MARKET)
    service.answer_want("Rejected", reason="insufficient margin")
    assert "insufficient margin" in run("alerts", "show", answer.request_id).stdout
    assert venue_words.guidance_for_reason("insufficient margin") is venue_words.guidance_for_reason(None) is None


def test_show_knows_the_result_when_the_instruction_has_left_the_table(service: Service, run: Run) -> None:
    answers = [close(service), close(service, notes="another")]
    report(service, answers[0].request_id)
    for answer in answers:
        key = items.instruction_key(service.trader, answer.request_id)
        service.table.client.delete_item(TableName=service.table.name, Key=serialize(key))
    assert "result       done, at" in run("alerts", "show", answers[0].request_id).stdout
    assert "not known any more" in run("alerts", "show", answers[1].request_id).stdout


def test_follow_tells_an_alert_again_with_its_result(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    first = close(service)
    later: Iterator[Callable[[], object]] = iter(
        [lambda: None, lambda: report(service, first.request_id), lambda: service.cancel("nobodys")]
    )
    monkeypatch.setattr("orderhook.records.time.sleep", lambda _: next(later)())
    recent = recent_records(service.alerts, service.trader)
    followed = follow_records(service.alerts, service.trader, recent, recent)
    again, other = next(followed), next(followed)
    assert results_of(again) == [(first.request_id, "done", None)]
    assert other.outcome == "order_not_found"


def test_a_line_says_how_an_instruction_stands(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    answer = close(service)

    def line() -> str:
        capsys.readouterr()
        show_alert_line(service.record_of(answer))
        return capsys.readouterr().out.partition(" ms) ")[2]

    assert line() == "at the venue: under way\n"
    report(service, answer.request_id, "failed", "not seen flat")
    assert line() == "at the venue: failed: not seen flat\n"


def test_what_is_under_way_stands_below_the_orders(service: Service, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = close(service)
    for arguments in ((), ("--open",), ("--account", "sim101"), ("--instrument", "es 12-26")):
        assert f"{answer.request_id}  CLOSEPOSITION ES 12-26, Sim101" in run("orders", *arguments).stdout
    assert "CLOSEPOSITION" not in run("orders", "--account", "Sim102").stdout
    assert run("orders", "--json").stdout == "[]\n"
    be_a_terminal(monkeypatch)
    assert all(len(line) <= 80 for line in run("orders").stdout.splitlines())
    report(service, answer.request_id)
    assert "CLOSEPOSITION" not in run("orders").stdout


def test_the_id_of_each_account_can_be_copied(service: Service, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    service.hear_bridge(accounts=("Sim101", "Sim102"))
    answer = close(service, account="Sim101,Sim102")
    for _ in range(2):
        shown = run("orders").stdout.splitlines()
        for number in (1, 2):
            [line] = [line for line in shown if line.startswith(f"{answer.request_id}.{number}  ")]
            assert len(line) <= 80 or "CLOSEPOSITION ES 12-26, Sim10" in line
        be_a_terminal(monkeypatch)
    assert all(len(line) <= 80 for line in shown)


def test_an_instruction_that_cannot_be_read_hides_no_other(service: Service, run: Run) -> None:
    answer = close(service)
    item = items.instruction_key(service.trader, "newer") | {"open": "#newer", "venue": "ninjatrader"}
    service.table.client.put_item(TableName=service.table.name, Item=serialize(item))
    shown = run("orders", "--open").stdout
    assert "unreadable" in shown
    assert answer.request_id in shown


def test_follow_tells_when_an_instruction_comes_and_when_it_has_its_result(
    service: Service, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [close(service).request_id]
    happenings: list[Callable[[], object]] = [
        lambda: None,
        lambda: report(service, ids[0], "failed", "it is not flat"),
        lambda: ids.append(close(service, account="Sim102").request_id),
        lambda: report(service, ids[1]),
        lambda: None,
    ]

    def sleep(_: float) -> None:
        if not happenings:
            raise KeyboardInterrupt
        happenings.pop(0)()

    monkeypatch.setattr("cli.orders.time.sleep", sleep)
    shown = run("orders", "--follow", "--account", "sim101").stdout.splitlines()
    lines = [told for line in shown if (told := line.partition(f"  {ids[0]}  ")[2])]
    assert lines == [
        "CLOSEPOSITION ES 12-26, Sim101: not done yet",
        "CLOSEPOSITION ES 12-26, Sim101: failed, it is not flat",
    ]
    assert not any(f"  {ids[1]}  " in line for line in shown)


@pytest.mark.parametrize(
    ("seconds", "age"),
    [
        (-1, "0 s"),
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (7200, "2 h 0 min"),
        (90000, "1 d 1 h"),
    ],
)
def test_an_age_has_its_two_largest_units(seconds: int, age: str) -> None:
    assert readable_age(AT, datetime.fromisoformat(AT) + timedelta(seconds=seconds)) == age


# Alarms


@pytest.mark.parametrize("result", get_args(Result))
def test_what_failed_or_nobody_can_know_rings(service: Service, result: Result) -> None:
    answer = close(service)
    rung = ["InstructionsNotCarriedOut"] * (result in ("failed", "unresolved"))
    assert report(service, answer.request_id, result) == rung


@pytest.mark.parametrize(("minutes", "rings"), [(4, False), (6, True)])
def test_what_is_under_way_for_long_rings_with_each_heartbeat(service: Service, minutes: int, rings: bool) -> None:
    close(service)
    service.queue.pass_time(60 * minutes, service.monkeypatch)
    beat = Heartbeat("j1", "PC", ["Sim101"], True, timestamp(service.queue.now))
    assert deliver(service, beat) == ["BridgeReady", *["InstructionsNotCarriedOut"] * rings]


def test_what_has_its_result_does_not_ring_for_its_age(service: Service) -> None:
    report(service, close(service).request_id)
    service.queue.pass_time(600, service.monkeypatch)
    assert deliver(service, Heartbeat("j1", "PC", ["Sim101"], True, timestamp(service.queue.now))) == ["BridgeReady"]


# By a person's word


def instruction_of(service: Service, answer: Answer) -> Instruction:
    instruction = service.services.instructions.get(service.trader, answer.request_id)
    assert instruction is not None
    return instruction


@pytest.mark.parametrize("word", ["done", "failed"])
def test_an_operator_ends_what_no_bridge_will(service: Service, run: Run, word: str) -> None:
    answer = close(service)
    service.hear_bridge(ready=False, reason="it was stopped")
    result = run("resolve", answer.request_id, word)
    said = f"Instruction {answer.request_id} is {word}: no bridge carries it out any more.\n"
    assert (result.exit_code, result.stdout) == (0, said)
    ended = instruction_of(service, answer)
    assert (ended.result, ended.reason) == (word, "resolved by an operator")
    assert list(service.services.instructions.open(service.trader)) == []
    assert results_of(service.record_of(answer)) == [(answer.request_id, word, "resolved by an operator")]
    newest = next(iter(service.alerts.newest(service.trader)))
    assert (newest.outcome, newest.fields["instruction_id"]) == ("instruction_resolved", answer.request_id)
    again = run("resolve", answer.request_id, "done")
    assert (again.exit_code, again.stderr) == (1, f"Instruction {answer.request_id} has its result already: {word}.\n")


def test_while_its_bridge_may_be_at_it_an_operator_waits(service: Service, run: Run) -> None:
    answer = close(service)
    result = run("resolve", answer.request_id, "done")
    assert result.exit_code == 1
    assert "wait until it is 5 minutes old" in result.stderr
    assert instruction_of(service, answer).result is None


def test_an_instruction_of_a_newer_version_is_one_clear_line(service: Service, run: Run) -> None:
    item = items.instruction_key(service.trader, "newer") | {"open": "#newer", "venue": "ninjatrader"}
    service.table.client.put_item(TableName=service.table.name, Item=serialize(item))
    result = run("resolve", "newer", "failed")
    assert (result.exit_code, result.stderr.count("\n"), result.exception.__class__) == (1, 1, SystemExit)
    assert "Instruction 'newer' cannot be read by this version of orderhook" in result.stderr


def test_an_instruction_that_is_not_there_is_one_clear_line(run: Run) -> None:
    result = run("resolve", "nobodys", "done")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "There is no instruction 'nobodys'" in result.stderr
