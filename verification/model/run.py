"""Take many thousands of random steps with the handlers and a model beside them, and compare after each.

The steps are those of machine.py; the table is DynamoDB Local's, or moto's where that cannot run.
"""

import os
import time
import traceback
from collections import Counter
from contextlib import nullcontext

from tests.engine import dynamodb_local
from verification.processes import CORES, captured, results
from verification.report import Part, counts

STEPS = 50
REGIONS = "us-east-1 us-east-2 us-west-1 us-west-2 eu-west-1 eu-west-2 eu-north-1 eu-south-1".split()
"""DynamoDB Local has a set of tables for each: every process has its own."""


def run(*, runs: int, seed: int) -> Part:
    """Have every core take its share of the runs."""
    started = time.monotonic()
    cores = min(CORES, len(REGIONS))
    with dynamodb_local.running() if dynamodb_local.missing() is None else nullcontext() as endpoint:
        shares = [
            {"runs": -(-runs // cores), "seed": seed * 1000 + number, "endpoint": endpoint, "region": REGIONS[number]}
            for number in range(cores)
        ]
        found = results("verification.model.run:work", shares)
    tally = sum((counted for counted, _ in found), Counter[str]())
    failures = [failure for _, failure in found if failure]
    seconds = time.monotonic() - started
    done, steps = tally.pop("runs"), tally.pop("steps")
    lines = [
        f"{steps:,} steps in {done:,} runs, on {'DynamoDB Local' if endpoint else 'moto'}, in {cores} processes, "
        f"{steps / seconds:.0f} a second, each followed by a comparison of the whole table.",
        f"Answers: {counts(tally)}.",
    ]
    return Part("Model", lines, failures, len(failures), seconds)


def work(runs: int, seed: int, endpoint: str | None, region: str) -> tuple[Counter[str], str | None]:
    """Take the steps of one process; returns the tally, and the failure where there is one."""
    import tests.environment  # noqa: F401  it sets the region, too

    os.environ["AWS_DEFAULT_REGION"] = region
    from tests import queues, tables
    from tests.output import Output
    from tests.service import Service
    from verification.model import machine

    tally: Counter[str] = Counter()
    with (
        captured() as (take, monkeypatch),
        nullcontext(tables.at(endpoint)) if endpoint else tables.in_process() as table,
        queues.in_process() as queue,
    ):
        service = Service(table, queue, Output(take, monkeypatch), monkeypatch)
        try:
            machine.run(service, monkeypatch, tally, seed=seed, max_examples=runs, stateful_step_count=STEPS)
        except Exception as failure:  # whatever it is, it is the finding
            return tally, "".join(traceback.format_exception(failure, limit=-3))
    return tally, None
