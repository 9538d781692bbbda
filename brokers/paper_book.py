"""The paper account on disk: one SQLite file in write-ahead mode, one transaction for one moment."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from brokers.instance_lock import InstanceLock
from brokers.paper_records import (
    BookState,
    Record,
    record_from_json,
    record_to_json,
    state_from_json,
    state_to_json,
)
from feeds.errors import DataError

__all__ = ["PaperBook", "StoredBook"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (sequence INTEGER PRIMARY KEY, kind TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS state (one INTEGER PRIMARY KEY CHECK (one = 1), body TEXT NOT NULL);
"""


class StoredBook(NamedTuple):
    """What a book holds: the account, and everything that ever happened in it, oldest first."""

    state: BookState
    records: list[Record]


class PaperBook:
    """The file of one paper account, open for one process and the thread that opened it.

    Parameters
    ----------
    path : pathlib.Path
        Created where it is missing.

    Raises
    ------
    BrokerError
        Another process has it open.
    DataError
        It is no paper book, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._is_closed = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = InstanceLock(path, "paper book")
        except OSError as error:
            raise DataError(
                f"paper book {path} cannot be written ({error.strerror}), expected a folder of your own; "
                "give another --out"
            ) from error
        if path.is_dir():
            self._lock.release()
            raise DataError(f"paper book {path} is a folder, expected a file or nothing; give another --out")
        self._database = sqlite3.connect(path, isolation_level=None)
        try:
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=FULL")
            self._database.executescript(_SCHEMA)
        except sqlite3.DatabaseError as error:
            self.close()
            raise self._unusable(error) from error

    def load(self) -> StoredBook | None:
        """Return what the book holds, None for a new one.

        Raises
        ------
        DataError
            It is damaged, or of another version.
        """
        try:
            state = self._database.execute("SELECT body FROM state").fetchone()
            rows = self._database.execute("SELECT kind, body FROM records ORDER BY sequence").fetchall()
        except sqlite3.DatabaseError as error:
            self.close()
            raise self._unusable(error) from error
        if state is None:
            return None
        try:
            return StoredBook(
                state_from_json(state[0]), [record_from_json(kind, body) for kind, body in rows]
            )
        except DataError as error:
            self.close()
            raise DataError(f"paper book {self.path}: {error}") from error

    def write(self, records: Iterable[Record], state: BookState) -> None:
        """Add records and replace the state: all of it is on the disk when this returns, or none is.

        Raises
        ------
        DataError
            The disk is full or gone. The account in memory is ahead of its book from then on.
        """
        rows = [record_to_json(record) for record in records]
        try:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany("INSERT INTO records (kind, body) VALUES (?, ?)", rows)
            self._database.execute("INSERT OR REPLACE INTO state VALUES (1, ?)", (state_to_json(state),))
            self._database.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            raise DataError(
                f"paper book {self.path} could not be written ({error}), expected room and a working disk; "
                "start again: the account continues from its last complete state"
            ) from error

    def close(self) -> None:
        """Fold the write-ahead log into the file and let others open it; nothing the second time."""
        if self._is_closed:
            return
        self._is_closed = True
        self._database.close()
        self._lock.release()

    def _unusable(self, error: sqlite3.DatabaseError) -> DataError:
        return DataError(
            f"paper book {self.path} cannot be used ({error}), expected a SQLite file of this program; "
            "keep it for inspection and start with another book"
        )
