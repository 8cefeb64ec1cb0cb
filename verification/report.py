"""What was proved: printed, and kept in RESULTS.md."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tests import machine

RESULTS = Path(__file__).with_name("RESULTS.md")


@dataclass(frozen=True)
class Part:
    """What one part did, and what it found."""

    name: str
    lines: Sequence[str]
    shown: Sequence[str]
    """Findings, as many as help."""
    findings: int
    seconds: float

    def __str__(self) -> str:
        lines = [f"- {line}" for line in self.lines]
        found = ["", *("```", *self.shown, "```")] if self.shown else []
        verdict = f"**{self.findings} findings**" if self.findings else "Nothing was found"
        return "\n".join([f"## {self.name}", "", f"{verdict}, in {self.seconds / 60:.1f} minutes.", "", *lines, *found])


def counts(counter: Counter[str]) -> str:
    """Render a counter in one line, the most common first."""
    return ", ".join(f"{name} {count:,}" for name, count in counter.most_common()) or "none"


def write(part: Part, command: str) -> None:
    """Write the results of a part to the repository, with what made them, in the place of its earlier ones."""
    names = ("botocore", "pydantic", "aws-lambda-powertools", "hypothesis", "moto")
    packages = ", ".join(f"{name} {version(name)}" for name in names)
    heading, _, text = str(part).partition("\n")
    made = f"Made by `{command}` on {datetime.now(UTC):%Y-%m-%d}, on {machine.described()}, with {packages}."
    introduction, *sections = re.split(r"^(?=## )", RESULTS.read_text(), flags=re.MULTILINE)
    kept = {section.partition("\n")[0]: section.rstrip() for section in sections}
    RESULTS.write_text(
        "\n\n".join([introduction.rstrip(), *(kept | {heading: f"{heading}\n\n{made}\n{text}"}).values()]) + "\n"
    )
