"""Following the files of a live day while another process writes them: JSON lines and CSV rows, by polling.

A place in a file is known by the file's identity and its first bytes, so that reading goes on in the right
one after :class:`feeds.log_file.LogFile` has renamed it, and begins anew when it was replaced.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

__all__ = ["CsvTail", "LogTail"]

_CHUNK_BYTES = 1 << 20
_HEAD_BYTES = 256
_LOOKS = 3


class _Place(NamedTuple):
    """Where reading goes on; ``older_inode`` is the next older file, by which a rotation is told."""

    inode: int = 0
    offset: int = 0
    head: str = ""
    older_inode: int = 0


class _Tail:
    """Whole lines behind a place in a file and in those that follow it."""

    def __init__(self, path: Path, position: Mapping[str, Any] | None = None) -> None:
        self.path = path
        self._place = _as_place(position or {})
        self._looked = (0, 0, 0)

    @property
    def position(self) -> dict[str, Any]:
        """Where the next :meth:`read` goes on, to be kept as JSON and given to a new tail."""
        return self._place._asdict()

    @classmethod
    def at_end(cls, path: Path) -> Self:
        """Return a tail that reads only what is written from now on. Raises OSError."""
        tail = cls(path)
        for _ in tail._lines():
            pass
        return tail

    def _lines(self) -> Iterator[str]:
        """Yield the whole lines that are new; a file that is not there yet has none."""
        if self._is_unchanged():
            return
        files = self._files_to_read()
        try:
            for file in files:
                inode = os.fstat(file.fileno()).st_ino
                if inode != self._place.inode:
                    self._place = _Place(inode, older_inode=self._place.inode)
                    self._begin_file()
                yield from self._lines_of(file)
        finally:
            _close(files)

    def _is_unchanged(self) -> bool:
        """Tell whether nothing was written since the last look; a new file may have an old one's inode."""
        try:
            now = self.path.stat()
        except FileNotFoundError:
            return False
        before, self._looked = self._looked, (now.st_ino, now.st_size, now.st_mtime_ns)
        return self._looked == before and now.st_size == self._place.offset

    def _files_to_read(self) -> list[IO[bytes]]:
        """Open the file we are in and all newer ones, oldest first."""
        opened = _open_all(self.path)
        for _ in range(_LOOKS - 1):
            # A rotation that goes on while we look may hide a file under its next name
            if not self._place.inode or self._index(opened) is not None:
                break
            _close(opened)
            opened = _open_all(self.path)
        index = self._index(opened)
        if index is None and self._place.inode:
            index = self._after_loss(opened)
        first = len(opened) - 1 if index is None else index
        _close(opened[first + 1 :])
        return opened[first::-1] if opened else []

    def _index(self, opened: list[IO[bytes]]) -> int | None:
        """Return which of the files, newest first, is the one we are in."""
        for index, file in enumerate(opened):
            found = os.fstat(file.fileno())
            if found.st_ino == self._place.inode and found.st_size >= self._place.offset:
                head = _head(file, self._place.offset)
                return index if head == self._place.head else None
        return None

    def _after_loss(self, opened: list[IO[bytes]]) -> int | None:
        """Return the oldest file that is newer than the one we were in, which is gone or was written anew."""
        older_inode = self._place.older_inode
        self._place = _Place()
        for index, file in enumerate(opened[1:], start=1):
            if os.fstat(file.fileno()).st_ino == older_inode:
                self._place = _Place(older_inode)
                return index - 1
        return None

    def _lines_of(self, file: IO[bytes]) -> Iterator[str]:
        while True:
            file.seek(self._place.offset)
            chunk = file.read(_CHUNK_BYTES)
            whole = chunk.rfind(b"\n") + 1
            if not whole:
                if len(chunk) < _CHUNK_BYTES:
                    return
                whole = len(chunk)  # no line of ours is so long: leave it behind
            offset = self._place.offset + whole
            if self._place.offset < _HEAD_BYTES:
                self._place = self._place._replace(head=_head(file, offset))
            self._place = self._place._replace(offset=offset)
            yield from chunk[:whole].decode("utf-8", errors="replace").split("\n")[:-1]
            if len(chunk) < _CHUNK_BYTES:
                return

    def _begin_file(self) -> None:
        """Forget what was known of the file before."""


class LogTail(_Tail):
    """Follows a file of JSON lines over its rotation.

    Parameters
    ----------
    path : pathlib.Path
        The newest lines; older ones are in ``NAME.1``, ``NAME.2`` and so on. It need not exist yet.
    position : mapping, optional
        Where to go on, as :attr:`position` said it. Without one, reading begins with the oldest line kept;
        so it does when the file is another one than it was.

    Notes
    -----
    What is no JSON object, such as a line torn by a crash, is left out. For one thread.
    """

    def read(self) -> list[dict[str, Any]]:
        """Return the records written since the last call, oldest first. Raises OSError."""
        return [record for line in self._lines() if (record := _object(line)) is not None]


class CsvTail(_Tail):
    """Follows a CSV file with a header that is appended to, as :class:`LogTail` does.

    Rows with another number of columns than the header are left out.
    """

    def __init__(self, path: Path, position: Mapping[str, Any] | None = None) -> None:
        super().__init__(path, position)
        self._header: list[str] = []
        if self._place.offset:
            self._header = _first_row(path)

    def read(self) -> list[dict[str, str]]:
        """Return the rows written since the last call, by column. Raises OSError."""
        rows: list[dict[str, str]] = []
        for line in self._lines():
            values = _row(line)
            if not self._header:
                self._header = values
            elif len(values) == len(self._header):
                rows.append(dict(zip(self._header, values, strict=True)))
        return rows

    def _begin_file(self) -> None:
        self._header = []


def _open_all(path: Path) -> list[IO[bytes]]:
    """Open a file and its older ones, newest first; what vanishes meanwhile is left out."""
    numbers = [0]
    if path.parent.is_dir():
        names = (name.removeprefix(f"{path.name}.") for name in os.listdir(path.parent))  # noqa: PTH208 # names only
        numbers += sorted(int(name) for name in names if name.isdecimal() and name.isascii())
    opened: dict[int, IO[bytes]] = {}
    for number in numbers:
        try:
            file = (path.with_name(f"{path.name}.{number}") if number else path).open("rb")
        except FileNotFoundError:
            continue
        inode = os.fstat(file.fileno()).st_ino
        if inode in opened:  # renamed between two opens
            file.close()
        else:
            opened[inode] = file
    return list(opened.values())


def _close(files: list[IO[bytes]]) -> None:
    for file in files:
        file.close()


def _head(file: IO[bytes], offset: int) -> str:
    """Return a fingerprint of the first bytes before an offset."""
    file.seek(0)
    return hashlib.blake2b(file.read(min(offset, _HEAD_BYTES)), digest_size=8).hexdigest()


def _first_row(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            return _row(file.readline())
    except FileNotFoundError:
        return []


def _row(line: str) -> list[str]:
    """Return the values of a row, none where it is no CSV."""
    try:
        return next(csv.reader([line]), [])
    except csv.Error:
        return []


def _object(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (RecursionError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _as_place(position: Mapping[str, Any]) -> _Place:
    """Return a position as we gave it; of any other, the beginning."""
    try:
        return _Place(
            int(position["inode"]),
            int(position["offset"]),
            str(position["head"]),
            int(position["older_inode"]),
        )
    except (KeyError, TypeError, ValueError):
        return _Place()
