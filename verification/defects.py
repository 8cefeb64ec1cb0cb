"""Defects to be seeded into the running functions: whoever watches them has to notice each.

Most change what is sent to DynamoDB or what comes back from it, so that they know little of how the functions are
written.
"""

import re
import threading
import time
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

import tests.environment  # noqa: F401  the functions read it when they are imported

# isort: split

import deferred
import webhook
from orderhook import admission, altering, flat_json, listing, order_reports, pipeline, resend, trade
from orderhook.aws.gateway import HttpRequest
from orderhook.commands import (
    Command,
    addressed_order,
    cancel,
    cancel_many,
    cancel_orders,
    change,
    changing,
    close_strategy,
    contracts,
    kill_switch,
    numbering,
    parse_command,
    place,
    placed,
    placing,
    release,
)
from orderhook.commands.cancel_many import Scope
from orderhook.commands.cancel_orders import CancelOrders
from orderhook.commands.cancel_replace import CancelReplace
from orderhook.commands.close_strategy import CloseStrategy
from orderhook.errors import AlertWarning, InvalidValueError, OrderNotFoundError, StrategyMismatchError
from orderhook.messages import Release
from orderhook.order_reports import Report
from orderhook.orders import Leg, Order, OrderState, Strategy, Trace
from orderhook.outcome import Outcome
from orderhook.provenance import Provenance
from orderhook.services import Services
from orderhook.store import changes, items, releases, reports
from orderhook.store.alert_log import AlertLog, Earlier
from orderhook.store.controls import Controls, KillSwitchResult
from orderhook.store.expressions import Condition
from orderhook.store.orders import OrderStore
from orderhook.store.results import WriteResult
from orderhook.store.strategies import StrategyStore
from orderhook.store.writes import Check
from tests.states import BEING_CANCELLED, CANCELLABLE

Patch = pytest.MonkeyPatch
Defect = Callable[[Patch], None]

Parameters = Mapping[str, Any]
Call = Callable[[str, Parameters], Any]
"""Send a request: the operation and its parameters."""


def _intercept(patch: Patch, operation: str, intercept: Callable[[Call, Parameters], Any]) -> None:
    """Have this done in place of every request for an operation; "" is every operation."""
    original: Any = BaseClient._make_api_call  # type: ignore[attr-defined]

    def call(client: BaseClient, name: str, parameters: Parameters) -> Any:
        def send(name: str, parameters: Parameters) -> Any:
            return original(client, name, parameters)

        return intercept(send, parameters) if name == operation else send(name, parameters)

    patch.setattr(BaseClient, "_make_api_call", call)


def _rewrite(
    patch: Patch, operation: str, when: Callable[[Parameters], bool], rewrite: Callable[[Parameters], Parameters]
) -> None:
    """Have requests rewritten; those for a transaction item by item."""

    def intercept(send: Call, parameters: Parameters) -> Any:
        if operation != "TransactWriteItems":
            return send(operation, rewrite(parameters) if when(parameters) else parameters)
        items = [
            {kind: rewrite(write) if when(write) else write for kind, write in item.items()}
            for item in parameters["TransactItems"]
        ]
        return send(operation, {**parameters, "TransactItems": items})

    _intercept(patch, operation, intercept)


def _changed(write: Parameters, values: Mapping[str, Any] = MappingProxyType({}), **expressions: str) -> Parameters:
    """Return a write with other expressions and more values, without the names and values that it no longer uses."""
    new = {**write, **expressions}
    used = _words(new["ConditionExpression"], new.get("UpdateExpression", ""))
    names = _only(used, write["ExpressionAttributeNames"])
    values = _only(used, {**write.get("ExpressionAttributeValues", {}), **values})
    new |= {"ExpressionAttributeNames": names, "ExpressionAttributeValues": values}
    return {name: value for name, value in new.items() if value != {}}


def _words(*expressions: str) -> set[str]:
    return {word for expression in expressions for word in re.findall(r"[#:]\w+", expression)}


def _only(wanted: set[str], given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name in wanted}


