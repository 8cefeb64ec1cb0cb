"""The console: a page of 50 alerts by a function that starts cold, and what it asks the table for."""

from collections.abc import Iterator, Mapping
from itertools import cycle, islice, permutations
from typing import Any
from uuid import uuid4

from tests.runtime import artifact, emulator
from verification.bench.cold import durations
from verification.bench.report import Fact, Row
from verification.bench.warm import inside

STARTS = 12
MOST_REQUESTS = 3


def rows(environment: Mapping[str, str]) -> Iterator[Row | Fact]:
    """Measure the first page after a cold start beside the start of the webhook, and list the requests of a page."""
    measured: dict[str, Any] = inside(environment, "page", f"page-{uuid4().hex}")
    built = artifact.built()
    pages: list[float] = []
    starts: list[float] = []
    for names in islice(cycle(permutations(("console", "webhook"))), STARTS):
        for name in names:
            with emulator.running(built, f"{name}.handler", environment) as function:
                answer = function.invoke(measured["event"] if name == "console" else {})
                if name == "webhook":
                    starts.append(function.init_milliseconds)
                    continue
                if answer["statusCode"] != 200:
                    raise RuntimeError(answer["body"])
                pages.append(function.init_milliseconds + durations(function.log)[0])
    yield Row("page of 50 alerts: INIT of the console, and its first answer", "INIT of the webhook", 10, pages, starts)
    sent = measured["requests"]
    yield Fact(
        "requests to DynamoDB per page of 50 alerts",
        "",
        f"≤ {MOST_REQUESTS}, with what is kept for some seconds known",
        f"{len(sent)}: {', '.join(sent)}",
        len(sent) <= MOST_REQUESTS,
    )
