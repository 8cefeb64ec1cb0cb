"""The README's commands exist as it writes them."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.app import app
from orderhook.commands import COMMANDS
from orderhook.responses import STATUS_AND_CODE

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
LINES = [line for block in re.findall(r"^```sh\n(.*?)^```", README, re.M | re.S) for line in block.splitlines()]
ORDERHOOK = [line for line in LINES if line.startswith("orderhook ")]
MAKE = sorted(set(re.findall(r"\bmake ([a-z-]+)", "\n".join(LINES) + "\n".join(re.findall(r"`[^`\n]+`", README)))))


@pytest.mark.parametrize("line", ORDERHOOK)
def test_the_command_takes_these_options(line: str) -> None:
    # All words are parsed before --help is heeded: an option that is not there is an error.
    result = CliRunner().invoke(app, [*shlex.split(line)[1:], "--help"])
    assert result.exit_code == 0, result.output


def test_an_option_that_is_not_there_is_noticed() -> None:
    assert CliRunner().invoke(app, ["orders", "--no-such-option", "--help"]).exit_code == 2


@pytest.mark.parametrize("target", MAKE)
def test_the_makefile_has_the_target(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.M)


@pytest.mark.parametrize("path", re.findall(r"\]\(([a-zA-Z/.]+\.md)\)", README))
def test_what_it_links_to_is_there(path: str) -> None:
    assert (ROOT / path).is_file()


def test_it_lists_every_command_and_every_code() -> None:
    assert len(ORDERHOOK) >= 8
    for word in COMMANDS:
        assert f"| {word} |" in README
    for _, code in STATUS_AND_CODE.values():
        assert f"`{code}`" in README
