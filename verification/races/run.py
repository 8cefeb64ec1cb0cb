"""Race alerts, venue reports and faults on DynamoDB Local from several processes, and check what everybody was told."""

import math
import os
import pickle
import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import EndpointConnectionError

from tests import faults
from tests.engine import dynamodb_local
from tests.fault_proxy import FaultProxy, Request
from verification.histories.linearizability import UNKNOWN, contradictions
from verification.histories.order import one_order
from verification.histories.order_at_venue import order_at_venue
from verification.processes import in_processes
from verification.report import Part, counts

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TABLE = "orderhook"
ORDERS, THREADS, OPERATIONS = 24, 6, 50
"""Of a round: every process has this many threads, each of which does this many operations on the round's orders."""

FAULTS: tuple[tuple[float, str, faults.Fault], ...] = (
    (0.010, "request lost", faults.lose_request),
    (0.010, "answer lost", faults.lose_response),
    (0.005, "answer cut short", faults.cut_response),
    (0.010, "throttled", faults.throttle_throughput),
    (0.005, "conflict", faults.conflict),
    (0.005, "500", faults.internal_error),
    (0.001, "answer 1 s late", faults.delay_response(1.0)),
    (0.001, "request 1 s late", faults.delay_request(1.0)),
    (0.001, "request 3 s late", faults.delay_request(3.0)),
    (0.001, "answer byte by byte", faults.drip(0.005)),
)
"""How likely each is for a request of a process that has them. The delays outlast the client's patience; byte by byte,
no single read does, and an answer of usual length takes longer than the whole time budget."""

OUTAGE_SECONDS, OUTAGE_EVERY_SECONDS = 0.4, 3.0
"""For how long, and how often, nobody listens at that process's table: open connections end, new ones are refused."""


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
    at_venue: bool = False


@contextmanager
def unreliable(endpoint: str, seed: int, met: Counter[str]) -> Iterator[str]:
    """Give an endpoint that leads to the other one, mostly, and count what was put in the way."""
    with FaultProxy(endpoint) as proxy:
        dice = random.Random(seed)
        for likelihood, name, fault in FAULTS:
            proxy.inject(fault, when=_now_and_then(likelihood, dice, name, met), times=math.inf)
        with _outages(proxy, met):
            yield proxy.endpoint


def _now_and_then(likelihood: float, dice: random.Random, name: str, met: Counter[str]) -> Callable[[Request], bool]:
    def when(_: Request) -> bool:
        chosen = dice.random() < likelihood
        met[name] += chosen
        return chosen

    return when


@contextmanager
def _outages(proxy: FaultProxy, met: Counter[str]) -> Iterator[None]:
    over = threading.Event()

    def run() -> None:
        while not over.wait(OUTAGE_EVERY_SECONDS):
            with proxy.refusing_connections():
                met["outage"] += 1
                over.wait(OUTAGE_SECONDS)

    outages = threading.Thread(target=run)
    outages.start()
    try:
        yield
    finally:
        over.set()
        outages.join()


def _count_refused(client: "DynamoDBClient", met: Counter[str]) -> None:
    def count(exception: Exception | None, **_: object) -> None:
        met["connection refused"] += isinstance(exception, EndpointConnectionError)

    client.meta.events.register("response-received.dynamodb", count)


def work(job: Job) -> None:
    """Play the rounds in this process and leave the record in the job's folder."""
    met: Counter[str] = Counter()
    with unreliable(job.endpoint, job.seed, met) if job.faulty else nullcontext(job.endpoint) as endpoint:
        os.environ |= environment(endpoint)
        import webhook  # makes the handler's client
        from verification.races import at_venue, play

        if job.at_venue:
            _go_to_venue()
        commands = at_venue.COMMANDS if job.at_venue else play.COMMANDS
        _count_refused(webhook.services.orders._table.client, met)
        trader, record = play.Trader(*job.trader), play.Record()
        for number in range(job.rounds):
            _wait_for_all(job, number)
            order_ids = _order_ids(number)
            seed = hash((job.seed, job.number, number))
            record.merge(
                play.play(trader, order_ids, seed=seed, threads=THREADS, operations=OPERATIONS, commands=commands)
            )
        revocation = play.play_revocation(trader, threads=THREADS, seconds=3)
    Path(job.folder, f"record-{job.number}").write_bytes(
        pickle.dumps((record.operations, record.unexpected, record.resends, revocation, met))
    )


