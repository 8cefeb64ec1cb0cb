"""Warm cancels: the handler beside the bare requests, among many orders beside among few, and the requests it sends."""

import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.runtime import artifact, emulator
from verification.bench.report import Fact, Row

CANCELS = 3000
HANDLING = (
    "a third of what the handler adds is the log line and the metric; the rest is reading the alert, rendering the "
    "write and reading the old order. Measured apart it is 0.18 ms, and twice that with cold caches after a wait. The "
    "bare request is this short because the table is on the same machine; DynamoDB's published median is 7.6 ms."
)
EXPECTED = {
    "by id": ["UpdateItem", "PutItem"],
    "by name": ["GetItem", "UpdateItem", "PutItem"],
    "with a cold key": ["GetItem", "UpdateItem", "PutItem", "UpdateItem"],
}
"""The command, then its record, a short one where none is kept, and once an hour that its key was used."""


def rows(environment: Mapping[str, str]) -> Iterator[Row | Fact]:
    """Measure the handler beside the bare requests, and list its requests."""
    for kind, beside in (
        ("by-id", "the bare update_item and put_item"),
        ("by-name", "the bare get_item, update_item and put_item"),
    ):
        samples = inside(environment, kind, str(CANCELS))
        name = f"warm CANCEL {kind.replace('-', ' ')}, and its record"
        yield Row(name, beside, 1.25, samples["handler"], samples["bare"], HANDLING)
    sent: dict[str, list[str]] = inside(environment, "requests")
    yield Fact(
        "requests to DynamoDB per CANCEL",
        "",
        "1 by id, 2 by name, 1 more with a cold key; 1 for the record, and once an hour 1 for the use of the key",
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
        subprocess.run(
            [artifact.python().path, "-S", str(script), what, results.name, *more],
            env=emulator.python_environment(folder) | dict(environment),
            stdout=subprocess.DEVNULL,
            check=True,
        )
        return json.load(results)
