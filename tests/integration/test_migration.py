"""`orderhook migrate` over a table as version 0.1 left it (table_of_0_1.json was written by that version's code)."""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli import connection
from cli.app import app
from orderhook import migration
from orderhook.errors import TemporarilyUnavailableError
from orderhook.leg_prices import check_prices
from orderhook.listing import Unreadable, list_orders
from orderhook.migration import MigrationResult, migrate
from orderhook.orders import Order, timestamp
from orderhook.services import Services
from orderhook.store import items
from orderhook.store.table import Table, serialize
from orderhook.store.writes import Update, Write
from tests.builders import provenance
from tests.marks import LONG
from tests.service import Service

OLD: list[dict[str, Any]] = json.loads(Path(__file__).with_name("table_of_0_1.json").read_text(encoding="utf-8"))


@pytest.fixture
def old(service: Service) -> Service:
    """Have the trader's items, and those of a second one, be those of version 0.1."""
    have_old_items(service, service.trader)
    return service


def have_old_items(service: Service, trader: str) -> None:
    partitions = {"TRADER#old": items.trader_partition(trader), "TRADER#second": "TRADER#second"}
    for item in OLD:
        own = item | {"pk": {"S": partitions[item["pk"]["S"]]}}
        service.table.client.put_item(TableName=service.table.name, Item=own)


def run(service: Service, services: Services | None = None, trader: str | None = None) -> MigrationResult:
    signed = provenance(trader or service.trader, f"migration-{datetime.now(UTC).isoformat()}")
    return migrate(services or service.services, signed)


def now() -> str:
    return timestamp(datetime.now(UTC))


def orders(service: Service, trader: str | None = None) -> dict[str, Order]:
    """Return the orders that a person sees, waiting legs included, by their ids."""
    listed = list(list_orders(service.services, trader or service.trader, now()))
    assert not [it for it in listed if isinstance(it, Unreadable)]
    return {it.order_id: it for it in listed if isinstance(it, Order)}


def picture(service: Service, trader: str) -> dict[str, Any]:
    """Return all that matters of a trader's items; no times of the migration are in it."""
    shown = {
        order_id: (it.order_name, it.state, it.qty, it.limit_price, it.stop_price, it.offset, it.oco_id, it.entry_id)
        for order_id, it in orders(service, trader).items()
    }
    strategies = {
        it.strategy_id: {n: (binding.order_id, binding.legs_only) for n, binding in it.numbers.items()}
        for it in service.services.strategies.list(trader)
    }
    opened = sorted(item["open"] for item in service.orders.items(trader, open_only=True))
    templates = sorted(template.name for template in service.templates.list(trader))
    return {"orders": shown, "strategies": strategies, "open": opened, "templates": templates}


def test_it_says_what_it_did(old: Service) -> None:
    assert asdict(run(old)) == {
        "legs_moved": {
            "r03.STOP1": "bracket.STOP1",
            "r03.TARGET1": "bracket.TARGET1",
            "r04.STOP2": "bracket-2.STOP2",
            "r08.STOP1": "mixed-2.STOP2",
            "r09.STOP1": "scalped.STOP1",
            "r09.TARGET1": "scalped.TARGET1",
            "r09.TARGET2": "scalped.TARGET2",
            "r10.STOP1": "ended.STOP1",
            "r10.TARGET1": "ended.TARGET1",
            "r12.STOP2": "after-ended.STOP1",
            "r17.STOP1": "nameless.STOP1",
        },
        "legs_ended": ["ended.STOP1", "ended.TARGET1", "r22.STOP1"],
        "renamed": {
            "after-ended": ("ENTRY2", "ENTRY1"),
            "after-ended.STOP1": ("STOP2", "STOP1"),
            "many-4": ("ENTRY5", "ENTRY1"),
            "mixed-2.STOP2": ("STOP1", "STOP2"),
            "replaced:2": ("ENTRY2", "ENTRY1"),
        },
        "strategies": ["S1", "S10", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "nameless"],
        "indexed": [
            "odd", "after-ended", "alone", "bracket", "bracket-2", "day", "many-4", "mixed-1", "mixed-2", "nameless",
            "r18.STOP1:2", "r21.STOP1", "replaced:2", "scalped", "stop-replaced",
        ],
        "instruments": {},
        "named": [],
        "days_ended": ["day"],
        "templates": ["Scalp"],
        "left": {
            "r21.STOP1": "filled has fills, so this is an order of its own: use its id",
            "template Twice": "another one has this name in other case: store it under a new one",
        },
    }  # fmt: skip


