"""A file of lines that is cut when it grows, and that never stops who writes into it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

__all__ = ["LogFile"]


class LogFile:
    """Lines appended to a file; at a given size it becomes ``NAME.1``, the one before ``NAME.2``, and so on.

    Each line is one write to the system, so that a killed process loses none it has written. A line torn by
    a crash or a full disk is ended before the next one. What the disk refuses is counted, told once, and
    noted in the file when it takes lines again: trading does not end because of a log.

    Parameters
    ----------
    path : pathlib.Path
        The newest lines; its folder is made.
    max_bytes : int
        Size that no file passes, a single longer line excepted.
    files : int
        Files kept, this one included.
    on_failure : callable
        Called with the error of the first line that could not be written, again after each recovery.
    lost_line : callable
        Makes the line that says how many were lost.

    Raises
    ------
    OSError
        If the file cannot be opened to begin with.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_bytes: int,
        files: int,
        on_failure: Callable[[OSError], None],
        lost_line: Callable[[int], str],
    ) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._files = files
        self._on_failure = on_failure
        self._lost_line = lost_line
        self._lock = threading.Lock()
        self._lost = 0
        self._closed = False
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO | None = self._open()

    def write(self, line: str) -> None:
        """Append a line, given without its end. Callable from any thread; nothing after :meth:`close`."""
        failed: OSError | None = None
        with self._lock:
            if self._closed:
                return
            try:
                self._append(line)
            except OSError as error:
                self._lost += 1
                failed = error if self._lost == 1 else None
                self._abandon()
        if failed is not None:
            self._on_failure(failed)

    # structlog hands a line to the method named like its level
    debug = info = warning = error = write

    def close(self) -> None:
        """Close the file; closing twice does nothing."""
        with self._lock:
            self._closed = True
            self._abandon()

    def _append(self, line: str) -> None:
        if self._lost:
            self._put(self._lost_line(self._lost))
            self._lost = 0
        self._put(line)

    def _put(self, line: str) -> None:
        data = line.encode("utf-8", errors="backslashreplace") + b"\n"
        file = self._file = self._file or self._open()
        if self._size and self._size + len(data) > self._max_bytes:
            file = self._rotate()
        written = file.write(data)
        self._size += written
        if written != len(data):
            raise OSError(28, os.strerror(28), str(self.path))

    def _open(self) -> BinaryIO:
        file = self.path.open("a+b", buffering=0)
        self._size = file.seek(0, os.SEEK_END)
        if self._size:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                self._size += file.write(b"\n")
        return file

    def _rotate(self) -> BinaryIO:
        self._abandon()
        for number in range(self._files - 1, 0, -1):
            older = self._numbered(number)
            newer = self._numbered(number - 1)
            if newer.exists():
                newer.replace(older)
        if self._files == 1:
            self.path.unlink()
        self._file = self._open()
        return self._file

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}") if number else self.path

    def _abandon(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()
