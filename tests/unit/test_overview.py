"""The words and numbers above the alerts, as far as they need no table."""

from datetime import UTC, datetime, timedelta

from orderhook.console.overview import shown_as
from orderhook.console.remembered import forget, remembered

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


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
