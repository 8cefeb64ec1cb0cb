"""NinjaTrader's folder: what is written into it, and what is read there, however it is met."""

import errno
import os
from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import contracts, outgoing, windows
from bridge.events import (
    ConnectionRead,
    Event,
    FileConsumed,
    FileMovedOut,
    FileNotWritten,
    FileWritten,
    LogLine,
    NinjaTraderStarted,
    NinjaTraderStopped,
    OrderStateRead,
    PositionRead,
)
from bridge.ninjatrader import Folder
from tests import oif_reader

ACCOUNTS = ("Sim101", "Sim_VWAP_v2", "SimBias Momentum", "v2")
ID = "ohabcdefgh234567"
NAME = f"oif_oh_{ID}.txt"
LINE = f"PLACE;Sim101;ES 12-26;BUY;1;MARKET;0;0;GTC;;{ID};;"
TODAY = date(2026, 11, 28)
STARTED = 1_790_000_000.0


class Room:
    """A NinjaTrader folder without NinjaTrader: a test writes what NinjaTrader would."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for name in ("incoming", "outgoing", "log"):
            (path / name).mkdir()
        self.started: float | None = STARTED
        self.folder = self.opened()

    def opened(self) -> Folder:
        """Open the folder as a bridge does that starts."""
        return Folder(self.path, ACCOUNTS, lambda: self.started)

    def put(self, name: str, content: bytes | str, written: float = STARTED + 60) -> None:
        """Write a file of `outgoing`."""
        path = self.path / "outgoing" / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        os.utime(path, (written, written))

    def log(self, *lines: str, day: str = "20261128") -> None:
        """Append to the log."""
        with open(self.path / "log" / f"log.{day}.00000.txt", "a", encoding="utf-8") as file:
            file.writelines(f"2026-11-28 09:30:00:000|1|32|{line}\n" for line in lines)

    def scan(self) -> list[Event]:
        """Return what is read, but for NinjaTrader's start."""
        return [event for event in self.folder.scan() if not isinstance(event, NinjaTraderStarted)]


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def state(state: str = "WORKING", filled: int = 0, average: str | None = None, **more: Any) -> OrderStateRead:
    return OrderStateRead(ID, more.get("account", "Sim101"), state, filled, Decimal(average) if average else None)


# Writing


def test_an_instruction_is_one_file_with_one_line_in_ascii_and_crlf(room: Room) -> None:
    assert room.folder.write(NAME, LINE) == FileWritten(NAME)
    content = (room.path / "incoming" / NAME).read_bytes()
    assert content == LINE.encode() + b"\r\n"
    assert oif_reader.read_file(NAME, content).order_id == ID
    assert room.folder.own_files() == [NAME]


def test_a_file_that_is_there_is_never_written_again(room: Room) -> None:
    room.folder.write(NAME, LINE)
    assert room.opened().write(NAME, LINE.replace("BUY", "SELL")) == FileWritten(NAME)
    assert b"BUY" in (room.path / "incoming" / NAME).read_bytes()


def test_what_cannot_be_created_is_told_as_not_written(room: Room) -> None:
    (room.path / "incoming").rmdir()
    answer = room.folder.write(NAME, LINE)
    assert isinstance(answer, FileNotWritten)
    assert answer.name == NAME


class FullDisk:
    """A file on a disk that takes only so much."""

    def __init__(self, path: Path, takes: int) -> None:
        self._file, self._takes = open(path, "xb", buffering=0), takes  # noqa: SIM115

    def __enter__(self) -> "FullDisk":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, content: bytes) -> int:
        self._file.write(content[: self._takes])
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(("takes", "is_written"), [(0, False), (10, True)])
def test_a_write_that_fails_is_not_written_only_if_nothing_was_there(
    room: Room, monkeypatch: pytest.MonkeyPatch, takes: int, is_written: bool
) -> None:
    monkeypatch.setattr("bridge.ninjatrader.open", lambda path, *_, **__: FullDisk(path, takes), raising=False)
    answer = room.folder.write(NAME, LINE)
    assert isinstance(answer, FileWritten) == is_written
    assert bool(room.folder.own_files()) == is_written


