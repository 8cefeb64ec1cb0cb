"""Cold starts: the artifact beside a function that only makes a client, and beside the plain artifact."""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import permutations
from pathlib import Path

from benchmarks.report import Fact, Row
from local import demo
from orderhook.book import OrderBook
from orderhook.orders import Stamp
from tests.builders import event, order
from tests.runtime import artifact, emulator

STARTS = 42


def rows(book: OrderBook, stamp: Stamp, environment: Mapping[str, str]) -> Iterator[Row | Fact]:
    """Measure cold starts, the first CANCEL after them, and the sizes of what starts."""
    plain = artifact.plain()
    bare, built = artifact.bare(plain), artifact.built()
    starts: dict[str, list[float]] = {"built": [], "bare": [], "plain": []}
    firsts, seconds = [], []
    for turn in range(STARTS):
        for order_id in _orders(turn):
            book.place(stamp, order(stamp, order_id))

    def start_built(turn: int) -> None:
        with emulator.running(built, "webhook.handler", environment) as function:
            for order_id in _orders(turn):
                answer = function.invoke(event(f"key={demo.KEY};command=CANCEL;order_id={order_id};"))
                if json.loads(answer["body"]).get("status") != "cancelled":
                    raise RuntimeError(f"Not cancelled: {answer}")
            starts["built"].append(function.init_milliseconds)
            first, second = durations(function.log)
        firsts.append(first)
        seconds.append(second)

    def start_bare(_: int) -> None:
        starts["bare"].append(_start(bare, "bare.handler", environment))

    def start_plain(_: int) -> None:
        starts["plain"].append(_start(plain, "webhook.handler", environment))

    ways = list(permutations([start_built, start_bare, start_plain]))
    for turn in range(STARTS):
        # What ran before leaves its traces in the caches, so each comes after each of the others.
        for start in ways[turn % len(ways)]:
            start(turn)
    yield Row(
        "cold start: INIT of the artifact",
        "a client alone, compiled",
        1.0,
        starts["built"],
        starts["bare"],
    )
    yield Row("cold start: INIT of the artifact", "the plain artifact", 0.35, starts["built"], starts["plain"])
    yield Row("first CANCEL after INIT", "the second", 3, firsts, seconds)
    small, large = artifact.zipped(built), artifact.zipped(plain)
    sizes = f"{small / large:.2f}, {small / 1e6:.1f} of {large / 1e6:.1f} MB"
    yield Fact("artifact, zipped", "the plain artifact", "≤ 0.35", sizes, small <= 0.35 * large)


def _start(folder: Path, handler: str, environment: Mapping[str, str]) -> float:
    with emulator.running(folder, handler, environment) as function:
        function.invoke({})
        return function.init_milliseconds


def _orders(turn: int) -> list[str]:
    return [f"cold-{turn}-first", f"cold-{turn}-second"]


def durations(log: str) -> list[float]:
    """Return how long each invocation took, by the emulator's own account."""
    return [float(found) for found in re.findall(r"INVOKE RTDONE\(.*?duration: ([0-9.]+)ms", log)]
