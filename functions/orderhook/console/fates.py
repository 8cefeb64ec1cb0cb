"""What an alert was answered, what became of it, and how both are marked: two things, and one mark for a row.

answer_of(record)         done, refused, repeated, later, partly done: with its mark and the answer's own words
fate_of_order(order, now) the state, "filled n of m", what is asked and not answered; its mark
fate_of_instruction(it)   what became of what an alert asks of a position
fate_for(record, order)   the same for the alert that was to end the order, of which "Working" is no success
mark_of_row(record, …)    the worst of them, over all accounts

Words are of this console's own and of NinjaTrader's states; only a `reason` comes from outside.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from enum import Enum
from typing import Literal, NamedTuple

from orderhook.listing import Instructed
from orderhook.orders import BEING_CANCELLED, CHANGEABLE, PRICES, Order, OrderState, decimal_text
from orderhook.store.alert_log import UNREADABLE, AlertRecord, RecordedResult
from orderhook.trade import kind_of, protected_by
from orderhook.venue_words import guidance_for_reason


class Mark(Enum):
    """How something stands: `value` is the name of its colour, which never says it alone."""

    NEUTRAL = "neutral"
    GOOD = "good"
    LATER = "later"
    WARN = "warn"
    BAD = "bad"

    @property
    def sign(self) -> str:
        """The sign that stands before the words."""
        return _SIGNS[self][0]

    @property
    def word(self) -> str:
        """What the sign says to who cannot see it."""
        return _SIGNS[self][1]


_SIGNS = {
    Mark.NEUTRAL: ("○", "nothing to do"),
    Mark.GOOD: ("✓", "good"),
    Mark.LATER: ("◷", "not yet"),
    Mark.WARN: ("!", "look at it"),
    Mark.BAD: ("✕", "wrong"),
}
_RANKS = {mark: rank for rank, mark in enumerate(Mark)}
"""From the best to the worst."""


def worst(marks: Iterable[Mark]) -> Mark:
    """Return the worst of some marks; of none it is NEUTRAL."""
    return max(marks, key=_RANKS.__getitem__, default=Mark.NEUTRAL)


class Fate(NamedTuple):
    """What has become of an order, or of what is asked of a position."""

    mark: Mark
    words: str
    at: str | None = None
    """The time that ends the words: when it was asked, or until when it waits."""
    reason: str | None = None
    """Why, in words from outside."""
    unprotected: int = 0
    """How many contracts the end of this stop leaves, or will leave, without one."""
    is_due: bool = False
    """Whether the time is still to come."""

    @property
    def note(self) -> str:
        """What must be said besides, such as that contracts are left without a stop."""
        if not self.unprotected:
            return ""
        return f"leaves {self.unprotected} contract{'' if self.unprotected == 1 else 's'} without a stop"


Kind = Literal["done", "refused", "repeated", "later", "partly done", "unreadable"]


class Answer(NamedTuple):
    """What an alert, or its part for one account, was answered."""

    kind: Kind
    mark: Mark
    words: str


# Answers

_ASKED = ("cancel_pending", "change_pending", "replace_pending", "accepted")
"""The venue is asked: until it is known what became of that, nothing is done."""

_BY_TIME = ("delayed", "cancel_after")


def answer_of(record: AlertRecord) -> Answer:
    """Return what an alert was answered; of several accounts in which of them it was done."""
    if record.outcome == UNREADABLE:
        return Answer("unreadable", Mark.WARN, "cannot be read by this version")
    if record.results:
        refused = [result for result in record.results if result.status >= 400]
        if refused and len(refused) < len(record.results):
            done = len(record.results) - len(refused)
            return Answer("partly done", Mark.BAD, f"partly done: in {done} of {len(record.results)} accounts")
    if record.outcome == "order_already_terminal" and record.origin == "cancel_after":
        return Answer("done", Mark.NEUTRAL, "time limit: had ended before")
    if record.origin in _BY_TIME and record.outcome == "already_cancelled":
        return Answer("done", Mark.NEUTRAL, "was cancelled before")
    answer = _answer(record)
    if record.outcome == "nothing_to_cancel":
        return answer._replace(mark=Mark.WARN if record.warnings else Mark.NEUTRAL)
    return answer


def answer_in_account(result: RecordedResult) -> Answer:
    """Return what an alert for several accounts was answered in one of them."""
    return _answer(result)


def _answer(it: AlertRecord | RecordedResult) -> Answer:
    words = it.outcome.replace("_", " ")
    if it.status >= 400:
        return Answer("refused", Mark.BAD, words)
    if it.duplicate or it.outcome.startswith("already_"):
        return Answer("repeated", Mark.NEUTRAL, words)
    if it.outcome == "scheduled":
        return Answer("later", Mark.LATER, words)
    return Answer("done", Mark.LATER if it.outcome in _ASKED else Mark.GOOD, words)


# Orders

Closed = Callable[[Order, str], bool]
"""Says whether the position that a stop was for was seen closed since a time."""


def _nothing_is_known(_: Order, __: str) -> bool:
    return False


def fate_of_order(order: Order, now: str, entry: Order | None = None, *, closed: Closed = _nothing_is_known) -> Fate:
    """Return what has become of an order; of a leg its entry, where it is known, says whether it has to protect.

    What was `closed` since has no stop to miss.
    """
    order = order.at(now)
    if order.unresolved:
        return Fate(Mark.BAD, f"UNRESOLVED, {_filled(order)}: nobody knows what became of it", reason=order.unresolved)
    if order.filled > order.qty or order.filled_after_end is not None:
        many = max(order.filled, order.filled_after_end or 0)
        after = " after its end" if order.filled_after_end is not None else ""
        return Fate(Mark.BAD, f"{order.state}, and {many} of {order.qty} filled{after}", reason=order.reason)
    return _open(order, now) if order.is_open else _ended(order, entry, closed)


def _filled(order: Order) -> str:
    """Say how much is filled, and at which average price."""
    at = f" @ {decimal_text(round(order.average, 6))}" if order.filled and order.average is not None else ""
    return f"{order.filled} of {order.present_qty} filled{at}"


def _ended(order: Order, entry: Order | None, closed: Closed) -> Fate:
    words = f"{order.state}, {_filled(order)}"
    match order.state:
        case OrderState.FILLED:
            return Fate(Mark.GOOD, words)
        case OrderState.REJECTED:
            return Fate(Mark.BAD, words, reason=order.reason)
        case OrderState.CANCELLED:
            unprotected = _left_without_stop(order, entry, closed)
            asked = order.cancel_request_id is not None
            is_refused = not asked and guidance_for_reason(order.reason) is not None
            mark = Mark.WARN if unprotected or is_refused else Mark.NEUTRAL
            if not asked and order.delay and order.released_at is None and order.reason and not order.entry_id:
                mark = Mark.BAD  # it was scheduled, and never placed
            return Fate(mark, words, reason=order.reason, unprotected=unprotected)
    return Fate(Mark.NEUTRAL, words, reason=order.reason)


def _left_without_stop(order: Order, entry: Order | None, closed: Closed) -> int:
    """Return how many contracts a stop that was ended by itself was to close: now, or once its entry fills."""
    if order.entry_id is None or order.closes is not None:
        without, since = protected_by(order), order.since
    elif kind_of(str(order.order_name)) != "STOP" or order.cancel_request_id is None:
        return 0  # it ended with its entry
    elif entry is None or entry.is_open:
        return order.qty
    else:
        without, since = order.qty if entry.filled else 0, max(order.since, entry.since)
    return 0 if without and closed(order, since) else without


def _open(order: Order, now: str) -> Fate:
    if order.due is not None:
        if order.due > now:
            return Fate(Mark.LATER, "waits for its delay, until", at=order.due, is_due=True)
        return Fate(Mark.LATER, "its delay is over, and it is not placed yet; since", at=order.due)
    waits = order.entry_id is not None and order.released_at is None and order.closes is None
    if order.want is not None and order.want.n > max(order.acked, order.dropped):
        return _asked(order, waits=waits)
    if waits:
        return Fate(Mark.LATER, "waits for its entry")
    if order.state in BEING_CANCELLED:
        return Fate(Mark.LATER, f"{_at_venue(order)}, cancel asked", at=order.since)
    if order.state is OrderState.UNKNOWN:
        return Fate(Mark.WARN, f"Unknown, {_filled(order)}: the venue has lost sight of it", reason=order.reason)
    words = f"{order.state}, {_filled(order)}"
    if order.want is not None and order.want.kind == "cancel" and order.state in CHANGEABLE:
        return Fate(Mark.BAD, f"{words}; the cancel was not done", reason=order.reason)
    if order.want is not None and order.want.kind != "place" and order.dropped >= order.want.n:
        return Fate(Mark.WARN, f"{words}; the {_WANTS[order.want.kind]} was not done", reason=order.reason)
    return Fate(Mark.GOOD, words)


_WANTS = {"change": "change", "replace": "replacement", "cancel": "cancel"}


def _asked(order: Order, *, waits: bool) -> Fate:
    """Say what the venue has, and what it is asked and has not answered."""
    want = order.want
    if want is None or want.kind == "place":
        words = "waits for its entry" if waits else f"{order.state}, {_filled(order)}; asked of the venue"
        return Fate(Mark.LATER, words, at=want.at if want and not waits else None)
    has = "waits for its entry" if waits else _at_venue(order)
    return Fate(Mark.LATER, f"{has}, {_WANTS[want.kind]} asked", at=want.at)


def _at_venue(order: Order) -> str:
    """Say what the venue has confirmed last, whatever is asked of it now."""
    filled = f", {_filled(order)}" if order.filled else ""
    if not order.confirmed:
        return f"{order.state}{filled}"
    state = order.state if order.state in (OrderState.PART_FILLED, OrderState.UNKNOWN) else OrderState.WORKING
    prices = " / ".join(decimal_text(Decimal(order.confirmed[name])) for name in PRICES if name in order.confirmed)
    return f"{state} {order.confirmed.get('qty', order.present_qty)}{f' @ {prices}' if prices else ''}{filled}"


# What is asked of positions

_RESULTS = {
    "done": Mark.GOOD,
    "no_position": Mark.NEUTRAL,
    "superseded": Mark.NEUTRAL,
    "blocked": Mark.WARN,
}
"""Any other is bad: somebody has to look."""


def fate_of_instruction(it: Instructed) -> Fate:
    """Return what became of what an alert asks of a position."""
    if it.result is not None:
        mark = _RESULTS.get(it.result.result, Mark.BAD)
        return Fate(mark, f"at the venue: {it.result.result.replace('_', ' ')}", reason=it.result.reason)
    if it.asked is not None:
        return Fate(Mark.LATER, "under way at the venue, since", at=it.asked.since)
    return Fate(Mark.NEUTRAL, "what became of it is not known any more")


# Rows

ENDING = frozenset(
    {"CANCEL", "CANCELORDERS", "CANCELALLORDERS", "CLOSESTRATEGY", "CLOSEPOSITION", "FLATTEN", "FLATTENEVERYTHING"}
)
"""The commands by which orders are to end."""


def fate_for(
    record: AlertRecord, order: Order, now: str, entry: Order | None = None, *, closed: Closed = _nothing_is_known
) -> Fate:
    """Return the fate of an order as it counts for an alert: what it was to end, and goes on, is no success."""
    fate = fate_of_order(order, now, entry, closed=closed)
    in_account = any(order.order_id in result.order_ids for result in record.results if result.status < 400)
    is_done = in_account or (record.status < 400 and record.outcome != "scheduled")
    if record.command not in ENDING or not is_done:
        return fate
    order = order.at(now)
    if order.state is OrderState.CANCELLED and fate.mark is not Mark.BAD:
        unprotected = 0 if record.instruction_ids else fate.unprotected
        return fate._replace(mark=Mark.WARN if unprotected else Mark.GOOD, unprotected=unprotected)
    if order.state is OrderState.FILLED:
        return fate._replace(mark=worst((fate.mark, Mark.WARN)), words=f"{fate.words}: the fill was faster")
    if order.is_open and fate.mark in (Mark.GOOD, Mark.NEUTRAL):
        return fate._replace(mark=Mark.BAD, words=f"{fate.words}; it goes on")
    return fate


def mark_of_row(
    record: AlertRecord,
    orders: Iterable[Order],
    now: str,
    *,
    instructed: Iterable[Instructed] = (),
    entries: Iterable[Order] = (),
    came_again: bool = False,
    result: AlertRecord | None = None,
    closed: Closed = _nothing_is_known,
) -> Mark:
    """Return the mark of an alert: the worst of its answer and what has become of its orders, over all accounts.

    A repetition is neutral unless something is wrong; `came_again` says that what was answered 5xx was done since, and
    `result` is what came of an alert whose delay is over.
    """
    told = result or record
    answer = answer_of(told)
    by_id = {entry.order_id: entry for entry in entries}
    fates = [fate_for(record, order, now, by_id.get(order.entry_id or ""), closed=closed).mark for order in orders]
    fates += [fate_of_instruction(it).mark for it in instructed]
    own = answer.mark
    if came_again and own is Mark.BAD and record.status >= 500:
        own = Mark.NEUTRAL
    elif told.outcome in _ASKED and fates:
        own = Mark.NEUTRAL  # what became of it is known
    if answer.kind == "repeated":
        return Mark.BAD if Mark.BAD in (own, *fates) else Mark.NEUTRAL
    # An order that has come to its end as it may takes nothing from a success.
    return worst((own, *fates))