def _order_ids(number: int) -> list[str]:
    """Return the orders of a round."""
    return [f"{number}-{index}{'s' if index % 2 else ''}" for index in range(ORDERS)]


def _go_to_venue() -> None:
    """Have the handler place orders at the venue; nobody listens to its doorbell, so it has none."""
    import webhook
    from orderhook.services import Services
    from orderhook.venues import NINJATRADER

    kept = {name: getattr(webhook.settings, name) for name in ("retention", "alert_retention")}
    webhook.services = Services.over(webhook.services.table, **kept, venue=NINJATRADER)


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


def run(*, operations: int, processes: int, seed: int, at_venue: bool = False) -> Part:
    """Run the races, of orders of the table or at a venue; the last of the processes has a faulty connection."""
    rounds = math.ceil(operations / (processes * THREADS * OPERATIONS))
    started = time.monotonic()
    with dynamodb_local.running() as endpoint, tempfile.TemporaryDirectory() as folder:
        trader = _prepare(endpoint, rounds if at_venue else 0)
        jobs = [
            Job(number, endpoint, trader, rounds, seed, number == processes - 1, folder, at_venue)
            for number in range(processes)
        ]
        os.environ["PROCESSES"] = str(processes)
        in_processes(f"from verification.races import run; run.work(run.Job(**{asdict(job)!r}))" for job in jobs)
        records = [pickle.loads(Path(folder, f"record-{job.number}").read_bytes()) for job in jobs]
    return _judge(records, started, processes, at_venue=at_venue)


def _prepare(endpoint: str, rounds: int) -> tuple[str, str, str]:
    """Make the table and a trader, whose bridge is heard for so many rounds."""
    os.environ |= environment(endpoint)
    from orderhook.services import Services
    from orderhook.store.table import Table
    from tests import tables
    from verification.races.at_venue import hear_bridge
    from verification.races.play import Trader

    # With the table's own client: the handlers' may have been made for another endpoint, and is less patient.
    table = tables.at(endpoint)
    nothing = timedelta(0)
    services = Services.over(Table(table.client, table.name), retention=nothing, alert_retention=nothing)
    trader = Trader.new(services.keys)
    if rounds:
        accounts = [f"A-{order_id}" for number in range(rounds) for order_id in _order_ids(number)]
        hear_bridge(services, trader.name, tuple(accounts))
    return trader.name, trader.key, trader.other


def _judge(records: Sequence[tuple[Any, ...]], started: float, processes: int, *, at_venue: bool) -> Part:
    from verification.races import play

    whole, met = play.Record(), Counter[str]()
    strays: list[play.Use] = []
    uses = 0
    for operations, unexpected, resends, (used, revoked), faults_met in records:
        whole.merge(play.Record(operations, unexpected, resends))
        strays += play.wrong_uses(used, revoked, remembered_seconds=1)
        uses += len(used)
        met += faults_met
    histories = whole.operations
    words = Counter(
        "unknown (503)" if operation.result is UNKNOWN else operation.result.word
        for operations in histories.values()
        for operation in operations
    )
    played = time.monotonic()
    model: Any = order_at_venue() if at_venue else one_order("Working")
    wrong = contradictions(histories, model)
    seconds = time.monotonic() - started
    lines = [
        f"{sum(words.values()):,} operations on {len(histories):,} orders, by {processes} processes of {THREADS} "
        f"threads, on DynamoDB Local, in {played - started:.0f} s: {counts(words)}.",
        f"In the way of one process: {counts(met)}.",
        f"Sent again after a 503: {counts(whole.resends)}. TradingView does so up to three times, 5 s apart; here it "
        f"is {play.RESEND_SECONDS} s, so that they meet others.",
        f"Histories that are not linearizable: {len(wrong)} (searched in {time.monotonic() - played:.0f} s).",
        f"Answers that may not be given: {len(whole.unexpected)}.",
        f"Uses of keys that were being revoked: {uses:,}; wrongly accepted or refused: {len(strays)}.",
    ]
    shown = [f"{order_id} {contradiction}" for order_id, contradiction in list(wrong.items())[:3]]
    shown += [*whole.unexpected[:3], *map(str, strays[:3])]
    return Part(
        "Races at a venue" if at_venue else "Races",
        lines,
        shown,
        len(wrong) + len(whole.unexpected) + len(strays),
        seconds,
    )
