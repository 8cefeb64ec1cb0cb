"""What a trader's alerts are answered, and what then belongs to the trader, one alert, report or release at a time.

It is the specification (CANCEL to CLOSESTRATEGY, delays, the kill switch, resends, fills), stated once more, and it
imports nothing of the product. Left out, and tested elsewhere: lists of accounts, rate limits, trade windows, key
limits, cancel_after and DAY orders. A further command is a further class here, and a case in `_step`.

Times are milliseconds. Ids that the service makes up begin with the id of the request that made them.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from string import ascii_uppercase
from typing import Any

from tests.states import BEING_CANCELLED, CANCELLABLE, FINISHED, may_follow

EARLIEST, LATEST = 4_000, 30_000
"""A resend is received so long after the first receipt."""
REBOUND = 30_000
"""For so long a name that was given to another order may still be meant by a resend to lead to the one before."""
SAME_BAR = 3_000
"""A PLACE with delay that was received so shortly before a command over many is of the same bar."""
GIVEN_UP = 300_000
"""So long after it was due, an order that nothing has released counts as cancelled."""

AVERAGE = Decimal("5000.5")
"""The average price that every report of a fill has here."""

PRICES = ("limit_price", "stop_price")
PRICES_OF: Mapping[str, tuple[str, ...]] = {
    "MARKET": (),
    "LIMIT": ("limit_price",),
    "STOPMARKET": ("stop_price",),
    "STOPLIMIT": PRICES,
}
LISTS = ("cancelled", "already_cancelled", "already_terminal", "remaining")
"""What may become of each order; one step at a time, nothing is ever terminal already or remains."""


@dataclass(frozen=True)
class Alert:
    """One receipt of an alert."""

    request_id: str
    at: int
    text: str = ""
    answered: bool = False
    """Whether it, or a resend of it, was answered 2xx or 4xx."""


@dataclass(frozen=True)
class Leg:
    """A target or stop as it lies in its entry's item."""

    order_type: str
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    offset: Decimal | None = None
    start: int = 0
    size: int | None = None
    generation: int = 1
    released: bool = False
    ended: bool = False
    """Whether it was ended by itself."""
    received: int | None = field(default=None, compare=False)
    """When the alert came that added it, if that was a later one than its entry's."""

    def share(self, qty: int) -> int:
        rest = max(0, qty - self.start)
        return rest if self.size is None else min(rest, self.size)

    @property
    def left_behind(self) -> "Leg":
        """What counts of it in its entry's item once it is an order of its own: its share."""
        return Leg("", start=self.start, size=self.size, released=True)


@dataclass(frozen=True)
class Order:
    """An order, or a leg that was released."""

    state: str
    qty: int
    account: str
    instrument: str
    action: str
    order_type: str
    tif: str
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    offset: Decimal | None = None
    filled: int = 0
    filled_after_end: int | None = None
    strategy_id: str | None = None
    order_name: str | None = None
    number: int | None = None
    legs: Mapping[str, Leg] = field(default_factory=dict)
    wanted: Mapping[str, Leg] = field(default_factory=dict)
    """The legs that it will have when its delay is over."""
    template: str | None = None
    entry_id: str | None = None
    closes: int | None = None
    """What is filled for a released leg."""
    report_seq: int | None = None
    """The number of the last report."""
    generation: int = 1
    received: int = 0
    delay: int | None = None
    due: int | None = None
    history: tuple[tuple[str, str | None], ...] = ()
    """By which requests it was written, and which waiting leg each was about."""
    placed: str | None = field(default=None, compare=False)
    """What it was placed with, in one spelling."""

    @property
    def open(self) -> bool:
        return self.state not in FINISHED

    @property
    def waits(self) -> bool:
        return self.due is not None and self.open

    def written(self, request_id: str, leg: str | None = None, **changes: Any) -> "Order":
        return replace(self, history=(*self.history, (request_id, leg)), **changes)

    def in_market(self, account: str | None, instrument: str | None) -> bool:
        return (account is None or folded(self.account) == folded(account)) and (
            instrument is None or _is_in(instrument, self.instrument)
        )


@dataclass(frozen=True)
class Former:
    """An entry to which a number led, and until when."""

    order_id: str
    until: int


@dataclass(frozen=True)
class Binding:
    order_id: str
    at: int
    before: tuple[Former, ...] = ()
    """The last one first."""
    legs_only: bool = False


Requests = tuple[str, ...]
"""The alerts that left their trace, oldest first."""


@dataclass(frozen=True)
class Strategy:
    account: str
    instrument: str
    numbers: Mapping[int, Binding]
    closed_at: int | None = None
    closed_by: Requests = ()
    named: tuple[tuple[str, str], ...] = ()
    """The alerts that a name led to an order which is not bound to it, oldest first, each with that order."""


@dataclass(frozen=True)
class Controls:
    on: bool = False
    on_at: int | None = None
    """When the last alert that turned it on was received."""
    off_by: Requests = ()
    cancel_all_at: int | None = None


Bracket = tuple[int, str | None, str | None]
"""A quantity, and the points to its target and to its stop."""


@dataclass(frozen=True)
class Belongings:
    """What belongs to one trader."""

    orders: Mapping[str, Order] = field(default_factory=dict)
    strategies: Mapping[str, Strategy] = field(default_factory=dict)
    templates: Mapping[str, tuple[Bracket, ...]] = field(default_factory=dict)
    controls: Controls = Controls()
    traces: Mapping[str, Requests] = field(default_factory=dict)
    """Of commands over many, by their text."""

    def with_orders(self, orders: Mapping[str, Order]) -> "Belongings":
        return replace(self, orders={**self.orders, **orders})


# Commands


@dataclass(frozen=True)
class Command:
    """An alert with valid fields, as it spells them; order names are in capitals."""

    fields: Mapping[str, str] = field(default_factory=dict)
    word = ""

    @property
    def repeatable(self) -> bool:
        return True


class Place(Command):
    word = "PLACE"

    @property
    def repeatable(self) -> bool:
        return "order_id" in self.fields


class Cancel(Command):
    word = "CANCEL"


class CancelOrders(Command):
    word = "CANCELORDERS"


