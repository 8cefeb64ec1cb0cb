"""Orders with templates of NinjaTrader's own: the entry is orderhook's, its targets and stops are NinjaTrader's."""

from pathlib import Path

import pytest

from bridge import oif
from orderhook.orders import Template
from orderhook.venues import TABLE
from tests.bridge_world import World
from tests.builders import template
from tests.marks import OF_THE_BRIDGE
from tests.output import Answer
from tests.service import Service

pytestmark = OF_THE_BRIDGE

ATM = "paper-atm"
ENTRY: dict[str, object] = {
    "account": "Sim101",
    "instrument": "ES 12-26",
    "action": "BUY",
    "qty": 1,
    "order_type": "MARKET",
    "limit_price": None,
    "tif": "DAY",
}


@pytest.fixture(autouse=True)
def template_of_ninjatraders(service: Service) -> None:
    assert service.services.templates.put(service.trader, Template(ATM, ninjatrader=True))


@pytest.fixture
def venue(service: Service) -> None:
    service.use_venue()


def place(service: Service, order_id: str = "long", **changes: object) -> Answer:
    return service.place(order_id, **{**ENTRY, "strategy": "Paper-ATM", "strategy_id": "s", **changes})


def refusal(answer: Answer) -> tuple[int, str | None]:
    return answer.status, answer.body.get("error")


# What is answered


@pytest.mark.usefixtures("venue")
def test_an_entry_of_ninjatraders_template_has_no_legs_here_and_says_so(service: Service) -> None:
    answer = place(service)
    assert (answer.word, answer.body.get("legs")) == ("placed", None)
    assert [warning["code"] for warning in answer.body["warnings"]] == ["atm_strategy"]
    order = service.order("long")
    assert order is not None
    assert (order.atm_template, order.order_name, order.legs) == (ATM, "ENTRY1", {})


@pytest.mark.usefixtures("venue")
def test_without_a_strategy_id_its_strategy_is_called_like_the_order(service: Service) -> None:
    assert place(service, strategy_id=None).body["strategy_id"] == "long"
    assert refusal(service.cancel("STOP1", strategy_id="long")) == (400, "unsupported_value")


@pytest.mark.usefixtures("venue")
def test_a_template_that_nobody_has_declared_is_not_found(service: Service) -> None:
    answer = place(service, strategy="other")
    assert refusal(answer) == (404, "strategy_not_found")
    assert "--ninjatrader" in answer.body["detail"]


def test_without_a_venue_the_refusal_names_both_ways(service: Service) -> None:
    for delay in (None, 5):
        answer = place(service, delay=delay)
        assert refusal(answer) == (400, "unsupported_value")
        assert answer.body["field"] == "strategy"
        assert "Venue=ninjatrader" in answer.body["detail"]
        assert "templates put --replace" in answer.body["detail"]
    assert service.placed() == []


@pytest.mark.usefixtures("venue")
def test_the_same_place_again_is_placed_already_though_the_venue_has_gone(service: Service) -> None:
    place(service)
    assert place(service).word == "already_placed"
    service.use_venue(service.venue._replace(runs_own_templates=False))
    assert place(service).word == "already_placed"


@pytest.mark.usefixtures("venue")
@pytest.mark.parametrize("leg", ["STOP1", "TARGET1", "STOP2", "TARGET20", "EXIT1", "SIMSTOP1"])
def test_no_command_reaches_a_leg_of_ninjatraders_by_its_name(service: Service, leg: str) -> None:
    place(service)
    for answer in (
        service.cancel(leg, strategy_id="s"),
        service.send("CHANGE", order_id=leg, strategy_id="s", stop_price=4990),
        service.send(
            "CANCELREPLACE", order_id=leg, strategy_id="s", **{**ENTRY, "order_type": "LIMIT", "limit_price": 5010}
        ),
    ):
        assert refusal(answer) == (400, "unsupported_value")
        assert answer.body["field"] == "order_id"
        assert "in NinjaTrader" in answer.body["detail"]


@pytest.mark.usefixtures("venue")
def test_no_command_reaches_a_leg_of_ninjatraders_by_an_id(service: Service) -> None:
    place(service)
    assert refusal(service.cancel("long.STOP1")) == (400, "unsupported_value")
    assert refusal(service.send("CHANGE", order_id="long.TARGET1", limit_price=5010)) == (400, "unsupported_value")
    assert refusal(service.send("CHANGE", order_id="long.TARGET1", qty=2)) == (400, "unsupported_value")


