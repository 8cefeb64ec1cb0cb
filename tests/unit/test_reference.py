"""Every word and code of an answer is explained, and docs/errors.md has the same sentences."""

import ast
from pathlib import Path
from typing import TypeGuard, get_args

from orderhook import reference
from orderhook.instructions import Result
from orderhook.responses import STATUS_AND_CODE
from orderhook.venue_words import INSTRUCTION_REASONS, INSTRUCTION_RESULTS, ORDER_REASONS, UNDER_WAY
from orderhook.venues import VENUES

ROOT = Path(__file__).parents[2]


def status_words() -> set[str]:
    """Return every text that stands where an outcome gets its status word: in it, or in the variable `status`.

    With a venue other words stand for some of them.
    """
    words = set()
    for path in (ROOT / "functions" / "orderhook" / "commands").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            texts = [part.value for value in _status_values(node) for part in ast.walk(value) if _is_constant(part)]
            words |= {text for text in texts if isinstance(text, str)}
    return words | {word for venue in VENUES.values() for word in venue.words.values()}


def _status_values(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("Outcome", "_outcome"):
        return [keyword.value for keyword in node.keywords if keyword.arg == "status"] + node.args[:1]
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "Outcome.of":
        return node.args[1:2]
    if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["status"]:
        return [node.value]
    return []


def _is_constant(node: ast.AST) -> TypeGuard[ast.Constant]:
    return isinstance(node, ast.Constant)


def test_the_page_is_up_to_date() -> None:
    assert reference.PAGE.read_text(encoding="utf-8") == reference.render_page(), "run `make docs`"


def test_it_explains_every_error_code_and_no_other() -> None:
    assert reference.ERROR_CODES.keys() == {code for _, code in STATUS_AND_CODE.values()}


def test_it_explains_every_status_word_that_a_command_answers_with() -> None:
    assert status_words() == reference.STATUS_WORDS.keys()


def test_the_words_are_looked_for_where_commands_choose_them() -> None:
    for path in (ROOT / "functions" / "orderhook").glob("*.py"):
        source = path.read_text(encoding="utf-8")
        assert 'status="' not in source or 'status="scheduled"' in source, path


def test_every_explanation_consists_of_sentences() -> None:
    results = (*INSTRUCTION_RESULTS.values(), *INSTRUCTION_REASONS.values())
    of_bridge = (*results, *ORDER_REASONS.values(), UNDER_WAY)
    for guidance in (*reference.STATUS_WORDS.values(), *reference.ERROR_CODES.values(), *of_bridge):
        assert guidance.meaning.endswith(".")
        assert guidance.what_to_do.endswith(".")
        assert "|" not in guidance.meaning + guidance.what_to_do


def test_it_explains_every_result_of_an_instruction_and_no_other() -> None:
    assert tuple(INSTRUCTION_RESULTS) == get_args(Result)


def test_the_same_word_can_mean_something_else_in_a_refusal() -> None:
    assert reference.guidance_for(200, "kill_switch_on") == reference.STATUS_WORDS["kill_switch_on"]
    assert reference.guidance_for(423, "kill_switch_on") == reference.ERROR_CODES["kill_switch_on"]
    assert reference.guidance_for(200, "no such word") is None


def test_only_a_5xx_is_sent_again() -> None:
    assert [status for status in (200, 400, 401, 409, 429, 499, 500, 503) if reference.is_sent_again(status)] == [
        500,
        503,
    ]