class CancelAllOrders(Command):
    word = "CANCELALLORDERS"


class CloseStrategy(Command):
    word = "CLOSESTRATEGY"


class Change(Command):
    """CHANGE, with a value above 0 at least."""

    word = "CHANGE"


class CancelReplace(Command):
    word = "CANCELREPLACE"


class KillSwitch(Command):
    """The kill switch, whose field is the command."""

    word = "KILLSWITCH"


@dataclass(frozen=True)
class Report:
    """A venue's report that the order is in `state`, with so much of it filled."""

    request_id: str
    order_id: str
    state: str
    filled: int = 0
    seq: int | None = None


@dataclass(frozen=True)
class Release:
    """The message that a PLACE with delay sends."""

    request_id: str
    order_id: str
    received: int
    due: int


@dataclass(frozen=True)
class Step:
    """The answer to an alert, and what is owned after it."""

    answer: Mapping[str, Any]
    after: Belongings
    resend_of: str | None = None
    """The request that it turned out to be a resend of."""
    message: Release | None = None


class _RefusedError(Exception):
    """The alert is refused, and nothing changes."""

    def __init__(self, error: str, state: str | None = None, resend_of: str | None = None) -> None:
        super().__init__(error)
        self.answer = {"success": False, "error": error} | ({"state": state} if state else {})
        self.resend_of = resend_of


def _terminal(order: Order) -> _RefusedError:
    return _RefusedError("order_already_terminal", order.state)