_STATES = re.compile(r"#state IN \([^)]*\)")


def _with_states(write: Parameters, states: Iterable[str]) -> Parameters:
    """Return a write that takes place in these states of the order."""
    values = {f":allowed{number}": {"S": state} for number, state in enumerate(states)}
    condition = _STATES.sub(f"#state IN ({', '.join(values)})", write["ConditionExpression"])
    return _changed(write, values, ConditionExpression=condition)


def _states_of(write: Parameters) -> list[str]:
    names = re.findall(r":\w+", _STATES.findall(write["ConditionExpression"])[0])
    return [write["ExpressionAttributeValues"][name]["S"] for name in names]


def _is_about_states(write: Parameters) -> bool:
    return _STATES.search(write.get("ConditionExpression", "")) is not None


def _is_cancel(write: Parameters) -> bool:
    return "#cancel_filled = #filled" in write.get("UpdateExpression", "")


def _is_change(write: Parameters) -> bool:
    return "#filled < :qty" in write.get("ConditionExpression", "")


def _is_replacement(write: Parameters) -> bool:
    return "SET #version" in write.get("UpdateExpression", "") and " #generation = " in write["UpdateExpression"]


def _is_new_order(write: Parameters) -> bool:
    sort_key: str = write.get("Item", {}).get("sk", {}).get("S", "")
    return sort_key.startswith("ORDER#")


def _item_of(send: Call, write: Parameters) -> Any:
    read = {"TableName": write["TableName"], "Key": write["Key"], "ConsistentRead": True}
    return send("GetItem", read).get("Item")


def _is_cancellable(item: Any) -> bool:
    return item is not None and item["state"]["S"] in CANCELLABLE


# In what becomes of one order


def a_write_without_condition(patch: Patch) -> None:
    _rewrite(
        patch,
        "UpdateItem",
        _is_about_states,
        lambda write: _changed(
            write, ConditionExpression=_STATES.sub("attribute_exists(#state)", write["ConditionExpression"])
        ),
    )


def a_condition_that_only_knows_filled(patch: Patch) -> None:
    def rewrite(write: Parameters) -> Parameters:
        condition = _STATES.sub("attribute_exists(#state) AND #state <> :filled_state", write["ConditionExpression"])
        return _changed(write, {":filled_state": {"S": "Filled"}}, ConditionExpression=condition)

    _rewrite(patch, "UpdateItem", _is_about_states, rewrite)


def a_read_that_decides_a_later_write(patch: Patch) -> None:
    def intercept(send: Call, write: Parameters) -> Any:
        item = _item_of(send, write) if _is_cancel(write) else None
        if not _is_cancellable(item):
            return send("UpdateItem", write)
        time.sleep(0.005)
        send("UpdateItem", _changed(write, ConditionExpression="attribute_exists(#state)"))
        return {"Attributes": item}

    _intercept(patch, "UpdateItem", intercept)


def an_answer_before_the_write(patch: Patch) -> None:
    def intercept(send: Call, write: Parameters) -> Any:
        item = _item_of(send, write) if _is_cancel(write) else None
        return {"Attributes": item} if _is_cancellable(item) else send("UpdateItem", write)

    _intercept(patch, "UpdateItem", intercept)


def an_own_write_taken_for_anothers(patch: Patch) -> None:
    for operation in ("UpdateItem", "PutItem", "TransactWriteItems"):
        _forge_refusals(patch, operation, lambda _, item: _with_other_request_ids(item))


def _with_other_request_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: {"S": "another"} if name == "request_id" else _with_other_request_ids(inner)
            for name, inner in value.items()
        }
    return [_with_other_request_ids(inner) for inner in value] if isinstance(value, list) else value


