"""Accounts and instruments: who acts on a pair next, and which pairs open nothing until a person says so.

One instruction or close acts on a pair at a time: what has begun goes on until its outcome, then what closes goes
first, then the older one. What opens and was received later waits for its result.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from bridge.contracts import canonical
from bridge.records import Block, Close, TableInstruction, TableOrder
from bridge.state import Turn
from orderhook.instructions import Instruction
from orderhook.limits import CONTINUOUS, allows_instrument
from orderhook.orders import folded

CLOSING = frozenset(
    {"CLOSEPOSITION", "FLATTEN", "FLATTENEVERYTHING", "CLOSESTRATEGY", "CANCELANDBRACKET", "CANCELORDERS"}
)
"""The commands of instructions that open nothing."""

CLOSED = "the position is closed"
"""Why an own order is cancelled when its pair's position is to be closed."""


def pair(at: datetime, account: str, instrument: str) -> str:
    """Return the name of an account and an instrument: without case, and every spelling of a contract is one."""
    return _pair(account, instrument, at.date())


@lru_cache(maxsize=10_000)  # each step asks it of every open order, more than once
def _pair(account: str, instrument: str, today: date) -> str:
    return f"{folded(account)}/{folded(canonical(instrument, today))}"


def root_of(at: datetime, instrument: str) -> str:
    """Return the root of a contract: ES of `ES 12-26`."""
    return folded(canonical(instrument, at.date()).partition(" ")[0])


def is_older(turn: Turn, received_at: datetime | None) -> bool:
    """Return whether what was received then is older than the journal: another one may have acted on it."""
    memory = turn.now.memory
    return memory is None or received_at is None or received_at < memory.began


# Whose turn it is

_IS_SEEN = timedelta(seconds=60)
"""Until when an order that was sent has had a state, or nobody knows what has become of it."""


class _Claim(NamedTuple):
    """That something is to act on a pair, or does so."""

    owner: str
    at: datetime
    has_begun: bool
    closes: bool = False
    """Whether it goes before what opens, and before legs for a position that may be turned over by then."""
    is_whole: bool = False
    """Whether it closes all that is open: it ends what was to be opened, however far that is."""
    opens: bool = False

    @property
    def order(self) -> tuple[bool, bool, datetime, str]:
        return not self.has_begun, not self.closes, self.at, self.owner


def is_next(turn: Turn, owner: str, account: str, instrument: str) -> bool:
    """Return whether the turn of an instruction, or of what a close is for, has come in a pair.

    What has begun goes on until its outcome, for its closing order may be on its way: two would turn a position over.
    """
    claims = [*_claims(turn, account, instrument), *_opening(turn, account, instrument)]
    until = max((it.at for it in claims if it.owner == owner and it.is_whole), default=None)
    if until is not None:
        claims = [it for it in claims if it.owner == owner or not (it.opens and it.at <= until)]
    return not claims or min(claims, key=lambda it: it.order).owner == owner


def waits(turn: Turn, order: TableOrder) -> bool:
    """Return whether what an order opens has to wait for the result of what was asked of its pair before."""
    return order.received_at is not None and any(
        it.at < order.received_at and not is_of(order, it.owner)
        for it in _claims(turn, order.account, order.instrument)
    )


def is_of(order: TableOrder, owner: str) -> bool:
    """Return whether an order is what a close is for, or was made for that."""
    return owner in (order.order_id, order.made_by)


def is_superseded(turn: Turn, order: TableOrder) -> bool:
    """Return whether an order that was never sent was received before a command that has closed its pair since."""
    name = pair(turn.at, order.account, order.instrument) if turn.closes else ""
    return order.received_at is not None and any(
        order.received_at <= it.until and it.pair == name and not is_of(order, it.owner)
        for it in turn.closes.values()
        if it.began is not None and it.result != "no_position" and not it.keeps_entries
    )


def _claims(turn: Turn, account: str, instrument: str) -> Iterator[_Claim]:
    closes = [it for it in turn.closes.values() if it.result is None]
    asked = [it for it in turn.instructions.values() if it.result is None and not it.is_closed]
    if not (closes or asked):
        return
    name = pair(turn.at, account, instrument)
    for close in closes:
        if close.pair == name or _is_of_other_month(turn, close, name):
            owner = turn.instructions.get(close.owner)
            yield _claim(owner and owner.asked, close.owner, close.until, has_begun=close.began is not None)
    for it in asked:
        if concerns(turn, it, account, instrument):
            yield _claim(it.asked, it.instruction_id, it.received_at, has_begun=it.begun_at is not None)


def _claim(asked: Instruction | None, owner: str, at: datetime, *, has_begun: bool) -> _Claim:
    """Return the claim of an instruction; of an order that something is closed for where there is none."""
    command = asked.command if asked else ""
    closes, whole = command in CLOSING and command != "CANCELANDBRACKET", asked is not None and closes_whole(asked)
    return _Claim(owner, at, has_begun, closes, is_whole=whole, opens=command not in CLOSING)