@pytest.mark.usefixtures("venue")
def test_a_name_that_another_order_has_taken_is_reached_again(service: Service) -> None:
    place(service)
    service.answer_want("Cancelled", "long")
    placed = service.place("own", **{**ENTRY, "strategy_id": "s", "stop_loss": 4990})
    assert placed.body["legs"] == {"STOP1": "own.STOP1"}
    assert service.cancel("STOP1", strategy_id="s").body["order_id"] == "own.STOP1"


@pytest.mark.usefixtures("venue")
def test_the_entry_itself_is_cancelled_and_changed_like_any_other(service: Service) -> None:
    place(service, order_type="LIMIT", limit_price=4990, tif="GTC")
    service.answer_want("Working", "long")
    changed = service.send("CHANGE", order_id="ENTRY1", strategy_id="s", limit_price=4991)
    assert changed.word == "change_pending"
    service.answer_want("Working", "long")
    same_kind = {**ENTRY, "order_type": "LIMIT", "limit_price": 4992, "tif": "GTC"}
    assert service.send("CANCELREPLACE", order_id="long", **same_kind).word == "replace_pending"
    assert service.cancel("ENTRY1", strategy_id="s").word == "cancel_pending"


@pytest.mark.usefixtures("venue")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"order_type": "MARKET", "limit_price": None}, "order_type"),
        ({"tif": "DAY"}, "tif"),
        ({"stop_loss": 4980}, "stop_loss"),
        ({"take_profit": 5020}, "take_profit"),
    ],
)
def test_the_entry_is_not_replaced_by_what_would_start_a_second_strategy(
    service: Service, changes: dict[str, object], field: str
) -> None:
    limit: dict[str, object] = {**ENTRY, "order_type": "LIMIT", "limit_price": 4990, "tif": "GTC"}
    place(service, "long", **limit)
    service.answer_want("Working", "long")
    answer = service.send("CANCELREPLACE", order_id="long", **{**limit, **changes})
    assert refusal(answer) == (400, "unsupported_value")
    assert answer.body["field"] == field
    assert ATM in answer.body["detail"]


@pytest.mark.usefixtures("venue")
def test_a_close_cancels_the_entry_and_asks_the_venue_to_close_the_rest(service: Service) -> None:
    place(service)
    service.answer_want("Working", "long")
    service.queue.rings.clear()
    answer = service.send("CLOSESTRATEGY", strategy_id="s")
    assert len(service.queue.rings) == 1
    assert (answer.status, answer.word, answer.body["cancel_pending"]) == (200, "accepted", ["long"])
    assert service.state("long") == "CancelPending"
    assert service.record_of(answer).order_ids == ("long",)
    [instruction] = service.services.instructions.open(service.trader)
    assert (instruction.command, instruction.strategy_id) == ("CLOSESTRATEGY", "s")


@pytest.mark.usefixtures("venue")
def test_where_there_is_no_venue_any_more_a_close_says_what_it_cannot_close(service: Service) -> None:
    place(service)
    service.place("own", **{**ENTRY, "strategy_id": "s", "stop_loss": 4990})
    service.use_venue(TABLE)
    answer = service.send("CLOSESTRATEGY", strategy_id="s")
    assert refusal(answer) == (400, "unsupported_value")
    assert "close that in NinjaTrader" in answer.body["detail"]
    assert answer.body["cancel_pending"] == ["long", "own"]
    assert sorted(service.record_of(answer).order_ids) == ["long", "own"]
    [warning] = answer.body["warnings"]
    assert (warning["code"], "the cancel of own: " in warning["detail"]) == ("fill_may_overtake", True)


@pytest.mark.usefixtures("venue")
def test_a_strategy_that_has_ninjatraders_template_no_more_is_closed(service: Service) -> None:
    place(service)
    service.answer_want("Cancelled", "long")
    service.place("own", **{**ENTRY, "strategy_id": "s"})
    assert service.send("CLOSESTRATEGY", strategy_id="s").word == "accepted"


@pytest.mark.usefixtures("venue")
def test_a_number_that_is_free_again_keeps_no_close_from_being_done(service: Service) -> None:
    place(service)
    place(service, "second")
    for order_id in ("long", "second"):
        service.answer_want("Cancelled", order_id)
    service.place("own", **{**ENTRY, "strategy_id": "s"})
    assert refusal(service.cancel("STOP2", strategy_id="s")) == (400, "unsupported_value")
    assert service.send("CLOSESTRATEGY", strategy_id="s").word == "accepted"


@pytest.mark.usefixtures("venue")
def test_after_its_delay_it_is_placed_with_the_template_as_it_is_then(service: Service) -> None:
    answer = place(service, delay=5)
    assert (answer.word, [it["code"] for it in answer.body["warnings"]]) == ("scheduled", ["atm_strategy"])
    service.pass_time(6)
    order = service.order("long")
    assert order is not None
    assert (order.atm_template, order.order_name, order.venue) == (ATM, "ENTRY1", "ninjatrader")