class Account:
    """The rules, with what was received so far."""

    def __init__(self, alerts: Mapping[str, Alert], alert: Alert) -> None:
        """Judge `alert`; `alerts` are all that were received, by request."""
        self._alerts = alerts
        self._alert = alert
        self._settled_by: str | None = None
        """The alert that this one is a resend of, where its name had led that one to an order."""
        self._led_to: tuple[str, str] | None = None
        """The strategy, and the order that its name leads this alert to without being bound to it."""

    def step(self, owned: Belongings, command: Command) -> Step:
        """Do what the alert says."""
        owned = as_of(owned, self._alert.at)
        try:
            step = self._step(owned, command)
        except _RefusedError as refusal:
            step = Step(refusal.answer, owned, refusal.resend_of)
        return replace(step, after=self._noted(step.after), resend_of=step.resend_of or self._settled_by)

    def _noted(self, owned: Belongings) -> Belongings:
        """Return what is owned with the note which order the name has led this alert to."""
        if self._led_to is None or self._led_to[0] not in owned.strategies:
            return owned
        name, order_id = self._led_to
        strategy = owned.strategies[name]
        strategy = replace(strategy, named=(*strategy.named, (self._alert.request_id, order_id)))
        return replace(owned, strategies={**owned.strategies, name: strategy})

    def _step(self, owned: Belongings, command: Command) -> Step:
        match command:
            case Cancel(fields):
                return self._cancel(owned, fields)
            case CancelOrders(fields):
                return self._cancel_orders(owned, fields.get("account"), fields.get("instrument"))
            case CancelAllOrders():
                return self._cancel_orders(owned, None, None)
            case CloseStrategy(fields):
                return self._close_strategy(owned, fields["strategy_id"])
            case KillSwitch(fields):
                return self._turn(owned, on=fields["kill_switch"] == "on")
            case Place(fields):
                return self._place(owned, _without_zeros(fields))
            case Change(fields):
                return self._alter(owned, fields, "changed")
        return self._alter(owned, _without_zeros(command.fields), "replaced")

    # Resends

    def _is_resend_of(self, request_id: str | None) -> bool:
        """Return whether the alert is a resend of the one with this id."""
        first = self._alerts.get(request_id or "")
        return (
            first is not None
            and first.text == self._alert.text
            and EARLIEST <= self._alert.at - first.at <= LATEST
            and not first.answered
        )

    def _first_of(self, requests: Iterable[str]) -> str | None:
        """Return the oldest of these alerts that this one is a resend of."""
        return next(filter(self._is_resend_of, requests), None)

    def _resent(self, order: Order) -> str | None:
        """Return the alert that has written the order if this is its resend."""
        return self._first_of(request_id for request_id, _ in order.history)

    def _resent_to_former(self, owned: Belongings, ids: Iterable[str]) -> tuple[str, Order, str] | None:
        """Return the order that this very alert has reached before its name was given to another, and the alert."""
        for order_id in ids:
            met = find(owned, order_id)
            if met and (first := self._resent(met[0])):
                return order_id, view(*met), first
        return None

    # The order that is addressed

    def _address(self, owned: Belongings, fields: Mapping[str, str]) -> tuple[str, Sequence[str]]:
        """Return the id, and those that its name led to shortly before."""
        name, strategy_id = _name_in(fields), fields.get("strategy_id", "")
        if name is None:
            return fields["order_id"], ()
        if strategy_id not in owned.strategies:
            raise _RefusedError("order_not_found" if _only_named(owned, strategy_id) else "strategy_not_found")
        for request_id, order_id in owned.strategies[strategy_id].named:
            if self._is_resend_of(request_id):
                self._settled_by = request_id
                return order_id, ()
        kind, number = name
        binding = owned.strategies[strategy_id].numbers.get(number)
        if binding is None or kind in ("EXIT", "SIMSTOP") or (kind == "ENTRY" and binding.legs_only):
            raise _RefusedError("order_not_found")
        ending = "" if kind == "ENTRY" else f".{kind}{number}"
        recent = [former.order_id for former in binding.before if self._alert.at - former.until < REBOUND]
        return binding.order_id + ending, [order_id + ending for order_id in recent]

    def _reached(self, owned: Belongings, fields: Mapping[str, str]) -> tuple[str, Sequence[str]]:
        """Return what `_address` does; where that is nothing open, an open order that bears the name all the same."""
        try:
            order_id, before = self._address(owned, fields)
        except _RefusedError:
            if bearing := self._bearing(owned, fields):
                return bearing, ()
            raise
        met = find(owned, order_id)
        if self._settled_by or (met and (view(*met).open or self._resent(met[0]))):
            return order_id, before
        return self._bearing(owned, fields) or order_id, before

    def _bearing(self, owned: Belongings, fields: Mapping[str, str]) -> str | None:
        """Return the first open order of the strategy that bears the name which is addressed, and remember it."""
        order_id = _bearing(owned, fields)
        self._led_to = (fields["strategy_id"], order_id) if order_id else None
        return order_id

    def _is_to_come(self, owned: Belongings, fields: Mapping[str, str]) -> bool:
        """Return whether an order which waits, not of this bar, takes the free name at its release, as things are."""
        name = _name_in(fields)
        if name is None:
            return False
        kind, number = name
        named = [order for order in owned.orders.values() if order.open and order.strategy_id == fields["strategy_id"]]
        waiting = [order for order in named if order.waits and order.received < self._alert.at - SAME_BAR]
        taken = {_number_of(name) for order in named if order.order_name for name in (order.order_name, *order.legs)}
        free = [n for n in range(1, number + 1) if n not in taken]
        if number in taken or not (len(free) <= len(waiting) or any(order.template for order in waiting)):
            return False
        return any(
            not is_void(owned.controls, order)
            and (kind == "ENTRY" or order.template or any(leg.startswith(kind) for leg in order.wanted))
            for order in waiting
        )

    # CANCEL

    def _cancel(self, owned: Belongings, fields: Mapping[str, str]) -> Step:
        order_id, before = self._reached(owned, fields)
        if resent := self._resent_to_former(owned, before):
            self._led_to = None
            former, shown, first = resent
            return Step(_of_cancel("already_cancelled", former, shown), owned, first)
        met = find(owned, order_id)
        if met is None:
            raise _RefusedError("order_not_found")
        shown = view(*met)
        _check_strategy(fields, shown)
        if shown.state in FINISHED and shown.state != "Cancelled":
            raise _terminal(shown)
        entry, leg = met
        if shown.state not in CANCELLABLE:
            pending = shown.state in BEING_CANCELLED
            resent_here = self._settled_by or self._resent(entry)
            if not (pending or resent_here) and self._is_to_come(owned, fields):
                raise _RefusedError("order_not_found")
            answer = _of_cancel("cancel_pending" if pending else "already_cancelled", order_id, shown)
            return Step(answer | ({"duplicate": True} if pending else {}), owned, self._resent(entry))
        answer = _of_cancel("cancelled", order_id, replace(shown, state="Cancelled"), shown.state)
        if leg is None:
            ended = {order_id: entry.written(self._alert.request_id, state="Cancelled")}
        else:
            legs = {**entry.legs, leg: replace(entry.legs[leg], ended=True)}
            ended = {order_id.removesuffix(f".{leg}"): entry.written(self._alert.request_id, leg, legs=legs)}
        return Step(answer, owned.with_orders(ended))

    # Commands over many

    def _cancel_orders(self, owned: Belongings, account: str | None, instrument: str | None) -> Step:
        until, first, traces = self._cutoff(owned)
        owned = replace(owned, traces=traces)
        everything = account is None
        if everything:
            at = max(until, owned.controls.cancel_all_at or until)
            owned = replace(owned, controls=replace(owned.controls, cancel_all_at=at))
        lists, after = self._cancel_many(
            owned, lambda order: order.in_market(account, instrument), until, bar=not everything
        )
        words = (word for word in ("cancelled", "cancel_pending", "already_cancelled") if lists.get(word))
        word = next(words, "nothing_to_cancel")
        return Step(_success(word, **lists), after, first)

    def _cutoff(self, owned: Belongings) -> tuple[int, str | None, Mapping[str, Requests]]:
        """Return up to which receipt orders are meant, the alert that it is a resend of, and the traces then."""
        met = owned.traces.get(self._alert.text, ())
        if first := self._first_of(met):
            return self._alerts[first].at, first, owned.traces
        return self._alert.at, None, {**owned.traces, self._alert.text: (*met, self._alert.request_id)}

    def _close_strategy(self, owned: Belongings, strategy_id: str) -> Step:
        running = owned.strategies.get(strategy_id) or _only_named(owned, strategy_id)
        if running is None:
            raise _RefusedError("strategy_not_found")
        first, until, closed = self._first_of(running.closed_by), self._alert.at, owned
        if first:
            until = self._alerts[first].at
        else:
            noted = replace(running, closed_at=until, closed_by=(*running.closed_by, self._alert.request_id))
            closed = replace(owned, strategies={**owned.strategies, strategy_id: noted})
        lists, after = self._cancel_many(closed, lambda order: order.strategy_id == strategy_id, until, bar=True)
        duplicate = first is not None and not lists["cancelled"]
        return Step(_success("closed", duplicate=duplicate or None, strategy_id=strategy_id, **lists), after, first)

    def _cancel_many(
        self, owned: Belongings, reached: Callable[[Order], bool], until: int, *, bar: bool
    ) -> tuple[dict[str, Any], Belongings]:
        """Cancel the open orders among those reached; return the lists of the answer, and what is owned after it."""
        lists: dict[str, list[str]] = {word: [] for word in LISTS}
        pending: list[str] = []
        waiting: list[str] = []
        newer: list[str] = []
        legs, orders = {}, {}
        for order_id, order in sorted(owned.orders.items()):
            if not (order.open and reached(order)):
                continue
            if order.received > until:
                newer.append(order_id)
            elif bar and order.delay and order.received >= until - SAME_BAR:
                (lists["already_cancelled"] if self._ended_if_void(owned, order) else waiting).append(order_id)
            elif order.state in BEING_CANCELLED:
                pending.append(order_id)
            else:
                lists["cancelled"].append(order_id)
                orders[order_id] = order.written(self._alert.request_id, state="Cancelled")
                if ended := sorted(_open_legs(order_id, order).values()):
                    legs[order_id] = ended
        more = (("cancel_pending", pending), ("waiting", waiting), ("newer", newer))
        lists |= {word: ids for word, ids in more if ids}
        counts = {word: len(ids) for word, ids in lists.items()}
        return {"counts": counts, **lists, "cancelled_legs": legs or None}, owned.with_orders(orders)

    # The kill switch

    def _turn(self, owned: Belongings, *, on: bool) -> Step:
        controls = owned.controls
        if on:
            turned = controls if controls.on else replace(controls, on=True, on_at=self._alert.at)
            return Step(_success("kill_switch_on", duplicate=controls.on or None), replace(owned, controls=turned))
        if first := self._first_of(controls.off_by):
            word = "kill_switch_on" if controls.on else "kill_switch_off"
            return Step(_success(word, duplicate=True), owned, first)
        turned = replace(controls, on=False, off_by=(*controls.off_by, self._alert.request_id))
        answer = _success("kill_switch_off", duplicate=None if controls.on else True)
        return Step(answer, replace(owned, controls=turned))

    # PLACE

    def _place(self, owned: Belongings, fields: Mapping[str, str]) -> Step:
        order_id = fields.get("order_id", self._alert.request_id)
        legs = _own_legs(1, fields)
        asked = _entry(fields, self._alert)
        _check_prices(replace(asked, legs=legs))
        holder = owned.orders.get(order_id)
        same = holder is not None and holder.placed == asked.placed
        first = self._first_of([holder.history[0][0]]) if holder and same else None
        if owned.controls.on and not first:
            raise _RefusedError("kill_switch_on")
        message = None
        if asked.delay:
            due = self._alert.at + asked.delay * 1000
            asked = replace(asked, state="Initialized", due=due, wanted=legs)
            try:
                _brackets(owned, asked)
            except _RefusedError:
                if holder is None:
                    raise  # else what has the id already says more
            else:
                if not (owned.controls.on and first):
                    message = Release(self._alert.request_id, order_id, self._alert.at, due)
        if holder is not None:
            if ended := self._ended_if_void(owned, holder):
                holder, owned = ended, owned.with_orders({order_id: ended})
            if same and (holder.open or first):
                return Step(_placed("already_placed", order_id, holder), owned, first, message)
            return Step(_RefusedError("duplicate_order_id", holder.state).answer, owned, message=message)
        if asked.delay:
            after = owned.with_orders({order_id: asked})
        else:
            after = self._join(owned, order_id, asked, legs, named="strategy_id" in fields)
        return Step(_placed("placed", order_id, after.orders[order_id]), after, message=message)

    def _join(
        self, owned: Belongings, order_id: str, asked: Order, legs: Mapping[str, Leg], *, named: bool
    ) -> Belongings:
        """Return what is owned with an entry in its strategy, under the smallest number that is free."""
        brackets = _brackets(owned, asked)
        strategy_id = asked.strategy_id or (order_id if legs or brackets else None)
        if strategy_id is None:
            return owned.with_orders({order_id: asked})
        known = owned.strategies.get(strategy_id)
        bound = known.numbers if known else {}
        taken = {n: binding for n, binding in bound.items() if self._is_taken(owned, strategy_id, n, binding)}
        if known and not asked.delay and known.closed_at is not None and self._alert.at <= known.closed_at:
            raise _RefusedError("strategy_mismatch")
        if known and taken and not (named and asked.in_market(known.account, known.instrument)):
            raise _RefusedError("strategy_mismatch")
        width, number = max(1, len(brackets)), 1
        while any(n in taken for n in range(number, number + width)):
            number += 1
        legs = _bracket_legs(number, brackets) if brackets else {_renumbered(name, number): legs[name] for name in legs}
        _check_leg_ids(owned, order_id, legs)
        order = replace(
            asked, strategy_id=strategy_id, order_name=f"ENTRY{number}", number=number, legs=legs, wanted={}
        )
        _check_prices(order)
        numbers = dict(bound)
        for n in range(number, number + width):
            numbers[n] = Binding(order_id, self._alert.at, self._former(bound.get(n), order_id), legs_only=n != number)
        strategy = replace(
            known or Strategy("", "", {}), account=order.account, instrument=order.instrument, numbers=numbers
        )
        return replace(owned.with_orders({order_id: order}), strategies={**owned.strategies, strategy_id: strategy})

    def _former(self, binding: Binding | None, order_id: str) -> tuple[Former, ...]:
        """Return what a number led to before: the last entry, and those that a resend may still mean.

        An order of this id that has left the table is forgotten: its id leads to the new one.
        """
        if binding is None or binding.order_id == order_id:
            return ()
        recent = (former for former in binding.before if self._alert.at - former.until < REBOUND)
        return (
            Former(binding.order_id, self._alert.at),
            *(former for former in recent if former.order_id != order_id),
        )

    def _is_taken(self, owned: Belongings, strategy_id: str, number: int, binding: Binding) -> bool:
        """Return whether the entry of a number, or a leg of it that was released, is open."""
        ids = (binding.order_id, *(f"{binding.order_id}.{kind}{number}" for kind in ("TARGET", "STOP")))
        found = (owned.orders.get(order_id) for order_id in ids)
        return any(order is not None and order.open and order.strategy_id == strategy_id for order in found)

    def release(self, owned: Belongings, message: Release) -> Belongings:
        """Do what the message of a PLACE with delay says; run twice, the second changes nothing."""
        owned = as_of(owned, self._alert.at)
        order = owned.orders.get(message.order_id)
        if order is None or not order.waits:
            return owned
        if order.due != message.due and order.history[0][0] != message.request_id:
            return owned
        try:
            self._check_not_voided(owned.controls, order)
            released = order.written(message.request_id, state="Working", due=None)
            return self._join(
                owned, message.order_id, replace(released, wanted={}), order.wanted, named=order.strategy_id is not None
            )
        except _RefusedError:
            ended = order.written(message.request_id, state="Cancelled", due=None)
            return owned.with_orders({message.order_id: ended})

    def _check_not_voided(self, controls: Controls, order: Order) -> None:
        if is_void(controls, order):
            raise _RefusedError("kill_switch_on")

    def _ended_if_void(self, owned: Belongings, order: Order) -> Order | None:
        """Return an order that waits as it ends where it will never be placed; None for one that goes on."""
        if not order.waits:
            return None
        try:
            self._check_not_voided(owned.controls, order)
        except _RefusedError:
            return order.written(self._alert.request_id, state="Cancelled", due=None)
        return None

    # CHANGE and CANCELREPLACE

    def _alter(self, owned: Belongings, fields: Mapping[str, str], word: str) -> Step:
        if word == "replaced":
            _check_legs(fields)
        _name_in(fields)
        if step := self._resent_alteration(owned, fields, word):
            return step
        if owned.controls.on and not self._may_reduce(owned, fields, word):
            raise _RefusedError("kill_switch_on")
        order_id, _ = (self._address if owned.controls.on else self._reached)(owned, fields)
        met = find(owned, order_id)
        if met is None:
            raise _RefusedError("order_not_found")
        entry, leg = met
        shown = view(entry, leg)
        _check_strategy(fields, shown)
        if ended := self._ended_if_void(owned, entry):
            return Step(_terminal(ended).answer, owned.with_orders({order_id: ended}))
        if shown.state not in CANCELLABLE:
            raise _RefusedError("kill_switch_on") if owned.controls.on else _terminal(shown)
        after = self._with_receipts(entry, _altered_item(owned, order_id, met, fields, word))
        if owned.controls.on and after.open and _new_values(fields).get("qty", 0) > shown.qty:
            raise _RefusedError("kill_switch_on")
        entry_id = order_id.removesuffix(f".{leg}") if leg else order_id
        written = self._with_alteration(owned, entry_id, entry, after.written(self._alert.request_id, leg))
        now = view(written.orders[entry_id], leg)
        if word == "replaced":
            same = now.generation == shown.generation
        else:
            same = all(getattr(shown, name) == value for name, value in _new_values(fields).items())
        answer = _altered(word, order_id, now, fields, duplicate=same or None)
        return Step(answer, written)

    def _with_receipts(self, before: Order, after: Order) -> Order:
        """Return an item with this alert's receipt in the legs that it adds, or gives anew after their end."""
        new = [name for name, leg in after.legs.items() if name not in before.legs or before.legs[name].ended]
        given = {name: replace(leg, received=self._alert.at) for name in new if not (leg := after.legs[name]).ended}
        return replace(after, legs={**after.legs, **given})

    def _with_alteration(self, owned: Belongings, entry_id: str, before: Order, after: Order) -> Belongings:
        """Return what is owned with an item altered; legs have names, and work at once as far as fills reach them."""
        added = after.legs.keys() - before.legs.keys()
        if added and after.strategy_id is None:
            owned = self._join(owned, entry_id, replace(after, legs={}), after.legs, named=False)
            after = owned.orders[entry_id]
        else:
            _check_leg_ids(owned, entry_id, added)
        after, legs = _release_legs(owned, entry_id, after, before.filled, self._alert.request_id)
        return owned.with_orders({entry_id: after, **legs})

    def _may_reduce(self, owned: Belongings, fields: Mapping[str, str], word: str) -> bool:
        """Return whether it is a CHANGE of an order that there is: of a leg's prices, or of a quantity alone."""
        if word != "changed":
            return False
        try:
            order_id, _ = self._address(owned, fields)
        except _RefusedError:
            return False
        of_leg = order_id.rpartition(".")[2].startswith(("TARGET", "STOP"))
        prices = _new_values(fields).keys() & set(PRICES)
        return find(owned, order_id) is not None and (of_leg or not prices)

    def _resent_alteration(self, owned: Belongings, fields: Mapping[str, str], word: str) -> Step | None:
        """Answer a resend of what was done: whatever has become of the switch, the name or the order since."""
        try:
            order_id, before = self._address(owned, fields)
        except _RefusedError:
            return None
        resent = self._resent_to_former(owned, (*before, order_id))
        if resent is None:
            return None
        found, shown, first = resent
        return Step(_altered(word, found, shown, fields, duplicate=True), owned, first)


