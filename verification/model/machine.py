"""Drive the handlers step by step beside a model of them, inject faults, and compare after each step.

A further command is a class in verification/model/account.py and a rule here that sends it. Left out here: what the
model leaves out, and what becomes of the messages to the queue when SQS fails; they lie in a list, and are delivered
when they are due, and now and then again.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from string import ascii_uppercase
from typing import Any, ClassVar

import hypothesis
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

import deferred
import webhook
from orderhook import messages, order_reports
from orderhook.errors import TemporarilyUnavailableError
from orderhook.listing import Unreadable, list_orders
from orderhook.orders import Bracket, OrderState, Template, timestamp
from orderhook.provenance import Provenance
from orderhook.store.table import deserialize
from tests.builders import ENTRY, alert
from tests.client_faults import perform
from tests.faults import (
    Fault,
    block_connection,
    conflict,
    conflict_in_transaction,
    cut_refusal,
    cut_response,
    internal_error,
    lose_request,
    lose_response,
    no_fault,
    refuse_connection,
    run_and_lose_response,
    throttle,
)
from tests.output import Answer
from tests.service import Service, wall_clock
from tests.states import BEING_CANCELLED, FINISHED
from tests.tables import Item
from verification.model import account as model
from verification.model.account import (
    LISTS,
    Account,
    Alert,
    Belongings,
    Cancel,
    CancelAllOrders,
    CancelOrders,
    CancelReplace,
    Change,
    CloseStrategy,
    Command,
    KillSwitch,
    Place,
    Release,
    Report,
)

RESENDS = 3
"""TradingView's, while the answer is a 5xx; other steps may come between."""
RESEND_SECONDS = 5
STEP_SECONDS = 0.2
"""How long every step takes on the clock of the handlers."""
STANDSTILL_SECONDS = 310
"""For longer than that no order is released late."""

MISHAPS: Mapping[str, tuple[Fault, ...]] = {
    "none": (),
    "answer lost": (lose_response,),
    "every answer lost": (lose_response,) * 3,
    "answer lost, then busy": (lose_response, throttle, throttle),
    "request lost": (lose_request,),
    "every request lost": (lose_request,) * 3,
    "answers cut short": (cut_response,) * 3,
    "refusals cut short": (cut_refusal,) * 6,
    "throttled": (throttle,),
    "busy": (throttle,) * 3,
    "conflict": (conflict,),
    "conflicts": (conflict,) * 6,
    "transaction in the way": (conflict_in_transaction,) * 2,
    "internal error": (internal_error,),
    "internal errors": (internal_error,) * 3,
    "connections refused": (refuse_connection,) * 3,
    "no way there": (block_connection, internal_error),
    "busy at the second request": (no_fault, *(throttle,) * 3),
    "answer to the second request lost": (no_fault, *(lose_response,) * 3),
    "busy at the third request": (no_fault, no_fault, *(throttle,) * 3),
    "busy at the fourth request": (no_fault, no_fault, no_fault, *(throttle,) * 3),
    "answer to the third request lost": (no_fault, no_fault, *(lose_response,) * 3),
    "answer to the ninth request lost": (*(no_fault,) * 8, *(lose_response,) * 3),
    "busy at the ninth request": (*(no_fault,) * 8, *(throttle,) * 3),
}
"""What the requests of one alert or report meet, in turn; the SDK tries three times, and after a conflict six."""
WRITTEN_UNANSWERED = ("every answer lost", "answer to the second request lost", "answer to the third request lost")

TRADERS = ("ann", "bob")
ORDER_IDS = ("a", "A", "b", "c", "e", "f")
STRATEGY_IDS = ("s", "t")
NAMES = ("ENTRY1", "ENTRY1", "ENTRY2", "TARGET1", "STOP1", "STOP1", "TARGET2")
LEG_IDS = ("l.STOP1", "l.TARGET1", "b.STOP1", "b.TARGET2", "e.STOP1", "f.TARGET1")
MARKET = {"order_type": "Market", "limit_price": "0"}
LEGS: tuple[Mapping[str, str], ...] = (
    {"take_profit": "5010", "stop_loss": "4990"},
    {"take_profit": "5010.0", "stop_loss": "4990"},
    {"stop_loss_limit": "4990", "stop_loss_stop": "4995"},
    {"stop_loss": "4990.5"},
    {"take_profit": "5000.5"},
)
EXTRAS: tuple[Mapping[str, str], ...] = (
    {},
    {},
    MARKET,
    *LEGS,
    {"strategy": "scalp"},
    {"strategy": "swing"},
    {"take_profit": "4980", "stop_loss": "4990"},
    {"order_type": "STOPMARKET", "limit_price": "0", "stop_price": "5000", "stop_loss": "4999"},
)
MARKETS: tuple[Mapping[str, str], ...] = (
    {},
    {},
    {},
    {"account": "Sim102"},
    {"account": "SIM101"},
    {"instrument": "NQ 12-26"},
    {"instrument": "CME_MINI:esz2026"},
    {"action": "SELL"},
)
"""Where a PLACE is about something else than the most, or spells it otherwise."""
CHANGES: tuple[Mapping[str, str], ...] = (
    {"qty": "1", "limit_price": "5001"},
    {"qty": "2", "limit_price": "0"},
    {"qty": "3"},
    {"qty": "5.0", "limit_price": "05000.250"},
    {"qty": "7", "limit_price": "5001"},
    {"limit_price": "5001"},
    {"limit_price": "5009"},
    {"limit_price": "5020"},
    {"qty": "4", "stop_price": "4985.5"},
    {"stop_price": "4985.5"},
    {"stop_price": "5003"},
)
REPLACED_LEGS: tuple[Mapping[str, str], ...] = (
    {"action": "SELL", "order_type": "STOPMARKET", "limit_price": "0", "stop_price": "4992"},
    {"action": "SELL", "order_type": "LIMIT", "limit_price": "5012"},
)
"""A CANCELREPLACE that suits a stop, and one that suits a target."""
CANCELS_OF_MANY: tuple[Command, ...] = (
    CancelAllOrders(),
    CancelOrders({"account": "Sim101"}),
    CancelOrders({"account": "sim101", "instrument": "ES DEC26"}),
    CancelOrders({"account": "Sim101", "instrument": "NQ1!"}),
    CancelOrders({"account": "Sim103"}),
    *(CloseStrategy({"strategy_id": strategy_id}) for strategy_id in (*STRATEGY_IDS, "l", "a")),
)
_ENTRY = {name: str(value) for name, value in ENTRY.items()}
BRACKETS: tuple[tuple[model.Bracket, ...], ...] = (
    ((2, "10", "5"), (3, "20", None)),
    ((5, "7.5", "2.5"),),
    ((6, "10", "5"),),  # for more than an entry has
    ((1, "10", "5"), (1, "20", "5")),  # for less
)

