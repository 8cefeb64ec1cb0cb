"""bridge.toml, where a bridge's journal lies, and what a person asks of it while it runs."""

from pathlib import Path
from typing import Any

import pytest

from bridge import operator_requests
from bridge.events import FlatConfirmed
from bridge.settings import BridgeSettings, SettingsError

SETTINGS = BridgeSettings(
    "orderhook", "us-east-1", "orderhook-Table-1", "main", "https://sqs/bell", "https://sqs/reports"
)


def test_what_setup_writes_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "bridge.toml"
    settings = SETTINGS._replace(trader='quo"te\\ \u00e9', instruments=("ES 12-26", 'N"Q'))
    path.write_text(settings.text(), encoding="utf-8")
    assert BridgeSettings.read(path) == settings


def test_what_an_earlier_setup_wrote_names_no_instruments(tmp_path: Path) -> None:
    path = tmp_path / "bridge.toml"
    path.write_text(SETTINGS.text().replace("instruments = []\n", ""), encoding="utf-8")
    assert BridgeSettings.read(path) == SETTINGS


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "There is no .*setup --stack NAME"),
        ("table = [", "cannot be read"),
        ('table = "t"\ntrader = 7', "does not say stack, region, trader, doorbell_url, report_queue_url"),
        (SETTINGS.text().replace("[]", '"ES 12-26"'), "does not say instruments as a list of names"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_settings_that_cannot_be_used_say_what_to_do(tmp_path: Path, text: str | bytes | None, says: str) -> None:
    path = tmp_path / "bridge.toml"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SettingsError, match=says):
        BridgeSettings.read(path)


def test_every_table_and_trader_has_a_journal_of_its_own() -> None:
    others: list[dict[str, Any]] = [
        {"trader": "other"},
        {"table": "other"},
        {"trader": "Main"},
        {"region": "eu-central-1"},
    ]
    paths = [SETTINGS._replace(**other).journal_path for other in [{}, *others]]
    assert len(set(paths)) == len(paths)
    assert {path.parent.name for path in paths} == {"orderhook"}
    assert SETTINGS._replace(stack="renamed").journal_path == paths[0]


def test_what_is_asked_is_taken_once_and_only_after_it_was_done(tmp_path: Path) -> None:
    folder = operator_requests.folder_of(tmp_path / "journal.sqlite")
    wanted: list[operator_requests.Request] = [FlatConfirmed("Sim101"), FlatConfirmed("Sim102")]
    for one in wanted:
        operator_requests.ask(folder, one)
    (folder / "of-somebody.json").write_text("[1]")
    interrupted = operator_requests.take(folder)
    next(interrupted)
    interrupted.close()
    assert sorted(operator_requests.take(folder)) == sorted(wanted)
    assert list(operator_requests.take(folder)) == []


def test_what_the_bridge_could_not_answer_is_not_taken_for_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def take_without_answer(_: float) -> None:
        [asked] = tmp_path.glob("*.json")
        asked.with_suffix(".answer").mkdir()  # so that no file of that name can be written
        assert list(operator_requests.take(tmp_path)) == [FlatConfirmed("Sim101")]

    monkeypatch.setattr("bridge.operator_requests.time.sleep", take_without_answer)
    assert operator_requests.ask_and_wait(tmp_path, FlatConfirmed("Sim101")) is None


def test_what_was_asked_of_an_earlier_run_is_forgotten(tmp_path: Path) -> None:
    operator_requests.ask(tmp_path, FlatConfirmed("Sim101"))
    operator_requests.forget(tmp_path)
    assert list(operator_requests.take(tmp_path)) == []