# What an order or a leg is made of


def folded(text: str) -> str:
    return " ".join(text.lower().split())


def as_of(owned: Belongings, now: int) -> Belongings:
    """Return what is owned as it is at this time: what nothing has released in time is given up."""
    given_up = {
        order_id: replace(order, state="Cancelled", due=None)
        for order_id, order in owned.orders.items()
        if order.due is not None and order.open and order.due + GIVEN_UP <= now
    }
    return owned.with_orders(given_up)


def find(owned: Belongings, order_id: str) -> tuple[Order, str | None] | None:
    """Return the order of an id, or the entry in whose item the leg of that id waits, with the leg's name."""
    if order_id in owned.orders:
        return owned.orders[order_id], None
    entry_id, _, name = order_id.rpartition(".")
    entry = owned.orders.get(entry_id)
    if entry is None or name not in entry.legs:
        return None
    return entry, name


def view(entry: Order, leg: str | None) -> Order:
    """Return an order as it is shown; of a waiting leg, which is no order yet, what its entry makes of it."""
    if leg is None:
        return entry
    held = entry.legs[leg]
    return replace(
        entry,
        state="Cancelled" if held.ended or not entry.open else "Initialized",
        qty=held.share(entry.qty),
        action="SELL" if entry.action == "BUY" else "BUY",
        order_type=held.order_type,
        tif="GTC",
        limit_price=held.limit_price,
        stop_price=held.stop_price,
        offset=held.offset,
        filled=0,
        filled_after_end=None,
        order_name=leg,
        generation=held.generation,
        legs={},
        received=entry.received if held.received is None else held.received,
        delay=entry.delay if held.received is None or held.received - entry.received <= SAME_BAR else None,
        due=None,
    )


