"""Every word and code of an answer is explained, and docs/errors.md has the same sentences."""

import ast
from pathlib import Path

from orderhook import reference
from orderhook.responses import STATUS_AND_CODE

ROOT = Path(__file__).parents[2]


def status_words() -> set[str]:
    """Return every text that stands where an outcome gets its status word."""
    words = set()
    for path in (ROOT / "functions" / "orderhook").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Outcome":
                values = [keyword.value for keyword in call.keywords if keyword.arg == "status"] + call.args[:1]
                texts = [node.value for value in values for node in ast.walk(value) if isinstance(node, ast.Constant)]
                words |= {text for text in texts if isinstance(text, str)}
    return words


def test_the_page_is_up_to_date() -> None:
    assert reference.PAGE.read_text(encoding="utf-8") == reference.render_page(), "run `make docs`"


def test_it_explains_every_error_code_and_no_other() -> None:
    assert reference.ERROR_CODES.keys() == {code for _, code in STATUS_AND_CODE.values()}


def test_it_explains_every_status_word_that_a_command_answers_with() -> None:
    assert {"cancelled", "already_cancelled", "placed", "already_placed"} <= status_words()
    assert status_words() <= reference.STATUS_WORDS.keys()


def test_every_explanation_consists_of_sentences() -> None:
    for guidance in (*reference.STATUS_WORDS.values(), *reference.ERROR_CODES.values()):
        assert guidance.meaning.endswith(".")
        assert guidance.what_to_do.endswith(".")
        assert "|" not in guidance.meaning + guidance.what_to_do


def test_the_same_word_can_mean_something_else_in_a_refusal() -> None:
    assert reference.guidance_for(200, "kill_switch_on") == reference.STATUS_WORDS["kill_switch_on"]
    assert reference.guidance_for(423, "kill_switch_on") == reference.ERROR_CODES["kill_switch_on"]
    assert reference.guidance_for(200, "no such word") is None


def test_only_a_5xx_is_sent_again() -> None:
    assert [status for status in (200, 400, 401, 409, 429, 499, 500, 503) if reference.is_sent_again(status)] == [
        500,
        503,
    ]
