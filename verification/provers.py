"""Prove the provers: seed each defect into the running functions, and see that who watches for it notices.

A defect that nobody notices is a finding: what the other parts then do not find may be there all the same.
"""

import os
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stderr

import pytest
from hypothesis import Phase
from hypothesis.errors import Flaky

from tests.engine import dynamodb_local
from tests.output import Output
from tests.service import Service
from verification import console_defects
from verification.defects import OF_MORE_COMMANDS, OF_READING, SEEDED, STEP_BY_STEP
from verification.processes import CORES, captured, results
from verification.races import venue_defects
from verification.report import Part

RUNS, STEPS = 300, 30
"""Of the model, at most, until it notices."""
ROUNDS = 6
"""Of the races, at most."""
EXAMPLES = 20
"""Of the fuzzing, at most."""

BODIES = (
    b'{"key": "KEY", "command": "CANCEL", "order_id": "order-1", "qty": null}',
    b'{"key": "KEY", "command": "CANCEL", "order_id": "order-1", "KEY": "1"}',
)
"""What its payloads are derived from."""

Seeded = tuple[str, str]
"""A prover, and the name of a defect that it has to notice."""

TO_NOTICE: tuple[Seeded, ...] = (
    *(("races", defect.__name__) for defect in (*SEEDED, *OF_MORE_COMMANDS)),
    *(("races at a venue", defect.__name__) for defect in venue_defects.SEEDED),
    *(("model", defect.__name__) for defect in STEP_BY_STEP),
    *(("fuzzing", defect.__name__) for defect, _ in OF_READING),
    *(("fuzzing of the console", defect.__name__) for defect, _ in console_defects.SEEDED),
)


def run(*, seed: int) -> Part:
    """Have every core seed its share of the defects."""
    started = time.monotonic()
    missing = dynamodb_local.missing()
    to_notice = [seeded for seeded in TO_NOTICE if not (missing and seeded[0].startswith("races"))]
    with nullcontext() if missing else dynamodb_local.running() as endpoint:
        shares = [
            {"to_notice": to_notice[number::CORES], "seed": seed, "endpoint": endpoint} for number in range(CORES)
        ]
        unnoticed = [seeded for share in results("verification.provers:work", shares) for seeded in share]
    watched = Counter(prover for prover, _ in to_notice)
    lines = [
        f"{number} defects seeded for the {prover}, {number - sum(it[0] == prover for it in unnoticed)} noticed."
        for prover, number in watched.items()
    ]
    shown = [f"the {prover} did not notice {defect}" for prover, defect in unnoticed]
    return Part("Provers", lines, shown, len(unnoticed), time.monotonic() - started)


def work(to_notice: Sequence[Seeded], seed: int, endpoint: str | None) -> list[Seeded]:
    """Seed these defects, one after the other, and return those that were not noticed."""
    from tests import queues, tables

    unnoticed = []
    with queues.in_process() as queue:
        for prover, defect in to_notice:
            on_engine = endpoint and prover.startswith("races")
            with (
                captured() as (take, monkeypatch),
                nullcontext(tables.at(str(endpoint))) if on_engine else tables.in_process() as table,
            ):
                service = Service(table, queue, Output(take, monkeypatch), monkeypatch)
                if not _notices(prover, defect, service, monkeypatch, seed):
                    unnoticed.append((prover, defect))
                service.clear_away()
    return unnoticed


def _notices(prover: str, defect: str, service: Service, monkeypatch: pytest.MonkeyPatch, seed: int) -> bool:
    races = {"races": _races_notice, "races at a venue": _races_at_venue_notice}
    fuzzing = {"fuzzing": _fuzzer_notices, "fuzzing of the console": _console_fuzzer_notices}
    watch = {**races, "model": _model_notices, **fuzzing}
    return watch[prover](defect, service, monkeypatch, seed)


def _races_notice(defect: str, service: Service, monkeypatch: pytest.MonkeyPatch, seed: int) -> bool:
    from verification import defects
    from verification.races import play, small

    seeded = getattr(defects, defect)
    seeded(monkeypatch)
    commands = play.CALM if seeded in OF_MORE_COMMANDS else play.COMMANDS
    return bool(small.wrongs(service, ROUNDS, commands, seed=seed))


def _races_at_venue_notice(defect: str, service: Service, monkeypatch: pytest.MonkeyPatch, seed: int) -> bool:
    from verification.races import at_venue, small, venue_defects

    getattr(venue_defects, defect)(monkeypatch)
    service.use_venue()
    return bool(small.wrongs(service, ROUNDS, at_venue.COMMANDS, seed=seed))


def _model_notices(defect: str, service: Service, monkeypatch: pytest.MonkeyPatch, seed: int) -> bool:
    from verification import defects
    from verification.model import machine
    from verification.model.examples import EXAMPLES

    seeded = getattr(defects, defect)
    seeded(monkeypatch)
    options = {"max_examples": RUNS, "stateful_step_count": STEPS, "phases": [Phase.generate]}
    try:
        if seeded in defects.OF_TRADES:  # most take some steps in a row that random ones seldom are
            machine.play(service, monkeypatch, EXAMPLES[seeded])
            return False
        with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):
            machine.run(service, monkeypatch, Counter(), seed=seed, **options)
    except (AssertionError, Flaky):  # a defect that remembers what it did may hide when the same steps are taken again
        return True
    return False


def _fuzzer_notices(defect: str, service: Service, monkeypatch: pytest.MonkeyPatch, seed: int) -> bool:
    from verification import fuzzing

    fuzzer = fuzzing.Fuzzer(service, cpu_seconds=fuzzing.CPU_SECONDS)
    seeded, finding = next(pair for pair in OF_READING if pair[0].__name__ == defect)
    seeded(monkeypatch)
    for number in range(EXAMPLES):
        fuzzer.example(BODIES[number % 2], seed + number, payloads=20)
        if fuzzer.result.shown:
            return any(finding in shown for shown in fuzzer.result.shown)
    return False


def _console_fuzzer_notices(defect: str, service: Service, monkeypatch: pytest.MonkeyPatch, seed: int) -> bool:
    from verification import console_fuzzing

    fuzzer = console_fuzzing.Fuzzer(service)
    seeded, finding = next(pair for pair in console_defects.SEEDED if pair[0].__name__ == defect)
    seeded(monkeypatch)
    return console_fuzzing.notices(fuzzer, finding, seed=seed, examples=EXAMPLES)