def rows(owned: Belongings) -> dict[str, Order]:
    """Return every order and every waiting leg that the entry's quantity reaches, by id, as it is shown."""
    shown = dict(owned.orders)
    for entry_id, entry in owned.orders.items():
        for name, leg in entry.legs.items():
            if not leg.released and leg.share(entry.qty):
                shown[f"{entry_id}.{name}"] = view(entry, name)
    return shown


def _name_in(fields: Mapping[str, str]) -> tuple[str, int] | None:
    """Return the kind and the number of the order name that an alert addresses; None for an id."""
    order_id = fields["order_id"]
    kind = order_id.rstrip("0123456789")
    if kind == order_id or kind not in ("ENTRY", "EXIT", "STOP", "SIMSTOP", "TARGET"):
        return None
    if "strategy_id" not in fields:
        raise _RefusedError("strategy_id_required")
    return kind, int(order_id[len(kind) :])


def _bearing(owned: Belongings, fields: Mapping[str, str]) -> str | None:
    """Return the first open order of the strategy that bears the name which is addressed."""
    name, strategy_id = fields["order_id"], fields.get("strategy_id")
    named = (
        order_id
        for order_id, order in owned.orders.items()
        if strategy_id and order.open and order.strategy_id == strategy_id and order.order_name == name
    )
    return min(
        named, key=lambda it: (folded(owned.orders[it].account), folded(owned.orders[it].instrument), it), default=None
    )


