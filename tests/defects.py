"""Defects to be patched into the running product: whoever watches it has to notice each."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import webhook
from orderhook.commands import cancel_many
from orderhook.commands.cancel import Cancel
from orderhook.commands.place import Place
from orderhook.orders import BEING_CANCELLED, CANCELLABLE, OrderState, Provenance, Strategy, sources
from orderhook.store import book, items
from orderhook.store.book import OrderBook, WriteResult

Patch = pytest.MonkeyPatch
Defect = Callable[[Patch], None]


def a_write_without_condition(patch: Patch) -> None:
    patch.setattr(book, "_state_in", lambda _: ("attribute_exists(#state)", {}))


def a_condition_that_only_knows_filled(patch: Patch) -> None:
    patch.setattr(book, "_state_in", lambda _: ("attribute_exists(#state) AND #state <> :no", {":no": {"S": "Filled"}}))


def a_read_that_decides_a_later_write(patch: Patch) -> None:
    def cancel(self: OrderBook, provenance: Provenance, order_id: str, _: str | None = None) -> WriteResult:
        order = self.order(provenance.trader, order_id)
        if order is None or order.state not in CANCELLABLE:
            return WriteResult(order, done=False)
        time.sleep(0.005)
        self._move(provenance, order_id, OrderState.CANCELLED, "attribute_exists(#state)", {}, "")
        return WriteResult(order, done=True)

    patch.setattr(OrderBook, "cancel", cancel)


def an_own_write_taken_for_anothers(patch: Patch) -> None:
    patch.setattr(book, "_met", lambda order, _: WriteResult(order, done=False))


def a_name_that_leads_to_a_stale_order(patch: Patch) -> None:
    bound, seen = Cancel._bound_order_id, dict[str, str]()
    patch.setattr(Cancel, "_bound_order_id", lambda self, *rest: seen.setdefault(self.order_id, bound(self, *rest)))


def a_partition_for_all_traders(patch: Patch) -> None:
    patch.setattr(items, "trader_partition", lambda _: "TRADER#all")


def a_key_remembered_for_too_long(patch: Patch) -> None:
    patch.setattr(webhook.keyring, "_ttl", 3600)


def a_cancel_that_forgets_what_was_filled(patch: Patch) -> None:
    changes = book._changes

    def forgetful(provenance: Provenance, state: OrderState, *rest: Any) -> Any:
        text, values = changes(provenance, state, *rest)
        if state != OrderState.CANCELLED or "#filled = :filled" in text:
            return text, values
        return text.replace("SET ", "SET #filled = :zero, ", 1), values | {":zero": {"N": "0"}}

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
    def cancel(self: OrderBook, provenance: Provenance, order_id: str, _: str | None = None) -> WriteResult:
        order = self.order(provenance.trader, order_id)
        return WriteResult(order, done=order is not None and order.state in CANCELLABLE)

    patch.setattr(OrderBook, "cancel", cancel)


def a_change_below_what_is_filled(patch: Patch) -> None:
    update = OrderBook._update

    def unbounded(
        self: OrderBook, provenance: Provenance, order_id: str, text: str, condition: str, values: Any
    ) -> WriteResult:
        return update(self, provenance, order_id, text, condition.replace(" AND #filled <= :qty", ""), values)

    patch.setattr(OrderBook, "_update", unbounded)


def a_replacement_of_what_is_finished(patch: Patch) -> None:
    transact = OrderBook._transact

    def careless(self: OrderBook, provenance: Provenance, first: list[Any], *rest: Any, **more: Any) -> Any:
        for part in first:
            if "Update" in part and ":replaced_by" in part["Update"]["ExpressionAttributeValues"]:
                part["Update"]["ConditionExpression"] = "attribute_exists(#state)"
                values = part["Update"]["ExpressionAttributeValues"]
                part["Update"]["ExpressionAttributeValues"] = {
                    name: value for name, value in values.items() if not re.fullmatch(r":state\d+", name)
                }
        return transact(self, provenance, first, *rest, **more)

    patch.setattr(OrderBook, "_transact", careless)


def a_sweep_that_answers_without_writing(patch: Patch) -> None:
    patch.setattr(cancel_many, "_cancel", lambda *_: "cancelled")


def a_sweep_beyond_its_account(patch: Patch) -> None:
    list_open = OrderBook.open_order_ids

    def unbounded(self: OrderBook, trader: str, *_: object) -> Iterator[str]:
        return list_open(self, trader)

    patch.setattr(OrderBook, "open_order_ids", unbounded)


def a_strategy_that_is_closed_in_words_alone(patch: Patch) -> None:
    def close(self: OrderBook, provenance: Provenance, strategy_id: str) -> tuple[Strategy | None, bool]:
        return self.strategy(provenance.trader, strategy_id), True

    patch.setattr(OrderBook, "close_strategy", close)


def a_close_after_the_cancels(patch: Patch) -> None:
    close = OrderBook.close_strategy

    def late(self: OrderBook, provenance: Provenance, strategy_id: str) -> tuple[Strategy | None, bool]:
        strategy = self.strategy(provenance.trader, strategy_id)
        if strategy:
            cancel_many.cancel_many(self, provenance, self.open_order_ids(provenance.trader, strategy_id=strategy_id))
        return close(self, provenance, strategy_id)

    patch.setattr(OrderBook, "close_strategy", late)


def a_change_that_leaves_the_offset(patch: Patch) -> None:
    update = OrderBook._update

    def keep(
        self: OrderBook, provenance: Provenance, order_id: str, text: str, condition: str, values: Any
    ) -> WriteResult:
        return update(self, provenance, order_id, text.removesuffix(" REMOVE #offset"), condition, values)

    patch.setattr(OrderBook, "_update", keep)


def a_replacement_beside_the_order(patch: Patch) -> None:
    transact = OrderBook._transact

    def additional(self: OrderBook, provenance: Provenance, first: list[Any], *rest: Any, **_: Any) -> Any:
        kept = [part for part in first if ":replaced_by" not in part.get("Update", {}).get("UpdateExpression", "")]
        return transact(self, provenance, kept, *rest)

    patch.setattr(OrderBook, "_transact", additional)


OF_MORE_COMMANDS: tuple[Defect, ...] = (
    a_change_below_what_is_filled,
    a_replacement_of_what_is_finished,
    a_sweep_that_answers_without_writing,
)
"""In CHANGE, CANCELREPLACE and CANCELORDERS."""

OF_A_WHOLE_BOOK: tuple[Defect, ...] = (
    a_change_that_leaves_the_offset,
    a_replacement_beside_the_order,
    a_sweep_beyond_its_account,
    a_strategy_that_is_closed_in_words_alone,
    a_close_after_the_cancels,
)
"""In what these do to more than one order: the races look at each by itself, and pass them over."""

SEEDED: tuple[Defect, ...] = (
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
)
