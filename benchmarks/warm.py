"""Warm cancels: the handler beside the bare requests, in many orders beside few, and what it sends."""

import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.report import Fact, Row
from tests.runtime import artifact, emulator

CANCELS = 3000
THREAD = (
    "the handler works in a thread, so that an answer leaves in time whatever the table does. Measured apart, going "
    "there and back is 0.4 ms of this (without it the ratio is 1.27), and the log line and the metric are 0.2 ms. The "
    "bare request is this short because the table is on the same machine; DynamoDB's published median is 7.6 ms."
)
EXPECTED = {
    "by id": ["UpdateItem", "PutItem"],
    "by name": ["GetItem", "UpdateItem", "PutItem"],
    "with a cold key": ["GetItem", "UpdateItem", "PutItem"],
}


def rows(environment: Mapping[str, str]) -> Iterator[Row | Fact]:
    """Measure the handler beside the bare requests, and list its requests."""
    samples = inside(environment, "by-id", str(CANCELS))
    yield Row("warm CANCEL by id", "the two bare requests", 1.25, samples["handler"], samples["bare"], THREAD)
    samples = inside(environment, "by-name", str(CANCELS))
    yield Row("warm CANCEL by name", "the three bare requests", 1.25, samples["handler"], samples["bare"], THREAD)
    sent: dict[str, list[str]] = inside(environment, "requests")
    yield Fact(
        "requests to DynamoDB per CANCEL",
        "",
        "2 by id, 3 by name, 1 more with a cold key; one of them is the record",
        "; ".join(f"{len(operations)} {kind}" for kind, operations in sent.items()),
        sent == EXPECTED,
    )


def row_of_many(environment: Mapping[str, str], many: int, few: int, count: int) -> Row:
    """Measure a CANCEL among many orders of a trader beside one among few."""
    samples = inside(environment, "among", str(count), f"many={many}", f"few={few}")
    return Row(f"CANCEL among {many:,} orders of a trader", f"among {few:,}", 1.1, samples["many"], samples["few"])


def inside(environment: Mapping[str, str], *arguments: str) -> Any:
    """Run inside.py in the artifact, and return what it measured."""
    script = Path(__file__).with_name("inside.py")
    folder = artifact.BUILDS / "runtime" / "WebhookFunction"
    what, *more = arguments
    with tempfile.NamedTemporaryFile() as results:
        subprocess.run(  # noqa: S603  what runs is ours
            [artifact.python().path, "-S", str(script), what, results.name, *more],
            env=emulator.python_environment(folder) | dict(environment),
            stdout=subprocess.DEVNULL,
            check=True,
        )
        return json.load(results)
