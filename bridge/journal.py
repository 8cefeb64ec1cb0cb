"""What the bridge has seen, intended, written and acknowledged, in one SQLite file on the trader's PC.

A commit is on the disk when `save` or `put_report` returns (write-ahead log, synchronous=FULL): a process that is
killed, or a PC that loses its power, forgets nothing of it.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

VERSION = 1

_TABLES = """
CREATE TABLE IF NOT EXISTS journal (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS records (id TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox (number INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL);
"""


class JournalError(Exception):
    """The journal cannot be used: its sentence says why, and what to do."""


class Journal:
    """A bridge's journal: its records, and the reports that the queue has not taken yet."""

    def __init__(self, database: sqlite3.Connection, journal_id: str, created_at: datetime) -> None:
        self._database = database
        self.id = journal_id
        """Random, made with the file: it names the bridge."""
        self.created_at = created_at

    @classmethod
    def open(cls, path: Path, now: datetime | None = None) -> "Journal":
        """Open the journal, made if there is none; raises JournalError for a file that is not one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            # Autocommit: every transaction is begun and ended in `_transaction`.
            database = sqlite3.connect(path, isolation_level=None, timeout=5)
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=FULL")
            return cls._opened(database, path, now or datetime.now(UTC))
        except sqlite3.DatabaseError as error:
            raise JournalError(
                f"{path} cannot be used as a journal ({error}). Keep a copy of it; a new journal takes the orders that "
                "are open now for unresolved, and never places them."
            ) from None

    @classmethod
    def _opened(cls, database: sqlite3.Connection, path: Path, now: datetime) -> "Journal":
        [version] = database.execute("PRAGMA user_version").fetchone()
        if version not in (0, VERSION):
            raise JournalError(f"{path} was written by another version ({version}) of the bridge; use that one.")
        database.executescript(_TABLES)
        database.execute(f"PRAGMA user_version={VERSION}")
        made = [("id", token_hex(16)), ("created_at", now.astimezone(UTC).isoformat())]
        with _transaction(database):
            database.executemany("INSERT OR IGNORE INTO journal VALUES (?, ?)", made)
        known = dict(database.execute("SELECT name, value FROM journal"))
        return cls(database, known["id"], datetime.fromisoformat(known["created_at"]))

    def records(self) -> dict[str, Any]:
        """Return the records as they were saved, by their ids."""
        return {name: json.loads(value) for name, value in self._database.execute("SELECT id, value FROM records")}

    def save(self, records: Mapping[str, object]) -> None:
        """Write all of these records, or none; None removes one. They are on the disk when this returns."""
        kept = [(name, json.dumps(value)) for name, value in records.items() if value is not None]
        gone = [(name,) for name, value in records.items() if value is None]
        with _transaction(self._database):
            self._database.executemany("INSERT OR REPLACE INTO records VALUES (?, ?)", kept)
            self._database.executemany("DELETE FROM records WHERE id = ?", gone)

    def put_report(self, text: str) -> int:
        """Keep a report until the queue has taken it; returns its number."""
        with _transaction(self._database):
            row = self._database.execute("INSERT INTO outbox (text) VALUES (?) RETURNING number", (text,)).fetchone()
        return int(row[0])

    def reports(self, limit: int = 100) -> list[tuple[int, str]]:
        """Return the reports that were not sent yet, with their numbers, oldest first."""
        return list(self._database.execute("SELECT number, text FROM outbox ORDER BY number LIMIT ?", (limit,)))

    def sent(self, number: int) -> None:
        """Forget a report: the queue has taken it."""
        with _transaction(self._database):
            self._database.execute("DELETE FROM outbox WHERE number = ?", (number,))

    def close(self) -> None:
        """Close the file."""
        self._database.close()


@contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    """Commit what the block writes at its end, or nothing of it."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")
