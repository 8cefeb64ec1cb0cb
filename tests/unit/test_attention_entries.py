"""The list of what needs a person: each alarm has an entry, or a reason why it has none."""

import re
from pathlib import Path

import pytest

from cli.aws.table import read_template
from orderhook import alarms
from orderhook.attention.entries import ENTRIES, OF_METRIC, ORDER_ID
from orderhook.needs import SHOWN_BY_ITSELF

ALARMS = [name.removesuffix("Alarm") for name in read_template()["Resources"] if name.endswith("Alarm")]
BRIDGES_PAGE = (Path(__file__).parents[2] / "docs/bridge.md").read_text()
NO_ALARM = {"unprotected_quantity", "unclean", "partly_done"}
"""What an answer or a result says, and no alarm: whoever looks at neither has only the list."""

TOLD = {code for told in OF_METRIC.values() if not isinstance(told, str) for code in told}


def documented() -> set[str]:
    """Return the words of the bridge's alarms, as its page lists them."""
    rows = BRIDGES_PAGE.partition("### Alarms")[2].partition("#### Unprotected")[0].splitlines()
    return {code for row in rows if row.startswith("| `") for code in re.findall(r"`(\w+)`", row.split("|")[1])}


@pytest.mark.parametrize("metric", ALARMS)
def test_each_alarm_has_an_entry_or_a_reason_why_it_has_none(metric: str) -> None:
    told = OF_METRIC[metric if metric != "ApiServerErrors" else alarms.UNAVAILABLE]
    if isinstance(told, str):
        assert len(told.split()) > 5
    else:
        assert {*told} <= {*ENTRIES}


def test_no_alarm_is_told_of_that_there_is_not() -> None:
    assert {*OF_METRIC} == {*ALARMS}


def test_each_entry_tells_of_an_alarm_or_of_what_has_none() -> None:
    assert {*ENTRIES} == TOLD | NO_ALARM
    assert not TOLD & NO_ALARM


@pytest.mark.parametrize("code", sorted({*alarms.METRICS_OF_BRIDGE}))
def test_each_alarm_of_the_bridge_is_told_by_its_own_word(code: str) -> None:
    told = OF_METRIC[alarms.METRICS_OF_BRIDGE[code]]
    assert code in told


def test_each_alarm_that_the_bridges_page_lists_has_an_entry() -> None:
    assert len(documented()) > 20
    assert documented() <= {*ENTRIES}


def test_what_an_order_shows_by_itself_has_an_entry() -> None:
    assert {*ENTRIES} >= SHOWN_BY_ITSELF


def test_what_leaves_when_it_is_over_says_when_that_is() -> None:
    assert all(bool(entry.when_over) == entry.ends.startswith("over") for entry in ENTRIES.values())


def test_a_line_to_copy_holds_the_id_of_a_request_at_most() -> None:
    given = {word for entry in ENTRIES.values() for word in re.findall(r"\{\w+\}|[A-Z_]{4,}", entry.command)}
    assert given == {"{id}", ORDER_ID, "ACCOUNT", "INSTRUMENT"}


def test_what_is_naked_comes_first() -> None:
    named = ["unprotected", "unprotected_quantity", "unresolved", "unknown", "cancel_refused", "change_unconfirmed"]
    named += ["blocked", "failed", "unclean", "overfill", "filled_after_end", "unattached", "outcome_unknown"]
    named += ["not_repeated", "partly_done", "dead_letter", "bridge_away"]
    assert [code for code in ENTRIES if code in named] == named
