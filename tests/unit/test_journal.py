"""The bridge's journal, in SQLite."""

import os
import signal
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bridge.journal import Journal, JournalError

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "journal.sqlite"


def test_a_journal_keeps_its_id_and_the_time_it_was_made(path: Path) -> None:
    first = Journal.open(path, NOW)
    first.close()
    second = Journal.open(path, datetime(2027, 1, 1, tzinfo=UTC))
    assert (second.id, second.created_at) == (first.id, NOW)
    assert Journal.open(path.with_name("other"), NOW).id != first.id


def test_records_are_kept_replaced_and_removed(path: Path) -> None:
    journal = Journal.open(path, NOW)
    journal.save({"a": {"n": 1}, "b": {"n": 2}})
    journal.save({"a": {"n": 3}, "b": None})
    journal.close()
    assert Journal.open(path).records() == {"a": {"n": 3}}


def test_what_cannot_be_written_leaves_nothing_behind(path: Path) -> None:
    journal = Journal.open(path, NOW)
    journal.save({"a": 1})
    with pytest.raises(TypeError):
        journal.save({"a": 2, "b": object()})
    assert journal.records() == {"a": 1}


def test_reports_wait_in_their_order_until_they_are_sent(path: Path) -> None:
    journal = Journal.open(path, NOW)
    first, second = journal.put_report("one"), journal.put_report("two")
    assert journal.reports() == [(first, "one"), (second, "two")]
    journal.sent(first)
    journal.close()
    assert Journal.open(path).reports() == [(second, "two")]


def test_a_number_is_not_given_again_after_its_report_was_sent(path: Path) -> None:
    journal = Journal.open(path, NOW)
    number = journal.put_report("one")
    journal.sent(number)
    assert journal.put_report("two") > number


def test_every_commit_is_on_the_disk(path: Path) -> None:
    journal = Journal.open(path, NOW)
    assert journal._database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert journal._database.execute("PRAGMA synchronous").fetchone() == (2,)


def test_what_was_saved_is_there_after_the_process_was_killed(path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from bridge.journal import Journal\n"
        "journal = Journal.open(Path(sys.argv[1]))\n"
        "journal.save({'a': 1}); journal.put_report('one')\n"
        "journal._database.execute('BEGIN IMMEDIATE')\n"
        "journal._database.execute('DELETE FROM records')\n"
        "print('ready', flush=True); sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == b"ready\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    process.stdin.close()
    journal = Journal.open(path)
    assert journal.records() == {"a": 1}
    assert [text for _, text in journal.reports()] == ["one"]


def test_a_file_that_is_not_a_journal_is_refused_with_what_to_do(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("these are not the records you are looking for" * 50)
    with pytest.raises(JournalError, match="Keep a copy"):
        Journal.open(path)


def test_a_journal_of_another_version_is_refused(path: Path) -> None:
    Journal.open(path).close()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version=99")
    database.close()
    with pytest.raises(JournalError, match="another version"):
        Journal.open(path)