def _forge_refusals(patch: Patch, operation: str, forge: Callable[[Parameters, Any], Any]) -> None:
    """Have something else come back as the item that a failed condition met; `forge` is given the write, too."""

    def intercept(send: Call, parameters: Parameters) -> Any:
        try:
            return send(operation, parameters)
        except ClientError as error:
            response: Any = error.response
            if "Item" in response:
                response["Item"] = forge(parameters, response["Item"])
            for number, reason in enumerate(response.get("CancellationReasons", [])):
                if "Item" in reason:
                    [write] = parameters["TransactItems"][number].values()
                    reason["Item"] = forge(write, reason["Item"])
            raise

    _intercept(patch, operation, intercept)


def a_key_remembered_for_too_long(patch: Patch) -> None:
    remembered: dict[str, Any] = {}

    def intercept(send: Call, read: Parameters) -> Any:
        if not read["Key"]["sk"]["S"].startswith("KEY"):
            return send("GetItem", read)
        key = repr(read["Key"])
        if key not in remembered:
            remembered[key] = send("GetItem", read)
        return remembered[key]

    _intercept(patch, "GetItem", intercept)


def a_partition_for_all_traders(patch: Patch) -> None:
    def shared(value: Any) -> Any:
        if isinstance(value, str):
            return "TRADER#all" if value.startswith("TRADER#") else value
        if isinstance(value, dict):
            return {name: shared(inner) for name, inner in value.items()}
        return [shared(inner) for inner in value] if isinstance(value, list) else value

    for operation in ("GetItem", "Query", "PutItem", "UpdateItem", "TransactWriteItems"):

        def intercept(send: Call, parameters: Parameters, operation: str = operation) -> Any:
            return send(operation, shared(parameters))

        _intercept(patch, operation, intercept)


def a_cancel_that_forgets_what_was_filled(patch: Patch) -> None:
    def rewrite(write: Parameters) -> Parameters:
        update = write["UpdateExpression"].replace("SET ", "SET #filled = :nothing, ", 1)
        return _changed(write, {":nothing": {"N": "0"}}, UpdateExpression=update)

    _rewrite(patch, "UpdateItem", _is_cancel, rewrite)


def a_late_fill_that_is_dropped(patch: Patch) -> None:
    _drop_reports(patch, lambda order, _: not order.is_open)


def _drop_reports(patch: Patch, dropped: Callable[[Order, Report], bool]) -> None:
    reported = order_reports.reported

    def report(order: Order, said: Report, provenance: Provenance) -> Order | None:
        return None if dropped(order, said) else reported(order, said, provenance)

    for module in (order_reports, reports):
        patch.setattr(module, "reported", report)


def a_finished_order_that_moves_again(patch: Patch) -> None:
    patch.setattr(order_reports, "TRANSITIONS", dict.fromkeys(OrderState, frozenset(OrderState)))


def a_cancel_of_what_is_being_cancelled(patch: Patch) -> None:
    _rewrite(patch, "UpdateItem", _is_cancel, lambda write: _with_states(write, [*_states_of(write), *BEING_CANCELLED]))


def a_place_that_overwrites(patch: Patch) -> None:
    for operation in ("PutItem", "TransactWriteItems"):
        _rewrite(
            patch,
            operation,
            _is_new_order,
            lambda write: {**write, "ConditionExpression": "attribute_not_exists(nothing)"},
        )


def a_place_that_takes_every_order_for_its_own(patch: Patch) -> None:
    def forge(write: Parameters, item: Any) -> Any:
        placed = write.get("Item", {}).get("placed")
        return {**item, "placed": placed} if placed else item

    for operation in ("PutItem", "TransactWriteItems"):
        _forge_refusals(patch, operation, forge)