def test_run_twice_it_finds_nothing_more_to_do(old: Service) -> None:
    run(old)
    before = old.belongings()
    again = asdict(run(old))
    assert again.pop("left") == {"template Twice": "another one has this name in other case: store it under a new one"}
    assert not any(again.values())
    assert old.belongings() == before


def test_it_leaves_a_table_of_this_version_alone(service: Service) -> None:
    service.put_template("Scalp", (1, 10, 5), (1, 20, None))
    service.place("long", strategy_id="S", stop_loss=4990, take_profit=5010)
    service.place("scalped", strategy_id="T", strategy="scalp")
    service.place("filled", strategy_id="U", stop_loss=4990)
    service.report("PartFilled", 2, order_id="filled")
    service.place("over", strategy_id="V", stop_loss=4990)
    service.cancel("over")
    service.place("later", delay=5)
    service.place("today", tif="DAY")
    before = service.belongings()
    assert not any(asdict(run(service)).values())
    assert service.belongings() == before


def test_it_touches_no_other_trader(old: Service) -> None:
    before = old.table.read("TRADER#second")
    run(old)
    assert old.table.read("TRADER#second") == before
    migrate(old.services, provenance("second", "migration"))
    leg = {it.order_id: it for it in list_orders(old.services, "second", now()) if isinstance(it, Order)}["other.STOP1"]
    assert (leg.state, leg.entry_id) == ("Initialized", "other")


# What was asked for stays


def test_a_moved_leg_is_what_it_was(old: Service) -> None:
    run(old)
    legs = orders(old)
    stop, limit = legs["bracket.STOP1"], legs["bracket-2.STOP2"]
    assert (stop.action, stop.qty, stop.order_type, stop.stop_price, stop.state) == (
        "SELL", 5, "STOPMARKET", 4995, "Initialized",
    )  # fmt: skip
    assert stop.oco_id == legs["bracket.TARGET1"].oco_id == "r03.OCO1"
    assert (limit.order_type, limit.stop_price, limit.limit_price) == ("STOPLIMIT", 4980, 4979)
    assert [(event.leg, event.changes, event.request_id) for event in stop.history[1:]] == [
        ("STOP1", {"stop_price": "4995"}, "r05")
    ]
    assert legs["r03.STOP1"].reason == "now bracket.STOP1"
    for order in legs.values():
        check_prices(order)


def test_a_leg_that_was_ended_by_itself_stays_ended(old: Service) -> None:
    run(old)
    leg = orders(old)["bracket-2.TARGET2"]
    assert (leg.state, leg.reason, leg.history[-1].request_id) == ("Cancelled", None, "r06")


def test_the_legs_of_a_template_keep_their_distances_and_their_shares(old: Service) -> None:
    run(old)
    entry = old.order("scalped")
    assert entry is not None
    assert {name: (leg.offset, leg.start, leg.size) for name, leg in entry.legs.items()} == {
        "TARGET1": (10, 0, 1),
        "STOP1": (5, 0, 1),
        "TARGET2": (20, 1, 2),
    }


# What alerts find afterwards


