"""The order journal on disk: SQLite in write-ahead mode, every fact on the disk before it is acted upon."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from brokers.desk.facts import Fact, fact_from_json, fact_to_json
from brokers.instance_lock import InstanceLock
from feeds.clock import Clock
from feeds.errors import DataError

__all__ = ["JournalError", "JournalFile", "JournalRow", "read_journal"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (
    sequence INTEGER PRIMARY KEY,
    time TEXT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL
)
"""


class JournalError(DataError):
    """The journal can no longer be written."""


class JournalRow(NamedTuple):
    """A fact, its number from 1, and when it was written (exchange time, aware)."""

    sequence: int
    time: dt.datetime
    fact: Fact


class JournalFile:
    """A journal open for writing, by one process and one thread at a time.

    Parameters
    ----------
    path : pathlib.Path
        Created where it is missing.
    clock : Clock
        Stamps the rows.

    Raises
    ------
    BrokerError
        Another process writes this journal.
    DataError
        It is damaged, no journal, or cannot be written.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self._clock = clock
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # SQLite's own locks come and go with each transaction; this one lives as long as the process.
            self._lock = InstanceLock(path, "journal")
        except OSError as error:
            raise DataError(
                f"journal {path} cannot be written ({error.strerror}), expected a folder of your own; "
                "give another --out"
            ) from error
        if path.is_dir():
            self._lock.release()
            raise DataError(f"journal {path} is a folder, expected a file or nothing; give another --out")
        # The desk thread writes what the thread that opens the journal has prepared; never both at once.
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=FULL")
            self._database.execute(_SCHEMA)
        except sqlite3.DatabaseError as error:
            self.close()
            raise DataError(
                f"journal {path} cannot be used ({error}), expected a SQLite file of this program; keep it "
                "for inspection and start with a new --out folder once the account is flat"
            ) from error
        try:
            self.rows()
        except DataError:
            self.close()
            raise

    def append(self, facts: Iterable[Fact]) -> list[JournalRow]:
        """Write facts together and return their rows: all are on the disk when this returns, or none is.

        Raises
        ------
        JournalError
            They cannot be written.
        """
        stamp = self._clock.now()
        rows = []
        try:
            self._database.execute("BEGIN IMMEDIATE")
            for fact in facts:
                written = self._database.execute(
                    "INSERT INTO facts (time, kind, body) VALUES (?, ?, ?)",
                    (stamp.isoformat(), *fact_to_json(fact)),
                )
                rows.append(JournalRow(written.lastrowid or 0, stamp, fact))
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise JournalError(
                f"journal {self.path} cannot be written ({error}), expected room and permission; "
                "mend the disk"
            ) from error
        return rows

    def unwritten(self, facts: Iterable[Fact]) -> list[JournalRow]:
        """Return facts as rows of no number, for when they can no longer be written."""
        stamp = self._clock.now()
        return [JournalRow(0, stamp, fact) for fact in facts]

    def rows(self) -> list[JournalRow]:
        """Return everything, oldest first."""
        return _rows(self._database, self.path)

    def close(self) -> None:
        """Fold the write-ahead log into the file and give up the lock."""
        self._database.close()
        self._lock.release()


def read_journal(path: Path) -> list[JournalRow]:
    """Return the rows of a journal that this process does not write.

    Raises
    ------
    DataError
        There is no journal, or it is damaged.
    """
    if not path.is_file():
        raise DataError(f"no journal at {path}, expected the journal.sqlite of a live run; give its folder")
    try:
        database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    except sqlite3.OperationalError as error:
        raise DataError(
            f"journal {path} cannot be opened ({error}), expected one of your own; mend its permissions"
        ) from error
    try:
        return _rows(database, path)
    finally:
        database.close()


def _rows(database: sqlite3.Connection, path: Path) -> list[JournalRow]:
    try:
        found = database.execute("SELECT sequence, time, kind, body FROM facts ORDER BY sequence").fetchall()
        return [
            JournalRow(sequence, dt.datetime.fromisoformat(time), fact_from_json(kind, body))
            for sequence, time, kind, body in found
        ]
    except (sqlite3.DatabaseError, ValueError, TypeError) as error:
        raise DataError(
            f"journal {path} cannot be read ({error}), expected a journal of this program; keep it for "
            "inspection and start with a new --out folder once the account is flat"
        ) from error
    except DataError as error:
        raise DataError(f"journal {path}: {error}") from error
