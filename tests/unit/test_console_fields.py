"""The table of fields: every command and every field, as the code and docs/commands.md have them."""

import re

import pytest

from orderhook.commands.command import NARROWING
from orderhook.console.fields import (
    COMMAND_WORDS,
    DEFAULTS,
    FIELDS,
    KINDS,
    SUBJECTS,
    choices,
    explanation,
    places,
)
from orderhook.payload import SYNONYMS
from tests.unit.test_documents import REFERENCE, rows, section

NOT_YET = {"append_atm", "strategy_tag", "destination"}
LISTS = {"CANCEL", "CHANGE", "CLOSESTRATEGY"}


def plain(text: str) -> str:
    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text).replace("`", "")


def test_every_command_is_offered_once() -> None:
    assert COMMAND_WORDS.keys() == KINDS.keys()


@pytest.mark.parametrize("word", KINDS)
def test_a_form_has_exactly_the_fields_that_its_command_takes(word: str) -> None:
    kind = KINDS[word]
    taken = {name: needed for name, needed in kind.alert_fields().items() if name not in kind.refused}
    offered = {it.name: it.required for it in places(word)}
    if word in LISTS:  # read in a list of accounts by every command that has an id
        assert "account" not in taken
        assert offered.pop("account") is False
    assert offered == taken


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_is_explained_as_the_page_of_commands_explains_it(name: str) -> None:
    table = {row[0].strip("`"): plain(row[1]) for row in rows(section(REFERENCE, "## Every field"))}
    assert FIELDS[name].value == table[name]


def test_the_table_has_every_field_of_the_page_of_commands_that_works() -> None:
    table = {row[0].strip("`") for row in rows(section(REFERENCE, "## Every field"))}
    assert FIELDS.keys() == table - {"key", "command"} - SYNONYMS.keys() - NOT_YET


@pytest.mark.parametrize("word", KINDS)
def test_every_field_of_a_form_says_what_it_is_for(word: str) -> None:
    for it in places(word):
        assert explanation(word, it.name)
        assert it.subject in SUBJECTS


@pytest.mark.parametrize(("word", "name"), [(word, it.name) for word in KINDS for it in places(word)])
def test_a_field_of_words_offers_every_word_that_its_command_takes(word: str, name: str) -> None:
    offered = choices(word, name, of_strategy=False)
    assert not offered or not DEFAULTS.get(name) or DEFAULTS[name] in offered
    if name == "market_position":
        assert ("flat" in offered) == (word == "PLACE")


def test_what_narrows_is_told_where_a_command_takes_it() -> None:
    assert set(NARROWING) <= FIELDS.keys()


def test_by_hand_an_id_is_explained_without_placeholders() -> None:
    assert "{{timenow}}" in explanation("PLACE", "order_id")
    assert "{{" not in explanation("PLACE", "order_id", by_hand=True)
    assert explanation("CANCEL", "order_id", by_hand=True) == explanation("CANCEL", "order_id")