BEFORE: tuple[Mapping[str, str], ...] = (
    {"order_id": "a"},
    {"order_id": "b", "strategy_id": "s", "strategy": "scalp"},
    {"order_id": "c", "strategy_id": "t"},
    {"order_id": "d"},
    {"order_id": "l", "take_profit": "5010", "stop_loss": "4990"},
)
REPORTED_BEFORE = (("d", "CancelPending", 0), ("b", "PartFilled", 4), ("c", "PartFilled", 3))
"""What each trader has from the beginning, so that few steps lead far."""

trader = st.sampled_from(TRADERS)
mishap = st.one_of(
    st.just("none"), st.just("none"), st.sampled_from(sorted(MISHAPS)), st.sampled_from(WRITTEN_UNANSWERED)
)
some_order = st.one_of(st.sampled_from(("a", "b", "c", "d", "e", "l", *LEG_IDS)), st.integers(-60, 60))
"""An id, or one of the orders that there are, counted around; below 0 one of those and of the legs that are open."""
About = tuple[int | str, str | None]
"""An order, counted so, an id or an order name; and a strategy."""
by_id: st.SearchStrategy[About] = st.tuples(some_order, st.sampled_from((*[None] * 8, *STRATEGY_IDS, "a")))
open_one: st.SearchStrategy[About] = st.tuples(st.integers(-60, -1), st.none())
by_name: st.SearchStrategy[About] = st.tuples(
    st.sampled_from(NAMES), st.sampled_from((*STRATEGY_IDS, *STRATEGY_IDS, "l", "a", None))
)
new_values = st.sampled_from(CHANGES)

_BASE = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)


@dataclass
class Trader:
    name: str
    key: str
    owned: Belongings = field(default_factory=Belongings)
    alerts: dict[str, Alert] = field(default_factory=dict)
    """Everything that was received, by request."""
    ids: list[str] = field(default_factory=list)
    """Of all orders, in the order in which they came: generated ones differ from run to run."""


@dataclass
class Waiting:
    """An alert that TradingView will send again."""

    trader: Trader
    command: Command
    at: int
    left: int = RESENDS


class Messages:
    """Stands in for the queue: what is sent lies here until a step delivers it."""

    def __init__(self) -> None:
        self.sent: list[messages.Release] = []

    def send(self, message: messages.Release, _: int) -> None:
        """Take a message."""
        self.sent.append(message)

    def is_dead_letter_queue(self, _: str) -> bool:
        """Say that nothing comes from there."""
        return False


class WallClock:
    """The time that the handlers see."""

    def __init__(self) -> None:
        self.milliseconds = 0

    @property
    def now(self) -> datetime:
        """Return it as a time of day."""
        return _BASE + timedelta(milliseconds=self.milliseconds)


