"""What is printed: tables of bounded width, times in a zone, CSV."""

import csv
import io

import pytest
from rich.text import Text

from cli.app import main
from cli.terminal import MOST_IN_CELL, print_csv, print_line, print_table, readable_time, times_shown


def printed(capsys: pytest.CaptureFixture[str], *rows: list[str | Text]) -> list[str]:
    print_table(("one", "two"), rows)
    return capsys.readouterr().out.splitlines()


def test_no_line_of_a_cell_is_wider_than_64_characters(capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * 7000
    lines = printed(capsys, [long, "after"], [Text(f"short\n{long}"), "y" * 64], ["\x1b" * 100, ""])
    assert max(map(len, lines)) <= 2 * MOST_IN_CELL + 4
    assert [line.split() for line in lines if "after" in line] == [["x" * 63 + "…", "after"]]
    assert [line.split() for line in lines if "yyy" in line] == [["short", "y" * 64]]


@pytest.mark.usefixtures("in_new_york")
def test_times_are_in_utc_unless_those_of_the_machine_are_asked_for() -> None:
    at = "2026-11-27T14:31:05.123456Z"
    with times_shown(local=True):
        assert readable_time(at) == "2026-11-27 09:31:05 EST"
    assert readable_time(at) == "2026-11-27 14:31:05 UTC"


def test_what_is_not_a_time_is_shown_as_it_is() -> None:
    assert readable_time("yesterday") == "yesterday"


def test_csv_has_a_column_for_each_member_and_a_row_for_each_object(capsys: pytest.CaptureFixture[str]) -> None:
    print_csv([{"a": 'x,"y"\nz', "b": None}, {"a": "1", "c": ["p", "q"], "d": {"e": "f"}, "g": True}])
    assert list(csv.reader(io.StringIO(capsys.readouterr().out))) == [
        ["a", "b", "c", "d", "g"],
        ['x,"y"\nz', "", "", "", ""],
        ["1", "", '["p", "q"]', '{"e": "f"}', "true"],
    ]


def test_csv_of_nothing_is_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    print_csv([])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_character_that_the_output_lacks_ends_nothing(monkeypatch: pytest.MonkeyPatch, stream: str) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(f"sys.{stream}", io.TextIOWrapper(written, encoding="cp1252"))
    main()
    print_line("Цена: 5 €", error=stream == "stderr")
    assert written.getvalue().splitlines() == [b"\\u0426\\u0435\\u043d\\u0430: 5 \x80"]
