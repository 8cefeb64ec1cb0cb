"""What integration tests share: the command line over the service's table, and a bridge."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

import reports
from bridge.link import Clock
from cli import connection
from cli.app import app
from tests import outgoing as outgoing_services
from tests.bridge_world import World
from tests.outgoing import Outgoing
from tests.service import Service
from tests.telling import Telling

Run = Callable[..., Result]


@pytest.fixture
def run(service: Service, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command on the service's table, for its trader unless another is named."""
    monkeypatch.setattr(connection, "connect", lambda _address, _environment: service.services)
    # Without a first time it follows this machine's: the monotonic clock stands still in these tests.
    monkeypatch.setattr(connection, "aws_clock", Clock())

    def run(*arguments: str) -> Result:
        trader = () if "--trader" in arguments else ("--trader", service.trader)
        return CliRunner().invoke(app, [*arguments, *trader, "--table", "any"])

    return run


@pytest.fixture
def world(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A bridge that is ready."""
    world = World(service, tmp_path, monkeypatch)
    world.start()
    world.until(lambda: world.link.owner().get("ready") is True)
    yield world
    world.kill()
    world.network.leave()


def be_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the command print to a terminal of 80 columns."""
    monkeypatch.setattr(Console, "is_terminal", property(lambda _: True))
    for name, value in {"COLUMNS": "80", "TERM": "dumb", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def outgoing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outgoing]:
    """Discord, Slack and Telegram, as the tests have them."""
    with outgoing_services.running(tmp_path, monkeypatch) as services:
        yield services


@pytest.fixture
def telling(service: Service, outgoing: Outgoing, monkeypatch: pytest.MonkeyPatch) -> Telling:  # noqa: ARG001  nothing reaches the real ones
    """The function that tells a trader, at a stack with a bridge that was heard, and a topic."""
    monkeypatch.setattr(reports, "settings", reports.settings._replace(venue_trader=service.trader))
    service.use_venue()
    return Telling.set_up(service, monkeypatch)