class TwoTraders(RuleBasedStateMachine):
    """Two traders, with the same ids for their orders, and a venue."""

    service: ClassVar[Service]
    clock: ClassVar[WallClock]
    queue: ClassVar[Messages]
    tally: ClassVar[Counter[str]]
    """Answers by their words, of all runs."""

    def __init__(self) -> None:
        super().__init__()
        self.service.table.empty()
        self.clock.milliseconds = 0
        self.queue.sent.clear()
        self.delivered = 0
        names = {name: f"{name}-of-{self.service.trader}" for name in TRADERS}
        self.traders = {name: Trader(full, self.service.issue_key(trader=full)) for name, full in names.items()}
        self.sent: list[tuple[Trader, Command]] = []
        self.waiting: list[Waiting] = []
        self.reported: list[tuple[Trader, Report]] = []
        self.numbers = count(1)
        self.acting: set[str] = set()
        """Those whose items may change in this step."""
        for known in self.traders.values():
            self.service.cancel("warms-the-key", key=known.key)
            self._store_template(known, "scalp", BRACKETS[0])
            for more in BEFORE:
                self._send(known, Place({**_ENTRY, **more}), "none")
            for order_id, state, filled in REPORTED_BEFORE:
                self._report(known, self._said(order_id, state, filled), "none")
        self.items, self._now = self._items(), None
        self.acting.clear()
        self.tally["runs"] += 1

    # Alerts

    @rule(
        trader=trader,
        order_id=st.sampled_from((None, *ORDER_IDS)),
        strategy_id=st.sampled_from((None, *STRATEGY_IDS)),
        extras=st.sampled_from(EXTRAS),
        price=st.sampled_from(("5000.25", "5000.250", "5001")),
        market=st.sampled_from(MARKETS),
        delay=st.sampled_from((None, None, None, "1", "2", "10")),
        mishap=mishap,
    )
    def place(
        self,
        trader: str,
        order_id: str | None,
        strategy_id: str | None,
        extras: Mapping[str, str],
        price: str,
        market: Mapping[str, str],
        delay: str | None,
        mishap: str,
    ) -> None:
        given = {"order_id": order_id, "strategy_id": strategy_id, "limit_price": price, "delay": delay}
        fields = {name: value for name, value in {**_ENTRY, **given, **market, **extras}.items() if value is not None}
        self._send(self.traders[trader], Place(fields), mishap)

    @rule(trader=trader, about=by_id | by_name, mishap=mishap)
    def cancel(self, trader: str, about: About, mishap: str) -> None:
        self._send(self.traders[trader], Cancel(self._fields(trader, about)), mishap)

    @rule(trader=trader, about=by_name, mishap=mishap)
    def cancel_by_name(self, trader: str, about: About, mishap: str) -> None:
        self.cancel(trader, about, mishap)

    def _fields(self, trader: str, about: About) -> dict[str, str]:
        """Return the fields that say which order it is about: now and then it is the other trader's."""
        order, strategy_id = about
        order_id = self._order(order, self.traders[trader], *self.traders.values())
        return {"order_id": order_id} | ({"strategy_id": strategy_id} if strategy_id else {})

    @rule(trader=trader, about=open_one | open_one | by_id | by_name, new=new_values, mishap=mishap)
    def change(self, trader: str, about: About, new: Mapping[str, str], mishap: str) -> None:
        self._send(self.traders[trader], Change({**self._fields(trader, about), **new}), mishap)

    @rule(
        trader=trader,
        about=open_one | open_one | by_id | by_name,
        new=st.sampled_from(({}, {}, MARKET, *LEGS, *REPLACED_LEGS)),
        qty=st.sampled_from(("5", "5", "2", "4", "7")),
        price=st.sampled_from(("5000.25", "5001")),
        mishap=mishap,
    )
    def replace(self, trader: str, about: About, new: Mapping[str, str], qty: str, price: str, mishap: str) -> None:
        fields = {**_ENTRY, "qty": qty, "limit_price": price, **new, **self._fields(trader, about)}
        self._send(self.traders[trader], CancelReplace(fields), mishap)

    @rule(trader=trader, command=st.sampled_from(CANCELS_OF_MANY), mishap=mishap)
    def cancel_many(self, trader: str, command: Command, mishap: str) -> None:
        self._send(self.traders[trader], command, mishap)

    @rule(trader=trader, to=st.sampled_from(("on", "off", "off")), mishap=mishap)
    def turn(self, trader: str, to: str, mishap: str) -> None:
        self._send(self.traders[trader], KillSwitch({"kill_switch": to}), mishap)

    @precondition(lambda self: any(known.owned.controls.on for known in self.traders.values()))
    @rule()
    def turn_off_again(self) -> None:
        """Turn what is on off: else little else would happen."""
        for known in self.traders.values():
            if known.owned.controls.on:
                self._send(known, KillSwitch({"kill_switch": "off"}), "none")

    @precondition(lambda self: self.sent)
    @rule(which=st.integers(0, 30), mishap=mishap)
    def send_an_earlier_alert(self, which: int, mishap: str) -> None:
        self._send(*self.sent[which % len(self.sent)], mishap)

    @precondition(lambda self: self.sent)
    @rule(back=st.integers(0, 5), mishap=mishap)
    def send_a_recent_alert(self, back: int, mishap: str) -> None:
        """Send one of the last texts as a new alert, which a resend of the older one must be told from."""
        self._send(*self.sent[-1 - back % len(self.sent)], mishap)

    @precondition(lambda self: self.waiting)
    @rule(which=st.integers(0, 5), mishap=mishap)
    def resend(self, which: int, mishap: str) -> None:
        """Do what TradingView does after a 5xx, at the earliest 5 s after it."""
        waiting = self.waiting.pop(which % len(self.waiting))
        self._let_pass(max(0, waiting.at + RESEND_SECONDS * 1000 - self.clock.milliseconds))
        self._deliver_due()
        self._send(waiting.trader, waiting.command, mishap, left=waiting.left - 1)

    @rule(trader=trader, order=st.sampled_from(("a", "c", "e", "l")), filled=st.sampled_from((0, 5)))
    def cancel_overtaken_by_a_fill(self, trader: str, order: str, filled: int) -> None:
        """Lose the answer of a cancel, and report a fill before the SDK asks again."""
        known = self.traders[trader]
        if not self._is_at_venue(known, order):
            return
        self._let_pass(STEP_SECONDS * 1000)
        said = self._said(order, "Filled", filled)
        taken: list[bool] = []
        overtake = run_and_lose_response(lambda: taken.append(self._try_report(known, said)))
        command = Cancel({"order_id": order})
        self.service.network.inject("UpdateItem", overtake)
        answer, received = self._post(known, command, ())
        self.service.network.inject("UpdateItem")
        step = Account(known.alerts, received).step(known.owned, command)
        if not taken:  # it was a resend, or there was nothing to write
            self._conclude(known, command, step, answer, received)
            return
        if step.answer.get("status") != "cancelled":
            # Nothing was written, and nothing is the second time, by the order as it is then.
            recorded, after = model.report(known.owned, said)
            step = Account(known.alerts, received).step(after, command)
            after = step.after
        else:
            recorded, after = model.report(step.after, said)
        assert taken == [recorded]
        self._conclude(known, command, replace(step, after=after), answer, received, legs_may_be_open=True)

    # Time

    @rule(seconds=st.sampled_from((1, 4, 5, 20, 31)))
    def wait(self, seconds: int) -> None:
        """Let time pass, and deliver the messages that are due then."""
        self._let_pass(seconds * 1000)
        self._deliver_due()

    @precondition(
        lambda self: any(order.waits for known in self.traders.values() for order in known.owned.orders.values())
    )
    @rule()
    def the_queue_stands_still(self) -> None:
        """Let more time pass than any release may be late, and deliver nothing."""
        self._let_pass(STANDSTILL_SECONDS * 1000)

    @rule(trader=trader, order=some_order)
    def leave(self, trader: str, order: int | str) -> None:
        """Let the time pass for which a finished entry is kept: it leaves the table, and the items of its legs stay.

        Only where those are finished, too.
        """
        known = self.traders[trader]
        order_id = self._order(order, known)
        trade = [it for name, it in known.owned.orders.items() if order_id in (name, it.entry_id)]
        if order_id not in known.owned.orders or "." in order_id or any(it.open for it in trade):
            return
        self.acting.add(known.name)
        self._let_pass(31_000)
        self._deliver_due()
        self.service.table.client.delete_item(
            TableName=self.service.table.name,
            Key={"pk": {"S": f"TRADER#{known.name}"}, "sk": {"S": f"ORDER#{order_id}"}},
        )
        self._now = None
        orders = {name: it for name, it in known.owned.orders.items() if name != order_id}
        known.owned = replace(known.owned, orders=orders)

    @precondition(lambda self: self.delivered)
    @rule(which=st.integers(0, 10), mishap=mishap)
    def deliver_again(self, which: int, mishap: str) -> None:
        """Do what SQS may: deliver a message twice."""
        self._let_pass(STEP_SECONDS * 1000)
        self._deliver(self.queue.sent[which % self.delivered], mishap)

    def _let_pass(self, milliseconds: float) -> None:
        self.clock.milliseconds += int(milliseconds)

    def _deliver_due(self) -> None:
        """Deliver what is due, in the order in which it was sent; each behind the ones before it."""
        for message in self.queue.sent[self.delivered :]:
            if _milliseconds(message.due) > self.clock.milliseconds:
                return
            self.delivered += 1
            self._deliver(message, "none")

    def _deliver(self, message: messages.Release, mishap: str) -> None:
        [known] = [known for known in self.traders.values() if known.name == message.trader]
        released = Release(
            message.request_id, message.order_id, _milliseconds(message.received_at), _milliseconds(message.due)
        )
        record = {"messageId": "1", "body": messages.serialize(message)}
        with self._meeting(MISHAPS[mishap]):
            failed = deferred.handler({"Records": [record]}, None)["batchItemFailures"]
        after = Account(known.alerts, Alert("release", self.clock.milliseconds)).release(known.owned, released)
        if failed:
            # Its order may still be on its way into the table, as far as it knows.
            assert MISHAPS[mishap] or message.order_id not in known.owned.orders
            after = self._which(known, known.owned, after)
            self.queue.sent.append(message)
        self.tally["release failed" if failed else "release"] += 1
        self._become(known, after)

    # The venue

    @rule(
        trader=trader,
        order=some_order,
        state=st.sampled_from(
            "Submitted Accepted Working ChangePending CancelPending CancelPending CancelSubmitted Cancelled "
            "PartFilled PartFilled PartFilled Filled Filled Rejected Expired Unknown".split()
        ),
        filled=st.sampled_from((0, 0, 2, 3, 5, 6)),
        late=st.sampled_from((0, 0, 0, 1, 3)),
        mishap=mishap,
    )
    def report(self, trader: str, order: int | str, state: str, filled: int, mishap: str, late: int = 0) -> None:
        """Have the venue report it; one that is `late` was made before so many others."""
        known = self.traders[trader]
        order_id = self._order(order, known)
        if order_id in known.owned.orders and not self._is_at_venue(known, order_id):
            return
        said = self._said(order_id, state, filled, late)
        self.reported.append((known, said))
        self._report(known, said, mishap)

    def _said(self, order_id: str, state: str, filled: int, late: int = 0) -> Report:
        """Return a report under the next number, or of a late one under a number in between that was not there yet."""
        number = next(self.numbers)
        return Report(f"venue-{number}", order_id, state, filled, 1000 * (number - late) + (number if late else 0))

    def _is_at_venue(self, known: Trader, order_id: str) -> bool:
        """Return whether a venue can have something to report: it never had an order that nothing released."""
        order = known.owned.orders.get(order_id)
        return order is not None and order.due is None and (order.delay is None or order.state != "Cancelled")

    @precondition(lambda self: self.reported)
    @rule(which=st.integers(0, 30), mishap=mishap)
    def report_the_same_again(self, which: int, mishap: str) -> None:
        self._report(*self.reported[which % len(self.reported)], mishap)

    # Templates

    @rule(trader=trader, name=st.sampled_from(("scalp", "swing")), brackets=st.sampled_from(BRACKETS))
    def store_template(self, trader: str, name: str, brackets: tuple[model.Bracket, ...]) -> None:
        self.acting.add(self.traders[trader].name)
        self._store_template(self.traders[trader], name, brackets)

    def _store_template(self, known: Trader, name: str, brackets: tuple[model.Bracket, ...]) -> None:
        stored = tuple(Bracket(qty=qty, target=_points(target), stop=_points(stop)) for qty, target, stop in brackets)
        replacing = name in known.owned.templates
        assert self.service.templates.put(known.name, Template(name, stored), replacing=replacing)
        known.owned = replace(known.owned, templates={**known.owned.templates, name: brackets})

    # What holds after every step

    @invariant()
    def everything_holds(self) -> None:
        self.the_table_is_as_the_model_says()
        self.nothing_of_anybody_else_is_touched()
        self.a_trade_is_one_thing()
        self.a_name_leads_to_one_open_order()
        self.open_orders_are_in_the_index_and_finished_ones_expire()
        self.no_defect_and_no_key_is_logged()
        # What the next step is compared with.
        self.items, self._now, self.acting = self._items_now(), None, set()
        self.tally["steps"] += 1

    def the_table_is_as_the_model_says(self) -> None:
        for known in self.traders.values():
            owned = self._bare(known, known.owned)
            _assert_alike(self._seen(known), owned)
            listed = list_orders(self.service.services, known.name, timestamp(self.clock.now))
            shown = {row.order_id: _shown(row) for row in listed if not isinstance(row, Unreadable)}
            expected = {order_id: _shown(_as_listed(owned, row)) for order_id, row in model.rows(owned).items()}
            assert shown == expected, f"listed {shown}, expected {expected}"

    def nothing_of_anybody_else_is_touched(self) -> None:
        now = self._items_now()
        changed = {key for key in self.items.keys() | now.keys() if self.items.get(key) != now.get(key)}
        own = {f"{kind}#{name}" for kind in ("TRADER", "ALERTS", "TRACES") for name in self.acting}
        assert {pk for pk, _ in changed} <= own

    def a_trade_is_one_thing(self) -> None:
        """No open leg without an open or filled entry, and every leg for what its entry has for it."""
        for known in self.traders.values():
            seen = self._seen(known)
            for order_id, row in model.rows(seen).items():
                entry = seen.orders.get(order_id.rpartition(".")[0])
                if entry is None or row.order_name not in entry.legs:
                    continue
                leg = entry.legs[str(row.order_name)]
                if row.state not in FINISHED:
                    assert entry.open or entry.filled
                if leg.released:
                    assert not row.open or row.qty <= (row.closes or 0) == leg.share(entry.filled)
                else:
                    assert row.qty == leg.share(entry.qty)

    def a_name_leads_to_one_open_order(self) -> None:
        """Every open order is what its name leads to, unless it is a leg that a fill after its entry's end brought."""
        for known in self.traders.values():
            seen = self._seen(known)
            for order_id, row in model.rows(seen).items():
                entry = seen.orders.get(entry_id := order_id.removesuffix(f".{row.order_name}"))
                if row.open and row.order_name and entry and entry.filled_after_end is None:
                    number = int(row.order_name.lstrip(ascii_uppercase))
                    assert seen.strategies[str(row.strategy_id)].numbers[number].order_id == entry_id

    def open_orders_are_in_the_index_and_finished_ones_expire(self) -> None:
        for item in self._items_now().values():
            if "history" in item:
                finished = item["state"]["S"] in FINISHED
                # What waits for its delay ends by itself.
                assert ("open" in item, "expires" in item) == (not finished, finished or "due" in item)

    def no_defect_and_no_key_is_logged(self) -> None:
        output = self.service.output.take()
        assert "UnhandledErrors" not in output
        assert not any(known.key.split("_")[2][:43] in output for known in self.traders.values())

    # How

    def _send(self, known: Trader, command: Command, mishap: str, left: int = RESENDS) -> None:
        self._let_pass(STEP_SECONDS * 1000)
        faults, queued = MISHAPS[mishap], len(self.queue.sent)
        answer, received = self._post(known, command, faults)
        self.sent.append((known, command))
        step = Account(known.alerts, received).step(known.owned, command)
        if answer.word in ("temporarily_unavailable", "outcome_unknown"):
            assert faults
            assert (answer.status, command.repeatable) in ((503, True), (503, False), (409, False))
            # A 503 is sent again: where that would be another order, nothing may have been written.
            unwritten = answer.status == 503 and not command.repeatable
            became = known.owned if unwritten else self._which(known, known.owned, step.after)
            self._agree_in_part(step, answer)
            self._note(known, answer, received)
            self._become(known, became)
            if answer.status == 503 and left:
                self.waiting.append(Waiting(known, command, received.at, left))
            return
        if step.message:
            assert step.message in [
                Release(sent.request_id, sent.order_id, _milliseconds(sent.received_at), _milliseconds(sent.due))
                for sent in self.queue.sent[queued:]
            ]
        self._conclude(known, command, step, answer, received, repeated=bool(faults))

    def _conclude(
        self,
        known: Trader,
        command: Command,
        step: model.Step,
        answer: Answer,
        received: Alert,
        *,
        legs_may_be_open: bool = False,
        repeated: bool = False,
    ) -> None:
        self._agree(step, answer, repeated=repeated)
        if not legs_may_be_open:
            first = known.alerts.get(step.resend_of or "", received)
            self._what_was_cancelled_is_not_open(known, command, answer, first.at, resent=step.resend_of is not None)
        self._note(known, answer, received, step.resend_of, faultless=not repeated)
        self._become(known, step.after)

    def _note(
        self,
        known: Trader,
        answer: Answer,
        received: Alert,
        resend_of: str | None = None,
        *,
        faultless: bool = False,
    ) -> None:
        """Note what was answered, as far as the record of the alert says it: a missing one counts as unanswered."""
        record = self._items_now().get((f"ALERTS#{known.name}", received.request_id))
        answered = answer.status < 500 and record is not None
        known.alerts[received.request_id] = replace(received, answered=answered)
        if resend_of is None or answer.status >= 500:
            return
        first = self._items_now().get((f"ALERTS#{known.name}", resend_of), {})
        known.alerts[resend_of] = replace(known.alerts[resend_of], answered="answered" in first)
        assert not faultless or "answered" in first

    def _which(self, known: Trader, before: Belongings, after: Belongings) -> Belongings:
        """Return what there is when a step was cut short: all of it, nothing, or of many orders each by itself."""
        seen = self._seen(known)
        for whole in (before, after):
            if seen == self._bare(known, whole):
                return whole
        # What is noted about the alert itself comes before the first order.
        noted = replace(after, orders=before.orders)
        done = {
            order_id: order
            for order_id, order in after.orders.items()
            if order_id in before.orders and seen.orders.get(order_id) == order
        }
        for part in (noted.with_orders(done), replace(before, traces=after.traces)):
            if seen == self._bare(known, part):
                return part
        raise AssertionError(f"neither done nor undone: {seen}, before: {before}, after: {after}")

    def _order(self, order: int | str, *owners: Trader) -> str:
        if isinstance(order, str):
            return order
        ids = [order_id for known in owners for order_id in known.ids]
        if order < 0:
            # Each entry with its legs, in the order in which they came: generated ids differ from run to run.
            still_open = sorted(order_id for order_id, row in model.rows(owners[0].owned).items() if row.open)
            ids = [it for entry_id in ids for it in still_open if f"{it}.".startswith(f"{entry_id}.")] or ids
        return ids[order % len(ids)]

    def _post(self, known: Trader, command: Command, faults: tuple[Fault, ...]) -> tuple[Answer, Alert]:
        self.acting.add(known.name)
        word = {} if isinstance(command, KillSwitch) else {"command": command.word}
        with self._meeting(faults):
            answer = self.service.post(alert({"key": known.key, **word, **command.fields}))
        self.tally[f"{command.word} {answer.word}"] += 1
        assert answer.status == 503 or answer.status < 500
        assert known.key.split("_")[2][:43] not in answer.text
        text = repr((command.word, [*command.fields.items()]))
        received = Alert(answer.request_id, self.clock.milliseconds, text)
        known.alerts[received.request_id] = received
        return answer, received

    def _agree(self, step: model.Step, answer: Answer, *, repeated: bool) -> None:
        """Compare an answer with the model's."""
        body = answer.body
        if not body["success"]:
            refusal = {name: body[name] for name in ("success", "error", "state") if name in body}
            assert refusal == step.answer, f"answered {body}, expected {step.answer}"
            return
        told = {name: value for name, value in body.items() if name not in _NOT_COMPARED}
        if "counts" in body:
            told |= {
                word: sorted(body[word]) for word in (*LISTS, "cancel_pending", "waiting", "newer") if word in body
            }
        words = ("changed", "replaced", "kill_switch_off")
        if repeated and told["status"] in words and "duplicate" not in told and not step.resend_of:
            # Sent again by the SDK, it meets its own write, which does not say whether there was anything to change.
            told |= {name: value for name, value in step.answer.items() if name == "duplicate"}
        if "cancelled_legs" in body:
            told["cancelled_legs"] = {entry: sorted(legs) for entry, legs in body["cancelled_legs"].items()}
        assert told == step.answer, f"answered {told}, expected {step.answer}"

    def _agree_in_part(self, step: model.Step, answer: Answer) -> None:
        """Compare the answer of a command over many that was cut short with the whole."""
        body = answer.body
        if "counts" not in body or "counts" not in step.answer:
            return
        assert body["counts"] == {word: len(body[word]) for word in body["counts"]}
        assert all(set(body[word]) <= set(step.answer[word]) for word in LISTS if word != "remaining")

    def _what_was_cancelled_is_not_open(
        self, known: Trader, command: Command, answer: Answer, until: int, *, resent: bool
    ) -> None:
        """After a success of a cancel nothing that its handle means is open, unless a cancel of it is on its way.

        A resend means what was received until its first receipt.
        """
        if not answer.body["success"]:
            return
        seen = self._seen(known)
        if isinstance(command, Cancel):
            shown = model.rows(seen)
            row = shown.get(answer.body["order_id"])  # of a leg for nothing there is none
            if row is None:
                return
            assert row.state in (*FINISHED, *BEING_CANCELLED)
            if not resent and row.order_name and row.state in FINISHED:
                names = [other for other in shown.values() if other.open and other.strategy_id == row.strategy_id]
                assert command.fields["order_id"] not in [other.order_name for other in names]
        elif isinstance(command, CancelOrders | CancelAllOrders | CloseStrategy):
            left = (*answer.body.get("waiting", ()), *answer.body.get("cancel_pending", ()))
            # What is void and waits still ends at its release.
            void = [
                it for it in answer.body.get("already_cancelled", ()) if it in seen.orders and seen.orders[it].waits
            ]
            meant = {order_id: it for order_id, it in seen.orders.items() if _is_meant(command.fields, it)}
            still_open = [order_id for order_id, it in meant.items() if it.open and it.received <= until]
            assert set(still_open) <= {*left, *void}

    def _report(self, known: Trader, said: Report, mishap: str) -> None:
        self._let_pass(STEP_SECONDS * 1000)
        self.acting.add(known.name)
        recorded, after = model.report(known.owned, said)
        try:
            with self._meeting(MISHAPS[mishap]):
                taken = self._try_report(known, said, by_handler=True)
        except TemporarilyUnavailableError:
            self.tally["report unavailable"] += 1
            assert MISHAPS[mishap]
            self._become(known, self._which(known, known.owned, after))
            return
        self.tally["report taken" if taken else "report refused"] += 1
        assert taken == recorded
        self._become(known, after)

    def _try_report(self, known: Trader, said: Report, *, by_handler: bool = False) -> bool:
        services = self.service.handlers_services if by_handler else self.service.services
        provenance = Provenance(known.name, "venue", said.request_id, self.clock.now)
        average = model.AVERAGE if said.filled else None
        snapshot = order_reports.Report(OrderState(said.state), said.filled, average, said.seq)
        return services.reports.record(provenance, said.order_id, snapshot).applied

    @contextmanager
    def _meeting(self, faults: tuple[Fault, ...]) -> Iterator[None]:
        """Have the requests inside meet these faults, one each."""
        following = iter(faults)
        self.service.network.always = lambda request, deliver: perform(next(following, no_fault), request, deliver)
        try:
            yield
        finally:
            self.service.network.always = no_fault
            self.service.network.forget()
            self._now = None

    def _become(self, known: Trader, owned: Belongings) -> None:
        self.acting.add(known.name)
        known.ids += [order_id for order_id in owned.orders if order_id not in known.owned.orders]
        known.owned = owned

    _now: dict[tuple[str, str], Item] | None = None

    def _items_now(self) -> dict[tuple[str, str], Item]:
        if self._now is None:
            self._now = self._items()
        return self._now

    def _items(self) -> dict[tuple[str, str], Item]:
        return {(item["pk"]["S"], item["sk"]["S"]): item for item in self.service.everything()}

    def _seen(self, known: Trader) -> Belongings:
        return self._bare(known, _seen(self._items_now(), known))

    def _bare(self, known: Trader, owned: Belongings) -> Belongings:
        """Return what is owned as of now, with those traces alone that a resend could still meet, by nothing else."""
        now = self.clock.milliseconds

        def recent(requests: model.Requests) -> model.Requests:
            return tuple(it for it in requests if it not in known.alerts or now - known.alerts[it].at <= model.LATEST)

        traces = {" ".join(left): left for requests in owned.traces.values() if (left := recent(requests))}
        controls = replace(owned.controls, off_by=recent(owned.controls.off_by))

        def recently(strategy: model.Strategy) -> model.Strategy:
            named = tuple(it for it in strategy.named if recent((it[0],)))
            return replace(strategy, closed_by=recent(strategy.closed_by), named=named)

        strategies = {name: recently(it) for name, it in owned.strategies.items()}
        return replace(model.as_of(owned, now), traces=traces, controls=controls, strategies=strategies)


