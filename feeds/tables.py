"""Read one of the dated tables of market facts that are shipped with the project."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from feeds.errors import DataError

__all__ = ["FACTS", "read_table"]

FACTS = Path(__file__).parent / "facts"
"""The folder of the tables of this package."""


def read_table(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Read a table as one dictionary per row, in the order of the file.

    Parameters
    ----------
    path : Path
        A CSV file with a header.
    columns : sequence of str
        Columns that must be there; every row must also carry a non-empty ``source`` and ``confidence``.

    Raises
    ------
    DataError
        If the file cannot be read, or a column or a source is missing.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise DataError(
            f"found no readable table of market facts at {path} ({error.strerror}); reinstall the project"
        ) from error
    for line, row in enumerate(rows, start=2):
        missing = [name for name in (*columns, "source", "confidence") if row.get(name) is None]
        if missing or not (row["source"] and row["confidence"]):
            raise DataError(
                f"{path.name}, row {line}: expected columns {', '.join(columns)} and a source with its "
                f"confidence, found {row}; complete the row"
            )
    return rows
