"""Defects to be seeded into the running functions: whoever watches them has to notice each.

Most change what is sent to DynamoDB or what comes back from it, so that they know little of how the functions are
written.
"""

import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

import tests.environment  # noqa: F401  the functions read it when they are imported

# isort: split

import webhook
from orderhook import payload, pipeline
from orderhook.aws.gateway import HttpRequest
from orderhook.commands import Command, parse_command
from orderhook.commands.cancel_many import cancel_many
from orderhook.commands.close_strategy import CloseStrategy
from orderhook.orders import Outcome, Provenance
from orderhook.services import Services
from tests.states import BEING_CANCELLED, CANCELLABLE, STATES

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
    return "#cancelled_at" in write.get("UpdateExpression", "")


def _is_report(write: Parameters) -> bool:
    return "#reports" in write.get("UpdateExpression", "")


def _is_change(write: Parameters) -> bool:
    return "#changed_by" in write.get("UpdateExpression", "")


def _is_replaced(write: Parameters) -> bool:
    return "#replaced_by" in write.get("UpdateExpression", "")


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


def a_name_that_leads_to_a_stale_order(patch: Patch) -> None:
    _read_once(patch, "STRATEGY#")


def a_key_remembered_for_too_long(patch: Patch) -> None:
    _read_once(patch, "KEY")


def _read_once(patch: Patch, sort_key: str) -> None:
    """Have items be read once, and then remembered for good."""
    remembered: dict[str, Any] = {}

    def intercept(send: Call, read: Parameters) -> Any:
        if not read["Key"]["sk"]["S"].startswith(sort_key):
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
    def rewrite(write: Parameters) -> Parameters:
        return _with_states(write, [state for state in _states_of(write) if state != "Cancelled"])

    _rewrite(patch, "UpdateItem", _is_report, rewrite)


def a_finished_order_that_moves_again(patch: Patch) -> None:
    _rewrite(patch, "UpdateItem", _is_report, lambda write: _with_states(write, STATES))


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
        content = write.get("Item", {}).get("content")
        return {**item, "content": content} if content else item

    for operation in ("PutItem", "TransactWriteItems"):
        _forge_refusals(patch, operation, forge)


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


# In CHANGE, CANCELREPLACE and commands over many


def a_change_below_what_is_filled(patch: Patch) -> None:
    def rewrite(write: Parameters) -> Parameters:
        condition = write["ConditionExpression"].replace(" AND #filled <= :qty", "")
        return _changed(write, ConditionExpression=condition)

    _rewrite(patch, "UpdateItem", _is_change, rewrite)


def a_replacement_of_what_is_finished(patch: Patch) -> None:
    _rewrite(
        patch,
        "TransactWriteItems",
        _is_replaced,
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


def a_change_that_leaves_the_offset(patch: Patch) -> None:
    def rewrite(write: Parameters) -> Parameters:
        return _changed(write, UpdateExpression=write["UpdateExpression"].removesuffix(" REMOVE #offset"))

    _rewrite(patch, "UpdateItem", _is_change, rewrite)


def a_replacement_beside_the_order(patch: Patch) -> None:
    def intercept(send: Call, parameters: Parameters) -> Any:
        items = [_only_checked(item) for item in parameters["TransactItems"]]
        return send("TransactWriteItems", {**parameters, "TransactItems": items})

    _intercept(patch, "TransactWriteItems", intercept)


def _only_checked(item: Parameters) -> Parameters:
    if not _is_replaced(item.get("Update", {})):
        return item
    check = _changed({name: value for name, value in item["Update"].items() if name != "UpdateExpression"})
    return {"ConditionCheck": check}


def a_cancel_of_many_beyond_its_account(patch: Patch) -> None:
    def intercept(send: Call, query: Parameters) -> Any:
        if query.get("IndexName") != "open":
            return send("Query", query)
        key, _, _ = query["KeyConditionExpression"].partition(" AND ")
        used = _words(key, query.get("FilterExpression", ""), query.get("ProjectionExpression", ""))
        everywhere = {
            "KeyConditionExpression": key,
            "ExpressionAttributeNames": _only(used, query["ExpressionAttributeNames"]),
            "ExpressionAttributeValues": _only(used, query["ExpressionAttributeValues"]),
        }
        return send("Query", {**query, **everywhere})

    _intercept(patch, "Query", intercept)


def a_strategy_that_is_only_said_to_be_closed(patch: Patch) -> None:
    def intercept(send: Call, write: Parameters) -> Any:
        if ":closed" not in write["ExpressionAttributeValues"]:
            return send("UpdateItem", write)
        item = _item_of(send, write)
        is_active = item is not None and item["state"]["S"] == "Active"
        return {"Attributes": item} if is_active else send("UpdateItem", write)

    _intercept(patch, "UpdateItem", intercept)


def a_close_after_the_cancels(patch: Patch) -> None:
    close_and_cancel = CloseStrategy.run

    def late(command: CloseStrategy, services: Services, provenance: Provenance) -> Outcome:
        if services.strategies.get(provenance.trader, command.strategy_id):
            order_ids = services.orders.open_ids(provenance.trader, strategy_id=command.strategy_id)
            cancel_many(services, provenance, order_ids)
        return close_and_cancel(command, services, provenance)

    patch.setattr(CloseStrategy, "run", late)


OF_MANY_ORDERS: tuple[Defect, ...] = (
    a_change_that_leaves_the_offset,
    a_replacement_beside_the_order,
    a_cancel_of_many_beyond_its_account,
    a_strategy_that_is_only_said_to_be_closed,
    a_close_after_the_cancels,
)

NOT_STEP_BY_STEP: tuple[Defect, ...] = (a_read_that_decides_a_later_write, a_key_remembered_for_too_long)
"""Only a race shows the one, only time the other."""

STEP_BY_STEP = tuple(
    defect for defect in (*SEEDED, *OF_MORE_COMMANDS, *OF_MANY_ORDERS) if defect not in NOT_STEP_BY_STEP
)


# In the reading of alerts


def a_key_that_is_let_through(patch: Patch) -> None:
    patch.setattr(webhook, "holds_key", lambda _: False)


def an_unexpected_exception(patch: Patch) -> None:
    patch.setattr(payload, "_json_value", lambda value: value.strip())


def an_exception_that_gets_out(patch: Patch) -> None:
    def seconds_waited(request: HttpRequest, _: datetime) -> float:
        received: int = request._event["requestContext"]["timeEpoch"]
        return received * 0.0

    patch.setattr(HttpRequest, "seconds_waited", seconds_waited)


def a_reader_that_crawls(patch: Patch) -> None:
    def crawl(kind: type[Command], fields: Mapping[str, str]) -> tuple[Command, list[str]]:
        ends = time.process_time() + 0.5
        while time.process_time() < ends:
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