_NOT_COMPARED = ("cancelled_at", "since", "due", "warnings", "instrument", "instrument_sent")


def _is_meant(fields: Mapping[str, str], order: model.Order) -> bool:
    """Return whether a command over many orders, of these fields, means an order."""
    market = order.in_market(fields.get("account"), fields.get("instrument"))
    return market and fields.get("strategy_id") in (None, order.strategy_id)


def _assert_alike(seen: Belongings, expected: Belongings) -> None:
    """Compare what the table holds with what it should, and show only what differs."""
    for part in Belongings.__dataclass_fields__:
        found, wanted = getattr(seen, part), getattr(expected, part)
        if isinstance(found, Mapping):
            for name in found.keys() | wanted.keys():
                one, other = found.get(name), wanted.get(name)
                assert one == other, f"{part} {name}: there is {one}, expected {other}"
        assert found == wanted, f"{part}: there is {found}, expected {wanted}"


def _as_listed(owned: model.Belongings, row: model.Order) -> model.Order:
    """Return an order as a list shows it: one that waits and is void counts as cancelled already."""
    return replace(row, state="Cancelled") if row.waits and model.is_void(owned.controls, row) else row


def _shown(row: Any) -> tuple[Any, ...]:
    names = "state qty filled order_type limit_price stop_price offset strategy_id order_name generation".split()
    return tuple(getattr(row, name) for name in names)


