"""Race alerts, venue reports and faults on DynamoDB Local from several processes, and check what everybody was told.

python -m tests.prove.races --operations 100000
"""

import argparse
import math
import os
import pickle
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

from tests import faults
from tests.engine import dynamodb_local
from tests.history.linearizability import UNKNOWN, contradictions
from tests.history.order import one_order

TABLE = "orderhook"
ORDERS, THREADS, OPERATIONS = 24, 6, 50
"""Of a round: every process has this many threads, each of which does this many operations on the round's orders."""

FAULTS: tuple[tuple[float, faults.Fault], ...] = (
    (0.010, faults.lose_request),
    (0.010, faults.lose_response),
    (0.010, faults.throttle),
    (0.005, faults.conflict),
    (0.005, faults.internal_error),
    (0.001, faults.delay_response(1.0)),
    (0.001, faults.delay_request(1.0)),
)
"""How likely each is for a request of a process that has them; the delays outlast the client's patience."""


@dataclass(frozen=True)
class Job:
    """What one process does; `rounds` are started together by all."""

    number: int
    endpoint: str
    trader: tuple[str, str, str]
    rounds: int
    seed: int
    faulty: bool
    folder: str


@contextmanager
def unreliable(endpoint: str, seed: int) -> Iterator[str]:
    """Give an endpoint that leads to the other one, mostly."""
    with faults.FaultProxy(endpoint) as proxy:
        dice = random.Random(seed)
        for likelihood, fault in FAULTS:
            proxy.inject(fault, when=_now_and_then(likelihood, dice), times=math.inf)
        yield proxy.endpoint


def _now_and_then(likelihood: float, dice: random.Random) -> Callable[[faults.Request], bool]:
    return lambda _: dice.random() < likelihood


def work(job: Job) -> None:
    """Play the rounds in this process and leave the record in the job's folder."""
    with unreliable(job.endpoint, job.seed) if job.faulty else nullcontext(job.endpoint) as endpoint:
        os.environ |= environment(endpoint)
        from tests.prove import play

        trader, record = play.Trader(*job.trader), play.Record()
        for number in range(job.rounds):
            _wait_for_all(job, number)
            order_ids = [f"{number}-{index}{'s' if index % 2 else ''}" for index in range(ORDERS)]
            seed = hash((job.seed, job.number, number))
            record.merge(play.play(trader, order_ids, seed=seed, threads=THREADS, operations=OPERATIONS))
        revocation = play.play_revocation(trader, threads=THREADS, seconds=3)
    Path(job.folder, f"record-{job.number}").write_bytes(
        pickle.dumps((record.operations, record.unexpected, revocation))
    )


def environment(endpoint: str) -> dict[str, str]:
    """Return the environment of a handler whose table is at this endpoint."""
    return {
        "AWS_ENDPOINT_URL_DYNAMODB": endpoint,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "ORDERHOOK_TABLE": TABLE,
        "ORDERHOOK_KEY_CACHE_SECONDS": "1",
        "POWERTOOLS_SERVICE_NAME": "orderhook",
        "POWERTOOLS_METRICS_NAMESPACE": "orderhook",
    }


def _wait_for_all(job: Job, number: int) -> None:
    """Meet the other processes: a file each, since they share nothing else."""
    Path(job.folder, f"at-{number}-{job.number}").touch()
    while len(list(Path(job.folder).glob(f"at-{number}-*"))) < int(os.environ["PROCESSES"]):
        time.sleep(0.002)


def main() -> int:
    """Run the races and print what came of them; returns 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operations", type=int, default=100_000)
    parser.add_argument("--processes", type=int, default=3, help="the last of them has a faulty connection")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if reason := dynamodb_local.missing():
        print(reason)
        return 0
    rounds = math.ceil(options.operations / (options.processes * THREADS * OPERATIONS))
    started = time.monotonic()
    with dynamodb_local.running() as endpoint, tempfile.TemporaryDirectory() as folder:
        trader = _prepare(endpoint)
        jobs = [
            Job(number, endpoint, trader, rounds, options.seed, number == options.processes - 1, folder)
            for number in range(options.processes)
        ]
        os.environ["PROCESSES"] = str(options.processes)
        workers = [_start(job) for job in jobs]
        if any(worker.wait() for worker in workers):
            print("a process failed")
            return 1
        records = [pickle.loads(Path(folder, f"record-{job.number}").read_bytes()) for job in jobs]
    return _judge(records, time.monotonic() - started, options.processes)


def _prepare(endpoint: str) -> tuple[str, str, str]:
    os.environ |= environment(endpoint)
    from local.table import create_table
    from orderhook.wire import connect
    from tests.prove.play import Trader

    create_table(connect(), TABLE)
    trader = Trader.new()
    return trader.name, trader.key, trader.other


def _start(job: Job) -> "subprocess.Popen[bytes]":
    # A process of its own, not a fork: the handler's client and threads would not survive one.
    code = f"from tests.prove import races; races.work(races.Job(**{asdict(job)!r}))"
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)


def _judge(records: list[tuple[dict, list, tuple]], seconds: float, processes: int) -> int:  # type: ignore[type-arg]
    from tests.prove import play

    whole = play.Record()
    strays: list[play.Use] = []
    uses = 0
    for operations, unexpected, (used, revoked) in records:
        whole.merge(play.Record(operations, unexpected))
        strays += play.wrong_uses(used, revoked, remembered_seconds=1)
        uses += len(used)
    histories = whole.operations
    words = Counter(
        "unknown (503)" if operation.result is UNKNOWN else operation.result.word
        for operations in histories.values()
        for operation in operations
    )
    total = sum(words.values())
    checked = time.monotonic()
    wrong = contradictions(histories, one_order("Working"))
    print(f"{total} operations on {len(histories)} orders {processes} processes of {THREADS} threads, {seconds:.0f} s:")
    print("  " + ", ".join(f"{word} {count}" for word, count in words.most_common()))
    print(f"  histories that are not linearizable: {len(wrong)} (checked in {time.monotonic() - checked:.0f} s)")
    print(f"  answers that may not be given: {len(whole.unexpected)}")
    print(f"  {uses} uses of keys that were being revoked; wrongly accepted or refused: {len(strays)}")
    for order_id, contradiction in list(wrong.items())[:3]:
        print(order_id, contradiction)
    for answer in whole.unexpected[:3]:
        print(answer)
    return 1 if wrong or whole.unexpected or strays else 0


if __name__ == "__main__":
    sys.exit(main())
