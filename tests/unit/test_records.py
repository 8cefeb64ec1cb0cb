"""Times and filters as a person types them, to choose among the records of alerts."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from orderhook.errors import InvalidValueError
from orderhook.records import RecordFilter, parse_time, record_beside_alerts
from orderhook.store.alert_log import MAX_ORDER_IDS, Origin
from tests.builders import alert_record, provenance

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("90s", NOW - timedelta(seconds=90)),
        ("30m", NOW - timedelta(minutes=30)),
        ("2h", NOW - timedelta(hours=2)),
        ("7d", NOW - timedelta(days=7)),
        ("09:30", NOW.replace(hour=9, minute=30, second=0, microsecond=0)),
        ("6:05", NOW.replace(hour=6, minute=5, second=0, microsecond=0)),
        ("2026-01-02", datetime(2026, 1, 2, tzinfo=UTC)),
        ("2026-01-02T09:30", datetime(2026, 1, 2, 9, 30, tzinfo=UTC)),
        ("2026-01-02 09:30:01.5Z", datetime(2026, 1, 2, 9, 30, 1, 500000, tzinfo=UTC)),
        ("2026-01-02T09:30-05:00", datetime(2026, 1, 2, 9, 30, tzinfo=timezone(timedelta(hours=-5)))),
    ],
)
def test_a_time_is_an_age_or_iso_8601_in_utc_unless_it_names_a_zone(text: str, at: datetime) -> None:
    assert parse_time(text, NOW) == at


@pytest.mark.parametrize(
    "text", ["", "soon", "2", "h", "-2h", "2w", "999999d9", "999999d", "2026-13-01", "25:00", "9:3", "\x1b[1m"]
)
def test_anything_else_is_refused_as_a_time(text: str) -> None:
    with pytest.raises(InvalidValueError, match="is not a time; write 2h"):
        parse_time(text, NOW)


@pytest.mark.parametrize("status", ["refused", "Refused", "404", "order_not_found", "ORDER_NOT_FOUND"])
def test_a_status_matches_a_refusal(status: str) -> None:
    record_filter = RecordFilter.parse(status, None, None)
    assert record_filter.matches(alert_record(status=404, outcome="order_not_found"))
    assert not record_filter.matches(alert_record())


@pytest.mark.parametrize("status", ["done", "200", "cancelled"])
def test_a_status_matches_a_success(status: str) -> None:
    record_filter = RecordFilter.parse(status, None, None)
    assert record_filter.matches(alert_record())
    assert not record_filter.matches(alert_record(status=503, outcome="temporarily_unavailable"))


def test_every_part_of_a_filter_has_to_match() -> None:
    record_filter = RecordFilter.parse("done", "cancel", "order-1")
    assert record_filter.matches(alert_record(order_ids=("order-2", "order-1")))
    assert not record_filter.matches(alert_record(order_ids=("order-1",), command="PLACE"))
    assert not record_filter.matches(alert_record(order_ids=("order-1",), command=None))
    assert not record_filter.matches(alert_record(order_ids=("order-2",)))


def test_an_alert_that_named_an_order_without_reaching_it_matches() -> None:
    record_filter = RecordFilter.parse(None, None, "order-1")
    assert record_filter.matches(alert_record(status=409, fields={"command": "CANCEL", "Order_Id": "order-1"}))
    assert not record_filter.matches(alert_record(status=409, fields={"strategy_id": "order-1"}))


def test_the_id_of_an_order_placed_without_one_is_its_alerts() -> None:
    assert RecordFilter.parse(None, None, "request-1").matches(alert_record(status=409, outcome="outcome_unknown"))


@pytest.mark.parametrize("name", ["comand", "cmd", "command", "COMMAND (2)"])
def test_an_alert_that_was_refused_before_its_command_was_read_has_the_one_it_says(name: str) -> None:
    record = alert_record(status=400, outcome="unknown_field", command=None, fields={name: "cancel", "notes": "PLACE"})
    assert RecordFilter.parse(None, "CANCEL", None).matches(record)
    assert not RecordFilter.parse(None, "PLACE", None).matches(record)


def test_the_kill_switch_is_a_command_to_filter_by() -> None:
    assert RecordFilter.parse(None, "killswitch", None).matches(alert_record(command="KILLSWITCH"))


def test_a_time_without_a_zone_is_in_the_zone_that_is_given() -> None:
    berlin = timezone(timedelta(hours=1))
    assert parse_time("2026-01-02T09:30", NOW, berlin) == datetime(2026, 1, 2, 8, 30, tzinfo=UTC)
    assert parse_time("09:30", NOW, berlin) == datetime(2026, 1, 2, 8, 30, tzinfo=UTC)
    assert parse_time("09:30", NOW.replace(hour=23), berlin) == datetime(2026, 1, 3, 8, 30, tzinfo=UTC)
    assert parse_time("2026-01-02T09:30", NOW, None) == datetime(2026, 1, 2, 9, 30).astimezone()


@pytest.mark.parametrize(
    ("status", "command", "says"),
    [
        ("order_not_fond", None, "There is no status 'order_not_fond'; did you mean order_not_found?"),
        ("600", None, "There is no status '600'; "),
        (None, "CANCLE", "There is no command 'CANCLE'; did you mean CANCEL?"),
        (None, "x", "There is no command 'X'; there are CANCEL, "),
    ],
)
def test_a_filter_that_nothing_can_match_is_refused(status: str | None, command: str | None, says: str) -> None:
    with pytest.raises(InvalidValueError) as refusal:
        RecordFilter.parse(status, command, None)
    assert refusal.value.detail.startswith(says)


def test_what_is_done_beside_alerts_has_a_record_of_bounded_length() -> None:
    signed = provenance("trader", "0123")
    told = ("RESOLVE", "order_resolved", {"id": "a"})
    origins: tuple[Origin, ...] = ("operator", "console")
    for origin in origins:
        ids = [f"o-{number}" for number in range(MAX_ORDER_IDS + 1)]
        record = record_beside_alerts(signed, *told, ids, label="anna", source="here", origin=origin)
        assert (record.command, record.outcome, record.fields) == told
        assert (record.request_id, record.received_at, record.key_id) == ("0123", signed.now, signed.key_id)
        assert (record.key_label, record.source, record.origin, record.status) == ("anna", "here", origin, 200)
        assert record.order_ids == tuple(ids[:MAX_ORDER_IDS])