def _seen(items: Mapping[tuple[str, str], Item], known: Trader) -> Belongings:
    """Return what the table holds of a trader."""
    orders, strategies, templates, traces = {}, {}, {}, {}
    controls = model.Controls()
    for (pk, sk), item in items.items():
        kind, _, name = sk.partition("#")
        found = deserialize(item)
        if pk == f"TRACES#{known.name}":
            traces[sk] = _requests(found)
        if pk != f"TRADER#{known.name}":
            continue
        if kind == "ORDER":
            orders[name] = _seen_order(found)
        elif kind == "STRATEGY":
            strategies[name] = _seen_strategy(found)
        elif kind == "TEMPLATE":
            brackets = ((int(b["qty"]), _text(b.get("target")), _text(b.get("stop"))) for b in found["brackets"])
            templates[name] = tuple(brackets)
        elif kind == "CONTROLS":
            on_at, cancel_all_at = (found.get(name) for name in ("last_on_at", "last_cancel_all_at"))
            controls = model.Controls(
                on=found.get("kill_switch", False),
                on_at=_milliseconds(on_at) if on_at else None,
                off_by=_requests(found),
                cancel_all_at=_milliseconds(cancel_all_at) if cancel_all_at else None,
            )
    return Belongings(orders, strategies, templates, controls, traces)


