"""Drive the handlers step by step beside a model of them, inject faults, and compare after each step.

A further command is a class in verification/model/trader.py and a rule here that sends it.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from typing import Any, ClassVar

import hypothesis
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from orderhook.errors import TemporarilyUnavailableError
from orderhook.orders import Bracket, Template
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
from tests.service import Service
from tests.states import FINISHED
from tests.tables import Item
from verification.model import trader as model
from verification.model.trader import (
    OUTCOMES,
    Belongings,
    Cancel,
    CancelAllOrders,
    CancelOrders,
    CancelReplace,
    Change,
    CloseStrategy,
    Command,
    Place,
    Report,
)

RESENDS = 3
"""TradingView's, while the answer is a 5xx. They wait for other steps to come between, not for seconds to pass."""

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
    "answer to the third request lost": (no_fault, no_fault, *(lose_response,) * 3),
}
"""What the requests of one alert or report meet, in turn; the SDK tries three times, and after a conflict six."""

TRADERS = ("ann", "bob")
ORDER_IDS = ("a", "A", "b", "c", "e", "f", "a:2")
STRATEGY_IDS = ("s", "t")
NAMES = ("ENTRY1", "ENTRY1", "ENTRY2", "TARGET1", "STOP1", "TARGET2")
MARKET = {"order_type": "Market", "limit_price": "0"}
EXTRAS: tuple[Mapping[str, str], ...] = (
    {},
    MARKET,
    {"take_profit": "5010", "stop_loss": "4990"},
    {"take_profit": "5010.0", "stop_loss": "4990"},
    {"stop_loss_limit": "4990", "stop_loss_stop": "4995"},
    {"take_profit": "0", "stop_loss": "4990.5"},
    {"strategy": "scalp"},
    {"strategy": "swing"},
)
MARKETS: tuple[Mapping[str, str], ...] = ({}, {}, {}, {"account": "Sim102"}, {"instrument": "NQ 12-26"})
"""Where a PLACE is about something else than the most."""
CHANGES: tuple[Mapping[str, str], ...] = (
    {"qty": "1", "limit_price": "5001"},
    {"qty": "2", "limit_price": "0"},
    {"qty": "5.0", "limit_price": "05000.250"},
    {"qty": "7", "limit_price": "5001"},
    {"limit_price": "5001"},
    {"qty": "4", "stop_price": "4985.5"},
)
CANCELS_OF_MANY = (
    CancelAllOrders(),
    CancelOrders({"account": "Sim101"}),
    CancelOrders({"account": "Sim101", "instrument": "ES 12-26"}),
    CancelOrders({"account": "Sim101", "instrument": "NQ 12-26"}),
    *(CloseStrategy({"strategy_id": strategy_id}) for strategy_id in (*STRATEGY_IDS, "a")),
)
_ENTRY = {name: str(value) for name, value in ENTRY.items()}
BRACKETS: tuple[tuple[model.Bracket, ...], ...] = (
    ((2, "10", "5"), (3, "20", None)),
    ((5, "7.5", "2.5"),),
    ((6, "10", "5"),),  # for more than an entry has
)

BEFORE: tuple[Mapping[str, str], ...] = (
    {"order_id": "a"},
    {"order_id": "b", "strategy_id": "s", "strategy": "scalp"},
    {"order_id": "c", "strategy_id": "t"},
    {"order_id": "d"},
)
REPORTED_BEFORE = (("d", "CancelPending", None), ("b", "PartFilled", 4), ("c", "PartFilled", 3))
"""What each trader has from the beginning, so that few steps lead far."""

trader = st.sampled_from(TRADERS)
mishap = st.one_of(st.just("none"), st.just("none"), st.sampled_from(sorted(MISHAPS)))
some_order = st.one_of(st.just(-1), st.integers(0, 60))
"""One of the orders that there are, counted around; -1 stands for the one that was last spoken of."""
About = tuple[int | str, str | None]
"""An order, counted so, or an order name; and a strategy."""
by_id: st.SearchStrategy[About] = st.tuples(some_order, st.sampled_from((*[None] * 4, *STRATEGY_IDS, "a")))
by_name: st.SearchStrategy[About] = st.tuples(
    st.sampled_from(NAMES), st.sampled_from((*STRATEGY_IDS, *STRATEGY_IDS, "a", None))
)
new_values = st.sampled_from(CHANGES)


