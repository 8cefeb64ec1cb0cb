"""An alert on its whole way to NinjaTrader and back, through the real engine, journal, files, queues and table."""

import sqlite3
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from threading import Event as Signal
from typing import Any

import pytest

from bridge import operator_requests
from bridge.events import FlatConfirmed
from bridge.journal import JournalError
from bridge.run import Bridge
from orderhook.bridge_messages import Heartbeat, parse
from orderhook.store import items
from orderhook.store.table import serialize
from orderhook.venues import NINJATRADER
from tests import faults
from tests.bridge_world import World
from tests.marks import LONG

ES = {"account": "Sim101", "instrument": "ES 12-26"}
BRACKET: dict[str, Any] = {"take_profit": 5040, "stop_loss": 4960, "limit_price": None}


def is_ready(world: World) -> bool:
    return world.link.owner().get("ready") is True


def place(world: World, order_id: str = "long", **fields: object) -> None:
    """Place a MARKET order for one contract, of a strategy of its own."""
    bought = {"action": "BUY", "qty": 1, "order_type": "MARKET", "limit_price": None, "tif": "DAY", **ES}
    answer = world.service.place(order_id, **{**bought, "strategy_id": order_id, **fields})
    assert answer.body["status"] == "placed", answer.body


def have_bracket(world: World) -> None:
    """Have an order be filled, and its target and stop work."""
    place(world, **BRACKET)
    world.until(lambda: list(world.states().values()) == ["Filled", "Working", "Working"])


def test_an_order_is_filled_and_its_target_and_stop_work(world: World) -> None:
    have_bracket(world)
    assert world.states() == {"long": "Filled", "long.STOP1": "Working", "long.TARGET1": "Working"}
    assert world.live() == ["LIMIT SELL 1 5040", "STOPMARKET SELL 1 4960"]
    assert world.position() == 1
    order = world.service.order("long")
    assert order
    assert (order.filled, order.average) == (1, world.paper.executions[0].price)


def test_a_stop_is_cancelled_by_its_name_and_its_target_goes_on(world: World) -> None:
    have_bracket(world)
    assert world.service.cancel("STOP1", strategy_id="long").body["status"] == "cancel_pending"
    taken: set[str] = set()
    while len(taken) < 2 or world.live() != ["LIMIT SELL 1 5040"] or "Cancelled" not in world.states()["long.STOP1"]:
        world.step()
        taken.add(world.states()["long.TARGET1"])
    # NinjaTrader ends it with its stop, and it is placed again: to its trader it goes on.
    assert taken.isdisjoint({"CancelPending", "CancelSubmitted", "Cancelled"})
    world.until(lambda: world.states() == {"long": "Filled", "long.STOP1": "Cancelled", "long.TARGET1": "Working"})
    assert world.live() == ["LIMIT SELL 1 5040"]


def test_a_target_that_ends_with_its_cancelled_stop_can_be_cancelled_then(world: World) -> None:
    have_bracket(world)
    world.service.cancel("STOP1", strategy_id="long")
    world.until(lambda: world.states()["long.TARGET1"] != "Working")
    assert world.service.cancel("TARGET1", strategy_id="long").body["status"] == "cancel_pending"
    world.until(lambda: world.states()["long.TARGET1"] == "Cancelled")
    world.let_pass(5)
    assert world.live() == []


def test_a_target_is_replaced_by_another_price(world: World) -> None:
    have_bracket(world)
    changed = {"action": "SELL", "qty": 1, "order_type": "LIMIT", "limit_price": 5030, "tif": "GTC", **ES}
    answer = world.service.send("CANCELREPLACE", order_id="TARGET1", strategy_id="long", **changed)
    assert answer.body["status"] == "replace_pending"
    world.until(lambda: world.states()["long.TARGET1"] == "Working")
    assert world.live() == ["LIMIT SELL 1 5030", "STOPMARKET SELL 1 4960"]


