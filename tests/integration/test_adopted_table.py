"""A stack goes on with a copy of its table, as a restore makes one: nothing of an order is anywhere else."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from cli.aws.table import create_table
from cli.checks import check_table
from tests.builders import ENTRY
from tests.service import Service

LEGS = {"strategy_id": "strategy-1", "take_profit": 5020, "stop_loss": 4980}


@pytest.fixture
def restored(service: Service) -> Iterator[str]:
    """The name of a copy, made after two alerts; a third comes after it, and then the copy is adopted."""
    assert service.place("order-1", **LEGS).word == "placed"
    assert service.place("order-2", cancel_after=5).word == "placed"
    name, client = f"restored-{uuid4().hex}", service.table.client
    create_table(client, name)
    for item in service.table.read_all():
        client.put_item(TableName=name, Item=item)
    assert service.place("order-3").word == "placed"
    service.use_table(name)
    yield name
    client.delete_table(TableName=name)


@pytest.mark.usefixtures("restored")
def test_orders_names_keys_and_records_are_those_of_the_copy(service: Service) -> None:
    assert service.cancel("stop1", strategy_id="strategy-1").word == "cancelled"
    assert service.cancel("order-1").word == "cancelled"
    assert service.cancel("order-3").word == "order_not_found"
    records = service.handlers_services.alert_log.newest(service.trader)
    assert [it.outcome for it in records] == ["order_not_found", "cancelled", "cancelled", "placed", "placed"]
    # The one before is as it was.
    assert service.state("order-1") == "Working"


@pytest.mark.usefixtures("restored")
def test_commands_over_many_orders_find_those_of_the_copy(service: Service) -> None:
    answer = service.send("CANCELORDERS", account=ENTRY["account"])
    assert sorted(answer.body["cancelled"]) == ["order-1", "order-2"]


@pytest.mark.usefixtures("restored")
def test_an_alert_that_the_copy_has_seen_is_not_carried_out_again(service: Service) -> None:
    assert service.place("order-1", **LEGS).word == "already_placed"
    assert service.place("order-1", qty=9, **LEGS).word == "duplicate_order_id"


@pytest.mark.usefixtures("restored")
def test_a_time_limit_from_before_the_copy_ends_its_order(service: Service) -> None:
    service.pass_time(302)
    order = service.handlers_services.orders.get(service.trader, "order-2")
    assert order is not None
    assert order.state == "Cancelled"


def test_a_copy_has_what_only_a_new_table_can_get(service: Service, restored: str) -> None:
    described = service.table.client.describe_table(TableName=restored)["Table"]
    first, *_ = check_table(described, {}, {})
    assert (first.result, first.about) == ("ok", "table")