@dataclass
class Trader:
    name: str
    key: str
    owned: Belongings = field(default_factory=Belongings)
    ids: list[str] = field(default_factory=list)
    """Of all orders, in the order in which they came: generated ones differ from run to run."""


@dataclass
class Waiting:
    """An alert that TradingView will send again."""

    trader: Trader
    command: Command
    left: int = RESENDS


class TwoTraders(RuleBasedStateMachine):
    """Two traders, with the same ids for their orders, and a venue."""

    service: ClassVar[Service]
    tally: ClassVar[Counter[str]]
    """Answers by their words, of all runs."""

    def __init__(self) -> None:
        super().__init__()
        self.service.table.empty()
        names = {name: f"{name}-of-{self.service.trader}" for name in TRADERS}
        self.traders = {name: Trader(full, self.service.issue_key(trader=full)) for name, full in names.items()}
        self.sent: list[tuple[Trader, Command]] = []
        self.waiting: list[Waiting] = []
        self.reported: list[tuple[Trader, Report]] = []
        self.cancelled: Counter[tuple[str, str]] = Counter()
        self.numbers = count(1)
        self.last = REPORTED_BEFORE[-1][0]
        for known in self.traders.values():
            self.service.cancel("warms-the-key", key=known.key)
            self._store_template(known, "scalp", BRACKETS[0])
            for more in BEFORE:
                self._send(known, Place({**_ENTRY, **more}), "none")
            for number, (order_id, state, filled) in enumerate(REPORTED_BEFORE):
                self._report(known, Report(f"before-{number}", order_id, state, filled), "none")
        self.items, self._now = self._items(), None
        self.acting: Trader | None = None
        self.tally["runs"] += 1

    # Alerts

    @rule(
        trader=trader,
        order_id=st.sampled_from((None, *ORDER_IDS)),
        strategy_id=st.sampled_from((None, *STRATEGY_IDS)),
        extras=st.sampled_from(EXTRAS),
        price=st.sampled_from(("5000.25", "5000.250", "5001")),
        market=st.sampled_from(MARKETS),
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
        mishap: str,
    ) -> None:
        given = {"order_id": order_id, "strategy_id": strategy_id, "limit_price": price}
        fields = {name: value for name, value in {**_ENTRY, **given, **market, **extras}.items() if value is not None}
        self._send(self.traders[trader], Place(fields), mishap)

    @rule(trader=trader, about=by_id, mishap=mishap)
    def cancel(self, trader: str, about: About, mishap: str) -> None:
        self._send(self.traders[trader], Cancel(self._fields(trader, about)), mishap)

    @rule(trader=trader, about=by_name, mishap=mishap)
    def cancel_by_name(self, trader: str, about: About, mishap: str) -> None:
        self._send(self.traders[trader], Cancel(self._fields(trader, about)), mishap)

    def _fields(self, trader: str, about: About) -> dict[str, str]:
        """Return the fields that say which order it is about: now and then it is the other trader's."""
        order, strategy_id = about
        order_id = order if isinstance(order, str) else self._order(order, self.traders[trader], *self.traders.values())
        return {"order_id": order_id} | ({"strategy_id": strategy_id} if strategy_id else {})

    @rule(trader=trader, about=by_id, new=new_values, mishap=mishap)
    def change(self, trader: str, about: About, new: Mapping[str, str], mishap: str) -> None:
        self._send(self.traders[trader], Change({**self._fields(trader, about), **new}), mishap)

    @rule(trader=trader, about=by_name, new=new_values, mishap=mishap)
    def change_by_name(self, trader: str, about: About, new: Mapping[str, str], mishap: str) -> None:
        self._send(self.traders[trader], Change({**self._fields(trader, about), **new}), mishap)

    @rule(
        trader=trader,
        about=by_id | by_name,
        legs=st.sampled_from([extras for extras in EXTRAS if "strategy" not in extras]),
        price=st.sampled_from(("5000.25", "5001")),
        mishap=mishap,
    )
    def replace(self, trader: str, about: About, legs: Mapping[str, str], price: str, mishap: str) -> None:
        fields = {**_ENTRY, "limit_price": price, **legs, **self._fields(trader, about)}
        self._send(self.traders[trader], CancelReplace(fields), mishap)

    @rule(trader=trader, command=st.sampled_from(CANCELS_OF_MANY), mishap=mishap)
    def cancel_many(self, trader: str, command: Command, mishap: str) -> None:
        self._send(self.traders[trader], command, mishap)

    @precondition(lambda self: self.sent)
    @rule(which=st.integers(0, 30), mishap=mishap)
    def send_an_earlier_alert(self, which: int, mishap: str) -> None:
        self._send(*self.sent[which % len(self.sent)], mishap)

    @precondition(lambda self: self.waiting)
    @rule(which=st.integers(0, 5), mishap=mishap)
    def resend(self, which: int, mishap: str) -> None:
        """Do what TradingView does after a 5xx."""
        waiting = self.waiting.pop(which % len(self.waiting))
        self._send(waiting.trader, waiting.command, mishap, left=waiting.left - 1)

    @rule(trader=trader, order=some_order, filled=st.sampled_from((None, 5)))
    def cancel_overtaken_by_a_fill(self, trader: str, order: int, filled: int | None) -> None:
        """Lose the answer of a cancel, and report a fill before the SDK asks again."""
        known = self.traders[trader]
        order_id = self._order(order, known)
        said = Report(f"fill-{next(self.numbers)}", order_id, "Filled", filled)
        taken: list[bool] = []
        overtake = run_and_lose_response(lambda: taken.append(self._try_report(known, said)))
        command = Cancel({"order_id": order_id})
        self.service.network.inject("UpdateItem", overtake)
        answer = self._post(known, command, ())
        self.service.network.inject("UpdateItem")
        step = model.step(known.owned, command, answer.request_id)
        recorded, after = model.report(step.after, said)
        if not step.answer["success"] or step.answer["status"] == "already_cancelled":
            # It was refused, and is refused again, by the order as it is then.
            step = model.step(after, command, answer.request_id)
        self._agree(known, step, answer)
        assert taken == [recorded]
        known.owned = after

    # The venue

    @rule(
        trader=trader,
        order=some_order,
        state=st.sampled_from(
            "Submitted Accepted Working ChangePending CancelPending CancelPending CancelSubmitted Cancelled "
            "PartFilled PartFilled Filled Filled Rejected Expired Unknown".split()
        ),
        filled=st.sampled_from((None, 0, 2, 3, 5, 6)),
        mishap=mishap,
    )
    def report(self, trader: str, order: int, state: str, filled: int | None, mishap: str) -> None:
        known = self.traders[trader]
        said = Report(f"venue-{next(self.numbers)}", self._order(order, known), state, filled)
        self.reported.append((known, said))
        self._report(known, said, mishap)

    @precondition(lambda self: self.reported)
    @rule(which=st.integers(0, 30), mishap=mishap)
    def report_the_same_again(self, which: int, mishap: str) -> None:
        self._report(*self.reported[which % len(self.reported)], mishap)

    # Templates

    @rule(trader=trader, name=st.sampled_from(("scalp", "swing")), brackets=st.sampled_from(BRACKETS))
    def store_template(self, trader: str, name: str, brackets: tuple[model.Bracket, ...]) -> None:
        self.acting = self.traders[trader]
        self._store_template(self.acting, name, brackets)

    def _store_template(self, known: Trader, name: str, brackets: tuple[model.Bracket, ...]) -> None:
        stored = tuple(Bracket(qty=qty, target=_points(target), stop=_points(stop)) for qty, target, stop in brackets)
        replacing = name in known.owned.templates
        assert self.service.templates.put(known.name, Template(name, stored), replacing=replacing)
        known.owned = Belongings(known.owned.orders, known.owned.strategies, {**known.owned.templates, name: brackets})

    # What holds after every step

    @invariant()
    def everything_holds(self) -> None:
        self.the_table_is_as_the_model_says()
        self.nothing_of_anybody_else_is_touched()
        self.terminal_stays_terminal_but_for_the_late_fill()
        self.every_order_was_cancelled_once_at_most()
        self.open_orders_are_in_the_index_and_finished_ones_expire()
        self.no_defect_and_no_key_is_logged()
        # What the next step is compared with.
        self.items, self._now, self.acting = self._items_now(), None, None
        self.tally["steps"] += 1

    def the_table_is_as_the_model_says(self) -> None:
        for known in self.traders.values():
            seen = _seen(self._items_now(), known)
            assert seen == known.owned

    def nothing_of_anybody_else_is_touched(self) -> None:
        now = self._items_now()
        changed = {key for key in self.items.keys() | now.keys() if self.items.get(key) != now.get(key)}
        own = {f"{kind}#{self.acting.name}" for kind in ("TRADER", "ALERTS")} if self.acting else set()
        assert {pk for pk, _ in changed} <= own

    def terminal_stays_terminal_but_for_the_late_fill(self) -> None:
        now = self._items_now()
        for key, before in self.items.items():
            if before.get("state", {}).get("S") not in FINISHED or now.get(key) == before:
                continue
            after = now[key]
            assert (before["state"]["S"], after["state"]["S"]) == ("Cancelled", "Filled")
            changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
            allowed = {"state", "since", "filled", "version", "request_id", "history", "reports", "expires"}
            assert changed <= allowed
            assert after["history"]["L"][:-1] == before["history"]["L"]

    def every_order_was_cancelled_once_at_most(self) -> None:
        assert all(times == 1 for times in self.cancelled.values())
        for item in self._items_now().values():
            if "history" in item:
                # A change keeps the state.
                states = [event["M"]["state"]["S"] for event in item["history"]["L"] if "state" in event["M"]]
                assert states.count("Cancelled") <= 1
                assert states[-1] == item["state"]["S"]

    def open_orders_are_in_the_index_and_finished_ones_expire(self) -> None:
        for item in self._items_now().values():
            if "history" in item:
                finished = item["state"]["S"] in FINISHED
                assert ("open" in item, "expires" in item) == (not finished, finished)

    def no_defect_and_no_key_is_logged(self) -> None:
        output = self.service.output.take()
        assert "UnhandledErrors" not in output
        assert not any(known.key.split("_")[2][:43] in output for known in self.traders.values())

    # How

    def _send(self, known: Trader, command: Command, mishap: str, left: int = RESENDS) -> None:
        faults = MISHAPS[mishap]
        answer = self._post(known, command, faults)
        self.sent.append((known, command))
        step = model.step(known.owned, command, answer.request_id)
        if answer.word in ("temporarily_unavailable", "outcome_unknown"):
            assert faults
            assert (answer.status, command.repeatable) in ((503, True), (503, False), (409, False))
            seen = _seen(self._items_now(), known)
            # A 503 is sent again: where that would be another order, nothing may have been written.
            unwritten = answer.status == 503 and not command.repeatable
            became = known.owned if unwritten else step.cut_short(known.owned, seen)
            assert seen == became
            self._become(known, became)
            self._agree_in_part(known, step, answer)
            if answer.status == 503 and left:
                self.waiting.append(Waiting(known, command, left))
        else:
            self._agree(known, step, answer)
            self._become(known, step.after)

    def _order(self, number: int, *owners: Trader) -> str:
        ids = [order_id for known in owners for order_id in known.ids]
        if number >= 0 or self.last not in ids:
            self.last = ids[number % len(ids)]
        return self.last

    def _post(self, known: Trader, command: Command, faults: tuple[Fault, ...]) -> Answer:
        self.acting = known
        with self._meeting(faults):
            answer = self.service.post(alert({"key": known.key, "command": command.word, **command.fields}))
        self.tally[f"{command.word} {answer.word}"] += 1
        assert answer.status == 503 or answer.status < 500
        assert known.key.split("_")[2][:43] not in answer.text
        return answer

    def _agree(self, known: Trader, step: model.Step, answer: Answer) -> None:
        """Compare an answer with the model's, and with the table."""
        body = dict(answer.body)
        cancelled_at = body.pop("cancelled_at", None)
        if not body["success"]:
            assert {name: body[name] for name in ("success", "error", "state") if name in body} == step.answer
            return
        assert body | {word: sorted(body[word]) for word in OUTCOMES if word in body} == step.answer
        self._check_cancelled(known, body, answer.request_id)
        if "order_id" in body and body["status"] in ("cancelled", "already_cancelled"):
            assert cancelled_at == self._order_now(known, body["order_id"]).get("cancelled_at")

    def _agree_in_part(self, known: Trader, step: model.Step, answer: Answer) -> None:
        """Compare the answer of a command over many that was cut short with the whole, and with the table."""
        body = answer.body
        if "counts" not in body:
            return
        assert body["counts"] == {word: len(body[word]) for word in OUTCOMES}
        # Nothing, where the list could not be had.
        assert _reached(body) in ([], _reached(step.answer))
        assert all(set(body[word]) <= set(step.answer[word]) for word in OUTCOMES if word != "remaining")
        self._check_cancelled(known, body, answer.request_id)

    def _check_cancelled(self, known: Trader, body: Mapping[str, Any], request_id: str) -> None:
        """Compare the orders that an answer calls cancelled with the table."""
        for order_id in _cancelled_by(body):
            self.cancelled[known.name, order_id] += 1
            item = self._order_now(known, order_id)
            assert item.get("cancel_request_id") == request_id
            assert body.get("filled") in (None, str(item.get("cancel_filled")))

    def _order_now(self, known: Trader, order_id: str) -> Item:
        return deserialize(self._items_now()[f"TRADER#{known.name}", f"ORDER#{order_id}"])

    def _report(self, known: Trader, said: Report, mishap: str) -> None:
        self.acting = known
        recorded, after = model.report(known.owned, said)
        try:
            with self._meeting(MISHAPS[mishap]):
                taken = self._try_report(known, said, by_handler=True)
        except TemporarilyUnavailableError:
            self.tally["report unavailable"] += 1
            assert MISHAPS[mishap]
            seen = _seen(self._items_now(), known)
            assert seen in (known.owned, after)
            # One that changed nothing that can be seen was recorded if its request is.
            recorded = said.request_id in self._reports(known, said.order_id)
            known.owned = after if recorded else known.owned
            return
        self.tally["report taken" if taken else "report refused"] += 1
        if recorded and not taken:
            assert model.may_be_refused(known.owned, said)
            return
        assert taken == recorded
        known.owned = after

    def _reports(self, known: Trader, order_id: str) -> list[str]:
        item = self._items_now()[f"TRADER#{known.name}", f"ORDER#{order_id}"]
        return [event["M"]["request_id"]["S"] for event in item["history"]["L"]]

    def _try_report(self, known: Trader, said: Report, *, by_handler: bool = False) -> bool:
        return self.service.try_report(
            said.state,
            said.filled,
            order_id=said.order_id,
            request_id=said.request_id,
            trader=known.name,
            by_handler=by_handler,
        )

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
        known.ids += [order_id for order_id in owned.orders if order_id not in known.owned.orders]
        known.owned = owned

    _now: dict[tuple[str, str], Item] | None = None

    def _items_now(self) -> dict[tuple[str, str], Item]:
        if self._now is None:
            self._now = self._items()
        return self._now

    def _items(self) -> dict[tuple[str, str], Item]:
        return {(item["pk"]["S"], item["sk"]["S"]): item for item in self.service.everything()}


