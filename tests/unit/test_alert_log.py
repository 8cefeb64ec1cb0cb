"""What of an alert may be kept, and how records sort."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from cli.aws import demo
from orderhook.payload import split, take_keys
from orderhook.store.alert_log import as_sent, id_prefix


def kept(body: str) -> dict[str, str]:
    return as_sent(take_keys(split(body.encode()).pairs)[1])


def test_the_fields_are_kept_as_they_were_sent_and_in_their_order() -> None:
    fields = kept(f"Order_ID= a ;key={demo.KEY};command=cancel;notes=;price=1,5")
    assert list(fields.items()) == [("Order_ID", "a"), ("command", "cancel"), ("notes", ""), ("price", "1,5")]


def test_a_name_that_comes_again_is_numbered() -> None:
    assert kept("a=1;a=2;A=3;a=4") == {"a": "1", "a (2)": "2", "A": "3", "a (3)": "4"}
    assert kept('{"a (2)": 1, "a": 2, "a": 3}') == {"a (2)": "1", "a": "2", "a (3)": "3"}


def test_a_nested_value_is_a_word() -> None:
    assert kept('{"a": {"key": 1}, "b": [2]}') == {"a": "(nested)", "b": "(nested)"}


@pytest.mark.parametrize("key", [demo.KEY, demo.KEY.upper(), demo.KEY.lower(), demo.KEY[:-30], f"my key: {demo.KEY}!"])
def test_a_key_in_a_wrong_place_is_masked(key: str) -> None:
    assert kept(f"notes={key};order_id=a") == {"notes": "…", "order_id": "a"}
    assert kept(f"{key}=1;{key}=2") == {"…": "1", "… (2)": "2"}


def test_no_more_fields_are_kept_than_an_alert_may_have() -> None:
    assert len(kept(";".join(["a=1"] * 2000))) == 64


def test_ids_sort_as_time_does() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
    times = [at - timedelta(days=9000), at, at + timedelta(milliseconds=1), at + timedelta(days=90000)]
    assert sorted(map(id_prefix, times)) == [id_prefix(time) for time in times]
    assert {len(id_prefix(time)) for time in times} == {12}
    assert int(id_prefix(at), 16) == 1767323045678
    assert id_prefix(at.astimezone(timezone(timedelta(hours=5)))) == id_prefix(at)


def test_a_time_before_there_were_any_is_before_all_ids() -> None:
    assert id_prefix(datetime(1900, 1, 1, tzinfo=UTC)) == "000000000000"