def test_a_closed_strategy_has_nothing_at_the_venue_any_more(world: World) -> None:
    have_bracket(world)
    assert world.service.send("CLOSESTRATEGY", strategy_id="long").body["status"] == "accepted"
    world.until(lambda: not world.live())
    world.until(lambda: set(world.states().values()) == {"Filled", "Cancelled"})


def test_a_stop_that_fills_ends_its_target(world: World) -> None:
    have_bracket(world)
    world.paper.set_price("ES 12-26", "4950", world.at)
    world.until(lambda: world.states()["long.STOP1"] == "Filled")
    world.until(lambda: world.states()["long.TARGET1"] == "Cancelled")
    assert (world.position(), world.live()) == (0, [])


def test_without_a_bridge_what_opens_is_refused_and_a_cancel_waits_for_it(world: World) -> None:
    place(world, "resting", order_type="LIMIT", limit_price=4900, tif="GTC")
    world.until(lambda: world.states()["resting"] == "Working")
    world.stop()
    refused = world.service.place("late", **ES)
    assert (refused.status, refused.body["error"]) == (503, "venue_offline")
    assert world.service.cancel("resting").body["status"] == "cancel_pending"
    world.let_pass(5)
    assert world.live() == ["LIMIT BUY 1 4900"]
    world.start()
    world.until(lambda: world.states()["resting"] == "Cancelled")
    assert world.live() == []


def test_a_bridge_that_is_killed_at_any_moment_sends_nothing_twice(world: World) -> None:
    for steps in range(1, 9):
        world.let_pass(2)  # until it is ready again
        place(world, f"long-{steps}")
        for _ in range(steps):
            world.step()
        world.kill()
        world.start()
        # What NinjaTrader had not read yet was taken back: it never opens, and is Rejected.
        world.until_state(f"long-{steps}", "Filled", "Rejected")
    filled = list(world.states().values()).count("Filled")
    assert (world.position(), len(world.placed_lines())) == (filled, filled)
    assert filled > 3


@LONG
@pytest.mark.parametrize("steps", [0, 1, 2, 5])
def test_a_bridge_that_is_killed_while_it_protects_does_so_afterwards_or_closes(world: World, steps: int) -> None:
    place(world, **BRACKET)
    world.until(lambda: world.position() == 1)
    for _ in range(steps):
        world.step()
    world.kill()
    world.start()
    # A stop that NinjaTrader had not read was taken back, and is written again; a MARKET order that closes is not.
    world.until(lambda: world.position() == 0 or "STOPMARKET SELL 1 4960" in world.live())
    world.let_pass(5)
    assert (world.position() == 0) == (world.live() == [])
    ids = [line.split(";")[10] for line in world.placed_lines()]
    assert len(ids) == len(set(ids))


def test_without_a_network_a_fill_has_its_stop_and_is_reported_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    place(world, order_type="LIMIT", **{**BRACKET, "limit_price": 4990})
    world.until(lambda: world.states()["long"] == "Working")
    world.network.always = faults.refuse_connection
    monkeypatch.setattr(world.link, "wait", lambda _: False)  # the loop's thread does not wait for the doorbell
    world.paper.set_price("ES 12-26", "4985", world.at)
    world.let_pass(6)
    assert world.live() == ["LIMIT SELL 1 5040", "STOPMARKET SELL 1 4960"]
    assert world.states()["long"] == "Working"
    assert len([line for line in world.told if "There is no answer from the table" in line]) == 1
    world.network.always = faults.no_fault
    world.until(lambda: list(world.states().values()) == ["Filled", "Working", "Working"])
    assert "There is an answer from the table again." in world.told


@pytest.mark.parametrize("dies", [False, True])
def test_a_position_that_could_not_be_sent_is_known_later(
    world: World, monkeypatch: pytest.MonkeyPatch, *, dies: bool
) -> None:
    place(world, order_type="LIMIT", limit_price=4990)
    world.until(lambda: world.states()["long"] == "Working")
    world.network.always = faults.refuse_connection
    monkeypatch.setattr(world.link, "wait", lambda _: False)  # the loop's thread does not wait for the doorbell
    world.paper.set_price("ES 12-26", "4985", world.at)
    world.let_pass(6)
    assert positions(world) == []
    if dies:
        world.kill()
    world.network.always = faults.no_fault
    if dies:
        world.start()
    world.until(lambda: world.states()["long"] == "Filled")
    world.let_pass(1)
    assert (positions(world), is_ready(world)) == ([("ES 12-26", "LONG", 1)], True)