@pytest.mark.parametrize("line", ["PLACE;Süd", f"{LINE}\r\n{LINE}", "PLACE;\t;", "PLACE;\ufeff"])
def test_a_line_that_is_not_one_line_of_ascii_is_not_written(room: Room, line: str) -> None:
    with pytest.raises(ValueError, match="one line"):
        room.folder.write(NAME, line)
    assert room.folder.own_files() == []


@pytest.mark.parametrize(
    "name", ["oif.txt", "place.txt", "oif_oh_.txt", "oif_oh_a/b.txt", "oif_oh_a:b.txt", "oif_oh_a.tmp"]
)
def test_a_name_that_is_not_one_of_ours_is_not_written(room: Room, name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        room.folder.write(name, LINE)
    assert os.listdir(room.path / "incoming") == []


def test_a_file_that_is_gone_was_consumed_and_that_is_told_once(room: Room) -> None:
    room.folder.write(NAME, LINE)
    assert room.scan() == []
    (room.path / "incoming" / NAME).unlink()
    assert room.scan() == [FileConsumed(NAME)]
    assert room.scan() == []


def test_a_file_that_is_taken_while_states_are_read_was_consumed_before_them(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = f"oif_oh_{ID}_r1.txt"
    room.put(f"Sim101_{ID}.txt", "WORKING;0;0\n")
    room.scan()
    room.folder.write(change, f"CHANGE;;;;1;;5000;0;;;{ID};;")
    scandir = os.scandir

    def take_first(path: str) -> Any:
        (room.path / "incoming" / change).unlink()
        room.put(f"Sim101_{ID}.txt", "WORKING;0;0\n", STARTED + 61)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", take_first)
    assert room.scan() == [FileConsumed(change), state()]


def test_a_file_is_moved_out_and_kept(room: Room) -> None:
    for _ in range(2):
        room.folder.write(NAME, LINE)
        assert room.folder.move_out(NAME) == FileMovedOut(NAME)
    assert room.folder.own_files() == []
    kept = list((room.path / "orderhook not read").iterdir())
    assert [path.read_bytes() for path in kept] == [LINE.encode() + b"\r\n"] * 2
    assert room.scan() == []


def test_a_file_that_nobody_wants_to_see_is_deleted(room: Room) -> None:
    room.folder.write(NAME, LINE)
    assert room.folder.move_out(NAME, is_kept=False) == FileMovedOut(NAME)
    assert room.folder.own_files() == []
    assert not (room.path / "orderhook not read").exists()
    assert room.scan() == []


@pytest.mark.parametrize("is_kept", [True, False])
def test_a_file_that_was_taken_before_it_could_be_moved_was_consumed(room: Room, *, is_kept: bool) -> None:
    room.folder.write(NAME, LINE)
    (room.path / "incoming" / NAME).unlink()
    assert room.folder.move_out(NAME, is_kept=is_kept) == FileConsumed(NAME)
    assert room.scan() == []


def test_a_file_that_another_program_holds_is_moved_later(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.folder.write(NAME, LINE)

    def held(*_: object) -> None:
        raise PermissionError(errno.EACCES, "The process cannot access the file")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", held)
        assert room.folder.move_out(NAME) is None
        assert room.scan() == []
    assert room.folder.move_out(NAME) == FileMovedOut(NAME)


def test_only_files_of_ours_are_ours(room: Room) -> None:
    for name in ("oif1.txt", "oif_oh_x.txt", "OIF_OH_Y.TXT", "note.txt"):
        (room.path / "incoming" / name).touch()
    assert room.folder.own_files() == ["OIF_OH_Y.TXT", "oif_oh_x.txt"]


# The states of orders


@pytest.mark.parametrize(
    ("name", "account"),
    [
        (f"Sim101_{ID}.txt", "Sim101"),
        (f"{ID}.txt", None),
        (f"SIM101_{ID.upper()}.TXT", "Sim101"),
        (f"Sim_VWAP_v2_{ID}.txt", "Sim_VWAP_v2"),
        (f"SimBias Momentum_{ID}.txt", "SimBias Momentum"),
        (f"Elsewhere_{ID}.txt", "Elsewhere"),
    ],
)
def test_the_state_of_an_order_is_read_under_every_name(room: Room, name: str, account: str | None) -> None:
    room.put(name, "WORKING;0;0\r\n")
    assert room.scan() == [state(account=account)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("FILLED;2;5000.25\r\n", state("FILLED", 2, "5000.25")),
        ("Part filled;1;5000,25\n", state("PARTFILLED", 1, "5000.25")),
        ("\ufeffCANCELLED;0;0\r\n", state("CANCELLED")),
        ("SUBMITTED;0;5000\r\n", state("SUBMITTED")),
        ("WORKING;0;0\r\nFILLED;1;-37.63\r\n", state("FILLED", 1, "-37.63")),
    ],
)
def test_the_contents_of_a_state_file(room: Room, content: str, expected: OrderStateRead) -> None:
    room.put(f"Sim101_{ID}.txt", content)
    assert room.scan() == [expected]


@pytest.mark.parametrize("content", ["", "FILLED", "FILLED;1\n", "FILLED;1;\n", "FILLED;x;1\n", ";1;2\n", "A;1;2;3\n"])
def test_what_is_not_a_state_says_nothing(room: Room, content: str) -> None:
    room.put(f"Sim101_{ID}.txt", content)
    assert room.scan() == room.scan() == []


def test_a_file_without_a_line_end_is_read_when_it_stood_twice(room: Room) -> None:
    name = f"Sim101_{ID}.txt"
    room.put(name, "FILLED;1;50")
    assert room.scan() == []
    room.put(name, "FILLED;1;5000.25")
    assert room.scan() == []
    assert room.scan() == [state("FILLED", 1, "5000.25")]
    assert room.scan() == []


@given(st.sampled_from(["FILLED;2;5000.25", "CANCELPENDING;0;0", "PARTFILLED;1;4999.75"]), st.data())
def test_a_half_that_was_met_is_never_taken_for_the_whole(whole: str, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(whole)))
    with TemporaryDirectory() as name:
        room = Room(Path(name))
        room.put(f"Sim101_{ID}.txt", whole[:cut])
        assert room.scan() == []
        room.put(f"Sim101_{ID}.txt", f"{whole}\r\n")
        [read] = room.scan()
    assert isinstance(read, OrderStateRead)
    assert f"{read.state};{read.filled};{read.average or 0}" == whole


def test_a_file_that_is_written_again_is_told_again(room: Room) -> None:
    name = f"Sim101_{ID}.txt"
    for written in (STARTED + 1, STARTED + 2):
        room.put(name, "WORKING;0;0\r\n", written)
        assert room.scan() == [state()]
        assert room.scan() == []


def test_a_finished_order_is_read_again_when_its_file_was_written(room: Room) -> None:
    name = f"Sim101_{ID}.txt"
    room.put(name, "CANCELLED;0;0\r\n", STARTED + 1)
    assert room.scan() == [state("CANCELLED")]
    room.put(name, "FILLED;1;50\r\n", STARTED + 2)
    assert room.scan() == [state("FILLED", 1, "50")]


def test_a_file_that_vanishes_says_nothing(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"Sim101_{ID}.txt"
    room.put(name, "WORKING;0;0\r\n")

    def vanish(path: Path, *_: object) -> None:
        raise FileNotFoundError(path)

    with monkeypatch.context() as patch:
        patch.setattr(windows, "open", vanish, raising=False)
        assert room.scan() == []
    assert room.scan() == [state()]
    (room.path / "outgoing" / name).unlink()
    assert room.scan() == []
    room.put(name, "WORKING;0;0\r\n")
    assert room.scan() == [state()]


def test_a_file_that_cannot_be_read_now_is_read_later(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = [PermissionError(errno.EACCES, "in use")]

    def held(path: Path, mode: str) -> Any:
        if failures:
            raise failures.pop()
        return open(path, mode)

    monkeypatch.setattr(windows, "open", held, raising=False)
    room.put(f"Sim101_{ID}.txt", "WORKING;0;0\r\n")
    assert [room.scan(), room.scan()] == [[], [state()]]


def test_orders_and_files_of_others_are_passed_by(room: Room) -> None:
    room.put("Sim101_54512de4e067447f813e437300cab5aa.txt", "WORKING;0;0\r\n")
    room.put("active_stops.json", "{}")
    room.put(f"{ID}.tmp", "WORKING;0;0\r\n")
    assert room.scan() == []


def test_a_file_of_others_is_read_again_only_when_it_was_written(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def counted(path: Path, mode: str) -> Any:
        opened.append(path.name)
        return open(path, mode)

    monkeypatch.setattr(windows, "open", counted, raising=False)
    others, own = "Sim101_54512de4e067447f813e437300cab5aa.txt", f"Sim101_{ID}.txt"
    for written in (STARTED + 1, STARTED + 2):
        room.put(others, "WORKING;0;0\r\n", written)
        room.put(own, "WORKING;0;0\r\n")
        for _ in range(3):
            room.scan()
    assert (opened.count(others), opened.count(own)) == (2, 6)


# Positions


@pytest.mark.parametrize("contract", ["ES 12-26", "ES DEC26", "ESZ6", "ESZ26", "ESZ2026", "ES 1226"])
@pytest.mark.parametrize("ending", ["position", "Position", "POSITION"])
def test_a_position_is_read_in_every_spelling_of_its_contract(room: Room, contract: str, ending: str) -> None:
    room.put(f"{contract} Globex_Sim101_{ending}.txt", "LONG;1;26741.25\r\n")
    assert room.scan() == [PositionRead("Sim101", "ES 12-26", "LONG", 1, Decimal("26741.25"))]


@pytest.mark.parametrize(
    ("name", "account", "instrument"),
    [
        ("MNQM7 Globex_SimBias Momentum_position.txt", "SimBias Momentum", "MNQ 06-27"),
        ("MNQM7 Globex_Sim_VWAP_v2_position.txt", "Sim_VWAP_v2", "MNQ 06-27"),
        ("MNQM7 Globex_v2_position.txt", "v2", "MNQ 06-27"),
        ("mnqm7 globex_SIM101_position.txt", "Sim101", "MNQ 06-27"),
        ("CLF7 Nymex_Sim101_position.txt", "Sim101", "CL 01-27"),
        ("ES 12-26_Sim101_position.txt", "Sim101", "ES 12-26"),
        ("AAPL Nasdaq_Sim101_position.txt", "Sim101", "AAPL"),
        ("EURUSD Forex_Sim101_position.txt", "Sim101", "EURUSD"),
    ],
)
def test_whose_position_it_is(room: Room, name: str, account: str, instrument: str) -> None:
    room.put(name, "SHORT;2;10\r\n")
    assert room.scan() == [PositionRead(account, instrument, "SHORT", 2, Decimal(10))]


def test_a_flat_position_has_neither_size_nor_price(room: Room) -> None:
    room.put("ESZ6 Globex_Sim101_position.txt", "FLAT;0;0\r\n")
    assert room.scan() == [PositionRead("Sim101", "ES 12-26", "FLAT", 0, None)]


@pytest.mark.parametrize(
    "content", ["LONG;0;0\r\n", "FLAT;1;0\r\n", "BOTH;1;1\r\n", "LONG;1\r\n", "LONG;-1;5\r\n", "LONG;1;5"]
)
def test_what_is_not_a_position_says_nothing(room: Room, content: str) -> None:
    room.put("ESZ6 Globex_Sim101_position.txt", content)
    assert room.scan() == []


def test_the_position_of_another_account_is_passed_by(room: Room) -> None:
    room.put("ESZ6 Globex_1590711_position.txt", "LONG;1;5000\r\n")
    assert room.scan() == []


def test_a_position_from_before_ninjatraders_start_is_told_as_such(room: Room) -> None:
    room.put("ESZ6 Globex_Sim101_position.txt", "FLAT;0;0\r\n", STARTED - 1)
    assert room.scan() == [PositionRead("Sim101", "ES 12-26", "FLAT", 0, None, written_since_start=False)]


def test_an_orders_state_from_before_ninjatraders_start_is_told_as_such(room: Room) -> None:
    room.put(f"Sim101_{ID}.txt", "WORKING;0;0\r\n", STARTED - 1)
    assert room.scan() == [state()._replace(written_since_start=False)]


_MONTHS = st.integers(1, 12), st.integers(2026, 2033)


@given(st.sampled_from(["ES", "MNQ", "M2K", "6E", "CL", "ZB"]), *_MONTHS, st.integers(0, 2))
def test_the_three_spellings_of_a_contract_are_one(root: str, month: int, year: int, which: int) -> None:
    name = f"{root} {month:02}-{year % 100:02}"
    assert contracts.canonical(contracts.spellings(name)[which], TODAY) == name
    assert contracts.canonical(contracts.spellings(name)[which].lower(), TODAY) == name


@pytest.mark.parametrize("name", ["AAPL", "EURUSD", "ES ##-##", "ES 13-26", "ES 00-26", "^SPX", ""])
def test_what_is_no_contract_keeps_its_name(name: str) -> None:
    assert contracts.canonical(name, TODAY) == name
    assert contracts.spellings(name) == (name, name, name)


@pytest.mark.parametrize("name", ["XYZZ6", "xyz dec26", "XYZ 12-26"])
def test_a_contract_of_a_future_that_is_not_listed_has_one_name_too(name: str) -> None:
    assert contracts.canonical(name, TODAY) == "XYZ 12-26"


def test_a_listed_contract_goes_by_the_names_that_alerts_have() -> None:
    assert [contracts.canonical(it, TODAY) for it in ("CME_MINI:ESZ2026", "ES 1226")] == ["ES 12-26"] * 2


def test_a_year_of_one_digit_is_of_this_decade_until_it_is_long_over() -> None:
    assert [contracts.canonical(f"ESZ{digit}", TODAY) for digit in "5604"] == [
        "ES 12-25", "ES 12-26", "ES 12-30", "ES 12-34",
    ]  # fmt: skip


# Connections, and NinjaTrader's start


def test_a_connection_is_known_by_its_content(room: Room) -> None:
    room.put("Kinetick \u2013 End Of Day (Free).txt", "DISCONNECTED\r\n")
    assert room.scan() == [ConnectionRead(connected=False)]
    room.put("Simulated Data Feed.txt", "CONNECTED\r\n")
    assert room.scan() == [ConnectionRead(connected=True)]
    assert room.scan() == []
    room.put("Simulated Data Feed.txt", "DISCONNECTED\r\n")
    assert room.scan() == [ConnectionRead(connected=False)]


def test_the_first_scan_ever_finds_ninjatrader_started(room: Room) -> None:
    assert room.folder.scan() == [NinjaTraderStarted(emptied=True)]
    assert room.folder.scan() == []


def test_a_bridge_that_starts_again_knows_the_same_run(room: Room) -> None:
    room.folder.scan()
    assert room.opened().scan() == [NinjaTraderStarted(emptied=False)]


def test_a_restart_is_noticed_by_the_time_of_the_process(room: Room) -> None:
    room.folder.scan()
    room.started = STARTED + 100
    room.put("ESZ6 Globex_Sim101_position.txt", "FLAT;0;0\r\n", STARTED + 99)
    started, position = room.folder.scan()
    assert started == NinjaTraderStarted(emptied=True)
    assert isinstance(position, PositionRead)
    assert not position.written_since_start
    assert room.opened().scan()[0] == NinjaTraderStarted(emptied=False)


def test_a_restart_is_noticed_by_the_marker_that_is_gone(room: Room) -> None:
    room.put("ESZ6 Globex_Sim101_position.txt", "LONG;1;5000\r\n")
    room.folder.scan()
    for file in (room.path / "outgoing").iterdir():
        file.unlink()
    assert room.folder.scan() == [NinjaTraderStarted(emptied=True)]


def test_without_a_process_only_the_marker_tells_of_a_start(tmp_path: Path) -> None:
    Room(tmp_path)
    folder = Folder(tmp_path, ACCOUNTS)
    assert folder.scan() == [NinjaTraderStarted(emptied=True)]
    assert Folder(tmp_path, ACCOUNTS).scan() == [NinjaTraderStarted(emptied=False)]


def test_while_ninjatrader_does_not_run_no_position_is_read(room: Room) -> None:
    room.put("ESZ6 Globex_Sim101_position.txt", "LONG;1;5000\r\n")
    room.put("Live.txt", "CONNECTED\r\n")
    room.put(f"Sim101_{ID}.txt", "FILLED;1;5000\r\n")
    room.started = None
    assert room.folder.scan() == [NinjaTraderStopped(), state("FILLED", 1, "5000")]
    assert room.folder.scan() == []
    room.started = STARTED
    found = room.folder.scan()
    assert found[0] == NinjaTraderStarted(emptied=True)
    assert {type(event) for event in found} == {NinjaTraderStarted, OrderStateRead, PositionRead, ConnectionRead}


def test_a_marker_that_cannot_be_read_now_is_no_restart(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.folder.scan()

    def held(*_: object, **__: object) -> str:
        raise PermissionError(errno.EACCES, "in use")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_text", held)
        with pytest.raises(PermissionError):
            room.folder.scan()
    assert room.folder.scan() == []


def test_a_marker_that_was_cut_off_is_a_restart(room: Room) -> None:
    room.folder.scan()
    (room.path / "outgoing" / "orderhook_marker.txt").write_bytes(b"")
    assert room.folder.scan() == [NinjaTraderStarted(emptied=True)]
    assert room.folder.scan() == []


def test_what_was_found_before_a_folder_failed_is_told_by_the_next_scan(room: Room) -> None:
    room.folder.write(NAME, LINE)
    (room.path / "incoming" / NAME).unlink()
    log = room.path / "log"
    log.rmdir()
    log.touch()
    with pytest.raises(NotADirectoryError):
        room.folder.scan()
    log.unlink()
    assert room.folder.scan() == [NinjaTraderStarted(emptied=True), FileConsumed(NAME)]


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="outgoing"):
        Folder(tmp_path, ACCOUNTS).scan()


# The log


ORDER = (
    "Order='e1d39243ae71422195ddee34920e0492/Sim101' Name='' New state='{}' Instrument='ES DEC26' Action='Buy' "
    "Limit price=0 Stop price=0 Quantity={} Type='Market' Time in force=GTC Oco='' Filled=0 Fill price=0 "
    "Error='{}' Native error='{}'"
)


def log_lines(room: Room) -> list[LogLine]:
    return [event for event in room.scan() if isinstance(event, LogLine)]


def test_the_lines_of_an_order_are_found_by_what_its_instruction_asked_for(room: Room) -> None:
    room.log(f"OIF, '{LINE}' processing", ORDER.format("Submitted", 7, "No error", ""))
    room.log(ORDER.format("Submitted", 1, "No error", ""), ORDER.format("Rejected", 1, "Order rejected", "No data"))
    found = log_lines(room)
    assert [(line.venue_id, line.is_error) for line in found] == [(ID, False), (ID, False), (ID, True)]
    assert "No data" in found[-1].text
    assert log_lines(room) == []


@pytest.mark.parametrize(
    ("asked", "shown"),
    [("Sim101;", "Sim102;"), (";BUY;", ";SELL;"), (f";;{ID}", f";ohzzzzzzzz222222;{ID}"), (";0;0;GTC", ";0;7;GTC")],
)
def test_an_order_that_differs_from_the_instruction_is_anothers(room: Room, asked: str, shown: str) -> None:
    assert asked in LINE
    room.log(f"OIF, '{LINE.replace(asked, shown)}' processing", ORDER.format("Submitted", 1, "No error", ""))
    assert len(log_lines(room)) == 1


def test_two_equal_orders_are_told_apart_by_their_turn(room: Room) -> None:
    other = "ohzzzzzzzz222222"
    room.log(f"OIF, '{LINE}' processing", f"OIF, '{LINE.replace(ID, other)}' processing")
    room.log(*(ORDER.replace("e1d3", start).format("Submitted", 1, "No error", "") for start in ("aaaa", "bbbb")))
    assert [line.venue_id for line in log_lines(room)] == [ID, other, ID, other]


@pytest.mark.parametrize(
    "line",
    [
        f"OIF, 'CANCEL;;;;;;;;;;{ID};;' order with ID/Name '{ID}' does not exist",
        f"OIF, '{LINE};' has invalid # of parameters, should be 13 but is 14",
        f"OIF, '{LINE}'  holds unknown instrument 'ES 12-26'",
        f"Unknown OIF file type 'oif_oh_{ID}.txt'",
    ],
)
def test_a_refusal_is_an_error_of_the_order_that_it_names(room: Room, line: str) -> None:
    room.log(line)
    assert log_lines(room) == [LogLine(ID, line, is_error=True)]


def test_an_oco_id_is_not_taken_for_the_orders(room: Room) -> None:
    line = LINE.replace(f";;{ID}", f";ohzzzzzzzz222222;{ID}")
    room.log(f"OIF, '{line}' processing", "Order='1/Sim101' Name='' New state='Working' Oco='ohzzzzzzzz222222'")
    assert [each.venue_id for each in log_lines(room)] == [ID]


def test_lines_of_others_and_lines_that_are_none_are_passed_by(room: Room) -> None:
    room.log("OIF, 'PLACE;Sim101;ES 12-26;BUY;1;MARKET;0;0;DAY;;MINE;;' processing", ORDER.format("Filled", 1, "", ""))
    with open(room.path / "log" / "log.20261128.00000.txt", "ab") as file:
        file.write(b"\xff\xfe\n|\n\n2026-11-28|1\nOrder=\n")
    assert log_lines(room) == []


def test_a_line_is_read_when_it_is_whole_and_the_day_may_change(room: Room) -> None:
    path = room.path / "log" / "log.20261128.00000.txt"
    whole = f"2026-11-28 23:59:59:000|1|1|OIF, '{LINE}' processing\r\n".encode()
    path.write_bytes(whole[:40])
    assert log_lines(room) == []
    path.write_bytes(whole)
    room.log(f"OIF, 'CANCEL;;;;;;;;;;{ID};;' processing", day="20261129")
    assert [line.text[:10] for line in log_lines(room)] == ["OIF, 'PLAC", "OIF, 'CANC"]


def test_of_an_old_log_only_the_end_is_read(room: Room) -> None:
    room.log(f"OIF, '{LINE}' processing", *["x" * 1000] * 70, f"OIF, 'CANCEL;;;;;;;;;;{ID};;' processing")
    assert [line.text[:10] for line in log_lines(room)] == ["OIF, 'CANC"]


def test_a_folder_without_a_log_is_read_all_the_same(room: Room) -> None:
    (room.path / "log").rmdir()
    assert room.scan() == []


@given(st.binary(max_size=60), st.sampled_from([f"Sim101_{ID}.txt", "ESZ6 Globex_Sim101_position.txt", "Live.txt"]))
def test_no_content_of_a_file_is_a_fault(content: bytes, name: str) -> None:
    outgoing.order_state(name, content, ACCOUNTS)
    outgoing.position(name, content, ACCOUNTS, TODAY)
    outgoing.is_connected(content)
