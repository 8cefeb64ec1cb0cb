"""Expressions that the writes of orders share: which states a condition allows, and what every change sets.

In an expression `#name` stands for the attribute of that name, and `:name` for a value. What is rendered of the same
states is the same for every alert, so it is kept.
"""

from collections.abc import Mapping
from datetime import timedelta
from functools import cache

from orderhook.orders import TERMINAL, Event, OrderState, Provenance, timestamp
from orderhook.store import items

Values = dict[str, object]

VERSIONED = "#version = #version + :one, #request_id = :request_id"
"""What every change of an order or a strategy sets; a change of an order sets more."""

SIGNED = f"{VERSIONED}, #history = list_append(#history, :event)"

CANCELLED = (
    ", #cancelled_at = :at, #cancel_request_id = :request_id, #cancel_key_id = :key_id, #cancel_filled = #filled"
)
REPLACED = ", #replaced_by = :replaced_by"


@cache
def state_in(states: frozenset[OrderState]) -> tuple[str, Mapping[str, str]]:
    """Return the condition that an order is in one of these states, and its values."""
    values = {f":state{number}": str(state) for number, state in enumerate(sorted(states))}
    return f"#state IN ({', '.join(values)})", values


def signature(provenance: Provenance, event: Event) -> Values:
    """Return the values of SIGNED."""
    return {":one": 1, ":request_id": provenance.request_id, ":event": [items.event(event)]}


def change_of_state(provenance: Provenance, state: OrderState, retention: timedelta, extra: str) -> tuple[str, Values]:
    """Return what every change of state sets, whatever the state before; `extra` is set besides."""
    expression = f"SET #state = :state, #since = :at, {SIGNED}{extra}"
    values: Values = {":state": str(state), ":at": timestamp(provenance.at)}
    if state in TERMINAL:
        values[":expires"] = int((provenance.at + retention).timestamp())
        expression += ", #expires = :expires REMOVE #open"
    return expression, values | signature(provenance, provenance.event(state))


# What may be written again after something else has its request ids in a list of their own. They are not looked up in
# the history: DynamoDB's manual promises `contains` for a list's strings, and says nothing of maps.


def once(requests: str) -> str:
    """Return the condition that this request is not yet in the list `requests`."""
    return f" AND NOT contains(#{requests}, :request_id)"


def noted(requests: str) -> str:
    """Return the assignment that puts this request into the list `requests`."""
    return f", #{requests} = list_append(if_not_exists(#{requests}, :none), :own)"


def note(provenance: Provenance) -> Values:
    """Return the values of `noted`."""
    return {":none": [], ":own": [provenance.request_id]}
