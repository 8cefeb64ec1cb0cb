"""What trades: a request becomes an alert's fields, and goes the way of every alert.

An equal request within a minute is known again as an alert's is where that keeps something from being opened or closed
twice. What cancels or changes orders is done each time that it is asked for: it may mean what has come in since.
"""

from decimal import Decimal

from pydantic import BaseModel, ValidationError

from orderhook import responses
from orderhook.commands.cancel import Cancel
from orderhook.console.acting import act, new_request_id
from orderhook.console.api import writing
from orderhook.console.api.call import Call, plain
from orderhook.errors import (
    InvalidValueError,
    MissingFieldError,
    OrderhookError,
    OrderNotFoundError,
    TemporarilyUnavailableError,
)
from orderhook.listing import Unreadable, UnreadableError, find_order
from orderhook.orders import Order, Strategy, folded, timestamp
from orderhook.outcome import Outcome
from orderhook.payload import Pair
from orderhook.responses import Response

_ALERTS_NAMES = {"quantity": "qty", "time_in_force": "tif"}


def place(call: Call) -> Response:
    """Place an order, once for each order id."""
    order_id = _idempotency_key(call)
    pairs = [*_fields(call.body), *([("order_id", order_id)] if order_id else [])]
    return _carry_out(call, "PLACE", [("account", call.account), *pairs])


def cancel(call: Call) -> Response:
    """Cancel an order."""
    return _to_order(call, "CANCEL", [])


def replace(call: Call) -> Response:
    """Replace an order by what the body says."""
    return _to_order(call, "CANCELREPLACE", [("account", call.account)])


def change(call: Call) -> Response:
    """Change an order's quantity or prices."""
    return _to_order(call, "CHANGE", [])


def cancel_orders(call: Call) -> Response:
    """Cancel the working orders of an account, or of an instrument in it."""
    asked, said = call.query.instrument, call.body.instrument
    if asked and said and asked != said:
        raise InvalidValueError("The query and the body name different instruments; give one.", field="instrument")
    pairs = [("account", call.account), *([("instrument", asked)] if asked and not said else [])]
    return _carry_out(call, "CANCELORDERS", [*pairs, *_fields(call.body)], anew=True)


def cancel_all(call: Call) -> Response:
    """Cancel every working order that the key reaches."""
    return _carry_out(call, "CANCELALLORDERS", _fields(call.body), anew=True)


def close_strategy(call: Call) -> Response:
    """End a strategy."""
    pairs: list[Pair] = [("strategy_id", call.path["strategyId"]), *_fields(call.body)]
    return _carry_out(call, "CLOSESTRATEGY", pairs, anew=True)


def close(call: Call) -> Response:
    """Close a position, or a part of it."""
    return _carry_out(call, "CLOSEPOSITION", [("account", call.account), *_fields(call.body)])


def reverse(call: Call) -> Response:
    """Turn a position over."""
    return _carry_out(call, "REVERSE", [("account", call.account), *_fields(call.body)])


def flatten(call: Call) -> Response:
    """Close the positions that the body says; with an empty object everything, and cancel every order."""
    if not call.request.text:
        raise MissingFieldError("There is no body: say what to flatten, or send {} to flatten everything.")
    narrowed = call.body.model_fields_set - {"notes", "delay"}
    return _carry_out(call, "FLATTEN" if narrowed else "FLATTENEVERYTHING", _fields(call.body))


def turn(call: Call) -> Response:
    """Turn the kill switch."""
    return _carry_out(call, None, [("kill_switch", "on" if call.body.on else "off")])


def _to_order(call: Call, command: str, pairs: list[Pair]) -> Response:
    order_id, body = call.order_id, _fields(call.body)
    _check_account(call, order_id, dict(body).get("strategy_id"))
    return _carry_out(call, command, [*pairs, ("order_id", order_id), *body], anew=True)


def _check_account(call: Call, order_id: str, strategy_id: object) -> None:
    """Raise OrderNotFoundError for an order of another account: an alert names an order without its account.

    One that the key does not reach is none: the command answers as for any that is not there.
    """
    named = plain("strategyId", strategy_id) if isinstance(strategy_id, str) else None
    try:  # as every command reads it, which knows a leg's name in any case, and several blanks as one
        asked = Cancel.model_validate({"order_id": order_id, "strategy_id": named})
    except (OrderhookError, ValidationError):
        return  # none takes it, and says why
    found = _addressed(call, asked)
    if found and call.reaches(found.account, found.instrument) and folded(found.account) != folded(call.account):
        raise OrderNotFoundError("There is no such order in this account; check both.", field="orderId")


def _addressed(call: Call, asked: Cancel) -> Order | Unreadable | Strategy | None:
    """Return the order that is asked for, or the strategy in which its name stands."""
    if asked.order_name:
        return call.services.strategies.get(call.trader, str(asked.strategy_id))
    try:
        return find_order(call.services, call.trader, asked.order_id, timestamp(call.now))
    except UnreadableError as unreadable:
        return unreadable.item


def _idempotency_key(call: Call) -> str | None:
    """Return the order id that the header Idempotency-Key gives, None where the body has it."""
    sent = call.request.headers.get("idempotency-key")
    if sent is None:
        return None
    if not sent.strip():
        raise InvalidValueError("The header Idempotency-Key is empty; give it a value, or leave it out.")
    if call.body.order_id and call.body.order_id != sent:
        raise InvalidValueError("The header Idempotency-Key and orderId differ; give one of them.", field="orderId")
    return None if call.body.order_id else sent


def _fields(body: BaseModel) -> list[Pair]:
    """Return what the body gives as fields of an alert."""
    given = body.model_dump(exclude_unset=True)
    return [(_ALERTS_NAMES.get(name, name), _text(name, value)) for name, value in given.items()]


def _text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, str) and value != value.strip():
        raise InvalidValueError(f"{writing.camel(name)} begins or ends with a blank; take it out.", field=name)
    return str(value)


def _carry_out(call: Call, command: str | None, pairs: list[Pair], *, anew: bool = False) -> Response:
    named = [("command", command)] if command else []
    request_id = new_request_id(call.now)
    acted = act(
        call.services,
        [*named, *pairs],
        call.key,
        origin="api",
        source=call.request.source,
        request_id=request_id,
        once=request_id if anew else None,
        started=call.started,
    )
    if isinstance(acted.result, Outcome):
        return writing.of_webhook(responses.success(acted.result, acted.warnings, acted.request_id, acted.told))
    # Only a form of the console is known again before it is carried out, and has no result.
    refusal = acted.result or TemporarilyUnavailableError("This could not be answered. Send it again; it is safe.")
    return writing.of_webhook(responses.refusal(refusal, acted.request_id, acted.told))