def _requests(found: Item) -> model.Requests:
    return tuple(trace["request_id"] for trace in found.get("traces", ()))


_NUMBERS = ("qty", "filled", "filled_after_end", "number", "generation", "delay", "closes", "report_seq")
_TEXTS = "state account instrument action order_type tif strategy_id order_name template entry_id".split()
_DECIMALS = ("limit_price", "stop_price", "offset")


def _seen_order(found: Item) -> model.Order:
    values = {name: found[name] for name in (*_TEXTS, *_DECIMALS) if name in found}
    values |= {name: int(found[name]) for name in _NUMBERS if name in found}
    values |= {
        name: {leg: _seen_leg(held) for leg, held in found[name].items()}
        for name in ("legs", "wanted")
        if name in found
    }
    if "due" in found:
        values["due"] = _milliseconds(found["due"])
    received, events = _milliseconds(found["received_at"]), found["history"]
    given_up = received + values.get("delay", 0) * 1000 + model.GIVEN_UP
    if "delay" in values and "released_at" not in found and _milliseconds(events[-1]["at"]) >= given_up:
        events = events[:-1]  # that it had ended by itself was written down
    # That a stop was missing for a fill is told there, too; it is no alert's.
    history = tuple(
        (event["request_id"], event.get("leg")) for event in events if "alarm" not in event.get("changes", {})
    )
    return model.Order(**values, received=received, history=history)