SEEDED: tuple[Defect, ...] = (
    a_write_without_condition,
    a_condition_that_only_knows_filled,
    a_read_that_decides_a_later_write,
    an_own_write_taken_for_anothers,
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


# In CHANGE, CANCELREPLACE and commands over many


def a_change_below_what_is_filled(patch: Patch) -> None:
    def rewrite(write: Parameters) -> Parameters:
        condition = write["ConditionExpression"].replace("#filled < :qty AND ", "")
        return _changed(write, ConditionExpression=condition)

    _rewrite(patch, "UpdateItem", _is_change, rewrite)


def a_replacement_of_what_is_finished(patch: Patch) -> None:
    _rewrite(
        patch,
        "UpdateItem",
        _is_replacement,
        lambda write: _changed(write, ConditionExpression="attribute_exists(#state)"),
    )


def a_cancel_of_many_that_writes_nothing(patch: Patch) -> None:
    def intercept(send: Call, write: Parameters) -> Any:
        of_many = _is_cancel(write) and threading.current_thread().name.startswith("ThreadPool")
        item = _item_of(send, write) if of_many else None
        return {"Attributes": item} if _is_cancellable(item) else send("UpdateItem", write)

    _intercept(patch, "UpdateItem", intercept)


def a_list_without_its_first_order(patch: Patch) -> None:
    def intercept(send: Call, query: Parameters) -> Any:
        answer = send("Query", query)
        return {**answer, "Items": answer["Items"][1:]} if query.get("IndexName") == "open" else answer

    _intercept(patch, "Query", intercept)


OF_MORE_COMMANDS: tuple[Defect, ...] = (
    a_change_below_what_is_filled,
    a_replacement_of_what_is_finished,
    a_cancel_of_many_that_writes_nothing,
    a_list_without_its_first_order,
)


# In what these do to more than one order: races look at each order by itself, and miss them


def a_cancel_of_many_beyond_its_account(patch: Patch) -> None:
    open_items = OrderStore.open_items
    patch.setattr(OrderStore, "open_items", lambda store, trader, *_: open_items(store, trader))
    patch.setattr(Scope, "conditions", lambda _: [])


def a_strategy_that_is_only_said_to_be_closed(patch: Patch) -> None:
    def close(
        store: StrategyStore, provenance: Provenance, strategy_id: str, _: object
    ) -> tuple[Strategy | None, None]:
        return store.get(provenance.trader, strategy_id), None

    patch.setattr(StrategyStore, "close", close)


def a_close_after_the_cancels(patch: Patch) -> None:
    close_and_cancel = CloseStrategy.run

    def late(command: CloseStrategy, services: Services, provenance: Provenance) -> Outcome:
        if services.strategies.get(provenance.trader, command.strategy_id):
            scope = Scope(strategy_id=command.strategy_id)
            cancel_many.cancel_many(services, provenance, scope, provenance.received_at)
        return close_and_cancel(command, services, provenance)

    patch.setattr(CloseStrategy, "run", late)


def a_spelling_that_stays_as_it_is_sent(patch: Patch) -> None:
    patch.setattr(contracts, "meaning", lambda _, sent, __: contracts.Meaning(sent, sent))


def a_cancel_of_the_front_month_alone(patch: Patch) -> None:
    patch.setattr(CancelOrders, "root", None)


OF_MANY_ORDERS: tuple[Defect, ...] = (
    a_cancel_of_many_beyond_its_account,
    a_spelling_that_stays_as_it_is_sent,
    a_cancel_of_the_front_month_alone,
    a_strategy_that_is_only_said_to_be_closed,
    a_close_after_the_cancels,
)


# In what makes a trade one thing


def a_change_that_leaves_the_offset(patch: Patch) -> None:
    changed_leg = altering.changed_leg

    def leave(entry: Order, name: str, new: Mapping[str, Any]) -> Order:
        after = changed_leg(entry, name, new)
        return after._replace(legs={**after.legs, name: after.legs[name]._replace(offset=entry.legs[name].offset)})

    patch.setattr(change, "changed_leg", leave)


def a_replacement_under_another_id(patch: Patch) -> None:
    def run(command: CancelReplace, services: Services, provenance: Provenance) -> Outcome:
        order = services.orders.cancel(provenance, command.order_id).before
        if order is None:
            raise command.not_found()
        again = order._replace(order_id=f"{order.order_id}:2", generation=2, history=order.history[:1])
        services.orders.put(provenance, again)
        return Outcome(status="replaced", order_id=again.order_id, state=again.state)

    patch.setattr(CancelReplace, "run", run)


def a_total_taken_for_an_addition(patch: Patch) -> None:
    def rewrite(write: Parameters) -> Parameters:
        return _changed(
            write, UpdateExpression=write["UpdateExpression"].replace("#qty = :qty", "#qty = #filled + :qty")
        )

    _rewrite(patch, "UpdateItem", _is_replacement, rewrite)


def a_remainder_that_works_on(patch: Patch) -> None:
    def with_qty(order: Order, qty: int) -> tuple[Order, list[AlertWarning]]:
        return order._replace(qty=qty), []

    patch.setattr(altering, "_with_qty", with_qty)


def legs_that_outlive_their_entry(patch: Patch) -> None:
    view = trade.view_of_leg

    def leave_open(entry: Order, name: str, leg: Leg) -> Order:
        return view(entry if entry.is_open else entry._replace(state=OrderState.WORKING), name, leg)

    for module in (trade, altering, listing, addressed_order, order_reports, reports):
        patch.setattr(module, "view_of_leg", leave_open)


def a_leg_that_keeps_its_quantity(patch: Patch) -> None:
    _release(patch, lambda after, name: not after.legs[name].released)


def a_leg_that_no_late_fill_brings(patch: Patch) -> None:
    _release(patch, lambda after, _: after.is_open)


def _release(patch: Patch, wanted: Callable[[Order, str], bool]) -> None:
    """Have only those legs released or raised by a fill that are wanted."""
    original = releases.releases

    def some(provenance: Provenance, before: Order, after: Order, closed: Container[str] = (), *priced: Any) -> Any:
        unwanted = {name for name in after.legs if not wanted(after, name)}
        kept = {*unwanted, *(name for name in after.legs if name in closed)}
        return original(provenance, before, after, kept, *priced)

    patch.setattr(reports, "releases", some)


def a_leg_that_was_cancelled_and_comes_back(patch: Patch) -> None:
    original = releases.releases

    def all_legs(provenance: Provenance, before: Order, after: Order, closed: Container[str] = (), *priced: Any) -> Any:
        legs = {name: leg._replace(end=None) for name, leg in after.legs.items()}
        return original(provenance, before, after._replace(legs=legs), closed, *priced)

    patch.setattr(reports, "releases", all_legs)


def an_overfill_that_is_dropped(patch: Patch) -> None:
    _drop_reports(patch, lambda order, said: said.filled > order.qty)


def prices_that_nobody_checks(patch: Patch) -> None:
    anything = Condition("attribute_exists(pk)", {})
    patch.setattr(altering, "check_prices", lambda *_: None)
    patch.setattr(changes, "beyond_legs", lambda *_: anything)
    patch.setattr(changes, "leg_before_entry", lambda *_: anything)


def a_leg_that_is_never_raised_again(patch: Patch) -> None:
    def check(order: Order, _: Order, qty: int, __: Sequence[str]) -> None:
        if order.closes is not None and qty > order.qty:
            raise InvalidValueError("It was lowered.", field="qty", state=order.state)

    patch.setattr(altering, "_check_own_leg", check)


def a_leg_for_more_than_is_filled(patch: Patch) -> None:
    patch.setattr(altering, "_check_own_leg", lambda *_: None)


def working_legs_that_cross(patch: Patch) -> None:
    patch.setattr(changing, "price_checks", lambda *_: [])


def a_leg_that_is_added_and_waits(patch: Patch) -> None:
    patch.setattr(changing, "releases", lambda _, __, after: (after, {}))


def a_leg_that_is_added_beside_an_earlier_one(patch: Patch) -> None:
    patch.setattr(changing, "NEW", "attribute_not_exists(#nothing)")


def a_place_beside_an_earlier_leg(patch: Patch) -> None:
    patch.setattr(placing, "NEW", "attribute_not_exists(#nothing)")


def a_leg_that_forgets_what_it_was_given(patch: Patch) -> None:
    released = order_reports.released_leg

    def forget(*given: Any) -> Order:
        leg = released(*given)
        return leg._replace(history=leg.history[-1:], digests=())

    for module in (order_reports, releases):
        patch.setattr(module, "released_leg", forget)


def a_replacement_by_the_same_values(patch: Patch) -> None:
    patch.setattr(changes, "differs", lambda *_: Condition("attribute_exists(pk)", {}))


def a_report_that_leaves_no_number(patch: Patch) -> None:
    reported = order_reports.reported

    def report(order: Order, said: Report, provenance: Provenance) -> Order | None:
        after = reported(order, said, provenance)
        return after if after and after.history != order.history else None

    for module in (order_reports, reports):
        patch.setattr(module, "reported", report)


def a_name_that_is_never_free_again(patch: Patch) -> None:
    def open_for_ever(trader: str, _now: str, order_id: str, _strategy_id: str) -> Check:
        return Check(items.order_key(trader, order_id), "attribute_exists(pk) AND attribute_not_exists(pk)", {})

    patch.setattr(placing, "finished", open_for_ever)


def a_name_that_is_taken_from_an_open_order(patch: Patch) -> None:
    for module in (placing, numbering):
        patch.setattr(module, "orders_of_number", lambda *_: ())


def a_large_template_that_never_frees_its_names(patch: Patch) -> None:
    def each_with_three(bound: Container[int], numbers: Iterable[int]) -> set[str]:
        return {f"{n}.{order}" for n in numbers if n in bound for order in range(3)}

    patch.setattr(numbering, "_orders_of", each_with_three)


def a_strategy_that_stays_closed(patch: Patch) -> None:
    def check(_: object, strategy: Strategy | None) -> None:
        if strategy and strategy.closed_at:
            raise StrategyMismatchError("It was closed.")

    patch.setattr(placing._Placement, "_check_joinable", check)


def an_account_compared_with_case(patch: Patch) -> None:
    patch.setattr(items, "folded", lambda text: text)


# In what is judged by its first receipt


def _judge(patch: Patch, first_receipt: Callable[[Services, Provenance, Iterable[Trace]], Trace | None]) -> None:
    for module in (addressed_order, admission, cancel, cancel_many, close_strategy, kill_switch, place):
        patch.setattr(module, "first_receipt", first_receipt)


def a_resend_taken_for_a_new_alert(patch: Patch) -> None:
    _judge(patch, lambda *_: None)


def a_resend_judged_by_the_latest_trace(patch: Patch) -> None:
    def by_latest(services: Services, provenance: Provenance, traces: Iterable[Trace]) -> Trace | None:
        equal = [trace for trace in traces if trace.digest == provenance.digest]
        return resend.first_receipt(services, provenance, equal[-1:])

    _judge(patch, by_latest)


def a_name_that_remembers_one_order_alone(patch: Patch) -> None:
    before = numbering._before
    patch.setattr(numbering, "_before", lambda *given: before(*given)[:1])


def a_new_alert_taken_for_a_resend(patch: Patch) -> None:
    patch.setattr(AlertLog, "earlier", lambda *_: Earlier())


def a_resend_that_may_come_at_any_time(patch: Patch) -> None:
    patch.setattr(resend, "LATEST", 10 * resend.LATEST)


def a_cutoff_that_is_ignored(patch: Patch) -> None:
    cutoff = cancel_many.cutoff

    def ignore(services: Services, provenance: Provenance, word: str, delay: int) -> str:
        cutoff(services, provenance, word, delay)
        return provenance.received_at

    patch.setattr("orderhook.commands.cancel_all_orders.cutoff", ignore)
    patch.setattr(cancel_orders, "cutoff", ignore)


def an_off_that_undoes_a_later_on(patch: Patch) -> None:
    patch.setattr(kill_switch, "first_receipt", lambda *_: None)


def an_off_that_leaves_no_trace_where_it_is_off(patch: Patch) -> None:
    turn_off = Controls.turn_off

    def turn(controls: Controls, provenance: Provenance, first_receipt: Any) -> KillSwitchResult:
        state = controls.kill_switch(provenance.trader)
        return turn_off(controls, provenance, first_receipt) if state.on else KillSwitchResult(state, applied=False)

    patch.setattr(Controls, "turn_off", turn)


def a_close_that_leaves_no_trace_where_orders_only_wait(patch: Patch) -> None:
    patch.setattr(StrategyStore, "start_closed", lambda *_: True)


# In what a kill switch lets pass


def a_kill_switch_that_stops_the_price_of_a_leg(patch: Patch) -> None:
    patch.setattr(change.Change, "may_reduce", False)


def a_kill_switch_that_lets_a_quantity_grow(patch: Patch) -> None:
    patch.setattr(
        change,
        "lower",
        lambda command, services, provenance, _: changing.alter(
            command, services, provenance, command.address(services, provenance)
        ),
    )


def a_kill_switch_that_lets_the_price_of_an_entry_pass(patch: Patch) -> None:
    patch.setattr(change.Change, "may_reduce", True)


def a_resent_change_that_the_kill_switch_stops(patch: Patch) -> None:
    for command in (change.Change, CancelReplace):
        patch.setattr(command, "already_done", lambda *_: None)


# In what waits for its delay


def a_delayed_order_that_is_only_a_message(patch: Patch) -> None:
    put = OrderStore.put

    def put_off(store: OrderStore, provenance: Provenance, order: Order) -> Any:
        return WriteResult(None, applied=True) if order.due else put(store, provenance, order)

    patch.setattr(OrderStore, "put", put_off)


def a_release_after_the_kill_switch(patch: Patch) -> None:
    def allow(_: Controls, trader: str, __: str) -> Check:
        return Check(items.controls_key(trader), "attribute_not_exists(#nothing)", {})

    patch.setattr(Controls, "allows_release", allow)


def a_cancel_of_all_that_is_not_noted(patch: Patch) -> None:
    patch.setattr(Controls, "note_cancel_all", lambda *_: None)


def a_bar_that_is_cancelled_whole(patch: Patch) -> None:
    patch.setattr(cancel_orders, "cancel_many", partial(cancel_many.cancel_many, bar=False))


def a_release_of_what_was_ended(patch: Patch) -> None:
    def release_anyway(services: Services, provenance: Provenance, message: Release, *, key_is_good: bool) -> Outcome:
        order = services.orders.get(provenance.trader, message.order_id)
        if order and order.due and not order.is_open:
            services.orders.rewrite(provenance, order, order._replace(state=OrderState.INITIALIZED))
        return release.release(services, provenance, message, key_is_good=key_is_good)

    patch.setattr(deferred, "release", release_anyway)


def an_order_that_waits_for_ever(patch: Patch) -> None:
    for module in ("orderhook.orders", "orderhook.store.items"):
        patch.setattr(f"{module}.end_of_wait", lambda _: "9999")


def a_finished_order_that_is_said_to_wait(patch: Patch) -> None:
    outcome = placed.outcome_of

    def say(services: Services, order: Order, *, applied: bool) -> Outcome:
        said = outcome(services, order, applied=applied)
        return said._replace(status="scheduled") if order.due else said

    patch.setattr(place, "outcome_of", say)


OF_TRADES: tuple[Defect, ...] = (
    a_change_that_leaves_the_offset,
    a_replacement_under_another_id,
    a_total_taken_for_an_addition,
    a_remainder_that_works_on,
    legs_that_outlive_their_entry,
    a_leg_that_keeps_its_quantity,
    a_leg_that_no_late_fill_brings,
    a_leg_that_was_cancelled_and_comes_back,
    an_overfill_that_is_dropped,
    prices_that_nobody_checks,
    a_leg_that_is_never_raised_again,
    a_leg_for_more_than_is_filled,
    working_legs_that_cross,
    a_leg_that_is_added_and_waits,
    a_leg_that_is_added_beside_an_earlier_one,
    a_place_beside_an_earlier_leg,
    a_leg_that_forgets_what_it_was_given,
    a_replacement_by_the_same_values,
    a_report_that_leaves_no_number,
    a_name_that_is_never_free_again,
    a_name_that_is_taken_from_an_open_order,
    a_large_template_that_never_frees_its_names,
    a_strategy_that_stays_closed,
    an_account_compared_with_case,
    a_resend_taken_for_a_new_alert,
    a_resend_judged_by_the_latest_trace,
    a_name_that_remembers_one_order_alone,
    a_new_alert_taken_for_a_resend,
    a_resend_that_may_come_at_any_time,
    a_cutoff_that_is_ignored,
    an_off_that_undoes_a_later_on,
    an_off_that_leaves_no_trace_where_it_is_off,
    a_close_that_leaves_no_trace_where_orders_only_wait,
    a_kill_switch_that_stops_the_price_of_a_leg,
    a_kill_switch_that_lets_a_quantity_grow,
    a_kill_switch_that_lets_the_price_of_an_entry_pass,
    a_resent_change_that_the_kill_switch_stops,
    a_delayed_order_that_is_only_a_message,
    a_release_after_the_kill_switch,
    a_cancel_of_all_that_is_not_noted,
    a_bar_that_is_cancelled_whole,
    a_release_of_what_was_ended,
    an_order_that_waits_for_ever,
    a_finished_order_that_is_said_to_wait,
)


# In what the model leaves out: one of the sequences of tests/integration/test_sequences.py shows each


def a_time_limit_of_another_alert(patch: Patch) -> None:
    def cancel_any(services: Services, provenance: Provenance, order_id: str, _: str) -> Outcome:
        order = services.orders.cancel(provenance, order_id).before
        if order is None:
            raise OrderNotFoundError("There is none.", field="order_id")
        return Outcome(status="cancelled", order_id=order_id, state=OrderState.CANCELLED)

    patch.setattr(deferred, "cancel_overdue", cancel_any)


def a_resend_that_the_kill_switch_stops(patch: Patch) -> None:
    patch.setattr(place.Place, "already_done", lambda *_: None)


OF_SEQUENCES: tuple[tuple[Defect, str], ...] = (
    (a_time_limit_of_another_alert, "test_37_the_time_limit_is_that_of_the_order_which_was_placed"),
    (a_resend_that_the_kill_switch_stops, "test_16_a_resend_of_what_was_placed_passes_the_kill_switch"),
)
"""Each with the sequence."""

NOT_STEP_BY_STEP: tuple[Defect, ...] = (a_read_that_decides_a_later_write, a_key_remembered_for_too_long)
"""Only a race shows the one, only time the other."""

STEP_BY_STEP = tuple(
    defect for defect in (*SEEDED, *OF_MORE_COMMANDS, *OF_MANY_ORDERS, *OF_TRADES) if defect not in NOT_STEP_BY_STEP
)


# In the reading of alerts


def a_key_that_is_let_through(patch: Patch) -> None:
    patch.setattr(webhook, "holds_key", lambda *_: False)


def an_unexpected_exception(patch: Patch) -> None:
    patch.setattr(flat_json, "_skip", lambda *_: None)


def an_exception_that_gets_out(patch: Patch) -> None:
    def seconds_waited(request: HttpRequest, _: datetime) -> float:
        received: int = request._event["requestContext"]["timeEpoch"]
        return received * 0.0

    patch.setattr(HttpRequest, "seconds_waited", seconds_waited)


def a_reader_that_crawls(patch: Patch) -> None:
    def crawl(kind: type[Command], fields: Mapping[str, str]) -> tuple[Command, list[AlertWarning]]:
        began = time.process_time()
        while time.process_time() - began < 0.4:
            pass
        return parse_command(kind, fields)

    patch.setattr(pipeline, "parse_command", crawl)


OF_READING: tuple[tuple[Defect, str], ...] = (
    (a_key_that_is_let_through, "the key is in the"),
    (an_unexpected_exception, "answered 503"),
    (an_exception_that_gets_out, "Error was raised"),
    (a_reader_that_crawls, "ms of CPU time"),
)
"""Each with what the fuzzer has to find."""
