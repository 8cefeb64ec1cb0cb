"""What a trader is told without looking: by the real function, from what the real handlers have written."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import notify
import reports
from orderhook.attention.entries import ENTRIES
from orderhook.aws.doorbell import Doorbell
from orderhook.bridge_messages import Heartbeat, InstructionReport, PositionReport
from orderhook.errors import AlertWarning
from orderhook.notifying import looking
from orderhook.orders import timestamp
from orderhook.store.notices import AGAIN_AFTER
from orderhook.venues import TABLE
from tests.builders import provenance
from tests.integration.conftest import Run
from tests.integration.test_controls import closed
from tests.integration.test_venue_reports import deliver, have, say
from tests.integration.test_what_needs_a_person import ask
from tests.marks import OF_MESSAGES
from tests.outgoing import Outgoing
from tests.service import Service
from tests.telling import Telling, codes_of

pytestmark = OF_MESSAGES

Arrange = Callable[[Service], object]


# Every code of the list


def by_report(code: str) -> Arrange:
    def arrange(service: Service) -> None:
        have(service, state="Working")
        deliver(service, say("Working", alarms=[code]))

    return arrange


def by_result(result: Any, reason: str | None = None, alarms: tuple[str, ...] = ()) -> Arrange:
    def arrange(service: Service) -> None:
        ask(service)
        deliver(service, InstructionReport("0c", 1, timestamp(service.queue.now), result, reason, (), alarms))

    return arrange


def unknown(service: Service) -> None:
    have(service, state="Working")
    deliver(service, say("Unknown"))


def unresolved(service: Service) -> None:
    have(service, state="Working")
    deliver(service, say("Working", unresolved="NinjaTrader was started", alarms=["unresolved"]))


def overdue(service: Service) -> None:
    ask(service)
    service.let_pass(301)
    service.hear_bridge()


def filled_after_end(service: Service) -> None:
    have(service, state="Working", legs={})
    deliver(service, say("Cancelled"))
    deliver(service, say("Cancelled", 2, seq=2))


def unattached(service: Service) -> None:
    deliver(service, say("Working", order_id="nobodys"))


def given_up(service: Service) -> None:
    service.monkeypatch.setattr(reports, "settings", reports.settings._replace(report_dead_letter_arn="arn:dead"))
    sent = str(int(service.queue.now.timestamp() * 1000))
    dead = {"messageId": "m-1", "body": "{}", "attributes": {"SentTimestamp": sent}, "eventSourceARN": "arn:dead"}
    assert reports.handler({"Records": [dead]}, None) == {"batchItemFailures": []}


def not_repeated(service: Service) -> None:
    service.hear_bridge(ready=False)
    assert service.place("a").status == 503
    service.let_pass(40)
    service.hear_bridge()


def partly_done(service: Service) -> None:
    service.hear_bridge(accounts=("Sim101", "Sim102"))
    service.place("a.sim102", account="Sim102")
    service.place("a", account="Sim101,Sim102", qty=3)


ARRANGED: dict[str, Arrange] = {
    "unresolved": unresolved,
    "unknown": unknown,
    "overdue": overdue,
    "filled_after_end": filled_after_end,
    "unattached": unattached,
    "dead_letter": given_up,
    "not_repeated": not_repeated,
    "partly_done": partly_done,
    "blocked": by_result("blocked", "the pair is blocked", ("blocked",)),
    "failed": by_result("failed", "not seen flat"),
    "result_unresolved": by_result("unresolved", "NinjaTrader says nothing"),
    "unclean": by_result("done", "unclean: own orders had not ended"),
    "close_failed": by_result("done", None, ("close_failed",)),
}
OF_ALERTS = {"outcome_unknown", "unprotected_quantity", "not_done_later"}
BY_REPORT = ENTRIES.keys() - ARRANGED.keys() - OF_ALERTS - {"bridge_away"}


@pytest.mark.parametrize("code", [it for it in ENTRIES if it in ARRANGED.keys() | BY_REPORT])
def test_each_code_of_the_list_is_told_once_with_what_to_do(service: Service, telling: Telling, code: str) -> None:
    ARRANGED.get(code, by_report(code))(service)
    for _ in range(3):
        telling.look()
    assert telling.codes == [code]
    assert ENTRIES[code].what_to_do in telling.mails[0]
    assert telling.subjects[0].startswith(f"my-stack: {code}: ")
    assert [(it.state, it.title) for it in telling.told()] == [("sent", f"{code}: {ENTRIES[code].title}")]


@pytest.mark.parametrize("code", ["outcome_unknown", "unprotected_quantity", "not_done_later"])
def test_what_an_alerts_record_says_is_told_with_its_request(service: Service, telling: Telling, code: str) -> None:
    record = service.record_of(service.place("a"))
    changed: dict[str, dict[str, Any]] = {
        "outcome_unknown": {"status": 409, "outcome": "outcome_unknown"},
        "unprotected_quantity": {"warnings": (AlertWarning("unprotected_quantity", None, "2 of 3"),)},
        "not_done_later": {"status": 404, "outcome": "order_not_found", "origin": "delayed"},
    }
    service.alerts.put(record._replace(request_id=record.request_id[:-1] + "x", **changed[code]))
    telling.look()
    assert telling.codes == [code]
    assert f"Request {record.request_id[:-1]}x" in telling.mails[0]


def test_an_order_is_told_in_words_with_its_account_and_its_request(service: Service, telling: Telling) -> None:
    by_report("overfill")(service)
    telling.look()
    assert "BUY 5 ES 12-26 LIMIT 5000.25 GTC, Sim101, order order-1\nRequest r1\n" in telling.mails[0]


def test_the_way_out_names_the_stack_and_the_bridges_own_does_not(service: Service, telling: Telling) -> None:
    unresolved(service)
    by_result("done", None, ("close_failed",))(service)
    telling.look()
    assert "orderhook resolve ORDER_ID cancelled --stack my-stack" in telling.mails[0]
    assert "orderhook bridge resume ACCOUNT INSTRUMENT\n" in telling.mails[0] + "\n"


def test_what_hurts_most_comes_first_in_one_message(service: Service, telling: Telling) -> None:
    given_up(service)
    by_report("unprotected")(service)
    by_result("failed", "no")(service)
    telling.look()
    assert telling.codes == ["unprotected", "failed", "dead_letter"]
    assert telling.subjects[0].startswith("my-stack: unprotected: ")
    assert "(and 2 more)" in telling.subjects[0]


def test_a_need_that_is_over_before_the_look_is_not_told(service: Service, telling: Telling) -> None:
    unknown(service)
    deliver(service, say("Working", seq=2))
    telling.look()
    assert telling.mails == []


def test_a_need_is_told_anew_when_it_comes_again_after_a_while(service: Service, telling: Telling) -> None:
    have(service, state="Working")
    deliver(service, say("Working", alarms=["not_read"]))
    telling.look()
    service.let_pass(60)
    deliver(service, say("Working", seq=2, alarms=["not_read"]))
    telling.look()
    assert telling.codes == ["not_read"]
    telling.look(later=AGAIN_AFTER.total_seconds())
    assert telling.codes == ["not_read", "not_read"]
    telling.look(later=AGAIN_AFTER.total_seconds() + 60)
    assert telling.codes == ["not_read", "not_read"]


def test_a_position_that_was_covered_and_is_naked_again_is_told_again(service: Service, telling: Telling) -> None:
    def stop(state: str, seq: int) -> None:
        values = {"qty": "5", "stop_price": "4990"}
        deliver(service, say(state, order_id="order-1.STOP1", seq=seq, acked=1, values=values))

    have(service, state="Working")
    deliver(service, say("Filled", 5, alarms=["unprotected"]))
    held = PositionReport("Sim101", "ES 12-26", "LONG", 5, None, timestamp(service.queue.now))
    deliver(service, held)
    telling.look()
    stop("Working", 1)
    for _ in range(2):
        telling.look(later=400)
    assert telling.codes == ["unprotected"]
    stop("Cancelled", 2)
    telling.look(later=1)
    assert telling.codes == ["unprotected"]  # a stop that is being changed is none for a moment
    for _ in range(2):
        telling.look(later=60)
    assert telling.codes == ["unprotected", "unprotected"]
    assert "It was over meanwhile, and is so again since " in telling.mails[-1]


def test_what_befalls_another_order_of_the_same_id_is_told_at_once(service: Service, telling: Telling) -> None:
    have(service, state="Working", legs={})
    deliver(service, say("Filled", 5, alarms=["unprotected"]))
    telling.look()
    service.remove("order-1")
    service.let_pass(60)
    service.have_order("Working", venue="ninjatrader")
    deliver(service, say("Filled", 5, placed_by="place-order-1", seq=2, alarms=["unprotected"]))
    telling.look()
    assert telling.codes == ["unprotected", "unprotected"]


def test_what_a_heartbeat_says_again_and_again_is_told_each_quarter_hour(service: Service, telling: Telling) -> None:
    for _ in range(7):
        at = timestamp(service.queue.now)
        deliver(service, Heartbeat("j1", "PC", ("Sim101",), ready=True, at=at, alarms=["unreadable: order a"]))
        telling.look()
        service.let_pass(180)
    assert telling.codes == ["unreadable", "unreadable"]


def test_a_ringing_report_has_the_trader_told_at_once_and_others_not(service: Service, telling: Telling) -> None:
    client: Any = service._client_of_deferred("sqs")
    url = client.create_queue(QueueName=service.trader)["QueueUrl"]
    service.monkeypatch.setattr(reports, "notify_bell", Doorbell(url, client))
    have(service, state="Initialized")
    deliver(service, say("Working"))
    assert service.queue.messages_in(url) == []
    deliver(service, say("Working", seq=2, alarms=["unprotected"]))
    [message] = service.queue.messages_in(url)
    notify.handler({"Records": [{"messageId": "m", "body": message.body}]}, None)
    assert telling.codes == ["unprotected"]


def test_a_report_is_taken_though_nobody_can_be_told_of_it(service: Service, telling: Telling) -> None:
    client: Any = service._client_of_deferred("sqs")
    service.monkeypatch.setattr(reports, "notify_bell", Doorbell("https://sqs.us-east-1.amazonaws.com/1/no", client))
    by_report("unprotected")(service)
    telling.look()
    assert telling.codes == ["unprotected"]


# Refused alerts


def test_refused_alerts_are_summed_once_a_minute_by_their_reasons(service: Service, telling: Telling) -> None:
    telling.begin()
    for order_id in ("a", "b"):
        service.cancel(order_id)
    last = service.send("CANCLE").request_id
    telling.look()
    assert telling.mails == []
    telling.next_minute()
    assert telling.codes == ["order_not_found", "unknown_command"]
    [mail] = telling.mails
    assert "order_not_found: 2 alerts were refused\n" in mail
    assert "unknown_command: 1 alert was refused\n" in mail
    assert f"orderhook alerts show {last} --stack my-stack" in mail
    telling.next_minute()
    assert len(telling.mails) == 1
    service.cancel("c")
    telling.next_minute()
    assert "order_not_found: 1 alert was refused\n" in telling.mails[1]


def test_what_was_refused_before_anybody_is_told_is_not_told(service: Service, telling: Telling) -> None:
    service.cancel("a")
    telling.service.let_pass(75)
    telling.begin()
    telling.next_minute()
    assert telling.mails == []


def test_what_nobody_has_to_hear_of_is_not_told(service: Service, telling: Telling) -> None:
    telling.begin()
    service.have_order("Filled", filled=5)
    service.cancel("order-1")
    assert service.place("w", **closed()).word == "outside_trade_window"
    service.hear_bridge(ready=False)
    assert service.place("later").status == 503
    service.hear_bridge()
    service.let_pass(5)
    assert service.place("later").status == 200
    telling.next_minute()
    assert telling.mails == []


def test_what_a_keys_own_limit_refuses_is_told(service: Service, telling: Telling) -> None:
    telling.begin()
    key = service.issue_key(max_orders_per_minute=1)
    words = [service.place(name, key=key).word for name in ("a", "b")]
    assert words == ["placed", "rate_limited"]
    telling.next_minute()
    assert telling.codes == ["rate_limited"]


def test_of_what_the_kill_switch_refuses_the_first_is_told(service: Service, telling: Telling) -> None:
    telling.begin()
    service.turn("on")
    service.place("a")
    telling.next_minute()
    assert telling.codes == ["kill_switch_on", "kill_switch_on"]
    for _ in range(2):
        service.let_pass(AGAIN_AFTER.total_seconds())
        service.hear_bridge()
        service.place("b")
        telling.next_minute()
    service.place("c")
    service.turn("off")
    telling.next_minute()
    assert telling.codes == ["kill_switch_on", "kill_switch_on", "kill_switch_off"]
    service.turn("on")
    service.place("d")
    telling.next_minute()
    assert telling.codes[3:] == ["kill_switch_on", "kill_switch_on"]


# The kill switch


def test_who_turns_off_what_never_was_on_has_turned_nothing(service: Service, telling: Telling) -> None:
    telling.begin()
    service.turn("off")
    telling.next_minute()
    assert telling.mails == []


def test_a_turn_by_an_alert_is_told_with_its_key_and_request(service: Service, telling: Telling) -> None:
    telling.begin()
    on = service.turn("on")
    telling.look()
    telling.look()
    assert telling.codes == ["kill_switch_on"]
    assert f"By {service.key.split('_')[1]}, request {on.request_id}." in telling.mails[0]
    service.let_pass(1)
    service.turn("off")
    telling.look()
    assert telling.codes == ["kill_switch_on", "kill_switch_off"]


def test_a_turn_by_the_command_line_is_told_and_that_it_is_locked(telling: Telling, run: Run) -> None:
    assert run("kill-switch", "on", "--lock").exit_code == 0
    telling.look()
    assert "The kill switch is on, and locked" in telling.mails[0]
    assert run("kill-switch", "off").exit_code == 0
    telling.look()
    assert telling.codes == ["kill_switch_on", "kill_switch_off"]
    assert "By orderhook, request " in telling.mails[1]


def test_a_turn_of_yesterday_is_not_told_to_whoever_begins_today(service: Service, telling: Telling) -> None:
    service.turn("on")
    telling.look(later=looking.TURNED_WITHIN.total_seconds() + 1)
    assert telling.mails == []


# The bridge


def test_a_bridge_that_is_away_is_told_after_a_minute_and_that_it_is_back(telling: Telling) -> None:
    telling.begin()
    telling.look(later=95, hears=False)
    assert telling.codes == []
    telling.look(later=61, hears=False)
    telling.look(later=600, hears=False)
    assert telling.codes == ["bridge_away"]
    telling.look(later=1)
    telling.look(later=1)
    assert telling.codes == ["bridge_away", "bridge_back"]
    telling.look(later=95, hears=False)
    telling.look(later=61, hears=False)
    assert telling.codes == ["bridge_away", "bridge_back", "bridge_away"]


def test_a_bridge_that_is_started_again_within_a_minute_is_not_told(service: Service, telling: Telling) -> None:
    telling.begin()
    for _ in range(3):
        service.hear_bridge(ready=False, reason="NinjaTrader is not connected")
        telling.look()
        telling.look(later=50)
    assert telling.mails == []


def test_a_bridge_that_is_not_ready_is_told_with_its_reason(service: Service, telling: Telling) -> None:
    service.hear_bridge(ready=False, reason="NinjaTrader is not connected")
    telling.look()
    service.let_pass(61)
    service.hear_bridge(ready=False, reason="NinjaTrader is not connected")
    telling.look()
    assert "It is not ready: NinjaTrader is not connected." in telling.mails[0]


def test_a_bridge_that_was_never_there_and_a_stack_without_one_tell_nothing(service: Service, telling: Telling) -> None:
    service.table.client.delete_item(
        TableName=service.table.name, Key={"pk": {"S": f"TRADER#{service.trader}"}, "sk": {"S": "CONTROLS"}}
    )
    for _ in range(3):
        telling.look(later=100, hears=False)
    service.use_venue(TABLE, heard=False)
    for _ in range(3):
        telling.look(later=100, hears=False)
    assert telling.mails == []


def test_a_bridge_that_was_back_while_nobody_was_told_is_away_anew(telling: Telling, run: Run) -> None:
    telling.begin()
    for _ in range(2):
        telling.look(later=95, hears=False)
    assert telling.codes == ["bridge_away"]
    telling.set(email=False)
    telling.look(later=600)
    run("notify", "set", "--email", "yes")
    for _ in range(2):
        telling.look(later=95, hears=False)
    assert telling.codes == ["bridge_away", "bridge_away"]


# Quiet hours


def be_quiet(telling: Telling, hours: int = 8) -> None:
    """Have it be quiet since an hour ago, for so many hours."""
    begin = telling.service.queue.now - timedelta(hours=1)
    end = begin + timedelta(hours=hours)
    telling.set(quiet=f"{begin:%H:%M}-{end:%H:%M}", zone="Etc/UTC")


def test_quiet_hours_hold_back_all_but_the_naked_until_they_end(service: Service, telling: Telling) -> None:
    telling.begin()
    be_quiet(telling)
    by_report("overfill")(service)
    ask(service)
    deliver(service, InstructionReport("0c", 1, timestamp(service.queue.now), "done", None, (), ("close_failed",)))
    service.turn("on")
    service.cancel("a")
    telling.look(later=60)
    assert telling.codes == ["close_failed"]
    service.let_pass(3600)
    service.cancel("b")
    telling.next_minute()
    assert telling.codes == ["close_failed"]
    telling.look(later=7 * 3600)
    assert telling.codes[1:] == ["overfill", "kill_switch_on", "order_not_found"]
    assert "order_not_found: 2 alerts were refused" in telling.mails[1]


@pytest.mark.parametrize("code", [code for code, entry in ENTRIES.items() if entry.naked and code in BY_REPORT])
def test_no_quiet_hours_hold_back_what_may_be_naked(service: Service, telling: Telling, code: str) -> None:
    be_quiet(telling)
    by_report(code)(service)
    telling.look()
    assert telling.codes == [code]


def test_what_is_over_by_the_morning_is_not_told_then(service: Service, telling: Telling) -> None:
    telling.begin()
    be_quiet(telling)
    unknown(service)
    telling.look(later=95, hears=False)
    telling.look(later=95, hears=False)
    deliver(service, say("Working", seq=2))
    telling.look(later=8 * 3600)
    assert telling.codes == []


def test_a_bridge_that_is_still_away_in_the_morning_is_told_with_its_time(service: Service, telling: Telling) -> None:
    be_quiet(telling)
    telling.look(later=95, hears=False)
    telling.look(later=8 * 3600, hears=False)
    assert telling.codes == ["bridge_away"]
    assert telling.told()[0].name < f"bridge_away {timestamp(service.queue.now - timedelta(hours=7))}"


def test_a_test_is_told_in_quiet_hours_too_and_by_each_way(
    service: Service, telling: Telling, outgoing: Outgoing
) -> None:
    be_quiet(telling)
    telling.set("discord", test="0123", test_at=timestamp(service.queue.now))
    telling.look()
    telling.look()
    assert telling.codes == ["test"]
    assert [list(codes_of(text)) for text in outgoing.texts] == [["test"]]
    assert {(it.channel, it.state) for it in telling.told(name="test 0123")} == {
        ("e-mail", "sent"),
        ("discord", "sent"),
    }


def test_quiet_hours_that_cannot_be_read_hold_nothing_back(service: Service, telling: Telling) -> None:
    telling.set(quiet="always", zone="Mars/Olympus")
    by_report("overfill")(service)
    telling.look()
    assert telling.codes == ["overfill"]


# Ways


def test_who_wants_no_mail_and_has_no_webhook_is_told_nothing(service: Service, telling: Telling) -> None:
    telling.set(email=False)
    by_report("overfill")(service)
    service.network.forget()
    telling.look()
    assert (telling.mails, telling.told()) == ([], [])


def test_each_trader_is_told_what_is_theirs(service: Service, telling: Telling, outgoing: Outgoing) -> None:
    other = f"other-{service.trader}"
    key = service.issue_key(trader=other)
    telling.set("slack")
    telling.set("telegram", trader=other)
    telling.begin()
    outgoing.posted.clear()
    service.cancel("mine")
    service.cancel("theirs", key=key)
    service.cancel("theirs", key=key)
    telling.next_minute()
    assert {it.service: (it.text.count("1 alert was"), it.text.count("2 alerts were")) for it in outgoing.posted} == {
        "slack": (1, 0),
        "telegram": (0, 1),
    }
    assert all(
        f"trader {whose}" in text for whose, text in zip((other, service.trader), sorted(outgoing.texts), strict=True)
    )


def test_a_key_that_is_revoked_leaves_nobody_to_tell(service: Service, telling: Telling) -> None:
    other = f"other-{service.trader}"
    service.issue_key(trader=other)
    key = service.issue_key(trader=other)
    service.controls.turn_on(provenance(other, "0f"))
    service.revoke_key(key)
    telling.look()
    assert telling.codes == ["kill_switch_on"]


def test_one_message_has_what_it_has_room_for_and_counts_the_rest(
    service: Service, telling: Telling, outgoing: Outgoing
) -> None:
    telling.set("discord", email=False)
    have(service, state="Working")
    deliver(service, *(say("Working", order_id=f"nobodys-{number}", seq=number) for number in range(1, 13)))
    telling.look()
    [text] = outgoing.texts
    listed = len(list(codes_of(text)))
    assert listed > 1
    assert text.endswith(f"And {12 - listed} more: see what needs a person in the console.")
    assert len(telling.told(state="sent")) == 12


def test_more_than_one_look_can_tell_is_told_by_the_next(service: Service, telling: Telling) -> None:
    service.monkeypatch.setattr(looking, "_MOST_CLAIMED", 4)
    telling.begin()
    service.cancel("a")
    deliver(service, *(say("Working", order_id=f"nobodys-{number}", seq=number) for number in range(1, 10)))
    telling.look(later=75)
    assert len(telling.told()) == 4
    telling.look(later=75)
    telling.look()
    assert len(telling.told()) == 10
    assert telling.codes[-1] == "order_not_found"