def _seen_leg(held: Item) -> model.Leg:
    values: dict[str, Any] = {name: held[name] for name in ("order_type", *_DECIMALS) if name in held}
    if "received_at" in held:
        values["received"] = _milliseconds(held["received_at"])
    values |= {name: int(held[name]) for name in ("start", "size", "generation") if name in held}
    leg = model.Leg(**values, released=held.get("released", False), ended="end" in held)
    return leg.left_behind if leg.released else leg


def _seen_strategy(found: Item) -> model.Strategy:
    numbers = {
        int(number): model.Binding(
            bound["order_id"],
            _milliseconds(bound["at"]),
            tuple(model.Former(it["order_id"], _milliseconds(it["until"])) for it in bound.get("before", ())),
            bound.get("legs_only", False),
        )
        for number, bound in {**found["numbers"], **found.get("freed", {})}.items()
    }
    closed_at = _milliseconds(found["closed_at"]) if "closed_at" in found else None
    place = found["account"], found["instrument"]
    named = tuple((it["request_id"], it["order_id"]) for it in found.get("named", ()))
    return model.Strategy(*place, numbers, closed_at, _requests(found), named)


def _milliseconds(text: str) -> int:
    return round((datetime.fromisoformat(text) - _BASE) / timedelta(milliseconds=1))


