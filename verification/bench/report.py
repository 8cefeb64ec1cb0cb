"""The table of results: every measure is a ratio of two things that were measured in turns, in one run."""

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
    """One measure, and what it is compared with; the samples are milliseconds, taken in turns."""

    measure: str
    beside: str
    to_reach: float
    ours: Sequence[float]
    theirs: Sequence[float]
    why_not: str = ""
    """What keeps the measure from its bound, where it is missed."""

    @property
    def ratio(self) -> float:
        """Our median divided by the other one."""
        return median(self.ours) / median(self.theirs)

    @property
    def reached(self) -> bool:
        """Whether the ratio is within its bound."""
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
    """One measure that does not vary from run to run."""

    measure: str
    beside: str
    to_reach: str
    measured: str
    reached: bool
    why_not: str = ""
    empty_cells: list[str] = field(default_factory=lambda: ["", "", ""])

    def cells(self) -> list[str]:
        """Return the row of the table."""
        return [
            self.measure,
            self.beside,
            self.to_reach,
            f"**{self.measured}**" + ("" if self.reached else ", missed"),
            *self.empty_cells,
        ]


def _percentiles(milliseconds: Sequence[float]) -> str:
    cuts = quantiles(milliseconds, n=100, method="inclusive")
    return ", ".join(f"{cuts[percent - 1]:.2f}" for percent in (50, 90, 99)) + " ms"


def table(rows: Iterable[Row | Fact]) -> str:
    """Render rows as Markdown."""
    lines = [HEAD, ["---"] * len(HEAD), *(row.cells() for row in rows)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def write(rows: Sequence[Row | Fact], engine: str) -> None:
    """Write the results to the repository, with the versions and the machine that they were measured on."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("boto3", "pydantic", "aws-lambda-powertools"))
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
- A cold start is the emulator's `INIT REPORT`. The bare client is a function that makes `boto3.client("dynamodb")` and
  nothing else, with its packages as pip installs them: compiled, and nothing pruned. The plain artifact has the same
  code and packages as the artifact, with nothing pruned and nothing compiled.
- A cold start also depends on luck. CPython keeps its stack in chunks, and imports that happen to run at the edge of
  one map memory again and again: at an unlucky depth of the stack, INIT of either function was a quarter longer.
- First and second CANCEL are the emulator's own durations, without INIT. Each cancels an order; the first also looks
  the key up and opens the connection.
- A warm CANCEL is the time in the handler. It is compared with the same requests with the same parameters, each for an
  order of its own, sent by the same client. Both run in the artifact, on the same Python.
- The way to NinjaTrader is from the call of the handler until a file is there, with the handler, the bridge and the
  queues (moto's, over HTTP) in a process each. Beside it, two threads send a message, receive it, list the open orders
  and write a file, through the same queue and to the same table.
""")


def _missed(rows: Iterable[Row | Fact]) -> str:
    reasons = [f"- **{row.measure}**, beside {row.beside}: {row.why_not}" for row in rows if not row.reached]
    return "\n".join(["", "## Not reached", "", *reasons, ""]) if reasons else ""
