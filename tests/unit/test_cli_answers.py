"""How an answer is shown: every value once, and every id of a long list."""

from collections.abc import Mapping
from typing import Any

import pytest

from cli.views.answers import show_answer

NO_COUNTS = {"cancelled": 0, "already_cancelled": 0, "already_terminal": 0, "remaining": 0}


def shown(capsys: pytest.CaptureFixture[str], status: int, body: Mapping[str, Any]) -> list[str]:
    show_answer(status, body)
    return capsys.readouterr().out.splitlines()


def test_a_success_is_shown_as_its_status_word_and_values(capsys: pytest.CaptureFixture[str]) -> None:
    body = {"success": True, "status": "placed", "order_id": "a", "legs": {"TARGET1": "b", "STOP1": "c"}}
    assert shown(capsys, 200, body) == [
        "200 placed",
        "  order_id        a",
        "  legs            TARGET1 b, STOP1 c",
    ]


def test_a_refusal_is_shown_as_its_code_and_detail(capsys: pytest.CaptureFixture[str]) -> None:
    body = {"success": False, "error": "invalid_value", "detail": "No.", "field": "qty"}
    assert shown(capsys, 400, body) == ["400 invalid_value", "No.", "  field           qty"]
    assert shown(capsys, 404, {"message": "Not Found"}) == ["404 Not Found"]


def test_of_many_orders_the_counts_and_every_id_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    ids = [f"order-{number}" for number in range(500)]
    counts = NO_COUNTS | {"cancelled": 500, "already_terminal": 1}
    body = {"success": True, "status": "cancelled", "counts": counts, "cancelled": ids, "already_cancelled": []}
    lines = shown(capsys, 200, {**body, "already_terminal": ["x"]})
    assert lines[:4] == [
        "200 cancelled",
        "  counts          cancelled 500, already_cancelled 0, already_terminal 1,",
        "                  remaining 0",
        "  cancelled       order-0, order-1, order-2, order-3, order-4, order-5, order-6,",
    ]
    assert lines[4].startswith("                  order-7, order-8, ")
    assert lines[-1] == "  already_terminal x"
    assert ", ".join(ids) == " ".join(line[18:] for line in lines[3:-1])
    assert max(map(len, lines)) <= 80


def test_a_list_of_five_ids_is_shown_whole(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, 200, {"status": "x", "cancelled": list("abcde")})[1:] == ["  cancelled       a, b, c, d, e"]


def test_the_legs_that_ended_and_the_orders_that_did_not_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    legs = {f"order-{number}": [f"order-{number}.TARGET1", f"order-{number}.STOP1"] for number in range(3)}
    failed = [{"order_id": "bad", "reason": "ValueError"}, {"order_id": "worse", "reason": "TypeError"}]
    body = {"success": False, "error": "outcome_unknown", "cancelled_legs": legs, "failed": failed, "waiting": ["d"]}
    assert shown(capsys, 409, body) == [
        "409 outcome_unknown",
        "  cancelled_legs  order-0.TARGET1, order-0.STOP1, order-1.TARGET1,",
        "                  order-1.STOP1, order-2.TARGET1, order-2.STOP1",
        "  failed          bad: ValueError",
        "                  worse: TypeError",
        "  waiting         d",
    ]


def test_warnings_are_shown_by_their_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    warnings = [{"code": "empty_field", "field": "qty", "detail": "qty is empty."}, {"code": "x", "detail": "Look."}]
    assert shown(capsys, 200, {"success": True, "status": "cancelled", "warnings": warnings}) == [
        "200 cancelled",
        "Warning: qty is empty.",
        "Warning: Look.",
    ]


def test_each_account_has_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    results = [
        {"account": "A", "success": True, "status": "placed", "order_id": "long.A", "state": "Working"},
        {"account": "B", "success": False, "error": "duplicate_order_id", "detail": "It is taken."},
        {"account": "C", "success": True, "status": "cancelled", "counts": NO_COUNTS | {"cancelled": 2}},
        {"account": "D", "success": True, "status": "closed", "strategy_id": "s.D", "counts": NO_COUNTS},
    ]
    assert shown(capsys, 200, {"success": True, "status": "placed", "results": results}) == [
        "200 placed",
        "  results         A: placed, long.A",
        "                  B: duplicate_order_id, It is taken.",
        "                  C: cancelled, 2 cancelled",
        "                  D: closed, s.D, no orders",
    ]


def test_control_characters_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, 200, {"status": "x", "cancelled": ["\x1b[2J"]})[1:] == ["  cancelled       \\x1b[2J"]