def _points(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _text(points: Decimal | None) -> str | None:
    return None if points is None else str(points)


@contextmanager
def _machine(service: Service, monkeypatch: pytest.MonkeyPatch, tally: Counter[str]) -> Iterator[type[TwoTraders]]:
    # A key that is read again would meet what is put in the way of its alert.
    service.remember_keys(math.inf)
    clock, queue = WallClock(), Messages()
    with ThreadPoolExecutor(1) as one_by_one:
        # The same steps have to meet the same faults.
        monkeypatch.setattr("orderhook.store.orders._threads", one_by_one)
        for handlers in (webhook, deferred):
            monkeypatch.setattr(handlers, "datetime", wall_clock(lambda: clock.now))
        service.defer_with(queue)  # type: ignore[arg-type]
        names = {"service": service, "tally": tally, "clock": clock, "queue": queue}
        yield type("TwoTraders", (TwoTraders,), names)


def run(service: Service, monkeypatch: pytest.MonkeyPatch, tally: Counter[str], *, seed: int, **options: Any) -> None:
    """Take random steps over this service, and count in `tally`; `options` are Hypothesis' settings, more or less."""
    chosen = settings(
        **options,
        deadline=None,
        database=None,
        derandomize=False,
        print_blob=True,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    with _machine(service, monkeypatch, tally) as machine:
        run_state_machine_as_test(hypothesis.seed(seed)(machine), settings=chosen)


@dataclass(frozen=True)
class Taken:
    """A step: a rule of TwoTraders, and what it is given."""

    rule: str
    given: Mapping[str, Any]


def take(rule: str, **given: Any) -> Taken:
    """Have ann take this step, without a mishap, unless another trader or a mishap is given."""
    return Taken(rule, {"trader": "ann", "mishap": "none"} | given)


def play(service: Service, monkeypatch: pytest.MonkeyPatch, steps: Sequence[Taken]) -> None:
    """Take these steps over this service, and compare after each."""
    with _machine(service, monkeypatch, Counter()) as machine:
        traders = machine()
        traders.everything_holds()
        for step in steps:
            getattr(traders, step.rule)(**step.given)
            traders.everything_holds()
