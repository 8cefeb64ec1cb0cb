import json
from typing import Any

import pytest

from orderhook import errors, responses
from orderhook.errors import AlertWarning, OrderhookError
from orderhook.orders import OrderState
from orderhook.outcome import Outcome

CODES = {
    400: """malformed_payload missing_field duplicate_field unknown_field invalid_value unresolved_placeholder
            unsupported_value unknown_command unsupported_command strategy_id_required""",
    401: "invalid_secret_key",
    403: "command_not_allowed source_not_allowed account_not_connected",
    404: "order_not_found strategy_not_found",
    409: "order_already_terminal strategy_mismatch duplicate_order_id duplicate_alert change_dropped outcome_unknown",
    413: "payload_too_large",
    423: "kill_switch_on outside_trade_window too_late",
    429: "rate_limited",
    503: "temporarily_unavailable venue_offline",
}
STATUS_OF = {code: status for status, codes in CODES.items() for code in codes.split()}

HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-store"}


def error_of(code: str) -> type[OrderhookError]:
    """Return the class that is named like the code."""
    found: type[OrderhookError] = getattr(errors, f"{code.title().replace('_', '')}Error")
    return found


def body_of(response: responses.Response) -> Any:
    return json.loads(response["body"])


def leaves(kind: type[OrderhookError]) -> set[type[OrderhookError]]:
    kinds = [it for it in kind.__subclasses__() if it.__module__ == errors.__name__]  # the API has some of its own
    return set[type[OrderhookError]]().union(*map(leaves, kinds)) if kinds else {kind}


def test_every_error_has_the_one_status_and_code_of_the_specification() -> None:
    assert {error_of(code): (status, code) for code, status in STATUS_OF.items()} == responses.STATUS_AND_CODE
    # Whoever sends again what is unavailable does so where a venue is.
    assert set(responses.STATUS_AND_CODE) == leaves(OrderhookError) | {errors.TemporarilyUnavailableError}


@pytest.mark.parametrize(("code", "status"), STATUS_OF.items())
def test_a_refusal_answers_with_its_status_its_code_and_what_to_do(code: str, status: int) -> None:
    error = error_of(code)("What to do.")
    response = responses.refusal(error, "r1")
    assert response == {
        "statusCode": status,
        "headers": HEADERS | ({"Retry-After": "5"} if status == 503 else {}),
        "body": f'{{"success": false, "error": "{code}", "detail": "What to do.", "request_id": "r1"}}',
        "isBase64Encoded": False,
    }
    assert responses.word(error) == code


def test_only_what_may_be_sent_again_has_a_status_that_tradingview_sends_again() -> None:
    resent = {kind for kind, (status, _) in responses.STATUS_AND_CODE.items() if status >= 500}
    assert resent == {errors.TemporarilyUnavailableError, errors.VenueOfflineError}


def test_a_refusal_names_its_field_and_state_where_it_has_them() -> None:
    error = errors.OrderAlreadyTerminalError("It is Filled.", field="order_id", state=OrderState.FILLED)
    assert body_of(responses.refusal(error, "r1")) == {
        "success": False,
        "error": "order_already_terminal",
        "detail": "It is Filled.",
        "request_id": "r1",
        "field": "order_id",
        "state": "Filled",
    }


def test_a_success_says_what_was_done_and_leaves_absent_values_out() -> None:
    assert responses.success(Outcome(status="placed", order_id="a1", state=OrderState.WORKING), [], "r1") == {
        "statusCode": 200,
        "headers": HEADERS,
        "body": '{"success": true, "status": "placed", "request_id": "r1", "order_id": "a1", "state": "Working"}',
        "isBase64Encoded": False,
    }


def test_a_success_has_everything_that_the_outcome_has() -> None:
    outcome = Outcome(
        status="cancelled",
        order_id="a1",
        strategy_id="s1",
        order_name="ENTRY1",
        legs={"STOP1": "a2"},
        previous_state=OrderState.PART_FILLED,
        state=OrderState.CANCELLED,
        filled="0",
        cancelled_at="2026-01-02T03:04:05.000000Z",
    )
    assert body_of(responses.success(outcome, (), "r1")) == {
        "success": True,
        "status": "cancelled",
        "request_id": "r1",
        "order_id": "a1",
        "strategy_id": "s1",
        "order_name": "ENTRY1",
        "legs": {"STOP1": "a2"},
        "previous_state": "PartFilled",
        "state": "Cancelled",
        "filled": "0",
        "cancelled_at": "2026-01-02T03:04:05.000000Z",
    }


def test_an_ignored_field_is_a_warning_beside_the_success() -> None:
    warnings = (AlertWarning("ignored_field", name, f"CANCEL does not use {name}.") for name in ("qty", "tif"))
    assert body_of(responses.success(Outcome(status="cancelled"), warnings, "r1")) == {
        "success": True,
        "status": "cancelled",
        "request_id": "r1",
        "warnings": [
            {"code": "ignored_field", "field": "qty", "detail": "CANCEL does not use qty."},
            {"code": "ignored_field", "field": "tif", "detail": "CANCEL does not use tif."},
        ],
    }


def test_a_warning_that_is_about_no_field_names_none() -> None:
    warnings = [AlertWarning("no_order_id", None, "Give every PLACE an order_id.")]
    assert body_of(responses.success(Outcome(status="placed"), warnings, "r1"))["warnings"] == [
        {"code": "no_order_id", "detail": "Give every PLACE an order_id."}
    ]


def test_without_warnings_they_are_not_mentioned() -> None:
    assert "warnings" not in body_of(responses.success(Outcome(status="cancelled"), iter(()), "r1"))


def test_a_body_is_ascii_whatever_it_says() -> None:
    response = responses.refusal(errors.UnknownFieldError("\u202e\ud800", field='"\n'), "r1")
    assert response["body"].isascii()
    assert body_of(response)["detail"] == "\u202e\ud800"
