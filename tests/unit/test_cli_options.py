"""The options of the `orderhook` command: those that commands share, and its own."""

from importlib.metadata import version

import pytest
import typer
from typer.testing import CliRunner

from cli.app import app
from cli.options import TableOptions, takes_table_options

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


def test_an_endpoint_may_come_from_the_environment(
    command: typer.Typer, received: list[tuple[TableOptions, int, str]]
) -> None:
    runner.invoke(command, ["7"], env={"AWS_ENDPOINT_URL": "http://all", "AWS_ENDPOINT_URL_DYNAMODB": "http://x"})
    assert received[0][0].endpoint_url == "http://x"


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