def _number_of(order_name: str) -> int:
    return int(order_name.lstrip(ascii_uppercase))


def _only_named(owned: Belongings, strategy_id: str) -> Strategy | None:
    """Return the strategy that only orders name which wait for their delay; None where none does."""
    waiting = [it for it in owned.orders.items() if it[1].waits and it[1].strategy_id == strategy_id]
    if not waiting:
        return None
    _, first = min(waiting, key=lambda it: (folded(it[1].account), folded(it[1].instrument), it[0]))
    return Strategy(first.account, first.instrument, {})


def _open_legs(entry_id: str, entry: Order) -> dict[str, str]:
    names = [name for name, leg in entry.legs.items() if not leg.released and leg.share(entry.qty)]
    return {name: f"{entry_id}.{name}" for name in names if view(entry, name).open}


_LEG_PRICES = ("take_profit", "stop_loss", "stop_loss_limit", "stop_loss_stop")
_UNCOMPARED = ("delay",)


def _without_zeros(fields: Mapping[str, str]) -> Mapping[str, str]:
    return {name: text for name, text in fields.items() if not (name in PRICES and Decimal(text) == 0)}


_MONTHS = (
    [f"{month:02}-" for month in range(1, 13)],
    "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(),
    list("FGHJKMNQUVXZ"),
)


def one_name(instrument: str) -> str:
    """Return the name of a contract whose root has two letters as NinjaTrader has it: every spelling is one."""
    found = re.fullmatch(r"(?:CME_MINI:)?(\w\w) ?(\d\d-|[A-Z]{3}|[A-Z])(?:20)?(\d\d)", instrument.upper())
    if found is None:
        return instrument
    root, month, year = found.groups()
    number = next(months.index(month) + 1 for months in _MONTHS if month in months)
    return f"{root} {number:02}-{year}"


def _is_in(named: str, instrument: str) -> bool:
    """Return whether an instrument is the one that is named, or of a month of a continuous contract."""
    if named.endswith("1!"):
        return instrument.startswith(f"{named.removesuffix('1!')} ")
    return folded(one_name(named)) == folded(instrument)


def _price(fields: Mapping[str, str], name: str) -> Decimal | None:
    return Decimal(fields[name]) if name in fields else None


def _entry(fields: Mapping[str, str], alert: Alert) -> Order:
    compared = {name: _one_spelling(name, text) for name, text in fields.items() if name not in _UNCOMPARED}
    return Order(
        state="Working",
        qty=int(fields["qty"]),
        account=fields["account"],
        instrument=one_name(fields["instrument"]),
        action=fields["action"].upper(),
        order_type=fields["order_type"].upper(),
        tif=fields["tif"].upper(),
        limit_price=_price(fields, "limit_price"),
        stop_price=_price(fields, "stop_price"),
        strategy_id=fields.get("strategy_id"),
        template=fields.get("strategy"),
        received=alert.at,
        delay=int(fields["delay"]) if "delay" in fields else None,
        history=((alert.request_id, None),),
        placed=repr(sorted(compared.items())),
    )


def _one_spelling(name: str, text: str) -> str:
    if name in (*PRICES, *_LEG_PRICES, "qty"):
        return str(Decimal(text).normalize())
    if name == "instrument":
        return folded(one_name(text))
    if name in ("account", "strategy"):
        return folded(text)
    return text.upper() if name in ("action", "order_type", "tif") else text


def _own_legs(number: int, fields: Mapping[str, str]) -> dict[str, Leg]:
    """Return the legs that the alert itself asks for."""
    _check_legs(fields)
    legs = {}
    if "take_profit" in fields:
        legs[f"TARGET{number}"] = Leg("LIMIT", limit_price=Decimal(fields["take_profit"]))
    if "stop_loss" in fields:
        legs[f"STOP{number}"] = Leg("STOPMARKET", stop_price=Decimal(fields["stop_loss"]))
    if "stop_loss_limit" in fields:
        limit = Decimal(fields["stop_loss_limit"])
        legs[f"STOP{number}"] = Leg("STOPLIMIT", limit, _price(fields, "stop_loss_stop") or limit)
    return legs


def _check_legs(fields: Mapping[str, str]) -> None:
    """Refuse legs of which the stop is not on its side of the target, or its limit beyond its stop price."""
    sign = 1 if fields["action"].upper() == "BUY" else -1
    target = _price(fields, "take_profit")
    limit, stop = _price(fields, "stop_loss_limit"), _price(fields, "stop_loss_stop")
    if limit is not None and stop is not None and sign * limit > sign * stop:
        raise _RefusedError("invalid_value")
    for price in (_price(fields, "stop_loss"), limit, stop):
        if target is not None and price is not None and sign * target <= sign * price:
            raise _RefusedError("invalid_value")


def _brackets(owned: Belongings, order: Order) -> tuple[Bracket, ...]:
    brackets = owned.templates.get(order.template) if order.template else ()
    if brackets is None:
        raise _RefusedError("strategy_not_found")
    return brackets


def _bracket_legs(number: int, brackets: tuple[Bracket, ...]) -> dict[str, Leg]:
    legs, start = {}, 0
    for n, (qty, target, stop) in enumerate(brackets, number):
        if target is not None:
            legs[f"TARGET{n}"] = Leg("LIMIT", offset=Decimal(target), start=start, size=qty)
        if stop is not None:
            legs[f"STOP{n}"] = Leg("STOPMARKET", offset=Decimal(stop), start=start, size=qty)
        start += qty
    return legs


def _renumbered(name: str, number: int) -> str:
    return f"{name.rstrip('0123456789')}{number}"


