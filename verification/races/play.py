"""Play alerts and venue reports against the handler, from many threads at once, and record what each was told.

The handler is `webhook.handler` over the table that the module has. Every operation's beginning and end are taken from
time.monotonic_ns, which all processes of a machine share. Every alert has a remark of its own, so that none is taken
for the resend of another: judging resends is the model's part.
"""

import json
import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import uuid4

import webhook
from orderhook import keys, order_reports
from orderhook.aws.budget import READ_SECONDS
from orderhook.errors import TemporarilyUnavailableError
from orderhook.orders import OrderState
from orderhook.provenance import Provenance
from orderhook.store.keys import KeyStore
from tests.builders import alert, event
from verification.histories.linearizability import UNKNOWN, Operation
from verification.histories.order import QTY, Answer, Cancel, CancelMany, Change, Command, Look, Place, Replace, Report
from verification.histories.order_at_venue import ASKED, Snapshot
from verification.races import at_venue

RESENDS = ("once", "twice", "three times")
RESEND_SECONDS = 0.05
"""TradingView sends again after 5 s, up to three times; a hundred times faster here, so that resends meet others."""

UNEXPECTED = ("outcome_unknown", "strategy_mismatch")
"""Codes that no operation may get."""

ALTERED = {"changed": "changed", "change_pending": "changed", "replaced": "replaced", "replace_pending": "replaced"}
"""The words of alerts that have altered an order, or asked its venue to."""

ResultT = TypeVar("ResultT")

Ops = dict[str, list[Operation[Command | Snapshot, Answer]]]

# Weighted as trouble is: cancels race with fills and with each other, and everything comes twice.
COMMANDS: tuple[Command, ...] = (
    *[Place("5000")] * 3,
    Place("5001"),
    *[Cancel()] * 6,
    Cancel(own=False),
    *[CancelMany()] * 2,
    *[Change(qty) for qty in (4, QTY, QTY, QTY)],
    *[Replace()] * 2,
    Report("Submitted", 0),
    *[Report("PartFilled", filled) for filled in (2, 5, 5, 7)],
    *[Report("Filled", QTY)] * 3,
    *[Report("CancelPending")] * 4,
    Report("Rejected"),
    Report("Expired"),
    *[Look()] * 2,
)


# Orders live longer where nobody cancels them, so that there is more to change.
CALM: tuple[Command, ...] = (
    Place("5000"),
    *[Report("PartFilled", filled) for filled in (2, 5, 7)],
    *[Change(qty) for qty in (4, QTY, QTY)],
    Replace(),
    CancelMany(),
    Look(),
)


@dataclass(frozen=True)
class Trader:
    """A trader and a key of theirs; `other` is somebody else's key."""

    name: str
    key: str
    other: str

    @classmethod
    def new(cls, store: KeyStore) -> "Trader":
        """Make one, with keys that lie in this store."""
        name = f"trader-{uuid4().hex}"
        return cls(name, new_key(name, store), new_key(f"{name}-not", store))


def new_key(trader: str, store: KeyStore) -> str:
    """Issue a key of a trader's."""
    created = "2026-01-02T03:04:05.000000Z"
    secret, key = keys.issue(trader=trader, label="", scopes=frozenset(), created=created, turns_kill_switch=True)
    store.put(key)
    return secret


def in_a_strategy(order_id: str) -> bool:
    """Return whether the order is the entry of a strategy of its own, so that it can be cancelled by name."""
    return order_id.endswith("s")


@dataclass
class Record:
    """What happened, order by order; lists are only appended to, so that threads need no lock."""

    operations: Ops = field(default_factory=lambda: defaultdict(list))
    unexpected: list[str] = field(default_factory=list)
    """Answers that no operation may get, such as a 5xx that is not 503, and exceptions."""
    resends: Counter[str] = field(default_factory=Counter)
    """How many were sent again for the first, second and third time, and given up."""

    def merge(self, other: "Record") -> None:
        self.resends += other.resends
        for order_id, operations in other.operations.items():
            self.operations[order_id] += operations
        self.unexpected += other.unexpected


