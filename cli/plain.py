"""typer's commands as this project's: their help and their refusals say nothing in the words of Python."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

Command = TypeVar("Command", bound=Callable[..., Any])

_TYPE = re.compile(r" <[^<>]+>$")
"""What typer puts behind the name of an argument: `ID <str>`."""

_RANGE = r"(\d+<=)?x[<>]=\d+"
"""What it puts behind the help of a number: `[default: 50; x>=1]`."""

_REFUSALS = (
    (re.compile(r"^Value error, "), ""),
    (re.compile(r"^Input should be a valid integer\b.*"), "it is not a whole number."),
    (re.compile(r"^Input should be greater than or equal to (\d+)$"), r"the smallest is \1."),
    (re.compile(r"^Input should be less than or equal to (\d+)$"), r"the largest is \1."),
    # Whoever knows an outgoing webhook's may write to it.
    (re.compile(r"https?:[^\s')]+"), "a URL"),
)
"""How pydantic, which typer asks, refuses a value, and what is said instead; no refusal repeats a URL."""


class _Command(TyperCommand):
    def format_options(self, ctx: Any, formatter: Any) -> None:
        _format(self, ctx, formatter)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        with _plain_refusals():
            return super().parse_args(ctx, args)


class _Group(TyperGroup):
    def format_options(self, ctx: Any, formatter: Any) -> None:
        _format(self, ctx, formatter)
        self.format_commands(ctx, formatter)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        with _plain_refusals():
            return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        with _plain_refusals():
            return super().resolve_command(ctx, args)


class App(typer.Typer):
    """A family of commands."""

    def __init__(self, **options: Any) -> None:
        super().__init__(cls=_Group, **options)

    def command(self, name: str | None = None, **options: Any) -> Callable[[Command], Command]:
        """Add a command, as typer does."""
        return super().command(name, cls=_Command, **options)


def _format(command: TyperCommand | TyperGroup, ctx: Any, formatter: Any) -> None:
    """Write the arguments and the options, as typer does, without their types."""
    for kind in ("argument", "option"):
        params = [param for param in command.get_params(ctx) if param.param_type_name == kind]
        if rows := [record for param in params if (record := param.get_help_record(ctx))]:
            with formatter.section(f"{kind.title()}s"):
                formatter.write_dl([(_TYPE.sub("", name), _without_range(told)) for name, told in rows])


def _without_range(told: str) -> str:
    return re.sub(rf"  \[{_RANGE}]$", "", re.sub(rf"; {_RANGE}]$", "]", told))


@contextmanager
def _plain_refusals() -> Iterator[None]:
    try:
        yield
    except TyperException as refusal:
        for pattern, said in _REFUSALS:
            refusal.message = pattern.sub(said, refusal.message)
        raise
