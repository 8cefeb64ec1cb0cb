"""Races on the real engine, small enough for every day; `make prove` plays a hundred thousand operations.

The checker is checked: each seeded defect, patched into the running product, has to make the same play fail.
"""

import random
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

import webhook
from orderhook import book, items
from orderhook.book import OrderBook, Written
from orderhook.commands.cancel import Cancel
from orderhook.commands.place import Place
from orderhook.orders import BEING_CANCELLED, CANCELLABLE, OrderState, Stamp, sources
from tests.history.linearizability import contradictions
from tests.history.order import one_order
from tests.prove import play
from tests.service import Service
from tests.wire import Deliver, Fault, lost_after_commit

ROUNDS = 6
REMEMBERED_SECONDS = 0.3

Patch = pytest.MonkeyPatch
Defect = Callable[[Patch], None]


def wrongs(service: Service, rounds: int) -> list[str]:
    """Play until something is wrong, for this many rounds at most, and return it."""
    trader = play.Trader(service.trader, service.key, service.issue_key(trader=f"{service.trader}-not"))
    service.wire.always = now_and_then(lost_after_commit)
    for number in range(rounds):
        order_ids = [f"{number}-{index}{'s' if index % 2 else ''}" for index in range(10)]
        record = play.play(trader, order_ids, seed=number, threads=6, operations=50)
        found = list(map(str, contradictions(record.operations, one_order("Working")).values())) + record.unexpected
        if found:
            return found
    uses, revoked = play.play_revocation(trader, threads=2, seconds=3 * REMEMBERED_SECONDS)
    return list(map(str, play.wrong_uses(uses, revoked, REMEMBERED_SECONDS)))


def now_and_then(fault: Fault) -> Fault:
    dice = random.Random(1)

    def perhaps(request: AWSPreparedRequest, deliver: Deliver) -> AWSResponse | None:
        return fault(request, deliver) if dice.random() < 0.2 else None

    return perhaps


@pytest.fixture
def racing(service: Service) -> Service:
    service.work_on(service.wired_book, key_cache_seconds=REMEMBERED_SECONDS)
    return service


def test_every_order_answers_as_if_its_alerts_and_reports_had_come_one_at_a_time(racing: Service) -> None:
    assert wrongs(racing, rounds=2) == []


# The seeded defects


def a_write_without_condition(patch: Patch) -> None:
    patch.setattr(book, "_state_in", lambda _: ("attribute_exists(#state)", {}))


def a_condition_that_only_knows_filled(patch: Patch) -> None:
    patch.setattr(book, "_state_in", lambda _: ("attribute_exists(#state) AND #state <> :no", {":no": {"S": "Filled"}}))


def a_read_that_decides_a_later_write(patch: Patch) -> None:
    def cancel(self: OrderBook, stamp: Stamp, order_id: str, _: str | None = None) -> Written:
        order = self.order(stamp.trader, order_id)
        if order is None or order.state not in CANCELLABLE:
            return Written(order, done=False)
        time.sleep(0.005)
        self._move(stamp, order_id, OrderState.CANCELLED, "attribute_exists(#state)", {})
        return Written(order, done=True)

    patch.setattr(OrderBook, "cancel", cancel)


def an_own_write_taken_for_anothers(patch: Patch) -> None:
    patch.setattr(book, "_met", lambda order, _: Written(order, done=False))


def a_name_that_leads_to_a_stale_order(patch: Patch) -> None:
    bound, seen = Cancel._bound_order_id, dict[str, str]()
    patch.setattr(Cancel, "_bound_order_id", lambda self, *rest: seen.setdefault(self.order_id, bound(self, *rest)))


def a_partition_for_all_traders(patch: Patch) -> None:
    patch.setattr(items, "trader_partition", lambda _: "TRADER#all")


def a_key_remembered_for_too_long(patch: Patch) -> None:
    patch.setattr(webhook.keyring, "_ttl", 3600)


def a_cancel_that_forgets_what_was_filled(patch: Patch) -> None:
    changes = book._changes

    def forgetful(stamp: Stamp, state: OrderState, *rest: Any) -> Any:
        text, values = changes(stamp, state, *rest)
        if state != OrderState.CANCELLED:
            return text, values
        return text.replace("SET ", "SET #filled = :none, ", 1), values | {":none": {"N": "0"}}

    patch.setattr(book, "_changes", forgetful)


def a_late_fill_that_is_dropped(patch: Patch) -> None:
    patch.setattr(book, "sources", lambda state: sources(state) - {OrderState.CANCELLED})


def a_finished_order_that_moves_again(patch: Patch) -> None:
    patch.setattr(book, "sources", lambda _: frozenset(OrderState))


def a_cancel_of_what_is_being_cancelled(patch: Patch) -> None:
    patch.setattr(book, "CANCELLABLE", CANCELLABLE | BEING_CANCELLED)


def a_place_that_overwrites(patch: Patch) -> None:
    patch.setattr(book, "_NEW", "attribute_not_exists(nothing)")


def a_place_that_takes_every_order_for_its_own(patch: Patch) -> None:
    patch.setattr(Place, "content", property(lambda _: "the same"))


def an_answer_before_the_write(patch: Patch) -> None:
    def cancel(self: OrderBook, stamp: Stamp, order_id: str, _: str | None = None) -> Written:
        order = self.order(stamp.trader, order_id)
        return Written(order, done=order is not None and order.state in CANCELLABLE)

    patch.setattr(OrderBook, "cancel", cancel)


@pytest.mark.parametrize(
    "defect",
    [
        a_write_without_condition,
        a_condition_that_only_knows_filled,
        a_read_that_decides_a_later_write,
        an_own_write_taken_for_anothers,
        a_name_that_leads_to_a_stale_order,
        a_partition_for_all_traders,
        a_key_remembered_for_too_long,
        a_cancel_that_forgets_what_was_filled,
        a_late_fill_that_is_dropped,
        a_finished_order_that_moves_again,
        a_cancel_of_what_is_being_cancelled,
        a_place_that_overwrites,
        a_place_that_takes_every_order_for_its_own,
        an_answer_before_the_write,
    ],
)
def test_the_checker_notices(defect: Defect, racing: Service, monkeypatch: Patch) -> None:
    defect(monkeypatch)
    assert wrongs(racing, rounds=ROUNDS)