def play(
    trader: Trader,
    order_ids: Iterable[str],
    *,
    seed: int,
    threads: int,
    operations: int,
    commands: Sequence[Command | Snapshot] = COMMANDS,
) -> Record:
    """Have every thread do this many random operations on these orders; returns when all are done."""
    record, chosen = Record(), tuple(order_ids)

    def run(number: int) -> None:
        dice = random.Random(f"{seed} {number}")
        for _ in range(operations):
            try:
                do(trader, dice.choice(chosen), dice.choice(commands), dice, record)
            except Exception as raised:  # whatever it is, nobody should get it
                record.unexpected.append(repr(raised))

    workers = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return record


def do(trader: Trader, order_id: str, command: Command | Snapshot, dice: random.Random, record: Record) -> None:
    """Do one operation, again as TradingView would while the answer is 503, and record each time."""
    for times in (*RESENDS, "given up"):
        invoked = time.monotonic_ns()
        answer = _do(trader, order_id, command, dice, record)
        completed = time.monotonic_ns()
        if answer is not None:
            record.operations[order_id].append(Operation(command, answer, invoked, completed))
            if _may_come_late(invoked, completed):
                record.operations[order_id].append(Operation(command, UNKNOWN, invoked))
            return
        record.operations[order_id].append(Operation(command, UNKNOWN, invoked))
        record.resends[times] += 1
        time.sleep(RESEND_SECONDS)


def _may_come_late(invoked: int, completed: int) -> bool:
    """Return whether the SDK may have given up an attempt, which the network can deliver after its repetition."""
    return completed - invoked > READ_SECONDS * 1e9


def _do(
    trader: Trader, order_id: str, command: Command | Snapshot, dice: random.Random, record: Record
) -> Answer | None:
    match command:
        case Place(content):
            return _send(trader.key, _place(order_id, content), record)
        case Cancel(own):
            return _send(trader.key if own else trader.other, _cancel(order_id, dice), record)
        case CancelMany():
            return _cancel_many(trader, order_id, dice, record)
        case Change(qty):
            return _send(trader.key, {"command": "CHANGE", "order_id": order_id, "qty": qty}, record)
        case Replace():
            fields = {**_place(order_id, "5002"), "command": "CANCELREPLACE", "strategy_id": None}
            return _send(trader.key, fields, record)
        case Snapshot():
            try:
                return at_venue.report(trader.name, order_id, command)
            except TemporarilyUnavailableError:
                return None
        case Report() | Look():
            try:
                return _report_or_look(trader, order_id, command)
            except TemporarilyUnavailableError:
                return None


def _place(order_id: str, price: str) -> dict[str, object]:
    # An account of its own, so that a cancel of all orders in it is a cancel of this one.
    fields = {"account": f"A-{order_id}", "instrument": "ES1!", "action": "BUY", "qty": QTY, "order_type": "LIMIT"}
    strategy = {"strategy_id": f"of-{order_id}"} if in_a_strategy(order_id) else {}
    return {"command": "PLACE", **fields, "tif": "GTC", "limit_price": price, "order_id": order_id, **strategy}


def _cancel(order_id: str, dice: random.Random) -> dict[str, object]:
    if not in_a_strategy(order_id):
        return {"command": "CANCEL", "order_id": order_id}
    names = ({"order_id": order_id}, {"order_id": order_id, "strategy_id": f"of-{order_id}"})
    return {"command": "CANCEL", **dice.choice((*names, {"order_id": "ENTRY1", "strategy_id": f"of-{order_id}"}))}