def _opening(turn: Turn, account: str, instrument: str) -> Iterator[_Claim]:
    """Return the claims of orders that close first, or were made, until they are settled at the venue."""
    for order in turn.active():
        if order.leg or order.ended or order.is_foreign or not (order.made_by or _closes_first(order)):
            continue
        if pair(turn.at, order.account, order.instrument) == pair(turn.at, account, instrument):
            close = turn.closes.get(order.first_close or "")
            has_begun = order.made_by is not None or (close is not None and close.began is not None)
            if _is_under_way(turn, order):
                owner, at = order.made_by or order.order_id, order.received_at or turn.at
                yield _Claim(owner, at, has_begun, opens=True)


def _closes_first(order: TableOrder) -> bool:
    return order.first is not None or (order.conditions is not None and order.conditions.closes_first is not None)


def _is_under_way(turn: Turn, order: TableOrder) -> bool:
    """Return whether an order is to be sent, or was and may be filled at once, for all that is known."""
    known = turn.venue_orders_of(order)
    if not known or known[-1].is_unwritten:
        return not order.is_position
    last = known[-1]
    if last.state is None:
        return last.place is not None and turn.at - last.place.at < _IS_SEEN
    return last.order_type == "MARKET" and last.may_work and not last.is_lost


def closes_whole(asked: Instruction) -> bool:
    """Return whether an instruction closes all that is open of its pairs."""
    is_whole = asked.qty is None and asked.percent in (None, 1)
    return asked.command in ("CLOSEPOSITION", "FLATTEN", "FLATTENEVERYTHING") and is_whole


def _is_of_other_month(turn: Turn, close: Close, name: str) -> bool:
    """Return whether an order of this pair waits for a close of another month."""
    order = turn.orders.get(close.owner)
    return (
        order is not None
        and not order.ended
        and close.name in order.month_closes
        and pair(turn.at, order.account, order.instrument) == name
    )


def closes_alone(turn: Turn, close: Close) -> bool:
    """Return whether a close is for what only closes, and not for what opens after it."""
    owner = turn.instructions.get(close.owner)
    return owner is not None and owner.asked.command in CLOSING


def concerns(turn: Turn, instruction: TableInstruction, account: str, instrument: str) -> bool:
    """Return whether an instruction is about a pair; one of several pairs, once it has begun, by its closes alone."""
    asked, at = instruction.asked, turn.at
    is_exact = asked.account is not None and asked.instrument is not None and asked.root is None
    if not is_exact and instruction.begun_at is not None:
        return False
    accounts = [asked.account] if asked.account else asked.accounts
    if accounts and folded(account) not in map(folded, accounts):
        return False
    if asked.root is None and asked.instrument:
        return pair(at, "", instrument) == pair(at, "", asked.instrument)
    if asked.root is not None and root_of(at, instrument) != folded(asked.root):
        return False
    return reaches(asked.instruments, instrument, at)


def reaches(limits: Sequence[str], instrument: str, at: datetime) -> bool:
    """Return whether a key with these limits reaches an instrument; a continuous contract is every month of it."""
    names = (it if it.endswith(CONTINUOUS) else canonical(it, at.date()) for it in limits)
    return allows_instrument(tuple(names), canonical(instrument, at.date()))


# Blocks


def block(turn: Turn, account: str, instrument: str, why: str) -> None:
    """Have nothing open in a pair until a person says so; the first reason stays."""
    name = pair(turn.at, account, instrument)
    if name not in turn.blocks:
        turn.put(Block(name, account, instrument, why, turn.at))


def resume(turn: Turn, account: str, instrument: str) -> None:
    """Let a pair open again: a person has said so."""
    if (known := turn.blocks.get(pair(turn.at, account, instrument))) is not None:
        turn.drop(known)


def why_blocked(turn: Turn, account: str, instrument: str) -> str | None:
    """Return why nothing opens in a pair; None where something may."""
    known = turn.blocks.get(pair(turn.at, account, instrument)) if turn.blocks else None
    return f"blocked: {known.why}" if known else None


def why_unconfirmed(turn: Turn, order: TableOrder) -> str | None:
    """Return why an order is not opened that has waited for a close of its pair which nobody saw done; None else."""
    name = pair(turn.at, order.account, order.instrument) if turn.closes else ""
    for it in turn.closes.values():
        if order.received_at is None or it.ended_at is None or it.result not in ("failed", "unresolved"):
            continue
        if it.pair == name and it.until < order.received_at <= it.ended_at and not is_of(order, it.owner):
            return f"blocked: the close that was asked for before it was not confirmed: {it.reason}"
    return None
