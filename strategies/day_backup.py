"""Copies of a day's databases, made by SQLite itself, read back, and kept for a while."""

from __future__ import annotations

import datetime as dt
import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path

from feeds.errors import DataError

__all__ = ["DATABASES", "back_up_day"]

DATABASES = ("journal.sqlite", "paper.sqlite")
"""Of a day at an exchange, and of a day on paper."""

_OURS = re.compile(r"\d{4}-\d{2}-\d{2}-(journal|paper)\.sqlite")


def back_up_day(folder: Path, backups: Path, day: dt.date, *, keep: int) -> list[Path]:
    """Copy the databases of a day and remove the oldest copies.

    Parameters
    ----------
    folder : pathlib.Path
        Of the day. A database may be in use meanwhile: the copy is of one moment.
    backups : pathlib.Path
        Where to; made where it is missing. Only files named like a backup are ever removed from it.
    day : datetime.date
        Begins the names.
    keep : int
        Files that stay, those of this day included.

    Returns
    -------
    list of pathlib.Path
        The copies; empty where the day has no database.

    Raises
    ------
    DataError
        A database is damaged, or cannot be copied.
    OSError
        The folder cannot be written.
    """
    present = [folder / name for name in DATABASES if (folder / name).is_file()]
    if not present:
        return []
    backups.mkdir(parents=True, exist_ok=True)
    made = [_copy(source, backups / f"{day}-{source.name}") for source in present]
    known = sorted(path for path in backups.iterdir() if _OURS.fullmatch(path.name) and path not in made)
    for path in known[: max(0, len(known) + len(made) - keep)]:
        path.unlink(missing_ok=True)
    return made


def _copy(source: Path, target: Path) -> Path:
    unfinished = target.with_name(f".{target.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    try:
        with (
            closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as database,
            closing(sqlite3.connect(unfinished)) as copy,
        ):
            database.backup(copy)
            # A file for itself: in write-ahead mode it would need two others beside it to be whole
            copy.execute("PRAGMA journal_mode=DELETE")
            (verdict,) = copy.execute("PRAGMA integrity_check").fetchone()
            if verdict != "ok":
                raise DataError(
                    f"the copy of {source} is not whole ({verdict}), expected a sound database; the disk or "
                    "the file is damaged: save the folder elsewhere and check the disk"
                )
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.replace(target)
    except sqlite3.Error as error:
        raise DataError(
            f"{source} could not be copied to {target} ({error}), expected a sound database and room; mend "
            "the disk, then run the steps after the market again"
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)
    return target
