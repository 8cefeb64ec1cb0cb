"""How many requests a venue adds, an alert's and those of every hour: docs/capacity.md says what they cost."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.model import OperationModel

import reports
from tests.bridge_world import World
from tests.builders import ENTRY
from tests.service import Service

MARKET: dict[str, object] = {"account": "Sim101", "instrument": "ES 12-26", "order_type": "MARKET", "limit_price": None}


@pytest.fixture
def world(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A bridge that is ready; what it asks for is counted, and what the functions do."""
    world = World(service, tmp_path, monkeypatch)
    monkeypatch.setattr(reports, "services", service.handlers_services)
    world.start()
    world.until(lambda: world.link.owner().get("ready") is True)
    world.rest(5)
    service.warm_up()
    world.let_pass(1)
    world.network.forget()
    yield world
    world.kill()
    world.network.leave()


LOOK = {"DeleteMessage": 1, "Query": 1, "GetItem": 1}
LEGS: dict[str, object] = {"take_profit": 5040, "stop_loss": 4960}


def trade(world: World, **legs: object) -> tuple[list[str], dict[str, int], dict[str, int]]:
    """Trade one contract; return the requests of the webhook, of the bridge, and of the function that takes reports."""
    service = world.service
    assert service.place("long", **{**MARKET, "qty": 1, **legs}).word == "placed"
    by_webhook = service.network.operations
    service.network.forget()
    world.let_pass(3)
    assert set(world.states().values()) <= {"Filled", "Working"}
    by_bridge = Counter(world.network.operations)
    del by_bridge["ReceiveMessage"]  # in this world it asks at every step
    return by_webhook, dict(by_bridge), dict(Counter(service.network.operations))


def test_an_order_at_the_market_adds_a_ring_a_look_and_three_reports(world: World) -> None:
    taken = {"GetItem": 3, "TransactWriteItems": 2, "PutItem": 2}
    assert trade(world) == (["GetItem", "PutItem", "SendMessage"], LOOK | {"SendMessage": 3}, taken)


def test_a_target_and_a_stop_add_eight_reports(world: World) -> None:
    asked = ["GetItem", "GetItem", "TransactWriteItems", "SendMessage"]
    taken = {"GetItem": 17, "TransactWriteItems": 10, "PutItem": 2}
    assert trade(world, **LEGS) == (asked, LOOK | {"SendMessage": 11}, taken)


def test_a_bridge_that_has_nothing_to_do_looks_and_says_that_it_lives(world: World) -> None:
    """At each sign of life the table is asked which instructions are not done, as that must not depend on a bridge."""
    world.rest(600)
    assert Counter(world.network.operations) == {"Query": 120, "GetItem": 120, "SendMessage": 20}
    assert Counter(world.service.network.operations) == {"UpdateItem": 20, "Query": 20}


def test_each_sign_of_life_writes_the_positions_that_are_known(world: World) -> None:
    trade(world)
    world.service.network.forget()
    world.rest(60)
    assert Counter(world.service.network.operations) == {"UpdateItem": 2, "PutItem": 2, "Query": 2}


@contextmanager
def writing(service: Service) -> Iterator[list[float]]:
    """Collect the units of capacity that each write takes."""
    taken: list[float] = []

    def ask(params: dict[str, object], model: OperationModel, **_: object) -> None:
        if model.input_shape and "ReturnConsumedCapacity" in model.input_shape.members:
            params["ReturnConsumedCapacity"] = "TOTAL"

    def count(parsed: dict[str, Any], model: OperationModel, **_: object) -> None:
        used = parsed.get("ConsumedCapacity", [])
        if model.name not in ("GetItem", "Query"):
            taken.extend(each["CapacityUnits"] for each in (used if isinstance(used, list) else [used]))

    events = service.table.handlers_client.meta.events
    events.register("provide-client-params.dynamodb", ask)
    events.register("after-call.dynamodb", count)
    yield taken
    events.unregister("provide-client-params.dynamodb", ask)
    events.unregister("after-call.dynamodb", count)


OF_RECORD = 1
"""The unit that the record of an alert takes."""


@pytest.mark.engine_only("moto counts no units of capacity")
@pytest.mark.parametrize(("legs", "units"), [({}, 17), (LEGS, 71)], ids=["without legs", "with legs"])
def test_reports_take_the_write_units_that_the_document_says(
    world: World, legs: dict[str, object], units: float
) -> None:
    placing = 14 if legs else 2
    with writing(world.service) as taken:
        trade(world, **legs)
    assert sum(taken) == placing + OF_RECORD + units


@pytest.mark.engine_only("moto counts no units of capacity")
@pytest.mark.parametrize(
    ("command", "fields", "units"),
    [
        ("CLOSEPOSITION", {}, 6),
        ("REVERSE", {}, 6),
        ("FLATPLACE", {"order_id": "a", **ENTRY}, 2),
        ("FLATPLACE", ENTRY, 6),
    ],
    ids=["CLOSEPOSITION", "REVERSE", "FLATPLACE with an id", "FLATPLACE without one"],
)
def test_what_is_asked_of_a_position_takes_the_write_units_that_the_document_says(
    service: Service, command: str, fields: dict[str, object], units: float
) -> None:
    service.use_venue()
    service.warm_up()
    with writing(service) as taken:
        answer = service.send(command, **{"account": "Sim101", "instrument": "ES 12-26", **fields})
    assert (answer.word, sum(taken)) == ("accepted", units + OF_RECORD)
