"""Whatever becomes of an alert, a metric tells of it that an alarm watches, or silence has its reason."""

from collections.abc import Callable

import pytest

from orderhook import alarms
from tests.builders import ENTRY, event
from tests.client_faults import in_writes
from tests.faults import cut_response, throttle
from tests.marks import OF_WORDS
from tests.service import Service

pytestmark = OF_WORDS


def counted(service: Service) -> list[str]:
    """Return the metrics that were written since the output was last taken, in their order."""
    declared = [line["_aws"]["CloudWatchMetrics"] for line in service.output.lines() if "_aws" in line]
    return [metric["Name"] for [directive] in declared for metric in directive["Metrics"]]


@pytest.mark.parametrize(
    ("command", "fields", "word"),
    [
        ("CANCLE", {}, "unknown_command"),
        ("CANCEL", {"order_id": "nobodys"}, "order_not_found"),
        ("PLACE", {**ENTRY, "order_id": "filled", "qty": 9}, "duplicate_order_id"),
        ("FLATTEN", {"account": "Sim101"}, "unsupported_command"),
    ],
)
def test_what_is_refused_with_a_valid_key_is_counted(
    service: Service, command: str, fields: dict[str, object], word: str
) -> None:
    service.have_order("Filled", "filled", filled=5)
    service.warm_up()
    assert service.send(command, **fields).word == word
    assert counted(service) == ["Alerts", "RefusedAlerts"]


def test_an_order_of_which_nobody_knows_whether_it_is_placed_is_counted(service: Service) -> None:
    service.warm_up()
    service.network.always = in_writes(cut_response)
    assert service.place().word == "outcome_unknown"
    assert counted(service)[-2:] == ["Alerts", "UnknownOutcomes"]


@pytest.mark.parametrize("body", ["command=CANCEL;order_id=a", "key=mistyped;command=CANCEL;order_id=a", '{"key":', ""])
def test_what_has_no_valid_key_is_a_strangers(service: Service, body: str) -> None:
    assert service.post(body).status in (400, 401)
    assert counted(service) == ["Strangers"]


def test_a_revoked_key_is_a_strangers(service: Service) -> None:
    service.revoke_key()
    assert service.cancel("order-1").word == "invalid_secret_key"
    assert counted(service) == ["Strangers"]


def test_an_address_that_is_not_allowed_is_a_strangers(service: Service) -> None:
    service.allow_sources("52.89.214.238")
    assert service.handle(event("", source="203.0.113.9")).word == "source_not_allowed"
    assert counted(service) == ["Strangers"]


def kill_switch_on(service: Service) -> None:
    service.turn("on")


def order_filled(service: Service) -> None:
    service.have_order("Filled", "order-1", filled=5)


@pytest.mark.parametrize(
    ("arrange", "command", "fields", "word"),
    [
        (kill_switch_on, "PLACE", {**ENTRY}, "kill_switch_on"),
        (order_filled, "CANCEL", {"order_id": "order-1"}, "order_already_terminal"),
    ],
)
def test_what_was_asked_for_is_no_alarm(
    service: Service, arrange: Callable[[Service], None], command: str, fields: dict[str, object], word: str
) -> None:
    arrange(service)
    service.warm_up()
    assert service.send(command, **fields).word == word
    assert word in alarms.SILENT
    assert counted(service) == ["Alerts"]


def test_what_the_table_does_not_take_is_told_by_the_api(service: Service) -> None:
    service.warm_up()
    service.network.always = in_writes(throttle)
    assert service.cancel("order-1").status == 503
    assert "RefusedAlerts" not in counted(service)


def test_a_delayed_order_that_is_not_done_is_counted(service: Service) -> None:
    service.place("order-1", delay=5)
    service.revoke_key()
    service.output.take()
    service.pass_time(6)
    assert service.state() == "Cancelled"
    assert counted(service) == ["Deferred", "NotDoneLater"]


def test_a_delayed_cancel_that_finds_no_order_is_counted(service: Service) -> None:
    assert service.cancel("nobodys", delay=5).word == "scheduled"
    service.output.take()
    service.pass_time(6)
    assert counted(service) == ["Deferred", "NotDoneLater"]


def test_a_delayed_order_that_a_kill_switch_voids_is_no_alarm(service: Service) -> None:
    service.place("order-1", delay=5)
    service.turn("on")
    service.output.take()
    service.pass_time(6)
    assert counted(service) == ["Deferred"]


def test_a_time_limit_of_an_order_that_is_filled_is_no_alarm(service: Service) -> None:
    service.place("order-1", cancel_after=1)
    service.report("Filled", 5)
    service.output.take()
    service.pass_time(62)
    assert counted(service) == ["Deferred"]