def test_a_template_is_ninjatraders_or_has_brackets_never_both(service: Service) -> None:
    item = service.table.read(f"TRADER#{service.trader}")[-1]
    assert "brackets" not in item  # an earlier version takes it for unreadable, and places nothing with it
    stored = service.services.templates
    assert stored.put(service.trader, template(ATM, (1, 10, 5)), replacing=True)
    assert stored.get(service.trader, ATM) == template(ATM, (1, 10, 5))


# At NinjaTrader


def strategy_ids(world: World) -> list[str]:
    return [line.split(";")[12] for line in world.placed_lines()]


def test_its_line_has_the_template_and_an_id_of_the_bridges_own(world: World) -> None:
    place(world.service)
    world.until_state("long", "Filled")
    order = world.service.order("long")
    assert order is not None
    own = oif.venue_id(order.placed_by, 1, "ATM")
    placed = oif.venue_id(order.placed_by, 1)
    assert world.placed_lines() == [f"PLACE;Sim101;ES 12-26;BUY;1;MARKET;;;DAY;;{placed};{ATM};{own}"]
    assert world.live() == ["LIMIT SELL 1 5010", "STOPMARKET SELL 1 4995"]
    world.let_pass(10)
    assert (len(world.paper.lines), world.states()) == (len(world.paper.lines), {"long": "Filled"})
    assert not [line for line in world.told if line.startswith("ALARM")]


def test_each_start_has_a_strategy_of_its_own_at_ninjatrader(world: World) -> None:
    for order_id in ("monday", "tuesday"):
        place(world.service, order_id)
        world.until_state(order_id, "Filled")
    assert len(set(strategy_ids(world))) == 2
    assert world.position() == 2


def test_a_bridge_that_is_killed_starts_no_strategy_twice(world: World) -> None:
    for steps in range(1, 7):
        world.let_pass(2)
        place(world.service, f"long-{steps}")
        for _ in range(steps):
            world.step()
        world.kill()
        world.start()
        world.until_state(f"long-{steps}", "Filled", "Rejected")
    filled = list(world.states().values()).count("Filled")
    assert (world.position(), len(strategy_ids(world)), len(set(strategy_ids(world)))) == (filled,) * 3
    assert filled


def test_a_file_that_is_not_taken_starts_no_strategy_later(world: World) -> None:
    world.paper.misbehaviour.leaves_files = True
    place(world.service)
    world.until_state("long", "Rejected")
    world.paper.misbehaviour.leaves_files = False
    world.let_pass(70)
    assert (world.position(), world.placed_lines()) == (0, [])


def test_a_template_that_ninjatrader_does_not_have_opens_nothing(world: World) -> None:
    assert world.service.services.templates.put(world.service.trader, Template("gone", ninjatrader=True))
    place(world.service, strategy="gone")
    world.let_pass(65)
    order = world.service.order("long")
    assert order is not None
    reason = "PLACE: Unable to load ATM strategy template from file 'templates/AtmStrategy/gone.xml'"
    assert order.unresolved == reason
    world.service.cancel("long")
    world.let_pass(80)
    order = world.service.order("long")
    assert order is not None
    assert str(order.unresolved).startswith(f"{reason}; then CANCEL: order with ID/Name 'oh")
    assert (world.position(), world.live()) == (0, [])


def test_its_entry_is_changed_and_cancelled_at_ninjatrader(world: World) -> None:
    place(world.service, order_type="LIMIT", limit_price=4900, tif="GTC")
    world.until_state("long", "Working")
    world.service.send("CHANGE", order_id="ENTRY1", strategy_id="s", limit_price=4910)
    world.until(lambda: world.live() == ["LIMIT BUY 1 4910"])
    world.until_state("long", "Working")
    world.service.send("CLOSESTRATEGY", strategy_id="s")
    world.until_state("long", "Cancelled")
    assert world.live() == []


def test_a_bridge_with_another_journal_can_cancel_its_entry(world: World, tmp_path: Path) -> None:
    place(world.service, order_type="LIMIT", limit_price=4900, tif="GTC")
    world.until_state("long", "Working")
    world.kill()
    for file in tmp_path.glob("journal.sqlite*"):
        file.unlink()
    world.start(take_over=True)
    world.let_pass(3)
    world.service.cancel("ENTRY1", strategy_id="s")
    world.until(lambda: world.live() == [])
    assert len(world.placed_lines()) == 1