def _cancel_many(trader: Trader, order_id: str, dice: random.Random, record: Record) -> Answer | None:
    fields: dict[str, object] = {"command": "CANCELORDERS", "account": f"A-{order_id}"}
    if in_a_strategy(order_id) and dice.random() < 0.5:
        fields = {"command": "CLOSESTRATEGY", "strategy_id": f"of-{order_id}"}
    status, body = _post(trader.key, fields, record)
    if status == 503:
        return None
    lists = ("cancelled", "already_cancelled", "cancel_pending", "already_terminal")
    found = [word for word in lists if order_id in body.get(word, [])]
    pending = ASKED if webhook.services.venue.name else "already_cancelled"
    words = {"already_terminal": "order_already_terminal", "cancel_pending": pending}
    return Answer(words.get(found[0], found[0])) if found else Answer("not listed")


def _post(key: str, fields: Mapping[str, object], record: Record) -> tuple[int, dict[str, Any]]:
    response = webhook.handler(event(alert({"key": key, **fields, "notes": uuid4().hex})), None)
    status, body = response["statusCode"], json.loads(response["body"])
    if status not in (200, 404, 409, 503) or body.get("error") in UNEXPECTED:
        record.unexpected.append(str(response))
    return status, body


def _send(key: str, fields: Mapping[str, object], record: Record) -> Answer | None:
    status, body = _post(key, fields, record)
    if status == 503:
        return None
    word = body.get("status") or body["error"]
    if word in ("order_not_found", "strategy_not_found"):
        return Answer("order_not_found")
    if word in ALTERED:
        return Answer(ALTERED[word])  # how the order stands now, which may be a little later
    if word == "cancel_pending":
        word = "already_cancelled" if body.get("duplicate") else "cancelled"
    state = None if word == "placed" else body.get("previous_state") or body.get("state")
    return Answer(word, state, int(body["filled"]) if "filled" in body else None)


def _report_or_look(trader: Trader, order_id: str, command: Report | Look) -> Answer:
    if isinstance(command, Look):
        order = webhook.services.orders.get(trader.name, order_id)
        return Answer("found", order.state, order.filled) if order else Answer("order_not_found")
    provenance = Provenance(trader.name, "venue", uuid4().hex, datetime.now(UTC))
    said = order_reports.Report(OrderState(command.state), command.filled)
    written = webhook.services.reports.record(provenance, order_id, said)
    if written.before is None:
        return Answer("refused")
    if written.applied:
        return Answer("applied")  # one that was sent twice is shown the order as it wrote it itself
    return Answer("refused", written.before.state, written.before.filled)


@dataclass(frozen=True)
class Use:
    invoked: int
    completed: int
    accepted: bool


def play_revocation(trader: Trader, *, threads: int, seconds: float) -> tuple[list[Use], tuple[int, int]]:
    """Use a key from many threads and revoke it halfway; returns the uses, and when the revocation began and ended."""
    secret = insist(lambda: new_key(trader.name, webhook.services.keys))
    uses: list[Use] = []
    end = time.monotonic() + seconds

    def run() -> None:
        while time.monotonic() < end:
            invoked = time.monotonic_ns()
            response = webhook.handler(event(alert({"key": secret, "command": "CANCEL", "order_id": "none"})), None)
            if response["statusCode"] != 503:
                uses.append(Use(invoked, time.monotonic_ns(), response["statusCode"] != 401))

    workers = [threading.Thread(target=run) for _ in range(threads)]
    for worker in workers:
        worker.start()
    time.sleep(seconds / 2)
    began = time.monotonic_ns()
    insist(lambda: webhook.services.keys.revoke(str(keys.key_id_of(secret)), datetime.now(UTC)))
    ended = time.monotonic_ns()
    for worker in workers:
        worker.join()
    return uses, (began, ended)


def insist(administer: Callable[[], ResultT]) -> ResultT:
    """Do what an operator does, who tries again while the table does not answer, but not for ever."""
    for _ in range(10):
        with suppress(TemporarilyUnavailableError):
            return administer()
    return administer()


def wrong_uses(uses: Iterable[Use], revoked: tuple[int, int], remembered_seconds: float) -> list[Use]:
    """Return the uses that were refused before the key was revoked, or accepted after it can have been remembered."""
    began, ended = revoked
    latest = ended + remembered_seconds * 1e9
    return [use for use in uses if (use.invoked > latest if use.accepted else use.completed < began)]
