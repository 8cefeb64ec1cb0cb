"""What a person types to choose among the records."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from cli.records import Wanted, moment
from orderhook.errors import InvalidValueError
from orderhook.store.alert_log import AlertRecord

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def record(**changes: Any) -> AlertRecord:
    fields: dict[str, Any] = {
        "trader": "main",
        "request_id": "request-1",
        "received_at": "2026-01-02T03:04:05.000000Z",
        "key_id": "keyid",
        "key_label": "label",
        "source": "192.0.2.1",
        "fields": {},
        "command": "CANCEL",
        "status": 200,
        "outcome": "cancelled",
        "milliseconds": Decimal("1.5"),
    }
    return AlertRecord(**fields | changes)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("90s", NOW - timedelta(seconds=90)),
        ("30m", NOW - timedelta(minutes=30)),
        ("2h", NOW - timedelta(hours=2)),
        ("7d", NOW - timedelta(days=7)),
        ("2026-01-02", datetime(2026, 1, 2, tzinfo=UTC)),
        ("2026-01-02T09:30", datetime(2026, 1, 2, 9, 30, tzinfo=UTC)),
        ("2026-01-02 09:30:01.5Z", datetime(2026, 1, 2, 9, 30, 1, 500000, tzinfo=UTC)),
        ("2026-01-02T09:30-05:00", datetime(2026, 1, 2, 9, 30, tzinfo=timezone(timedelta(hours=-5)))),
    ],
)
def test_a_time_is_an_age_or_iso_8601_in_utc_unless_it_names_a_zone(text: str, at: datetime) -> None:
    assert moment(text, NOW) == at


@pytest.mark.parametrize("text", ["", "soon", "2", "h", "-2h", "2w", "999999d9", "999999d", "2026-13-01", "\x1b[1m"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidValueError, match="is no time: write 2h"):
        moment(text, NOW)


@pytest.mark.parametrize("status", ["refused", "Refused", "404", "order_not_found", "ORDER_NOT_FOUND"])
def test_a_status_finds_a_refusal(status: str) -> None:
    wanted = Wanted.checked(status, None, None)
    assert wanted(record(status=404, outcome="order_not_found"))
    assert not wanted(record())


@pytest.mark.parametrize("status", ["done", "200", "cancelled"])
def test_a_status_finds_a_success(status: str) -> None:
    wanted = Wanted.checked(status, None, None)
    assert wanted(record())
    assert not wanted(record(status=503, outcome="temporarily_unavailable"))


def test_all_filters_have_to_be_met() -> None:
    wanted = Wanted.checked("done", "cancel", "order-1")
    assert wanted(record(order_ids=("order-2", "order-1")))
    assert not wanted(record(order_ids=("order-1",), command="PLACE"))
    assert not wanted(record(order_ids=("order-1",), command=None))
    assert not wanted(record(order_ids=("order-2",)))


def test_an_alert_that_named_an_order_without_coming_to_it_is_found_by_it() -> None:
    wanted = Wanted.checked(None, None, "order-1")
    assert wanted(record(status=409, fields={"command": "CANCEL", "Order_Id": "order-1"}))
    assert not wanted(record(status=409, fields={"strategy_id": "order-1"}))


def test_an_order_that_was_placed_without_an_id_is_found_by_that_of_its_alert() -> None:
    assert Wanted.checked(None, None, "request-1")(record(status=409, outcome="outcome_unknown"))


@pytest.mark.parametrize(
    ("status", "command", "says"),
    [
        ("order_not_fond", None, "There is no status 'order_not_fond': did you mean order_not_found?"),
        ("600", None, "There is no status '600': "),
        (None, "CANCLE", "There is no command 'CANCLE': did you mean CANCEL?"),
        (None, "x", "There is no command 'X': there are CANCEL, "),
    ],
)
def test_a_filter_that_nothing_can_meet_is_refused(status: str | None, command: str | None, says: str) -> None:
    with pytest.raises(InvalidValueError) as refusal:
        Wanted.checked(status, command, None)
    assert refusal.value.detail.startswith(says)
