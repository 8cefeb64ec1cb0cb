"""Cold starts: the artifact beside a function that makes a bare boto3 client, and beside the plain artifact."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, cycle, islice, permutations
from pathlib import Path

from cli.aws import demo
from orderhook.provenance import Provenance
from orderhook.store.orders import OrderStore
from tests.builders import event, order
from tests.runtime import artifact, emulator
from verification.bench.report import Fact, Row

STARTS, STARTS_WITH_VENUE = 42, 20
VENUE = {"ORDERHOOK_VENUE": "ninjatrader", "ORDERHOOK_DOORBELL_URL": "https://sqs.us-east-1.amazonaws.com/1/doorbell"}
BEYOND_THE_CLIENT = (
    "beyond the client, the functions need pydantic, Powertools and their own modules. As shares of the bare client's "
    "processor time, the artifact's own client takes 0.70, pydantic 0.20, our modules 0.20 and Powertools 0.03; "
    "with the collector on during import, all of it would take 0.12 more."
)
"""Why INIT cannot be the bare client's."""


def rows(orders: OrderStore, provenance: Provenance, environment: Mapping[str, str]) -> Iterator[Row | Fact]:
    """Measure cold starts, the first CANCEL after each, and the size of the artifact."""
    plain, built = artifact.plain(), artifact.built()
    bare = artifact.bare(plain)
    functions = {
        "built": (built, "webhook.handler"),
        "bare": (bare, "bare.handler"),
        "plain": (plain, "webhook.handler"),
    }
    starts: dict[str, list[float]] = {name: [] for name in functions}
    firsts, seconds = [], []
    pairs = [(f"cold-{turn}-first", f"cold-{turn}-second") for turn in range(STARTS)]
    for order_id in chain(*pairs):
        orders.put(provenance, order(provenance, order_id))
    # Whatever ran before has filled the caches, so each function follows each of the others.
    for pair, names in zip(pairs, cycle(permutations(functions)), strict=False):
        for name in names:
            with emulator.running(*functions[name], environment) as function:
                if name == "built":
                    _cancel(function, pair)
                    first, second = durations(function.log)
                    firsts.append(first)
                    seconds.append(second)
                else:
                    function.invoke({})
                starts[name].append(function.init_milliseconds)
    yield Row(
        "cold start: INIT of the artifact",
        "a function that makes a bare boto3 client, with its packages as pip installs them",
        1.1,
        starts["built"],
        starts["bare"],
        BEYOND_THE_CLIENT,
    )
    yield Row("cold start: INIT of the artifact", "the plain artifact", 0.35, starts["built"], starts["plain"])
    yield Row("first CANCEL after INIT", "the second", 3, firsts, seconds)
    yield _with_venue(built, bare, environment)
    small, large = artifact.zipped(built), artifact.zipped(plain)
    sizes = f"{small / large:.2f}, {small / 1e6:.1f} of {large / 1e6:.1f} MB"
    yield Fact("artifact, zipped", "the plain artifact", "≤ 0.45", sizes, small <= 0.45 * large)


def _with_venue(built: Path, bare: Path, environment: Mapping[str, str]) -> Row:
    """Measure cold starts of a deployment with a venue, which makes a client for the doorbell, too."""
    functions = {"built": (built, "webhook.handler"), "bare": (bare, "bare_with_queue.handler")}
    starts: dict[str, list[float]] = {name: [] for name in functions}
    for names in islice(cycle(permutations(functions)), STARTS_WITH_VENUE):
        for name in names:
            with emulator.running(*functions[name], {**environment, **VENUE}) as function:
                function.invoke({})
                starts[name].append(function.init_milliseconds)
    return Row(
        "cold start with a venue: INIT of the artifact",
        "a function that makes bare boto3 clients for DynamoDB and SQS, with its packages as pip installs them",
        1.1,
        starts["built"],
        starts["bare"],
        BEYOND_THE_CLIENT,
    )


def _cancel(function: emulator.Function, order_ids: Iterable[str]) -> None:
    for order_id in order_ids:
        answer = function.invoke(event(f"key={demo.KEY};command=CANCEL;order_id={order_id};"))
        if json.loads(answer["body"]).get("status") != "cancelled":
            raise RuntimeError(f"Not cancelled: {answer}")


def durations(log: str) -> list[float]:
    """Return how long each invocation took, by the emulator's own account."""
    return [float(found) for found in re.findall(r"INVOKE RTDONE\(.*?duration: ([0-9.]+)ms", log)]