@LONG
@pytest.mark.parametrize(
    ("name", "strategy_id", "order_id"),
    [
        ("ENTRY1", "S1", "bracket"),
        ("STOP1", "S1", "bracket.STOP1"),
        ("TARGET1", "S1", "bracket.TARGET1"),
        ("ENTRY2", "S1", "bracket-2"),
        ("STOP2", "S1", "bracket-2.STOP2"),
        ("ENTRY2", "S2", "mixed-2"),
        ("STOP2", "S2", "mixed-2.STOP2"),
        ("TARGET2", "S3", "scalped.TARGET2"),
        ("ENTRY1", "S4", "after-ended"),
        ("STOP1", "S4", "after-ended.STOP1"),
        ("ENTRY1", "S6", "replaced:2"),
        ("ENTRY2", "S7", "r18.STOP1:2"),
        ("ENTRY1", "S10", "many-4"),
        ("STOP1", "nameless", "nameless.STOP1"),
    ],
)
def test_a_name_leads_to_its_order(old: Service, name: str, strategy_id: str, order_id: str) -> None:
    run(old)
    answer = old.cancel(name, strategy_id=strategy_id)
    assert (answer.word, answer.body["order_id"], answer.body["order_name"]) == ("cancelled", order_id, name)


def test_an_entry_takes_its_legs_along(old: Service) -> None:
    run(old)
    assert old.send("CHANGE", order_id="bracket", qty=3).word == "changed"
    assert orders(old)["bracket.STOP1"].qty == 3
    assert old.cancel("bracket").word == "cancelled"
    assert {orders(old)[f"bracket.{name}"].state for name in ("STOP1", "TARGET1")} == {"Cancelled"}
    assert old.send("CHANGE", order_id="STOP2", strategy_id="S1", stop_price=5001).word == "invalid_value"


def test_accounts_are_found_in_any_case(old: Service) -> None:
    run(old)
    assert old.send("CANCELORDERS", account="A#1%", instrument="nq 12-26").body["cancelled"] == ["odd"]
    answer = old.send("CANCELORDERS", account="SIM101")
    assert answer.word == "cancelled"
    assert sorted(answer.body["cancelled_legs"]["bracket"]) == ["bracket.STOP1", "bracket.TARGET1"]
    # What is left: the order whose day is over.
    assert old.open_orders() == ["day"]
    assert old.cancel("day").body["state"] == "Expired"


def test_a_strategy_goes_on_with_the_next_free_number(old: Service) -> None:
    run(old)
    assert old.place("next", strategy_id="S10").body["order_name"] == "ENTRY2"
    assert old.place("anew", strategy_id="S9").body["order_name"] == "ENTRY1"
    assert old.place("scalped-2", strategy_id="S3", strategy="SCALP").body["order_name"] == "ENTRY3"
    assert old.send("CLOSESTRATEGY", strategy_id="S3").body["counts"]["cancelled"] == 2


def test_the_leg_of_a_filled_entry_goes_on_as_an_order(old: Service) -> None:
    run(old)
    run(old)
    assert orders(old)["r21.STOP1"].state == "Initialized"
    assert old.cancel("r21.STOP1").word == "cancelled"


def test_a_template_is_found_in_any_case(old: Service) -> None:
    run(old)
    assert old.place("new", strategy_id="T", strategy="scalp").body["legs"].keys() == {"TARGET1", "STOP1", "TARGET2"}


# Whatever comes between


class Halting:
    """A table that does not answer from its nth write on."""

    def __init__(self, table: Table, writes: int) -> None:
        self._table = table
        self.writes = writes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._table, name)

    def update(self, update: Update, *, return_new: bool = False) -> Any:
        self._count()
        return self._table.update(update, return_new=return_new)

    def transact(self, writes: list[Write]) -> None:
        self._count()
        self._table.transact(writes)

    def _count(self) -> None:
        if not self.writes:
            raise TemporarilyUnavailableError("It does not answer.")
        self.writes -= 1


def halting_after(service: Service, writes: int) -> Services:
    table: Any = Halting(service.services.table, writes)
    return service.services._replace(table=table)


WRITES = 43
"""How many requests that write a whole run sends."""


@LONG
@pytest.mark.parametrize("writes", range(0, WRITES, 9))
def test_an_interrupted_run_is_finished_by_the_next(old: Service, writes: int) -> None:
    have_old_items(old, "whole")
    run(old, trader="whole")
    with pytest.raises(TemporarilyUnavailableError):
        run(old, halting_after(old, writes))
    run(old)
    assert picture(old, old.trader) == picture(old, "whole")


