"""The table of results: every measure a ratio of two things measured in turns, in one run."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median, quantiles

from tests import machine
from tests.runtime import artifact

RESULTS = Path(__file__).with_name("RESULTS.md")
HEAD = ["Measure", "Beside", "To reach", "Measured", "n", "p50, p90, p99", "p50, p90, p99 of what is beside"]


@dataclass(frozen=True)
class Row:
    """One measure, and what it is held against; the samples are milliseconds, taken in turns."""

    measure: str
    beside: str
    to_reach: float
    ours: Sequence[float]
    theirs: Sequence[float]
    why_not: str = ""
    """What keeps it from being reached, where something does."""

    @property
    def ratio(self) -> float:
        """How many times the other's median ours is."""
        return median(self.ours) / median(self.theirs)

    @property
    def reached(self) -> bool:
        """Whether it is as good as it is to be."""
        return round(self.ratio, 2) <= self.to_reach

    def cells(self) -> list[str]:
        """Return the row of the table."""
        return [
            self.measure,
            self.beside,
            f"≤ {self.to_reach}",
            f"**{self.ratio:.2f}**" + ("" if self.reached else ", missed"),
            str(len(self.ours)),
            _percentiles(self.ours),
            _percentiles(self.theirs),
        ]


@dataclass(frozen=True)
class Fact:
    """One measure without chance in it."""

    measure: str
    beside: str
    to_reach: str
    measured: str
    reached: bool
    why_not: str = ""
    more: list[str] = field(default_factory=lambda: ["", "", ""])

    def cells(self) -> list[str]:
        """Return the row of the table."""
        return [
            self.measure,
            self.beside,
            self.to_reach,
            f"**{self.measured}**" + ("" if self.reached else ", missed"),
            *self.more,
        ]


def _percentiles(milliseconds: Sequence[float]) -> str:
    cuts = quantiles(milliseconds, n=100, method="inclusive")
    return ", ".join(f"{cuts[percent - 1]:.2f}" for percent in (50, 90, 99)) + " ms"


def table(rows: Iterable[Row | Fact]) -> str:
    """Render rows as Markdown."""
    lines = [HEAD, ["---"] * len(HEAD), *(row.cells() for row in rows)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def write(rows: Sequence[Row | Fact], engine: str) -> None:
    """Write the results to the repository, with what made them."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("botocore", "pydantic", "aws-lambda-powertools"))
    RESULTS.write_text(f"""\
# Results

Made by `make bench` on {datetime.now(UTC):%Y-%m-%d}. Every measure is a ratio of medians, of two things measured
in turns, in one run: the ratios can be compared from machine to machine, the milliseconds cannot.

{table(rows)}
{_missed(rows)}
## How

- Machine: {machine.described()}.
- The function: {packages}, on Python {artifact.python().minor},
  started by awslambdaric {version("awslambdaric")} behind the aws-lambda-rie of the SAM CLI.
- The table: {engine}.
- Cold start is the emulator's `INIT REPORT`. The client alone and the plain artifact bring the same packages, with
  nothing left out; the first is compiled as the artifact is, the second is not.
- First and second CANCEL are the emulator's own durations, without INIT. Each cancels an order; the first looks the
  key up besides, and opens the connection.
- A warm CANCEL is what the handler takes. Beside it stand the same requests with the same parameters, each for an
  order of its own, sent by the same client. Both run in the artifact, on the same Python.
""")


def _missed(rows: Iterable[Row | Fact]) -> str:
    reasons = [f"- **{row.measure}**, beside {row.beside}: {row.why_not}" for row in rows if not row.reached]
    return "\n".join(["", "## Not reached", "", *reasons, ""]) if reasons else ""
