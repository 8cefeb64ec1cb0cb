"""The shape of every answer: an outcome or an error to a status and JSON."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from orderhook import errors
from orderhook.errors import AlertWarning, OrderhookError
from orderhook.outcome import Outcome

STATUS_AND_CODE: Mapping[type[OrderhookError], tuple[int, str]] = {
    errors.MalformedPayloadError: (400, "malformed_payload"),
    errors.MissingFieldError: (400, "missing_field"),
    errors.DuplicateFieldError: (400, "duplicate_field"),
    errors.UnknownFieldError: (400, "unknown_field"),
    errors.InvalidValueError: (400, "invalid_value"),
    errors.UnresolvedPlaceholderError: (400, "unresolved_placeholder"),
    errors.UnsupportedValueError: (400, "unsupported_value"),
    errors.UnknownCommandError: (400, "unknown_command"),
    errors.UnsupportedCommandError: (400, "unsupported_command"),
    errors.StrategyIdRequiredError: (400, "strategy_id_required"),
    errors.InvalidSecretKeyError: (401, "invalid_secret_key"),
    errors.CommandNotAllowedError: (403, "command_not_allowed"),
    errors.SourceNotAllowedError: (403, "source_not_allowed"),
    errors.AccountNotConnectedError: (403, "account_not_connected"),
    errors.OrderNotFoundError: (404, "order_not_found"),
    errors.StrategyNotFoundError: (404, "strategy_not_found"),
    errors.OrderAlreadyTerminalError: (409, "order_already_terminal"),
    errors.StrategyMismatchError: (409, "strategy_mismatch"),
    errors.DuplicateOrderIdError: (409, "duplicate_order_id"),
    errors.DuplicateAlertError: (409, "duplicate_alert"),
    errors.ChangeDroppedError: (409, "change_dropped"),
    errors.OutcomeUnknownError: (409, "outcome_unknown"),
    errors.PayloadTooLargeError: (413, "payload_too_large"),
    errors.KillSwitchOnError: (423, "kill_switch_on"),
    errors.OutsideTradeWindowError: (423, "outside_trade_window"),
    errors.TooLateError: (423, "too_late"),
    errors.RateLimitedError: (429, "rate_limited"),
    errors.TemporarilyUnavailableError: (503, "temporarily_unavailable"),
    errors.VenueOfflineError: (503, "venue_offline"),
}
"""Clients branch on the codes, so they never change. TradingView sends again after a 5xx and after nothing else."""

ERRORS: Mapping[str, type[OrderhookError]] = {code: kind for kind, (_, code) in STATUS_AND_CODE.items()}

_OUTCOME_FIELDS = [
    name for name in Outcome._fields if name not in ("status", "extra", "warnings", "results", "affected_order_ids")
]

RETRY_AFTER_SECONDS = 5

_NOTHING: Mapping[str, str] = {}

Response = dict[str, Any]
"""What API Gateway's payload format 2.0 takes for an answer."""


def success(
    outcome: Outcome, warnings: Iterable[AlertWarning], request_id: str, told: Mapping[str, str] = _NOTHING
) -> Response:
    """Answer what was done, and what is told besides; absent values are left out."""
    body = result_body(outcome, request_id)
    body |= {name: value for name, value in told.items() if name not in body}  # an order tells its own instrument
    return _response(200, _with_warnings(body, (*warnings, *outcome.warnings)))


def refusal(error: OrderhookError, request_id: str, told: Mapping[str, str] = _NOTHING) -> Response:
    """Answer why it was not done, or not all of it, and what to do about it."""
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status(error) == 503 else {}
    body = result_body(error, request_id) | dict(told)
    return _response(status(error), _with_warnings(body, error.warnings), headers)


def status(result: Outcome | OrderhookError) -> int:
    """Return the HTTP status of the answer."""
    return STATUS_AND_CODE[type(result)][0] if isinstance(result, OrderhookError) else 200


def word(result: Outcome | OrderhookError) -> str:
    """Return the status word of a success, or the error code that clients branch on."""
    return STATUS_AND_CODE[type(result)][1] if isinstance(result, OrderhookError) else result.status


def result_body(result: Outcome | OrderhookError, request_id: str | None = None) -> dict[str, object]:
    """Return what is told of a result; without a request id it is that of one account among several."""
    if isinstance(result, OrderhookError):
        head: dict[str, object] = {"success": False, "error": word(result), "detail": result.detail}
        names = ["field", "state"]
    else:
        head, names = {"success": True, "status": result.status}, _OUTCOME_FIELDS
    values = {"request_id": request_id} | {name: getattr(result, name) for name in names}
    body = head | {name: value for name, value in values.items() if value is not None} | dict(result.extra)
    if result.results:
        body["results"] = [{"account": account, **result_body(each)} for account, each in result.results]
    return body


def _with_warnings(body: dict[str, object], warnings: Iterable[AlertWarning]) -> dict[str, object]:
    listed = [_warning_body(warning) for warning in warnings]
    return body | {"warnings": listed} if listed else body


def _warning_body(warning: AlertWarning) -> dict[str, str]:
    return {name: value for name, value in warning._asdict().items() if value is not None}


def _response(code: int, body: Mapping[str, object], headers: Mapping[str, str] | None = None) -> Response:
    return {
        "statusCode": code,
        "headers": {"Content-Type": "application/json", "Cache-Control": "no-store"} | dict(headers or {}),
        "body": json.dumps(body),
        "isBase64Encoded": False,
    }