def positions(world: World) -> list[tuple[str, str, int]]:
    told = world.service.services.bridge.positions(world.service.trader)
    return [(it.instrument, it.side, it.quantity) for it in told]


def test_a_lost_doorbell_costs_five_seconds(world: World) -> None:
    world.let_pass(1)
    place(world)
    world.service.queue.rings.clear()
    placed_at = world.at
    world.until(lambda: world.position() == 1)
    assert (world.at - placed_at).total_seconds() < 7


def test_the_kill_switch_is_asked_by_the_bridge_too(world: World) -> None:
    place(world)
    world.service.turn("on")
    world.until(lambda: world.states()["long"] == "Rejected")
    assert world.placed_lines() == []


def test_a_second_bridge_writes_nothing_and_says_who_owns_the_stack(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = World(world.service, tmp_path / "other", monkeypatch, reports_of=world)
    other.at = world.at
    other.start()
    place(world, order_type="LIMIT", limit_price=4900, tif="GTC")
    for _ in range(50):
        world.step()
        other.at = world.at
        other.step()
    assert (other.paper.lines, world.states()["long"]) == ([], "Working")
    assert is_ready(world)
    assert "Ready: what opens is carried out" in world.told
    assert f"Not ready: the bridge with the journal {world.state.config.journal} owns the stack" in other.told
    other.kill()
    other.network.leave()


@LONG
def test_what_is_sent_twice_or_late_leaves_the_same_picture(world: World) -> None:
    for fault in (faults.lose_response, faults.lose_request, faults.cut_response, faults.throttle):
        world.network.inject("SendMessage", fault, fault, faults.no_fault, fault)
        place(world, f"long-{fault.name}")
        world.until_state(f"long-{fault.name}", "Filled")
    world.let_pass(15)
    assert world.journal
    assert world.journal.reports() == []
    assert set(world.states().values()) == {"Filled"}
    assert world.position() == 4


def test_a_journal_that_cannot_be_written_ends_the_bridge_before_anything_is_sent(world: World) -> None:
    place(world)
    assert world.journal
    world.journal.close()
    with pytest.raises(sqlite3.Error):
        world.until(lambda: world.position() == 1)
    assert world.placed_lines() == []
    world.kill()
    world.start()
    world.until(lambda: world.states()["long"] == "Filled")
    assert len(world.placed_lines()) == 1


def leave_file(world: World, tmp_path: Path) -> None:
    """Have a bridge die whose file NinjaTrader has not taken, and another run begin."""
    world.paper.misbehaviour.leaves_files = True
    place(world)
    world.until(lambda: list((tmp_path / "incoming").iterdir()))
    world.kill()
    world.start()


def test_what_an_earlier_run_has_left_is_taken_back_before_anything_else(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_file(world, tmp_path)
    world.network.always = faults.refuse_connection
    world.paper.misbehaviour.leaves_files = False
    monkeypatch.setattr(world.link, "wait", lambda _: False)  # the loop's thread does not wait for the doorbell
    world.turn()
    assert list((tmp_path / "incoming").iterdir()) == []
    world.network.always = faults.no_fault
    world.until(lambda: world.states()["long"] == "Rejected")
    assert (world.placed_lines(), world.position()) == ([], 0)


def test_a_folder_that_cannot_be_read_is_told_once_and_read_when_it_can(world: World, tmp_path: Path) -> None:
    (tmp_path / "outgoing").rename(tmp_path / "away")
    for _ in range(5):
        world.turn()
    assert len([line for line in world.told if "NinjaTrader's folder cannot be read" in line]) == 1
    (tmp_path / "away").rename(tmp_path / "outgoing")
    place(world)
    world.until(lambda: world.states()["long"] == "Filled")


def put_newer(world: World) -> None:
    """Have an order be open that only a newer version could read."""
    service = world.service
    newer = items.order_key(service.trader, "newer") | {
        "order_id": "newer",
        "open": "3#x#y#newer",
        "state": "Teleported",
    }
    item = serialize(newer | {"venue": NINJATRADER.name})
    service.table.client.put_item(TableName=service.table.name, Item=item)


def test_an_order_that_the_bridge_cannot_read_is_named_once_and_hides_no_other(world: World) -> None:
    service = world.service
    put_newer(world)
    world.service.output.take()
    world.let_pass(12)
    assert world.service.output.take().count('"BridgeAlarms":') == 1
    assert [line for line in world.told if "unreadable" in line] == [
        "ALARM unreadable: newer cannot be read by this version of the bridge; install the stack's."
    ]
    service.table.client.delete_item(
        TableName=service.table.name, Key=serialize(items.order_key(service.trader, "newer"))
    )
    place(world)
    world.until(lambda: world.service.order("long") is not None and world.position() == 1)


def test_a_position_that_nobody_knows_is_flat_when_a_person_says_so(world: World) -> None:
    place(world)
    world.until(lambda: positions(world) == [("ES 12-26", "LONG", 1)])
    world.paper.stop()
    world.until(lambda: positions(world) == [("ES 12-26", "UNKNOWN", 0)])
    operator_requests.ask(world.asked_in, FlatConfirmed("Sim102"))
    world.let_pass(1)
    assert positions(world) == [("ES 12-26", "UNKNOWN", 0)]
    operator_requests.ask(world.asked_in, FlatConfirmed("sim101"))
    world.until(lambda: positions(world) == [("ES 12-26", "FLAT", 0)])


def test_a_position_that_is_open_by_its_file_stays_and_the_person_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    place(world)
    world.until(lambda: positions(world) == [("ES 12-26", "LONG", 1)])
    monkeypatch.setattr("bridge.operator_requests.time.sleep", lambda _: world.let_pass(1))
    assert operator_requests.ask_and_wait(world.asked_in, FlatConfirmed("sim101")) == ["LONG 1 ES 12-26"]
    assert operator_requests.ask_and_wait(world.asked_in, FlatConfirmed("Sim102")) == []
    assert positions(world) == [("ES 12-26", "LONG", 1)]
    assert list(world.asked_in.iterdir()) == []


def test_what_was_asked_of_an_earlier_run_is_forgotten(world: World) -> None:
    operator_requests.ask(world.asked_in, FlatConfirmed("Sim101"))
    world.kill()
    world.start()
    world.step()
    assert list(operator_requests.take(world.asked_in)) == []  # it is not what one sees now


def test_the_doorbell_has_the_bridge_look_at_once(world: World) -> None:
    world.let_pass(0.5)
    for number in range(3):
        world.let_pass(1 + number)
        place(world, f"long-{number}")
        placed_at = world.at
        while world.position() == number:
            world.step()
        assert (world.at - placed_at).total_seconds() <= 1


def test_what_a_dead_bridge_has_left_in_the_folder_is_taken_back_first_of_all(world: World, tmp_path: Path) -> None:
    leave_file(world, tmp_path)
    world.turn()
    assert not [file for file in (tmp_path / "incoming").iterdir() if "_c1" not in file.name]
    world.paper.misbehaviour.leaves_files = False
    world.until(lambda: world.states()["long"] == "Rejected")
    assert (world.placed_lines(), world.position()) == ([], 0)


def test_a_stop_that_a_start_takes_back_stands_within_a_second(world: World, tmp_path: Path) -> None:
    place(world, **BRACKET)
    world.until(lambda: world.position() == 1)
    world.paper.misbehaviour.leaves_files = True
    world.until(lambda: list((tmp_path / "incoming").iterdir()))
    world.let_pass(0.5)
    world.kill()
    world.paper.misbehaviour.leaves_files = False
    started_at = world.at
    world.start()
    world.turn()
    world.until(lambda: "STOPMARKET SELL 1 4960" in world.live())
    assert (world.at - started_at).total_seconds() <= 1
    world.until(lambda: list(world.states().values()) == ["Filled", "Working", "Working"])
    assert len(world.placed_lines()) == 3


def test_a_file_that_is_held_at_the_start_is_moved_out_as_soon_as_it_can(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_file(world, tmp_path)
    with monkeypatch.context() as held:
        held.setattr("bridge.ninjatrader.os.replace", refuse_to_move)
        world.turn()
    [left] = [file.name for file in (tmp_path / "incoming").iterdir() if "_c1" not in file.name]
    world.turn()
    assert not (tmp_path / "incoming" / left).exists()


def refuse_to_move(*_: object) -> None:
    """Refuse to move a file that another program has open."""
    raise PermissionError(13, "The process cannot access the file because it is being used by another process")


def test_a_stack_is_taken_over_once_and_its_owner_then_writes_nothing(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = World(world.service, tmp_path / "other", monkeypatch, reports_of=world)
    other.at = world.at
    other.start(take_over=True)
    for _ in range(40):
        other.at = world.at
        world.step()
        other.step()
    assert other.link.owner()["journal"] == other.state.config.journal
    assert not other.state.config.take_over
    read = len(world.paper.lines)
    place(other)
    for _ in range(50):
        other.at = world.at
        world.step()
        other.step()
    assert (len(world.paper.lines), other.position()) == (read, 1)
    other.kill()
    other.network.leave()


def test_a_person_who_cannot_be_told_keeps_no_order_from_its_stop(world: World) -> None:
    world.kill()
    world.told = Deaf()
    world.start()
    world.paper.misbehaviour.rejects_stops = True
    place(world, **BRACKET)
    world.until(lambda: "Filled" in world.states().values() and world.position() == 0)


class Deaf(list[str]):
    """One who cannot be told anything."""

    def append(self, line: str, /) -> None:
        raise UnicodeEncodeError("charmap", line, 0, 1, "character maps to <undefined>")


@pytest.mark.parametrize("record", [{"memory/": {"began": "2026-11-28T00:00:00Z", "newer": 1}}, {"newer/1": {}}])
def test_the_journal_of_a_newer_version_is_refused_with_what_to_do(world: World, record: dict[str, object]) -> None:
    assert world.journal
    world.journal.save(record)
    world.kill()
    world.start()
    with pytest.raises(JournalError, match="Install that one again"):
        world.let_pass(1)


def test_what_a_bridge_could_not_tell_yet_is_told_in_its_goodbye(world: World) -> None:
    put_newer(world)
    world.network.inject("SendMessage", *[faults.refuse_connection] * 100)
    world.let_pass(6)
    assert any("unreadable" in line for line in world.told)
    world.network.inject("SendMessage")
    world.service.output.take()
    world.stop()
    assert "BridgeAlarms" in world.service.output.take()
    assert not is_ready(world)


def test_the_goodbye_goes_after_the_heartbeat_that_is_being_sent(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[bool] = []
    is_sending, goes_on = Signal(), Signal()

    def send(text: str) -> None:
        what = parse(text).what
        if isinstance(what, Heartbeat):
            if what.ready:
                is_sending.set()
                goes_on.wait(60)
            sent.append(what.ready)

    def wait_for(requests: Iterable[Future[object]]) -> None:
        goes_on.set()
        wait(requests)

    monkeypatch.setattr("bridge.lane.wait", wait_for)
    world.kill()
    with ThreadPoolExecutor(2) as background:
        bridge: list[Bridge] = []

        def make(*parts: Any, **options: Any) -> Bridge:
            bridge.append(Bridge(*parts, **options | {"background": background}))
            return bridge[0]

        monkeypatch.setattr(world, "make_bridge", make)
        world.start()
        monkeypatch.setattr(world.link, "send", send)
        while not is_sending.wait(0.01):
            world.step()
        bridge[0].say_goodbye()
        goes_on.set()
    assert sent[-2:] == [True, False]
