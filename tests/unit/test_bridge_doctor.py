"""What the check before the first order finds."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bridge.doctor import TO_LOOK_AT, Finding, examine
from cli.aws.paper import Paper
from tests import oif_reader

NOW = datetime(2026, 11, 27, 14, 30, tzinfo=UTC)
PYTHON = r"C:\Python312\python.exe"


class Patient:
    """A NinjaTrader and a doctor for it; what the doctor waits, NinjaTrader works."""

    def __init__(self, path: Path) -> None:
        self.path, self.now = path, NOW
        self.paper = Paper(path, accounts=("Sim101", "Apex_PA 7"), moves=False)
        self.paper.start(NOW)

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.paper.step(self.now)

    def findings(self, *accounts: str, **more: Any) -> list[Finding]:
        settings: dict[str, Any] = {"started": self.paper.started, "executable": PYTHON, "wait": self.wait} | more
        return list(examine(self.path, accounts or ("Sim101",), **settings))

    def of(self, about: str, *accounts: str, **more: Any) -> list[tuple[str, str]]:
        found = self.findings(*accounts, **more)
        return [(finding.result, finding.detail) for finding in found if finding.about == about]


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    return Patient(tmp_path)


def trade(patient: Patient, account: str) -> None:
    line = f"PLACE;{account};ES 12-26;BUY;1;MARKET;0;0;GTC;;ohaaaaaaaaaaaaaaaa;;"
    (patient.path / "incoming" / "oif1.txt").write_text(line)
    for _ in range(10):
        patient.wait(0.1)


def test_of_a_sound_installation_everything_is_in_order(patient: Patient) -> None:
    trade(patient, "Sim101")
    found = patient.findings()
    assert {finding.result for finding in found if finding.about != "you"} == {"ok"}
    assert [finding.about for finding in found if finding.result == "ok"] == [
        "python", "folder", "process", "incoming", "connected", "account",
    ]  # fmt: skip
    assert [finding.detail for finding in found if finding.result == "look"] == list(TO_LOOK_AT)


def test_the_probe_is_the_cancel_of_an_order_that_does_not_exist(patient: Patient) -> None:
    patient.findings()
    patient.findings()
    first, second = map(oif_reader.read_line, patient.paper.lines)
    assert first.command == second.command == "CANCEL"
    assert first.order_id != second.order_id
    assert patient.paper.orders == []


def test_a_file_that_is_not_taken_is_moved_out(patient: Patient) -> None:
    patient.paper.misbehaviour.leaves_files = True
    [(result, detail)] = patient.of("incoming")
    assert result == "failed"
    assert "AT Interface" in detail
    assert list((patient.path / "incoming").iterdir()) == []


def test_where_ninjatrader_does_not_run_no_file_is_written(patient: Patient) -> None:
    patient.paper.stop()
    assert [result for result, _ in patient.of("process")] == ["failed"]
    assert patient.of("incoming") == patient.of("connected") == []
    assert list((patient.path / "incoming").iterdir()) == []


def test_what_lies_in_incoming_is_told(patient: Patient) -> None:
    (patient.path / "incoming" / "oif7.txt").write_text("CANCELALLORDERS;;;;;;;;;;;;")
    patient.paper.misbehaviour.leaves_files = True
    assert "oif7.txt" in patient.of("incoming")[0][1]


def test_without_a_connection_it_is_not_well(patient: Patient) -> None:
    patient.paper.set_connected(False, NOW)
    assert [result for result, _ in patient.of("connected")] == ["failed"]


def test_a_folder_that_is_not_ninjatraders(patient: Patient, tmp_path: Path) -> None:
    patient.path = tmp_path / "elsewhere"
    [(result, detail)] = patient.of("folder")
    assert result == "failed"
    assert "incoming" in detail
    assert patient.of("process") == []


@pytest.mark.parametrize("missing", ["incoming", "outgoing"])
def test_a_folder_without_one_of_its_halves_is_not_ninjatraders(tmp_path: Path, missing: str) -> None:
    for name in {"incoming", "outgoing"} - {missing}:
        (tmp_path / name).mkdir()
    [(result, detail)] = [(it.result, it.detail) for it in examine(tmp_path, (), started=float) if it.about == "folder"]
    assert (result, f"has no folder {missing}:" in detail) == ("failed", True)


def test_an_error_without_words_is_told_by_its_name(patient: Patient) -> None:
    def fails() -> str:
        raise TimeoutError

    assert patient.of("table", checks={"table": fails}) == [("failed", "TimeoutError")]


def test_a_file_that_cannot_be_read_now_is_passed_by(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    def held(*_: object) -> bytes:
        raise PermissionError(13, "held")

    trade(patient, "Sim101")
    monkeypatch.setattr("bridge.doctor.windows.read_shared", held)
    assert [found for found, _ in patient.of("connected")] == ["failed"]
    assert [found for found, _ in patient.of("account")] == ["ok"]


@pytest.mark.parametrize("line", ["2026-11-27 14:00:00:000|1|4|Account='Sim101' Order='x/Sim102' New state='Filled'"])
def test_every_account_that_the_log_names_is_known(patient: Patient, line: str) -> None:
    (patient.path / "log").mkdir(exist_ok=True)
    (patient.path / "log" / "log.20261127.00001.txt").write_text(f"{line}\n", encoding="utf-8")
    assert [found for found, _ in patient.of("account", "Sim101", "Sim102")] == ["ok", "ok"]


def test_a_folder_in_onedrive_fails(tmp_path: Path) -> None:
    path = tmp_path / "OneDrive" / "Documents"
    path.mkdir(parents=True)
    assert [result for result, _ in Patient(path).of("folder")] == ["failed"]


def test_the_stores_python_fails(patient: Patient) -> None:
    store = r"C:\Users\ann\AppData\Local\Microsoft\WindowsApps\python.exe"
    assert [result for result, _ in patient.of("python", executable=store)] == ["failed"]


@pytest.mark.parametrize(
    ("account", "result"),
    [("Sim101", "ok"), ("sim101", "failed"), ("Sim102", "warning")],
)
def test_an_account_is_compared_with_what_ninjatrader_wrote(patient: Patient, account: str, result: str) -> None:
    trade(patient, "Sim101")
    assert [found for found, _ in patient.of("account", account)] == [result]


@pytest.mark.parametrize("emptied", ["log", "outgoing"])
def test_an_account_with_blanks_and_underscores_is_known_by_files_or_log(patient: Patient, emptied: str) -> None:
    trade(patient, "Apex_PA 7")
    for file in (patient.path / emptied).iterdir():
        file.unlink()
    assert [found for found, _ in patient.of("account", "Apex_PA 7")] == ["ok"]


@pytest.mark.parametrize(("seconds", "result"), [(0.4, "ok"), (-4, "ok"), (90, "warning"), (-90, "warning")])
def test_a_clock_that_is_off_is_told(patient: Patient, seconds: float, result: str) -> None:
    assert [found for found, _ in patient.of("clock", clock=lambda: timedelta(seconds=seconds))] == [result]


def test_checks_of_others_say_what_is_in_order_or_raise_what_is_not(patient: Patient) -> None:
    def refused() -> str:
        raise PermissionError("no credentials")

    checks: dict[str, Callable[[], str]] = {"table": lambda: "orderhook, as main", "doorbell": refused}
    assert patient.of("table", checks=checks) == [("ok", "orderhook, as main")]
    assert patient.of("doorbell", checks=checks) == [("failed", "no credentials")]
    assert [found for found, _ in patient.of("clock", clock=refused)] == ["failed"]


def test_it_leaves_no_mark_by_which_a_bridge_would_miss_a_restart(patient: Patient) -> None:
    before = sorted((patient.path / "outgoing").iterdir())
    patient.findings()
    assert sorted((patient.path / "outgoing").iterdir()) == before
