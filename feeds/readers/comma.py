"""What the comma-separated vendor forms have in common: rows without a header, one bar each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from feeds.bars import VALUE_COLUMNS
from feeds.errors import DataError

__all__ = ["CommaReader", "RawRows"]

_STAMP_FIELDS = 3  # ticker, date, time


class RawRows(NamedTuple):
    """The rows of a vendor file as they were found.

    Attributes
    ----------
    source : str
        File they came from.
    reader : str
        Name of the reader.
    has_seconds : bool
        Whether the form stamps to the second (or only to the minute).
    rows : DataFrame
        One row per line that is not blank: ``line`` (from 1), ``text``, ``ticker``, ``stamp`` (naive, as
        written; NaT if unreadable), the six value columns (NaN if empty or unreadable) and
        ``readable`` (bool: every field is there and can be read; an empty value can).
    """

    source: str
    reader: str
    has_seconds: bool
    rows: pd.DataFrame


@dataclass(frozen=True)
class CommaReader:
    """A reader of one form: ticker, date, time, open, high, low, close, volume and perhaps open interest.

    Parameters
    ----------
    name : str
        Name by which the reader is chosen.
    pattern : str
        Regular expression that the start of the first line matches.
    stamp_format : str
        ``strptime`` format of date and time, separated by a space.
    has_seconds : bool
        Whether the time has seconds.
    """

    name: str
    pattern: str
    stamp_format: str
    has_seconds: bool

    def matches(self, line: str) -> bool:
        """Return whether a line looks like this form."""
        return re.match(self.pattern, line) is not None

    def read(self, path: Path) -> RawRows:
        """Read every line of ``path``; line ends may be LF, CRLF or CR.

        Raises
        ------
        DataError
            If the file cannot be read as text, or is empty.
        """
        lines = [(number, text) for number, text in enumerate(read_lines(path), start=1) if text.strip()]
        if not lines:
            raise DataError(f"found no rows in {path}, expected vendor bars; give another file")
        fields = [text.split(",") for _, text in lines]
        most = _STAMP_FIELDS + len(VALUE_COLUMNS)
        whole = np.array([len(parts) in (most - 1, most) for parts in fields])
        table = pd.DataFrame([(parts + [""] * most)[:most] for parts in fields], dtype="object")
        table = table.map(str.strip)
        rows = pd.DataFrame({"line": [number for number, _ in lines], "text": [text for _, text in lines]})
        rows["ticker"] = table[0]
        rows["stamp"] = pd.to_datetime(table[1] + " " + table[2], format=self.stamp_format, errors="coerce")
        readable = whole & rows["stamp"].notna().to_numpy()
        for position, name in enumerate(VALUE_COLUMNS, start=_STAMP_FIELDS):
            values = pd.to_numeric(table[position], errors="coerce").astype("float64")
            rows[name] = values.where(np.isfinite(values))
            readable &= (rows[name].notna() | (table[position] == "")).to_numpy()
        rows["readable"] = readable
        return RawRows(str(path), self.name, self.has_seconds, rows)


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file, whatever ends them, without a byte-order mark."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(
            f"cannot read {path} ({error.strerror}); check the path and its permissions"
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not text at byte {error.start}, expected a vendor's CSV file") from error
    return re.split(r"\r\n|\r|\n", text)