def test_no_run_sends_more_requests(old: Service) -> None:
    run(old, halting_after(old, WRITES))
    with pytest.raises(TemporarilyUnavailableError):
        run(old, halting_after(old, 0))  # the template whose name is taken is tried again


def test_what_changes_meanwhile_is_left_and_said(old: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    read = migration._read_orders

    def read_and_change(*arguments: Any) -> Any:
        found = read(*arguments)
        for order_id in ("bracket", "r08.STOP1"):
            service_key = items.order_key(old.trader, order_id)
            old.table.client.update_item(
                TableName=old.table.name,
                Key=serialize(service_key),
                UpdateExpression="SET version = version + :one",
                ExpressionAttributeValues=serialize({":one": 1}),
            )
        return found

    monkeypatch.setattr(migration, "_read_orders", read_and_change)
    left = run(old).left
    assert left.items() >= dict.fromkeys(("bracket", "mixed-2"), "it was changed meanwhile; run this again").items()
    monkeypatch.undo()
    assert run(old).legs_moved.keys() == {"r03.STOP1", "r03.TARGET1", "r08.STOP1"}


def test_an_item_that_cannot_be_read_is_left_and_its_legs_with_it(old: Service) -> None:
    key = serialize(items.order_key(old.trader, "bracket"))
    old.table.client.update_item(
        TableName=old.table.name,
        Key=key,
        UpdateExpression="SET #state = :state",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues=serialize({":state": "Teleported"}),
    )
    assert run(old).left["bracket"] == "this version cannot read it"
    assert old.state("r03.STOP1") == "Initialized"
    assert orders_without(old, "bracket")["mixed-2.STOP2"].state == "Initialized"


def orders_without(service: Service, order_id: str) -> dict[str, Order]:
    listed = list_orders(service.services, service.trader, now())
    return {it.order_id: it for it in listed if isinstance(it, Order) and it.order_id != order_id}


def test_orders_of_this_version_that_came_first_keep_their_names(old: Service) -> None:
    # The new version was deployed, and this alert came before the migration: it found no numbers.
    assert old.place("quick", strategy_id="S10").body["order_name"] == "ENTRY1"
    result = run(old)
    assert "many-4" not in result.renamed or result.renamed["many-4"][1] == "ENTRY2"
    assert old.cancel("ENTRY1", strategy_id="S10").body["order_id"] == "quick"
    assert old.cancel("ENTRY2", strategy_id="S10").body["order_id"] == "many-4"


# The command


@pytest.fixture
def command(service: Service, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setattr(connection, "connect", lambda _address, _environment: service.services)
    return lambda *arguments: CliRunner().invoke(app, ["migrate", "--table", "any", *arguments])


def test_the_command_says_what_it_did_for_every_trader_with_a_key(old: Service, command: Callable[..., Result]) -> None:
    old.issue_key(trader="second")
    result = command()
    assert result.exit_code == 1  # something was left
    text = result.stdout
    for line in (
        "Trader second:",
        f"Trader {old.trader}:",
        "  11 strategies have numbers in place of names.",
        "  11 waiting legs lie in the entry's item.",
        "    r03.STOP1 is bracket.STOP1",
        "  3 legs are Cancelled, because the entry is finished or gone:",
        "  many-4 was ENTRY5 and is ENTRY1.",
        "  15 open orders are listed in this version's way.",
        "  1 DAY order is Expired: day.",
        "  Template Scalp is found without regard to case.",
        "  Left as it was: template Twice: another one has this name in other case: store it under a new one.",
    ):
        assert line in text.splitlines(), line


def test_the_command_succeeds_where_nothing_is_left(service: Service, command: Callable[..., Result]) -> None:
    service.place("long", stop_loss=4990)
    result = command()
    assert (result.exit_code, result.stdout) == (0, f"Trader {service.trader}: there is nothing to migrate.\n")
    assert json.loads(command("--json").stdout)[service.trader]["legs_moved"] == {}


def test_without_a_key_there_is_no_trader(service: Service, command: Callable[..., Result]) -> None:
    service.table.empty()
    result = command()
    assert (result.exit_code, result.stdout[:17]) == (0, "There is no key i")
