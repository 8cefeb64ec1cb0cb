"""The words and numbers above the alerts, as far as they need no table."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orderhook.console.money import money_of
from orderhook.console.overview import shown_as
from orderhook.console.pages.positions import account_kind
from orderhook.console.remembered import forget, remembered
from orderhook.store.alert_log import Answered
from orderhook.trade_window import day_began
from orderhook.venues import NINJATRADER, is_simulated

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("account", "simulated"),
    [
        ("Sim101", True),
        ("SIM-2", True),
        ("Playback101", True),
        ("Apex-7", False),
        ("Playback102", False),
        ("DEMO1", False),
        ("", False),
        ("MySim", False),
    ],
)
def test_what_is_not_known_to_be_simulated_is_live(account: str, simulated: bool) -> None:
    assert is_simulated(account) == simulated


def test_every_page_tells_live_accounts_by_the_one_rule() -> None:
    accounts = ["Sim101", "DEMO1", "playback101", "Apex-7"]
    assert [money_of(account, NINJATRADER) for account in accounts] == ["simulated", "live", "simulated", "live"]
    assert ["LIVE" in str(account_kind(account)) for account in accounts] == [False, True, False, True]


@pytest.mark.parametrize(
    ("at", "began"),
    [
        ("2026-11-28T12:00", "2026-11-27T22:00"),
        ("2026-11-28T21:59", "2026-11-27T22:00"),
        ("2026-11-28T22:00", "2026-11-28T22:00"),
        ("2026-11-01T12:00", "2026-10-31T21:00"),  # the clocks have gone back that night
        ("2026-03-08T12:00", "2026-03-07T22:00"),
    ],
)
def test_today_began_at_the_last_five_oclock_in_new_york(at: str, began: str) -> None:
    assert day_began(datetime.fromisoformat(at).replace(tzinfo=UTC)).astimezone(UTC).isoformat()[:16] == began


def answered(**told: Any) -> Answered:
    return Answered("0", told.pop("status", 200), **told)


def test_an_alert_counts_under_one_word() -> None:
    assert shown_as(answered(status=400, outcome="duplicate_order_id")) == "refused"
    assert shown_as(answered(outcome="cancelled", is_partly_done=True)) == "refused"
    assert shown_as(answered(outcome="scheduled")) == "later"
    assert shown_as(answered(outcome="scheduled", is_duplicate=True)) == "repeated"
    assert shown_as(answered(outcome="already_cancelled")) == "repeated"
    assert shown_as(answered(outcome="placed")) == "done"
    assert shown_as(answered(outcome="placed", origin="console")) == "done"


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ({"outcome": "signed_in", "origin": "console"}, None),
        ({"outcome": "looked_at", "origin": "console"}, None),
        ({"outcome": "key_created", "origin": "operator"}, None),
        ({"outcome": "unreadable", "status": 0}, None),
        ({"outcome": "cancelled", "origin": "cancel_after"}, None),
        ({"outcome": "order_already_terminal", "status": 409, "origin": "cancel_after"}, None),
        ({"outcome": "temporarily_unavailable", "status": 503, "origin": "cancel_after"}, "refused"),
        ({"outcome": "trading_disabled", "status": 423, "origin": "delayed"}, "refused"),
    ],
)
def test_what_is_done_beside_alerts_is_not_counted(told: dict[str, Any], shown: str | None) -> None:
    assert shown_as(answered(**told)) == shown


def test_what_is_remembered_is_read_once_in_its_time_and_again_when_forgotten() -> None:
    reads: list[int] = []

    def read() -> int:
        reads.append(1)
        return len(reads)

    def at(seconds: float) -> int:
        return remembered("of-this-test", "it", NOW + timedelta(seconds=seconds), 10, read)

    assert [at(0), at(9.9), at(10), at(11)] == [1, 1, 2, 2]
    forget("of-this-test")
    assert at(12) == 3


def test_what_was_read_before_it_was_forgotten_is_not_remembered() -> None:
    def read() -> int:
        forget("of-this-test-too")
        return 1

    assert remembered("of-this-test-too", "it", NOW, 10, read) == 1
    assert remembered("of-this-test-too", "it", NOW, 10, lambda: 2) == 2
