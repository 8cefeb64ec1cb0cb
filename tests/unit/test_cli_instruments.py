"""`orderhook instruments`: the listing, its JSON and CSV, and what it refuses."""

import csv
import io
import json
import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from cli.app import app
from orderhook.instruments import INSTRUMENTS, front_month

ON = ["--on", "2026-11-28"]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["instruments", *arguments])


def rows(*arguments: str) -> list[dict[str, str | None]]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    found: list[dict[str, str | None]] = json.loads(result.stdout)
    return found


def test_each_instrument_has_a_row_with_its_front_month() -> None:
    found = rows(*ON)
    assert [row["root"] for row in found] == list(INSTRUMENTS)
    assert found[0] == {
        "root": "ES",
        "exchange": "CME",
        "front_month": "ES 12-26",
        "since": None,
        "roll": "2026-12-10",
        "expiry": "2026-12-18",
        "tick": "0.25",
        "point_value": "50",
        "currency": "USD",
    }
    assert {row["tick"] for row in found if row["root"] in ("ZT", "6J", "FDAX")} == {"0.00390625", "0.0000005", "1"}


def test_a_year_has_every_contract_that_becomes_the_front_month() -> None:
    found = rows("es", *ON, "--year")
    assert [(row["front_month"], row["since"], row["roll"]) for row in found] == [
        ("ES 12-26", None, "2026-12-10"),
        ("ES 03-27", "2026-12-10", "2027-03-11"),
        ("ES 06-27", "2027-03-11", "2027-06-10"),
        ("ES 09-27", "2027-06-10", "2027-09-09"),
        ("ES 12-27", "2027-09-09", "2027-12-09"),
    ]
    assert [row["front_month"] for row in rows("CL", *ON, "--year")][::12] == ["CL 01-27", "CL 01-28"]


def test_on_the_day_of_a_roll_the_next_contract_is_listed_once() -> None:
    assert [row["front_month"] for row in rows("ES", "--on", "2026-12-10", "--year")][:2] == ["ES 03-27", "ES 06-27"]


def test_roots_are_listed_in_the_order_in_which_they_are_given() -> None:
    assert [row["root"] for row in rows("zn", "ES", *ON)] == ["ZN", "ES"]


def test_csv_has_the_values_of_the_json() -> None:
    told = list(csv.DictReader(io.StringIO(run("ES", "ZB", *ON, "--year", "--csv").stdout)))
    assert told == [{name: value or "" for name, value in row.items()} for row in rows("ES", "ZB", *ON, "--year")]


def test_today_is_the_day_in_new_york() -> None:
    there = datetime.now(ZoneInfo("America/New_York")).date()
    possible = {front_month("CL", day).name for day in (there, there + timedelta(days=1))}
    assert rows("CL")[0]["front_month"] in possible


def test_the_table_fits_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Console, "is_terminal", property(lambda _: True))
    result = CliRunner().invoke(app, ["instruments", *ON, "--year"], env={"COLUMNS": "80"})
    lines = re.sub(r"\x1b\[\d*m", "", result.stdout).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == "root front month rolls on expires on tick point is currency".split()
    assert lines[1].split() == "ES ES 12-26 2026-12-10 2026-12-18 0.25 50 USD".split()
    total = sum(len(rows(root, *ON, "--year")) for root in INSTRUMENTS)
    assert len(lines) == 1 + total  # no row takes two lines


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["XX"], 1, "'XX' is not among the futures that are known; `orderhook instruments` lists them."),
        (["--on", "tomorrow"], 2, "'tomorrow' is not a day; write it as 2026-12-10."),
        (["--json", "--csv"], 2, "--csv and --json are both given; give only one of them."),
    ],
)
def test_what_cannot_be_listed_is_refused_in_a_sentence(arguments: list[str], code: int, says: str) -> None:
    result = run(*arguments)
    assert result.exit_code == code
    assert says in result.output.replace("\n", " ")
    assert result.stdout == ""
