"""The ways back that docs/operate.md describes, each walked once."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tests.deploy.emulator import Emulator
from tests.deploy.stack import Stack

PLACE = "command=PLACE; account=Sim101; instrument=ES1!; action=BUY; qty=1; order_type=LIMIT; limit_price=4900; "
PLACE += "tif=GTC;"


@pytest.fixture(scope="module")
def removed(emulator: Emulator, template: Path) -> tuple[Stack, dict[str, str], str]:
    """A stack that was deleted with an open order and a schedule; its resources; and a key of it."""
    stack = Stack(emulator, "removed")
    stack.deploy(template)
    key, resources = stack.new_key(), stack.resources
    assert stack.post(f"key={key}; {PLACE} order_id=open; cancel_after=30;").word == "placed"
    stack.delete()
    return stack, resources, key


def test_a_removed_stack_leaves_its_table_its_dead_letters_and_its_schedules(
    removed: tuple[Stack, dict[str, str], str],
) -> None:
    stack, resources, _ = removed
    table = stack.client("dynamodb").describe_table(TableName=resources["Table"])["Table"]
    assert table["DeletionProtectionEnabled"]
    queue = stack.client("sqs").get_queue_attributes(QueueUrl=resources["DeadLetterQueue"], AttributeNames=["QueueArn"])
    assert queue["Attributes"]["QueueArn"]
    [schedule] = stack.client("scheduler").list_schedules(GroupName=resources["ScheduleGroup"])["Schedules"]
    target = stack.client("scheduler").get_schedule(Name=schedule["Name"], GroupName=resources["ScheduleGroup"])
    assert json.loads(target["Target"]["Input"])["cancel"]["order_id"] == "open"
    # The role by which that becomes a dead letter when it is due.
    assert stack.client("iam").get_role(RoleName=resources["SchedulerRole"])
    functions = stack.client("lambda").list_functions()["Functions"]
    assert not [each for each in functions if each["FunctionName"].startswith("removed-")]


def test_a_new_stack_goes_on_with_a_table_that_was_kept(
    emulator: Emulator, template: Path, removed: tuple[Stack, dict[str, str], str]
) -> None:
    _, resources, key = removed
    stack = Stack(emulator, "adopting")
    stack.deploy(template, ExistingTable=resources["Table"])
    assert stack.output("TableName") == resources["Table"]
    assert "Table" not in stack.resources
    assert stack.post(f"key={key}; command=CANCEL; order_id=open;").word == "cancelled"
    [order] = stack.data("orders")
    assert (order["order_id"], order["state"]) == ("open", "Cancelled")


def test_a_stack_goes_on_with_a_restored_table_and_keeps_its_own(stack: Stack, template: Path) -> None:
    key, tables, own = stack.new_key(), stack.client("dynamodb"), stack.output("TableName")
    assert stack.post(f"key={key}; {PLACE} order_id=before;").word == "placed"
    tables.restore_table_to_point_in_time(
        SourceTableName=own, TargetTableName="restored", RestoreDateTime=datetime.now(UTC)
    )
    # What a restore does not bring along.
    tables.update_time_to_live(
        TableName="restored", TimeToLiveSpecification={"AttributeName": "expires", "Enabled": True}
    )
    tables.update_continuous_backups(
        TableName="restored", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    tables.update_table(TableName="restored", DeletionProtectionEnabled=True)
    assert stack.post(f"key={key}; {PLACE} order_id=after;").word == "placed"
    stack.deploy(template, ExistingTable="restored")
    assert stack.post(f"key={key}; command=CANCEL; order_id=before;").word == "cancelled"
    assert stack.post(f"key={key}; command=CANCEL; order_id=after;").word == "order_not_found"
    assert "warning  table" not in stack.orderhook("verify").stdout
    assert tables.describe_table(TableName=own)["Table"]["TableStatus"] == "ACTIVE"
    # And back to its own: CloudFormation would make a new one, so it is adopted as well.
    stack.deploy(template, ExistingTable=own)
    assert stack.post(f"key={key}; command=CANCEL; order_id=after;").word == "cancelled"


def test_every_alert_that_comes_while_a_table_is_adopted_is_in_one_of_the_two(stack: Stack, template: Path) -> None:
    key, tables, own = stack.new_key(), stack.client("dynamodb"), stack.output("TableName")
    tables.restore_table_to_point_in_time(
        SourceTableName=own, TargetTableName="adopted", RestoreDateTime=datetime.now(UTC)
    )
    done = Event()

    def send() -> list[str]:
        """Place one order after another, and return the words of the answers."""
        words: list[str] = []
        while not done.wait(0.2):
            words.append(stack.post(f"key={key}; {PLACE} order_id=during-{len(words)};").word)
        return words

    with ThreadPoolExecutor(1) as sender:
        sent = sender.submit(send)
        try:
            stack.deploy(template, ExistingTable="adopted")
        finally:
            done.set()
        words = sent.result()
    # A function that starts on a busy machine may have placed an order without answering in time.
    assert {*words} <= {"placed", "already_placed"}
    before, after = (orders_in(tables, table) for table in (own, "adopted"))
    # Up to one of them they are in the table before, from then on in the adopted one.
    assert sorted({*before, *after}) == [*range(len(words))]
    assert before == [*range(len(before))]
    assert after == [*range(len(words) - len(after), len(words))]
    stack.deploy(template, ExistingTable=own)


def orders_in(tables: Any, name: str) -> list[int]:
    """Return the numbers of the orders that were placed during the adoption."""
    ids = (item.get("order_id", {}).get("S", "") for item in tables.scan(TableName=name)["Items"])
    return sorted(int(it.partition("-")[2]) for it in ids if it.startswith("during-"))
