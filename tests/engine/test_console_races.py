"""The console pressed by several at a time, over real HTTP and the real engine: what it says is done once."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import partial
from threading import Barrier
from typing import TypeVar

import pytest

from cli.aws import console_door
from orderhook.bridge_messages import PositionReport
from orderhook.console import app
from orderhook.console.visit import Deployment
from orderhook.grants import Grant
from orderhook.orders import timestamp
from orderhook.store.sessions import TableSessions
from tests.builders import ENTRY
from tests.console_client import SAME_ORIGIN, LocalDoor, Page, form, sign_in
from tests.service import Service

ROUNDS = 4
PATIENCE_SECONDS = 60.0
Result = TypeVar("Result")


def at_once(*actions: Callable[[], Result]) -> list[Result]:
    """Have all begin at the same moment, each in a thread of its own, and return what they return."""
    barrier = Barrier(len(actions))

    def begin(action: Callable[[], Result]) -> Result:
        barrier.wait(timeout=60)
        return action()

    with ThreadPoolExecutor(len(actions)) as threads:
        return list(threads.map(begin, actions))


@pytest.fixture
def venue(service: Service) -> None:
    service.use_venue()


@pytest.fixture
def door(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalDoor]:
    service.clock.run()
    service.set_budget(PATIENCE_SECONDS)  # a busy machine is not a slow table
    monkeypatch.setattr(app, "BUDGET_SECONDS", PATIENCE_SECONDS)
    with console_door.running(service.handlers_services, Deployment("demo"), nullcontext()) as running:
        yield LocalDoor(running)


def browsers(door: LocalDoor, service: Service, count: int) -> Sequence[str]:
    """Return the cookies of browsers that are signed in."""
    return [sign_in(door, Grant(service.trader)) for _ in range(count)]


def post(door: LocalDoor, cookie: str, path: str, **fields: str) -> Page:
    return door.send("POST", path, {**SAME_ORIGIN, "Cookie": cookie}, form(**fields))


def place(door: LocalDoor, cookie: str, once: str) -> Page:
    fields = {name: str(value) for name, value in ENTRY.items()}
    return post(door, cookie, "/console/trade/send", **fields, command="PLACE", once=once)


def outcomes(service: Service) -> Counter[str]:
    """Return what the records of the trader's alerts say."""
    records = service.alerts.newest(service.trader)
    return Counter(record.outcome for record in records if record.outcome != "signed_in")


def test_a_form_that_comes_twice_at_once_is_carried_out_once(service: Service, door: LocalDoor) -> None:
    cookies = browsers(door, service, 2)
    for number in range(ROUNDS):
        answers = at_once(*(partial(place, door, cookie, f"{number:032x}") for cookie in (*cookies, *cookies)))
        assert {answer.status for answer in answers} <= {200, 303}
        assert len(service.placed()) == number + 1
        assert outcomes(service) == {"placed": number + 1}


def test_a_code_that_ten_redeem_at_once_opens_one_session(service: Service, door: LocalDoor) -> None:
    for _ in range(ROUNDS):
        code = door.code(Grant(service.trader))
        answers = at_once(*10 * [lambda: door.send("POST", "/console/login", SAME_ORIGIN, form(code=code))])  # noqa: B023
        assert Counter(answer.status for answer in answers) == {303: 1, 403: 9}


def test_a_code_of_a_stack_that_ten_redeem_at_once_opens_one_session(service: Service) -> None:
    service.clock.run()
    now = datetime.now(UTC)
    for _ in range(ROUNDS):
        code = TableSessions(service.services.table).issue_code(Grant(service.trader), now)
        table = service.handlers_services.table
        tokens = at_once(*10 * [lambda: TableSessions(table).redeem(code, now)])  # noqa: B023
        assert sum(token is not None for token in tokens) == 1


def test_what_is_placed_beside_stop_was_checked_before_it_or_is_refused(service: Service, door: LocalDoor) -> None:
    stopper, placer = browsers(door, service, 2)
    for number in range(ROUNDS):
        service.turn("off")
        places = [partial(place, door, placer, f"{number:016x}{at:016x}") for at in range(6)]
        stop, *_ = at_once(partial(post, door, stopper, "/console/stop"), *places)
        assert (stop.status, stop.headers["location"]) == (303, "/console/stop")
        assert service.controls.kill_switch(service.trader).on
        found = outcomes(service)
        assert found["placed"] == len(service.placed())
        assert found["placed"] + found["kill_switch_on"] == 8 * number + 7  # Stop says so too, and the PLACE after it
        place(door, placer, f"{number:016x}{99:016x}")
        assert outcomes(service)["placed"] == found["placed"]


@pytest.mark.usefixtures("venue")
def test_of_several_that_turn_a_position_over_at_once_one_does(service: Service, door: LocalDoor) -> None:
    cookies = browsers(door, service, 3)
    for number in range(ROUNDS):
        at, instrument = timestamp(datetime.now(UTC)), f"ES {3 * (number % 4 + 1):02d}-27"
        service.services.bridge.put_position(service.trader, PositionReport("Sim101", instrument, "LONG", 3, None, at))
        fields = {"command": "REVERSE", "account": "Sim101", "instrument": instrument, "seen": "LONG 3"}
        turns = [
            partial(post, door, it, "/console/trade/send", **fields, once=f"{once:032x}")
            for once, it in enumerate(cookies, 9 * number)
        ]
        assert Counter(answer.status for answer in at_once(*turns)) == {303: 1, 200: 2}
        assert outcomes(service) == {"accepted": number + 1}


def test_start_beside_stop_leaves_one_of_them_and_each_is_recorded(service: Service, door: LocalDoor) -> None:
    stopper, starter = browsers(door, service, 2)
    for number in range(ROUNDS):
        service.turn("on")
        before, since = outcomes(service), str(service.controls.kill_switch(service.trader).since)
        stop, start = at_once(
            partial(post, door, stopper, "/console/stop"),
            partial(post, door, starter, "/console/start", word="START", since=since, once=f"{number:032x}"),
        )
        assert (stop.status, start.status) == (303, 303)
        switch = service.controls.kill_switch(service.trader)
        assert (outcomes(service) - before).total() == 2
        last = service.alerts.get(service.trader, str(switch.request_id))
        assert last is not None
        assert dict(last.fields) == {"kill_switch": "on" if switch.on else "off"}
