"""What a trader is told in time, with its time, and not again when it is long over: by the real function."""

import logging
from typing import Any

import pytest

import notify
import reports
from orderhook.bridge_messages import Heartbeat, InstructionReport
from orderhook.notifying import looking
from orderhook.orders import timestamp
from orderhook.store import items
from orderhook.store.table import deserialize
from orderhook.store.writes import Put
from tests.integration.test_notifying import be_quiet, by_report, overdue
from tests.integration.test_venue_reports import deliver, have, say
from tests.integration.test_what_needs_a_person import ask
from tests.outgoing import CANARY, Outgoing
from tests.service import Service
from tests.telling import Telling


@pytest.fixture(autouse=True)
def _with_venue(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "settings", reports.settings._replace(venue_trader=service.trader))
    service.use_venue()
    monkeypatch.setattr(notify, "settings", notify.settings._replace(venue=service.venue))


def test_a_close_that_is_overdue_is_told_in_quiet_hours(service: Service, telling: Telling) -> None:
    be_quiet(telling)
    overdue(service)
    telling.look()
    assert telling.codes == ["overdue"]


@pytest.mark.parametrize(("result", "code"), [("failed", "failed"), ("unresolved", "result_unresolved")])
def test_a_close_that_failed_is_told_in_quiet_hours(service: Service, telling: Telling, result: Any, code: str) -> None:
    be_quiet(telling)
    ask(service)
    deliver(service, InstructionReport("0c", 1, timestamp(service.queue.now), result, "not seen flat", (), ()))
    telling.look()
    assert telling.codes == [code]


def test_an_unheard_flatten_is_told_in_quiet_hours(service: Service, telling: Telling) -> None:
    be_quiet(telling)
    record = service.record_of(service.place("a"))
    service.alerts.put(
        record._replace(
            request_id=record.request_id[:-1] + "x",
            command="FLATTEN",
            status=503,
            outcome="temporarily_unavailable",
            fields={"a": "b"},
        )
    )
    service.let_pass(60)
    service.hear_bridge()
    telling.look()
    assert telling.codes == ["not_repeated"]


def test_what_is_told_has_the_time_when_it_was(service: Service, telling: Telling) -> None:
    be_quiet(telling)
    by_report("overfill")(service)
    at = service.queue.now
    telling.look(later=8 * 3600)
    assert f"{at:%Y-%m-%d %H:%M}" in telling.mails[0]


def test_what_nobody_looked_at_is_not_told_anew_a_month_later(service: Service, telling: Telling) -> None:
    by_report("overfill")(service)
    telling.look()
    service.let_pass(31 * 86400)
    for item in map(deserialize, service.everything()):
        if item.get("expires", service.queue.now.timestamp()) < service.queue.now.timestamp():
            service.remove_item(item)
    telling.look()
    assert telling.codes == ["overfill"]


def test_what_a_heartbeat_says_is_told_with_whom_it_is_about(service: Service, telling: Telling) -> None:
    at = timestamp(service.queue.now)
    said = ["unprotected: entry-7: it has ended, with 2 open"]
    deliver(service, Heartbeat("j1", "PC", ("Sim101",), ready=True, at=at, alarms=said))
    telling.look()
    assert "entry-7: it has ended, with 2 open" in telling.mails[0]


def test_a_sum_of_too_many_says_from_when_it_counts(
    service: Service, telling: Telling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "MOST_SUMMED", 3)
    telling.begin()
    for number in range(5):
        service.cancel(f"a{number}")
        service.let_pass(1)
    telling.next_minute()
    assert "order_not_found: at least 3 alerts were refused" in telling.mails[0]
    assert "Of that time only the latest 3 alerts were looked at." in telling.mails[0]


def test_a_second_stop_that_is_gone_is_told_as_soon_as_the_first(service: Service, telling: Telling) -> None:
    have(service, state="Working")
    deliver(service, say("Working", alarms=["unprotected"]))
    telling.look()
    telling.look(later=200)
    deliver(service, say("Working", seq=2, alarms=["unprotected"]))
    telling.look()
    telling.look(later=200)
    assert telling.codes == ["unprotected", "unprotected"]


def test_the_url_is_in_no_log_though_everything_is_logged(
    service: Service, telling: Telling, outgoing: Outgoing, caplog: pytest.LogCaptureFixture
) -> None:
    telling.set("discord")
    by_report("unprotected")(service)
    caplog.set_level(logging.DEBUG)
    telling.look()
    assert len(outgoing.posted) == 1
    assert [it.name for it in caplog.records if CANARY in it.getMessage()] == []


def test_a_position_that_cannot_be_read_hides_nothing(service: Service, telling: Telling) -> None:
    bad = items.position_key(service.trader, "Sim101", "NQ 12-26") | {"side": "LONG"}
    service.services.table.put(Put(bad))
    by_report("unprotected")(service)
    telling.look()
    assert telling.codes == ["unprotected"]


def test_who_asks_again_for_a_turn_is_not_told_as_who_turned_it(service: Service, telling: Telling) -> None:
    service.turn("on")
    telling.look()
    telling.forget()
    service.turn("off")
    service.let_pass(5)
    again = service.turn("off")
    telling.look(later=10)
    assert telling.codes == ["kill_switch_off"]
    assert again.request_id not in telling.mails[0]
    assert "who asked first stands in the list of alerts" in telling.mails[0]
