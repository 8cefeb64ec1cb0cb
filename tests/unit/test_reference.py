"""Every answer is explained, and the page of the docs says what the command says."""

import ast
from pathlib import Path

from orderhook import reference
from orderhook.responses import STATUS_AND_CODE

ROOT = Path(__file__).parents[2]


def status_words() -> set[str]:
    """Return every text that stands where an outcome gets its status word."""
    found = set()
    for path in (ROOT / "functions" / "orderhook").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Outcome":
                values = [keyword.value for keyword in call.keywords if keyword.arg == "status"] + call.args[:1]
                texts = [node.value for value in values for node in ast.walk(value) if isinstance(node, ast.Constant)]
                found |= {text for text in texts if isinstance(text, str)}
    return found


def test_the_page_is_what_the_code_says() -> None:
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page(), "run `make docs`"


def test_it_explains_exactly_the_codes_that_there_are() -> None:
    assert reference.REFUSED.keys() == {code for _, code in STATUS_AND_CODE.values()}


def test_it_explains_every_status_word_that_a_command_answers_with() -> None:
    assert {"cancelled", "already_cancelled", "placed", "already_placed"} <= status_words()
    assert status_words() <= reference.DONE.keys()


def test_every_explanation_is_sentences() -> None:
    for it in (*reference.DONE.values(), *reference.REFUSED.values()):
        assert it.meaning.endswith(".")
        assert it.way_out.endswith(".")
        assert "|" not in it.meaning + it.way_out


def test_a_word_may_mean_something_else_in_a_refusal() -> None:
    assert reference.entry(200, "kill_switch_on") == reference.DONE["kill_switch_on"]
    assert reference.entry(423, "kill_switch_on") == reference.REFUSED["kill_switch_on"]
    assert reference.entry(200, "no such word") is None


def test_only_a_5xx_is_sent_again() -> None:
    assert [status for status in (200, 400, 401, 409, 429, 499, 500, 503) if reference.is_sent_again(status)] == [
        500,
        503,
    ]
