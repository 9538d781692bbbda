"""Named readers of vendors' raw files: rows as found, nothing judged."""

from __future__ import annotations

from pathlib import Path

from feeds.errors import DataError, SettingsError
from feeds.readers.comma import CommaReader, RawRows, read_lines
from feeds.readers.comma_date_compact import COMMA_DATE_COMPACT
from feeds.readers.comma_date_dash import COMMA_DATE_DASH

__all__ = ["READERS", "CommaReader", "RawRows", "read_raw"]

READERS = {reader.name: reader for reader in (COMMA_DATE_DASH, COMMA_DATE_COMPACT)}
"""The readers by name."""


def read_raw(path: Path, reader: str | None = None) -> RawRows:
    """Read a vendor file with the named reader, or with the one its first row asks for.

    Raises
    ------
    SettingsError
        If there is no reader of that name.
    DataError
        If the file cannot be read, or no reader knows its form.
    """
    if reader is not None:
        if reader not in READERS:
            raise SettingsError(f"there is no reader {reader!r}; choose one of {', '.join(READERS)}")
        return READERS[reader].read(path)
    first = next((line for line in read_lines(path) if line.strip()), "")
    for candidate in READERS.values():
        if candidate.matches(first):
            return candidate.read(path)
    raise DataError(
        f"no reader knows the form of {path}, which begins {first[:60]!r}; "
        f"name one of {', '.join(READERS)}, or convert the file to CSV with a header"
    )