def _check_prices(entry: Order, working: Iterable[Order] = ()) -> None:
    """Refuse prices that are not stop < entry < target for a BUY, or mirrored; once it fills, its own do not count.

    `working` are its legs that are orders by now: of them those count that are open.
    """
    sign = 1 if entry.action == "BUY" else -1
    own = [price for price in (entry.limit_price, entry.stop_price) if price is not None and not entry.filled]
    living = [
        (name, leg.limit_price, leg.stop_price)
        for name, leg in {**entry.legs, **entry.wanted}.items()
        if not (leg.ended or leg.released) and (entry.open or leg.share(entry.filled))
    ]
    living += [(str(leg.order_name), leg.limit_price, leg.stop_price) for leg in working if leg.open]
    stops = [stop for name, _, stop in living if name.startswith("STOP") and stop is not None]
    targets = [limit for name, limit, _ in living if name.startswith("TARGET") and limit is not None]
    for _, limit, stop in living:
        if limit is not None and stop is not None and sign * limit > sign * stop:
            raise _RefusedError("invalid_value")
    for lower, upper in ((stops, own), (own, targets), (stops, targets)):
        if any(sign * low >= sign * high for low in lower for high in upper):
            raise _RefusedError("invalid_value")


def _check_leg_ids(owned: Belongings, entry_id: str, names: Iterable[str]) -> None:
    """Refuse new legs where the item of an earlier leg of that id is still there."""
    if any(f"{entry_id}.{name}" in owned.orders for name in names):
        raise _RefusedError("duplicate_order_id")


def _check_strategy(fields: Mapping[str, str], order: Order) -> None:
    if fields.get("strategy_id") not in (None, order.strategy_id):
        raise _RefusedError("strategy_mismatch")


# What CHANGE and CANCELREPLACE make of an order


def _new_values(fields: Mapping[str, str]) -> dict[str, Decimal]:
    return {name: Decimal(fields[name]) for name in ("qty", *PRICES) if Decimal(fields.get(name, 0))}


def _new_prices(order_type: str, fields: Mapping[str, str]) -> dict[str, Decimal]:
    prices = {name: value for name, value in _new_values(fields).items() if name != "qty"}
    if prices.keys() - set(PRICES_OF[order_type]):
        raise _RefusedError("invalid_value")
    return prices


def _altered_item(
    owned: Belongings, order_id: str, met: tuple[Order, str | None], fields: Mapping[str, str], word: str
) -> Order:
    """Return the item that holds an order as CHANGE or CANCELREPLACE makes it."""
    held, leg = met
    if leg is not None:
        after = _changed_leg(held, leg, fields) if word == "changed" else _replaced_leg(held, leg, fields)
    else:
        after = _changed(held, fields) if word == "changed" else _replaced(held, fields)
    entry_id = held.entry_id or (order_id.removesuffix(f".{leg}") if leg else order_id)
    beside = {name: order for name, order in owned.orders.items() if order.entry_id == entry_id}
    if held.entry_id is None:
        _check_prices(after, beside.values())
    elif entry_id in owned.orders and _new_values(fields).keys() & set(PRICES):
        _check_prices(owned.orders[entry_id], {**beside, order_id: after}.values())
    return after


def _changed(order: Order, fields: Mapping[str, str]) -> Order:
    new = _new_values(fields)
    after = replace(order, **_new_prices(order.order_type, fields))  # type: ignore[arg-type]
    if "qty" not in new:
        return after
    _check_closes(order, int(new["qty"]))
    return _with_qty(after, int(new["qty"]))


def _check_closes(order: Order, qty: int) -> None:
    """Refuse a quantity of a released leg above what is filled for it."""
    if order.closes is not None and qty > order.closes:
        raise _RefusedError("invalid_value", order.state)


def _changed_leg(entry: Order, name: str, fields: Mapping[str, str]) -> Order:
    if "qty" in _new_values(fields):
        raise _RefusedError("invalid_value")
    leg = entry.legs[name]
    prices = _new_prices(leg.order_type, fields)
    return replace(entry, legs={**entry.legs, name: replace(leg, offset=None, **prices)})  # type: ignore[arg-type]


def _check_market(order: Order, fields: Mapping[str, str]) -> None:
    if not order.in_market(fields["account"], fields["instrument"]) or order.action != fields["action"].upper():
        raise _RefusedError("invalid_value")


def _check_kind(name: str, fields: Mapping[str, str]) -> None:
    kinds = ("LIMIT",) if name.startswith("TARGET") else ("STOPMARKET", "STOPLIMIT")
    if fields["order_type"].upper() not in kinds or any(price in fields for price in _LEG_PRICES):
        raise _RefusedError("invalid_value")


def _replaced(order: Order, fields: Mapping[str, str]) -> Order:
    """Return an order in its next generation, or as it is where it has all these values already."""
    _check_market(order, fields)
    qty = int(fields["qty"])
    if order.entry_id is not None:
        _check_kind(str(order.order_name), fields)
        _check_closes(order, qty)
    after = replace(order, **_terms(fields), tif=order.tif if order.entry_id else fields["tif"].upper())
    legs = _replaced_legs(order, fields)
    after = _with_qty(replace(after, wanted=legs) if order.due else replace(after, legs=legs), qty)
    return after if after == order else replace(after, generation=order.generation + 1)


def _replaced_legs(order: Order, fields: Mapping[str, str]) -> Mapping[str, Leg]:
    """Return the legs with those kinds replaced that are given; a kind that was not there is added."""
    legs = dict(order.wanted if order.due else order.legs)
    for given, new in _own_legs(order.number or 1, fields).items():
        if order.due and order.template:
            raise _RefusedError("invalid_value")
        kind = given.rstrip("0123456789")
        names = [name for name in legs if name.startswith(kind)]
        if any(legs[name].released for name in names):
            raise _RefusedError("invalid_value")
        prices: Any = {"order_type": new.order_type, "limit_price": new.limit_price, "stop_price": new.stop_price}
        for name in names:
            legs[name] = _next_generation(legs[name], replace(legs[name], **prices, offset=None, ended=False))
        if not names:
            legs[given] = new
    return legs


