"""Play the whole loop on DynamoDB Local, or moto where that cannot run, and see that its defects are noticed.

python -m verification.venue.whole 7 12               seeds 7 to 12, on moto; what was done where something is found
python -m verification.venue.whole 7 12 positions     the same of a trader who acts on positions
"""

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.engine import dynamodb_local
from verification.processes import CORES, captured, results
from verification.report import Part, counts

if TYPE_CHECKING:
    from tests.queues import Queue
    from tests.tables import Table
    from verification.venue.loop import Loop
    from verification.venue.loop_defects import Seeded

ORDERS, POSITIONS = "the whole loop", "positions"
"""What the trader does: orders alone, or what acts on positions besides."""

ROUNDS = 2
"""Of chances, each with a quiet point after it, in a run: few, for the table grows."""

TRIES = 12
"""How many runs a seeded defect has at most to be noticed in."""


def run(*, steps: int, seed: int, of: str = ORDERS) -> Part:
    """Have every core take its share of the steps, and of the defects."""
    started = time.monotonic()
    names = list(_seeded(of))
    on_engine = dynamodb_local.missing() is None
    if on_engine:
        dynamodb_local.fetch()  # once, before several processes want it
    shares = [
        {
            "steps": -(-steps // CORES),
            "seed": seed * 100_000 + number * 10_000,
            "defects": names[number::CORES],
            "on_engine": on_engine,
            "of": of,
        }
        for number in range(CORES)
    ]
    found = results("verification.venue.whole:work", shares)
    tally = sum((counted for counted, _, _ in found), Counter[str]())
    findings = [finding for _, share, _ in found for finding in share]
    missed = [f"a seeded defect was not noticed: {name}" for _, _, share in found for name in share]
    seconds = time.monotonic() - started
    taken, runs = tally.pop("steps"), tally.pop("runs")
    lines = [
        f"{taken:,} steps of the engine in {runs} runs of the whole loop, {taken / seconds:.0f} a second in {CORES} "
        f"processes: webhook, {'DynamoDB Local' if on_engine else 'moto'}, SQS on moto, link, journal, folder, "
        f"stand-in, reports. Seed {seed}.",
        f"{len(names)} defects seeded, {len(names) - len(missed)} noticed.",
        f"Alerts: {counts(tally)}.",
    ]
    return Part(f"Venue, {of}", lines, [*findings, *missed][:20], len(findings) + len(missed), seconds)


def work(
    steps: int, seed: int, defects: Sequence[str], *, on_engine: bool, of: str = ORDERS
) -> tuple[Counter[str], list[str], list[str]]:
    """Take the steps of one process, which has a table of its own.

    Returns the tally, what was found, and the defects that were not noticed.
    """
    import tests.environment  # noqa: F401
    from tests import queues, tables

    tally: Counter[str] = Counter()
    findings: list[str] = []
    with (
        dynamodb_local.running() if on_engine else nullcontext() as endpoint,
        nullcontext(tables.at(endpoint)) if endpoint else tables.in_process() as table,
        queues.in_process() as queue,
    ):
        while tally["steps"] < steps:
            played = play(table, queue, seed + tally["runs"], of=of)
            tally += Counter(played.trader.answers) + Counter(steps=played.steps)
            findings += [f"seed {seed + tally['runs']}: {finding}" for finding in played.judge.findings]
            tally["runs"] += 1
        missed = [name for name in defects if noticed(name, table, queue, of=of) is None]
    return tally, findings, missed


def play(
    table: "Table", queue: "Queue", seed: int, troubles: Sequence[str] | None = None, *, of: str = ORDERS
) -> "Loop":
    """Play one run, until something is found."""
    from tests.output import Output
    from tests.service import Service
    from verification.venue.loop import Loop, PositionsLoop

    loop_type = Loop if of == ORDERS else PositionsLoop
    possible = loop_type.may_befall if troubles is None else troubles
    with captured() as (take, patch), tempfile.TemporaryDirectory() as folder:
        service = Service(table, queue, Output(take, patch), patch)
        loop = loop_type(service, Path(folder), patch, seed=seed, troubles=possible)
        try:
            for _ in range(ROUNDS):
                if not loop.judge.findings:
                    loop.round()
        finally:
            loop.kill()
            loop.network.leave()
            service.clear_away()
    return loop


def noticed(name: str, table: "Table", queue: "Queue", tries: int = TRIES, *, of: str = ORDERS) -> str | None:
    """Return what the first run finds that notices a defect; a bridge that fails has noticed it, too.

    Where it is known how the defect shows, nothing else counts.
    """
    from verification.venue import position_trader, trader

    defect, troubles, shows, habits = _seeded(of)[name]
    with pytest.MonkeyPatch.context() as patch:
        defect(patch)
        for habit, number in habits.items():
            habits_of = trader.HABITS if habit in trader.HABITS else position_trader.POSITION_HABITS
            patch.setitem(habits_of, habit, number)
        for seed in range(1, tries + 1):
            try:
                findings = play(table, queue, seed, troubles, of=of).judge.findings
            except Exception as error:
                if shows:
                    continue
                return f"{type(error).__name__}: {error}"
            if found := next((it for it in findings if shows in it), None):
                return f"seed {seed}: {found}"
    return None


def _seeded(of: str) -> "Mapping[str, Seeded]":
    from verification.venue import loop_defects, position_defects

    seeded = loop_defects.SEEDED if of == ORDERS else position_defects.SEEDED
    return {it.defect.__name__: it for it in seeded}


def _show(first: int, last: int, of: str) -> None:
    import tests.environment  # noqa: F401
    from tests import queues, tables

    with tables.in_process() as table, queues.in_process() as queue:
        for seed in range(first, last + 1):
            played = play(table, queue, seed, of=of)
            if played.judge.findings:
                sys.stdout.write("\n".join([*played.trail, f"seed {seed}", *played.judge.findings, ""]))


if __name__ == "__main__":
    _show(int(sys.argv[1]), int(sys.argv[2]), POSITIONS if POSITIONS in sys.argv[3:] else ORDERS)
