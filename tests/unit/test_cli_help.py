"""The help of every command: short lines, examples that work, and the exit codes, which the documents have too."""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cli.app import app
from cli.terminal import EXIT_CODES

OPERATE = Path(__file__).parents[2] / "docs" / "operate.md"


def commands() -> Iterator[str]:
    """Yield every command, and every family of commands, as it is typed."""
    yield ""
    yield from (command.name or command.callback.__name__ for command in app.registered_commands if command.callback)
    for group in app.registered_groups:
        assert isinstance(group.typer_instance, typer.Typer)
        yield str(group.name)
        for command in group.typer_instance.registered_commands:
            yield f"{group.name} {command.name}"


COMMANDS = list(commands())


@cache
def help_of(command: str) -> str:
    result = CliRunner().invoke(app, [*command.split(), "-h"], env={"COLUMNS": "80"}, terminal_width=80)
    assert result.exit_code == 0
    return result.stdout


def examples() -> list[tuple[str, str]]:
    """Return every example with the command whose help it stands in."""
    return [
        (command, line.strip())
        for command in COMMANDS
        for line in help_of(command).partition("Examples:\n")[2].partition("\n\n")[0].splitlines()
    ]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_80_columns_and_has_no_words_of_a_machine(command: str) -> None:
    text = help_of(command)
    assert max(map(len, text.splitlines())) <= 80
    assert not re.search(r"<\w+>|[<>]=|\[]", text)
    assert "..." not in text.partition("Commands:")[2].partition("Examples:")[0]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_has_examples_of_its_own_command(command: str) -> None:
    assert [line for where, line in examples() if where == command and f"orderhook {command}".rstrip() in line]


@pytest.mark.parametrize(("command", "line"), examples(), ids=str)
def test_an_example_is_a_command_that_there_is(command: str, line: str) -> None:
    del command
    words = shlex.split(re.sub(r" > .*|^.* \| ", "", line))
    assert words[0] == "orderhook"
    # All words are parsed before --help is heeded: an option that is not there is an error.
    result = CliRunner().invoke(app, [*words[1:], "--help"])
    assert result.exit_code == 0, result.output


def test_the_exit_codes_are_those_of_the_help_and_of_the_operators_page() -> None:
    page = OPERATE.read_text(encoding="utf-8")
    documented = dict(re.findall(r"^\| (\d) \| (.+) \|$", page.partition("| Exit code |")[2], re.M))
    assert documented == {str(code): meaning for code, meaning in EXIT_CODES.items()}
    for code, meaning in EXIT_CODES.items():
        assert f"{code}  {meaning}" in help_of("")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["kill-switch", "maybe"], "Invalid value for 'TURN': 'maybe' is not one of 'on', 'off'."),
        (["serve", "--port", "x"], "Invalid value for '--port': it is not a whole number."),
        (["serve", "--port", "65536"], "Invalid value for '--port': the largest is 65535."),
        (["alerts", "--limit", "0"], "Invalid value for '--limit': the smallest is 1."),
    ],
)
def test_a_value_that_cannot_be_is_refused_in_plain_words(arguments: list[str], says: str) -> None:
    assert f"Error: {says}\n" in CliRunner().invoke(app, arguments).output


def test_a_usage_error_has_the_exit_code_of_one() -> None:
    for arguments in (
        ["nothing"],
        ["orders", "--nothing"],
        ["send"],
        ["kill-switch", "off", "--lock"],
        ["keys", "list", "--csv", "--json"],
    ):
        assert CliRunner().invoke(app, arguments).exit_code == 2
