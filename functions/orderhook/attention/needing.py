"""What needs a person now, by the list of `entries`. Pure: what is known is passed in."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from types import MappingProxyType
from typing import Literal, NamedTuple

from orderhook.attention.entries import ENTRIES, ORDER_ID, OTHER, Entry
from orderhook.attention.protection import cover
from orderhook.bridge_messages import PositionReport
from orderhook.instructions import OVERDUE, Instruction
from orderhook.needs import Need, of_record
from orderhook.orders import RESENDS_END, Order, OrderState, folded, timestamp
from orderhook.store.alert_log import AlertRecord
from orderhook.store.bridge import BridgeState
from orderhook.trade import entry_and_leg

CLOSING = frozenset(
    {
        *("CANCELANDBRACKET", "CLOSEPOSITION", "CLOSESTRATEGY", "FLATPLACE", "FLATTEN", "FLATTENEVERYTHING"),
        *("REVERSE", "REVERSEPOSITION"),
    }
)
"""The commands after whose failure a position may be open that was to be closed, or without its stop."""

Pair = tuple[str, str]
"""An account and an instrument, without their case."""


class Facts(NamedTuple):
    """What is known, as it was read just now."""

    now: datetime
    bridge: BridgeState | None = None
    """None without a venue."""
    orders: Sequence[Order] = ()
    """The open ones, with their waiting legs."""
    open_ids: Container[str] = ()
    """The ids of all open orders, also of those that this version cannot read."""
    instructions: Sequence[Instruction] = ()
    """Those under way."""
    kept: Sequence[Need] = ()
    records: Sequence[AlertRecord] = ()
    repeated: Container[str] = ()
    """The request ids of the alerts answered 503 that came again: what became of them, the later record has."""
    unsearched: Container[str] = ()
    """Those of which nobody has looked whether they came again: there are too many."""
    positions: Mapping[Pair, PositionReport] = MappingProxyType({})
    seen_flat: Mapping[Pair, str] = MappingProxyType({})
    """When each pair was last seen flat."""


class Attention(NamedTuple):
    """Something that needs a person now."""

    code: str
    subject: Literal["order", "instruction", "bridge", "message", "alert"]
    id: str
    at: str
    detail: str | None = None
    account: str | None = None
    instrument: str | None = None
    may_be_looked_at: bool = False
    """Whether it leaves by "I have looked"."""
    placed_by: str | None = None
    """Of an order, the request of its placing, where that is known: another one may take the id later."""
    was_to_close: bool = False
    """Whether it is an alert by which a position was to be closed, or to get its stop."""

    @property
    def entry(self) -> Entry:
        """What the list says of it."""
        return ENTRIES.get(self.code, OTHER)

    @property
    def key(self) -> str:
        """What names it in a form, whatever stands in its id."""
        return sha256(f"{self.code} {self.subject} {self.id}".encode()).hexdigest()[:16]

    @property
    def command(self) -> str:
        """The words for the command line, if that is the way out; only ids of requests stand in them."""
        return self.entry.command.replace("{id}", self.id if _is_request_id(self.id) else ORDER_ID)


def needing_a_person(facts: Facts) -> list[Attention]:
    """Return all that needs a person, what hurts most first, and of each the latest first."""
    found = [*_bridge(facts), *_orders(facts), *_instructions(facts), *_kept(facts), *_records(facts)]
    places = {code: place for place, code in enumerate(ENTRIES)}
    found.sort(key=lambda it: it.at, reverse=True)
    return sorted(found, key=lambda it: places.get(it.code, len(places)))


def pair_of(account: str, instrument: str) -> Pair:
    """Return by what positions are compared."""
    return folded(account), folded(instrument)


def pairs_in_question(kept: Iterable[Need], records: Iterable[AlertRecord]) -> dict[Pair, tuple[str, str]]:
    """Return the positions on which it depends whether something is over, by their names as they were told."""
    named = [(it.account, it.instrument) for it in kept if it.code == "unprotected"]
    named += [_market_of(record) for record in records if "unprotected_quantity" in of_record(record)]
    return {
        pair_of(account, instrument): (account, instrument) for account, instrument in named if account and instrument
    }


def is_covered(facts: Facts, account: str, instrument: str, since: str) -> bool:
    """Return whether a position was seen flat after a time, or its stops cover it now. UNKNOWN is neither."""
    pair = pair_of(account, instrument)
    position = facts.positions.get(pair)
    if facts.seen_flat.get(pair, "") > since or (position and position.side == "FLAT" and position.at > since):
        return True
    if position is None or position.side not in ("LONG", "SHORT"):
        return False
    return cover(position, facts.orders).covered >= position.quantity


def _bridge(facts: Facts) -> Iterator[Attention]:
    away = facts.bridge.away(facts.now) if facts.bridge else None
    if facts.bridge and away:
        yield Attention("bridge_away", "bridge", "", facts.bridge.at or "", away)


def _orders(facts: Facts) -> Iterator[Attention]:
    for order in facts.orders:
        of_order = (order.order_id, order.since)
        market = (order.account, order.instrument)
        if order.unresolved is not None:
            yield Attention("unresolved", "order", *of_order, order.unresolved, *market, placed_by=order.placed_by)
        elif order.state is OrderState.UNKNOWN:
            yield Attention("unknown", "order", *of_order, None, *market, placed_by=order.placed_by)


def _instructions(facts: Facts) -> Iterator[Attention]:
    for it in facts.instructions:
        if it.since < timestamp(facts.now - OVERDUE):
            yield Attention(
                "overdue", "instruction", it.instruction_id, it.since, it.command, it.account, it.instrument
            )


def _kept(facts: Facts) -> Iterator[Attention]:
    for need in facts.kept:
        over = _is_over(facts, need)
        if not over:
            yield Attention(
                need.code,
                need.subject,
                need.id,
                need.at,
                need.detail,
                need.account,
                need.instrument,
                may_be_looked_at=over is None,
                placed_by=need.placed_by,
            )


def _is_over(facts: Facts, need: Need) -> bool | None:
    """Return whether a condition is over; None of an event, and of a condition of which nobody can know it."""
    if need.code == "unprotected" and need.account and need.instrument:
        return is_covered(facts, need.account, need.instrument, need.at)
    if need.code in ("cancel_refused", "change_unconfirmed") and need.subject == "order":
        return _is_over_for(facts, need)
    return None


def _is_over_for(facts: Facts, need: Need) -> bool:
    if need.id not in facts.open_ids:
        return True
    order = next((it for it in facts.orders if it.order_id == need.id), None)
    if order is None:  # this version cannot read it
        return False
    if need.placed_by and order.placed_by != need.placed_by and not entry_and_leg(need.id):
        return True
    asked = order.want.n if order.want else 0
    return need.code == "change_unconfirmed" and asked > need.want and order.acked >= asked


def _records(facts: Facts) -> Iterator[Attention]:
    places = [*ENTRIES]
    for record in facts.records:
        if record.status >= 500 and (
            record.received_at > timestamp(facts.now - RESENDS_END) or record.request_id in facts.repeated
        ):
            continue  # TradingView sends it again, or has: the later record says what became of it
        account, instrument = _market_of(record)
        codes = sorted(of_record(record), key=places.index)
        if account and instrument and is_covered(facts, account, instrument, record.received_at):
            codes = [code for code in codes if code != "unprotected_quantity"]
        if codes:
            # Who looks at an alert looks at all of it.
            detail = "; ".join(filter(None, (_detail(facts, record, code) for code in codes))) or None
            yield Attention(
                codes[0],
                "alert",
                record.request_id,
                record.received_at,
                detail,
                account,
                instrument,
                may_be_looked_at=True,
                was_to_close=record.command in CLOSING,
            )


def _detail(facts: Facts, record: AlertRecord, code: str) -> str | None:
    if code == "partly_done":
        refused = (it for it in record.results if it.status >= 400)
        return ", ".join(f"{it.account}: {it.outcome.replace('_', ' ')}" for it in refused)
    if code == "unprotected_quantity":
        return next(it.detail for it in record.warnings if it.code == code)
    if code == "not_repeated" and record.request_id in facts.unsearched:
        return "whether it came again was not looked for, as there are too many"
    return record.detail


def _market_of(record: AlertRecord) -> tuple[str | None, str | None]:
    """Return the account and the instrument of an alert, None where it names none, or several."""
    account = record.fields.get("account")
    if record.results or (account and "," in account):
        account = None
    return account or None, record.instrument or record.fields.get("instrument") or None


def _is_request_id(text: str) -> bool:
    return bool(text) and all(character in "0123456789abcdef." for character in text)