def _replaced_leg(entry: Order, name: str, fields: Mapping[str, str]) -> Order:
    _check_market(view(entry, name), fields)
    _check_kind(name, fields)
    leg = entry.legs[name]
    if int(fields["qty"]) != leg.share(entry.qty):
        raise _RefusedError("invalid_value")
    return replace(entry, legs={**entry.legs, name: _next_generation(leg, replace(leg, **_terms(fields)))})


def _terms(fields: Mapping[str, str]) -> dict[str, Any]:
    return {
        "order_type": fields["order_type"].upper(),
        "limit_price": _price(fields, "limit_price"),
        "stop_price": _price(fields, "stop_price"),
        "offset": None,
    }


def _next_generation(leg: Leg, new: Leg) -> Leg:
    return leg if new == leg else replace(new, generation=leg.generation + 1)


def _with_qty(order: Order, qty: int) -> Order:
    """Return an order with this total; one that is not above what is filled ends the remainder."""
    if order.filled and qty <= order.filled:
        return replace(order, qty=order.filled, state="Filled" if qty == order.filled else "Cancelled")
    return replace(order, qty=qty)


# Reports


def report(owned: Belongings, said: Report) -> tuple[bool, Belongings]:
    """Return whether the report is recorded, and what is owned after it; the same report again is recorded already."""
    order = owned.orders.get(said.order_id)
    if order is None:
        return False, owned
    if any(request_id == said.request_id for request_id, _ in order.history):
        return True, owned
    newer = None in (said.seq, order.report_seq) or (said.seq or 0) > (order.report_seq or 0)
    more = said.filled > order.filled
    moves = newer and may_follow(order.state, said.state) and (more or said.state != order.state)
    seq = said.seq if newer and said.seq is not None else order.report_seq
    if not (more or moves):
        # An older report that comes after it must undo nothing.
        return seq != order.report_seq, owned.with_orders({said.order_id: replace(order, report_seq=seq)})
    after = order.written(said.request_id, report_seq=seq)
    if more:
        after = replace(
            after, filled=said.filled, filled_after_end=order.filled_after_end if order.open else said.filled
        )
    if moves:
        after = replace(after, state=said.state)
    after, legs = _release_legs(owned, said.order_id, after, order.filled, said.request_id)
    return True, owned.with_orders({said.order_id: after, **legs})


def _release_legs(
    owned: Belongings, entry_id: str, entry: Order, filled_before: int, request_id: str
) -> tuple[Order, Mapping[str, Order]]:
    """Return an entry whose legs are orders as far as its fills reach them, and those that are new or raised."""
    legs, orders = dict(entry.legs), {}
    for name, leg in entry.legs.items():
        share, leg_id = leg.share(entry.filled), f"{entry_id}.{name}"
        if leg.ended or not share:
            continue
        if not leg.released:
            orders[leg_id] = _released(entry_id, entry, name, share, request_id)
            legs[name] = leg.left_behind
        elif share > leg.share(filled_before) and owned.orders[leg_id].open:
            orders[leg_id] = replace(owned.orders[leg_id], qty=share, closes=share)
    return replace(entry, legs=legs), orders


def _released(entry_id: str, entry: Order, name: str, qty: int, request_id: str) -> Order:
    leg = view(entry, name)
    prices: dict[str, Any] = {}
    if leg.offset is not None:
        winning = name.startswith("TARGET") == (entry.action == "BUY")
        price = AVERAGE + leg.offset if winning else AVERAGE - leg.offset
        prices["limit_price" if name.startswith("TARGET") else "stop_price"] = price
    return replace(
        leg,
        state="Working",
        qty=qty,
        closes=qty,
        number=None,
        template=None,
        entry_id=entry_id,
        report_seq=None,
        # What it was given while it waited goes with it.
        history=(*(event for event in entry.history if event[1] == name), (request_id, None)),
        placed=None,
        **prices,
    )


# Answers


def _of_cancel(word: str, order_id: str, order: Order, previous: str | None = None) -> dict[str, Any]:
    return _success(
        word,
        order_id=order_id,
        strategy_id=order.strategy_id,
        order_name=order.order_name,
        previous_state=previous,
        # A leg that was given anew since is not what was cancelled.
        state=None if order.state in CANCELLABLE else order.state,
        filled=str(order.filled),
    )


def _placed(word: str, order_id: str, order: Order) -> dict[str, Any]:
    duplicate = None
    if order.waits:
        word, duplicate = "scheduled", True if word == "already_placed" else None
    return _success(
        word,
        duplicate=duplicate,
        order_id=order_id,
        strategy_id=order.strategy_id,
        order_name=order.order_name,
        legs=_open_legs(order_id, order) or None,
        state=order.state,
    )


def is_void(controls: Controls, order: Order) -> bool:
    """Return whether the kill switch or a CANCELALLORDERS has voided what waits for its delay."""
    voids = (at is not None and at >= order.received for at in (controls.on_at, controls.cancel_all_at))
    return controls.on or any(voids)


def _altered(
    word: str, order_id: str, order: Order, fields: Mapping[str, str], *, duplicate: bool | None
) -> dict[str, Any]:
    more: dict[str, Any] = {"remaining": str(max(0, order.qty - order.filled) if order.open else 0)}
    if word == "replaced":
        more["generation"] = order.generation
    if word == "replaced" and fields.keys() & set(_LEG_PRICES):
        kinds = {"TARGET" if name == "take_profit" else "STOP" for name in fields.keys() & set(_LEG_PRICES)}
        at_once = (name for name, leg in order.legs.items() if leg.released and name.rstrip("0123456789") in kinds)
        more["legs"] = {name: f"{order_id}.{name}" for name in at_once} | _open_legs(order_id, order) or None
    values = {"qty": Decimal(order.qty), "limit_price": order.limit_price, "stop_price": order.stop_price}
    return _success(
        word,
        duplicate=duplicate,
        order_id=order_id,
        strategy_id=order.strategy_id,
        order_name=order.order_name,
        state=order.state,
        filled=str(order.filled),
        **{name: _shortest(value) for name, value in values.items() if value is not None},
        **more,
    )


def _shortest(number: Decimal) -> str:
    return f"{number.normalize():f}"


def _success(status: str, **more: Any) -> dict[str, Any]:
    return {"success": True, "status": status} | {name: value for name, value in more.items() if value is not None}
