"""What is told of refused alerts, and how notices become one message."""

from collections.abc import Sequence
from typing import Any

import pytest

from orderhook.alarms import METRICS, REFUSED, SILENT
from orderhook.notifying import notices
from orderhook.notifying.refusals import Refused, summed
from orderhook.store.alert_log import Answered

SINCE, UNTIL = "2026-11-28T14:30:00.000000Z", "2026-11-28T14:31:00.000000Z"


def answered(*codes: str, status: int = 404, **more: Any) -> list[Answered]:
    return [Answered(f"r{number}", status, code, **more) for number, code in enumerate(codes)]


def test_each_reason_is_counted_once_with_its_last_alert_the_most_frequent_first() -> None:
    found = summed(answered("order_not_found", "invalid_value", "invalid_value", "order_not_found", "invalid_value"))
    assert found == [Refused("invalid_value", 3, "r1"), Refused("order_not_found", 2, "r0")]


@pytest.mark.parametrize("code", [code for code, metric in METRICS.items() if metric == REFUSED])
def test_whatever_rings_as_a_refused_alert_is_told(code: str) -> None:
    assert [it.code for it in summed(answered(code))] == [code]


@pytest.mark.parametrize(
    "answers",
    [
        *(answered(code, field="rate_limit") for code in SILENT if code != "kill_switch_on"),
        answered("outcome_unknown", status=409),
        answered("temporarily_unavailable", "venue_offline", status=503),
        answered("placed", status=200),
        *(answered("order_not_found", origin=it) for it in ("console", "operator", "delayed", "cancel_after")),
    ],
)
def test_what_is_silent_repeated_by_hand_or_told_by_itself_is_not_told(answers: list[Answered]) -> None:
    assert summed(answers) == []


def test_what_the_kill_switch_or_a_keys_own_limit_refuses_and_what_a_program_sent_is_told() -> None:
    codes = ["kill_switch_on", "rate_limited", "unknown_command"]
    answers = [*answered(*codes[:2], status=423), *answered(codes[2], origin="api", status=400)]
    assert [it.code for it in summed(answers)] == codes


def test_one_alert_is_not_several_and_a_code_without_guidance_is_told_too() -> None:
    told = notices.of_refused(Refused("of_tomorrow", 1, "0a"), SINCE, UNTIL, None, " --stack s")
    assert told.title == "of_tomorrow: 1 alert was refused"
    assert told.lines == [
        "From 2026-11-28 14:30:00 UTC to 2026-11-28 14:31:00 UTC. The last is request 0a.",
        "They do not come again: do by hand what they were to do.",
        "orderhook alerts show 0a --stack s",
    ]


def test_what_the_switch_refuses_has_one_name_for_each_time_it_was_turned_on() -> None:
    refused = Refused("kill_switch_on", 2, "0a")
    names = [notices.of_refused(refused, since, UNTIL, on, "").name for since in (SINCE, UNTIL) for on in ("1", "2")]
    assert names == ["refused kill_switch_on 1", "refused kill_switch_on 2"] * 2


def message(texts: Sequence[str], most: int, trader: str = "main") -> str:
    return notices.as_message("s", trader, texts, len(texts), lambda text: len(text) <= most)


@pytest.mark.parametrize("most", range(0, 400, 7))
def test_a_message_has_all_that_fits_and_says_how_many_do_not(most: int) -> None:
    texts = [f"{number}" * 40 for number in range(8)]
    made = message(texts, most)
    parts = made.split("\n\n")
    listed = [it for it in parts if it in texts]
    assert parts[0] == "orderhook, s"
    assert listed == texts[: len(listed)]
    assert listed
    assert len(made) <= most or len(listed) == 1
    rest = len(texts) - len(listed)
    assert (parts[-1] == f"And {rest} more: see what needs a person in the console.") is (rest > 0)


def test_a_message_names_the_trader_where_there_may_be_several() -> None:
    assert message(["x"], 99).startswith("orderhook, s\n")
    assert message(["x"], 99, "a\nb").startswith("orderhook, s, trader a<U+000A>b\n")


@pytest.mark.parametrize("length", [79, 80, 81, 10_000])
def test_what_came_from_outside_is_visible_short_and_no_link(length: int) -> None:
    shown = notices._from_outside("\u202e://" + "x" * length)
    assert shown.startswith("<U+202E>[:]//x")
    assert len(shown) <= 80
    assert shown.endswith("…")
