"""The words and numbers above the alerts, as far as they need no table."""

from datetime import UTC, datetime, timedelta

import pytest

from orderhook.console.overview import day_began, is_simulated, market_of, shown_as
from orderhook.console.remembered import forget, remembered
from orderhook.store.bridge import BridgeState
from orderhook.venues import NINJATRADER, TABLE

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


def test_the_header_says_what_alerts_can_reach() -> None:
    both = BridgeState(("Sim101", "Apex-7"))
    assert market_of(TABLE, both).words == "No venue: nothing reaches a market"
    assert market_of(NINJATRADER, both).words == "LIVE: Apex-7"
    assert market_of(NINJATRADER, BridgeState(("Sim101",))).words == "Simulated accounts only"
    assert market_of(NINJATRADER, BridgeState()).kind == "unknown"


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


def test_an_alert_counts_under_one_word() -> None:
    assert shown_as(400, "duplicate_order_id", duplicate=False) == "refused"
    assert shown_as(200, "scheduled", duplicate=False) == "later"
    assert shown_as(200, "scheduled", duplicate=True) == "repeated"
    assert shown_as(200, "already_cancelled", duplicate=False) == "repeated"
    assert shown_as(200, "placed", duplicate=False) == "done"


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
