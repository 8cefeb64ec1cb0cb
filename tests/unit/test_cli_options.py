"""The options of the `orderhook` command: those that commands share, and its own."""

from datetime import UTC
from importlib.metadata import version

import pytest
import typer
from typer.testing import CliRunner

from cli.app import app
from cli.options import TableOptions, takes_table_options
from cli.terminal import shown_zone

runner = CliRunner()


@pytest.fixture
def received() -> list[tuple[TableOptions, int, str]]:
    return []


@pytest.fixture
def command(received: list[tuple[TableOptions, int, str]]) -> typer.Typer:
    """A command with an argument and an option of its own."""
    command = typer.Typer()

    @command.command()
    @takes_table_options(without=["stack"])
    def run(options: TableOptions, number: int, word: str = "none") -> None:
        """Do something."""
        received.append((options, number, word))

    return command


def test_a_command_gets_the_shared_options_beside_its_own(
    command: typer.Typer, received: list[tuple[TableOptions, int, str]]
) -> None:
    arguments = "7 --word some --trader t --table a --endpoint-url http://x --json".split()
    assert runner.invoke(command, arguments).exit_code == 0
    assert received == [(TableOptions("t", "a", None, "http://x", as_json=True), 7, "some")]


def test_shared_options_have_defaults(command: typer.Typer, received: list[tuple[TableOptions, int, str]]) -> None:
    assert runner.invoke(command, ["7"]).exit_code == 0
    assert received == [(TableOptions(trader="main"), 7, "none")]


def test_what_an_option_names_is_where_the_table_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERHOOK_PORT", "3104")
    with TableOptions().address() as address:
        assert address.endpoint == "http://127.0.0.1:3104"
    with TableOptions(port=3105).address() as address:
        assert address.endpoint == "http://127.0.0.1:3105"


@pytest.mark.usefixtures("in_new_york")
def test_local_has_times_shown_and_read_in_the_zone_of_this_machine(
    command: typer.Typer, received: list[tuple[TableOptions, int, str]]
) -> None:
    zones = []
    command.registered_commands[0].callback = takes_table_options()(lambda *_: zones.append(shown_zone()))
    assert runner.invoke(command, ["--local"]).exit_code == 0
    assert runner.invoke(command, []).exit_code == 0
    assert (zones, received) == ([None, UTC], [])


def test_a_command_does_not_take_an_option_that_it_leaves_out(command: typer.Typer) -> None:
    assert runner.invoke(command, ["7", "--stack", "s"]).exit_code == 2


def test_help_shows_the_command_and_every_option(command: typer.Typer) -> None:
    text = runner.invoke(command, ["--help"]).stdout
    assert "Do something." in text
    for option in ("--word", "--trader", "--table", "--endpoint-url", "--json"):
        assert option in text


@pytest.mark.parametrize("arguments", [["-h"], ["orders", "-h"], ["alerts", "show", "-h"]], ids=" ".join)
def test_h_is_short_for_help(arguments: list[str]) -> None:
    result = runner.invoke(app, arguments)
    assert result.exit_code == 0
    assert "Usage:" in result.stdout


def test_version_shows_the_version() -> None:
    result = runner.invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"orderhook {version('orderhook')}\n")
