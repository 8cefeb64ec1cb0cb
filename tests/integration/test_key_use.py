"""When a key was last used: to the hour, in an item of its trader's, and at no cost to an answer."""

import pytest

from orderhook.keys import Key
from orderhook.store import items
from tests.client_faults import Injected
from tests.faults import Fault, deny, internal_error, lose_response, throttle
from tests.service import Service


def key_of(service: Service) -> Key:
    key = service.keys.get(service.key.split("_")[1])
    assert key is not None
    return key


def test_the_hour_of_a_use_is_noted_once_by_each_instance(service: Service) -> None:
    assert service.keys.last_used(key_of(service)) is None
    for _ in range(3):
        service.cancel("nobodys")
    [use] = service.network.key_uses
    hour = service.queue.now.replace(minute=0, second=0, microsecond=0)
    assert use.payload["Key"] == {
        name: {"S": value} for name, value in items.key_use_key(service.trader, key_of(service).key_id).items()
    }
    assert service.keys.last_used(key_of(service)) == f"{hour:%Y-%m-%dT%H}:00:00.000000Z"
    service.let_pass(3600)
    service.cancel("nobodys")
    service.use_table(service.table.name)  # another instance
    service.cancel("nobodys")
    assert len(service.network.key_uses) == 3
    assert str(service.keys.last_used(key_of(service))) > f"{hour:%Y-%m-%dT%H}:00:00.000000Z"


def test_it_is_noted_after_the_command_and_the_record(service: Service) -> None:
    moments: list[str] = []

    def note(name: str) -> Injected:
        return lambda _request, _deliver: moments.append(name)

    service.network.always = note("command")
    service.network.records_meet = note("record")
    service.network.key_uses_meet = note("use")
    service.cancel("nobodys")
    assert moments[-3:] == ["command", "record", "use"]


@pytest.mark.parametrize("fault", [throttle, internal_error, lose_response, deny], ids=lambda fault: fault.name)
def test_where_it_cannot_be_noted_nothing_else_changes(service: Service, fault: Fault) -> None:
    service.place("order-1")
    service.use_table(service.table.name)
    service.network.key_uses.clear()
    service.network.key_uses_meet = fault
    answer = service.cancel("order-1")
    assert (answer.status, answer.word) == (200, "cancelled")
    assert service.record_of(answer).outcome == "cancelled"
    service.cancel("order-1")
    assert len(service.network.key_uses) == 1  # no second attempt within the hour


def test_a_key_that_is_refused_is_not_used(service: Service) -> None:
    service.revoke_key()
    assert service.cancel("order-1").status == 401
    assert service.network.key_uses == []
    assert service.keys.last_used(key_of(service)) is None


def test_the_item_of_the_key_is_never_written(service: Service) -> None:
    before = service.get(items.key_key(key_of(service).key_id))
    service.place("order-1")
    service.cancel("order-1")
    assert service.get(items.key_key(key_of(service).key_id)) == before