def _reached(body: Mapping[str, Any]) -> list[str]:
    """Return the ids of all orders in the answer of a command over many."""
    return sorted(order_id for word in OUTCOMES for order_id in body[word])


def _cancelled_by(body: Mapping[str, Any]) -> list[str]:
    """Return the ids of the orders that the alert of this answer has cancelled, by its word."""
    if "counts" in body:
        cancelled: list[str] = body["cancelled"]
        return cancelled
    if body["status"] == "replaced" and "duplicate" not in body:
        return [body["replaced_order_id"]]
    return [body["order_id"]] if body["status"] == "cancelled" else []


def _seen(items: Mapping[tuple[str, str], Item], known: Trader) -> Belongings:
    """Return what the table holds of a trader."""
    orders, strategies, templates = {}, {}, {}
    for (pk, sk), item in items.items():
        kind, _, name = sk.partition("#")
        if pk != f"TRADER#{known.name}":
            continue
        found = deserialize(item)
        if kind == "ORDER":
            orders[name] = model.Order(found["state"], int(found["filled"]), model.terms(found))
        elif kind == "STRATEGY":
            place = found["account"], found["instrument"], found["state"], found.get("template")
            strategies[name] = model.Strategy(*place, found["names"])
        else:
            brackets = ((int(b["qty"]), _text(b.get("target")), _text(b.get("stop"))) for b in found["brackets"])
            templates[name] = tuple(brackets)
    return Belongings(orders, strategies, templates)


def _points(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _text(points: Decimal | None) -> str | None:
    return None if points is None else str(points)


@contextmanager
def _machine(service: Service, monkeypatch: pytest.MonkeyPatch, tally: Counter[str]) -> Iterator[type[TwoTraders]]:
    # A key that is read again would meet what is put in the way of its alert.
    service.remember_keys(math.inf)
    with ThreadPoolExecutor(1) as one_by_one:
        # The same steps have to meet the same faults.
        monkeypatch.setattr("orderhook.store.orders._threads", one_by_one)
        yield type("TwoTraders", (TwoTraders,), {"service": service, "tally": tally})


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
