"""Where a live process keeps what: a folder for each day, and one for what outlives the day."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path

from analyzers.parity.files import day_folders
from feeds.errors import SettingsError
from strategies.live_request import LiveRequest

__all__ = ["check_same_instruments", "day_folder", "has_begun", "make_folder", "state_folder"]

_RUNS = Path("runs")
_BOOKS = ("journal.sqlite", "paper.sqlite")


def state_folder(request: LiveRequest) -> Path:
    """Return the folder of a process that runs for many days; one for each mode, instrument and strategy."""
    return (request.out_dir or _RUNS) / _name(request)


def day_folder(request: LiveRequest, day: dt.date) -> Path:
    """Return the folder of a day: the same however it is started, so that one journal knows its orders."""
    return (request.out_dir or _RUNS) / f"{day:%Y%m%d}-{_name(request)}"


def has_begun(folder: Path) -> bool:
    """Whether a day's trading has begun in a folder: there may be something open."""
    return any((folder / book).exists() for book in _BOOKS)


def check_same_instruments(folder: Path, request: LiveRequest) -> None:
    """Refuse to go on with a day with other instruments: what is open in the others would be left alone.

    Raises
    ------
    SettingsError
        With the remedy.
    DataError
        The names of the day that is there cannot be read.
    """
    traded = request.settings.market.traded
    begun = [name for name, place in day_folders(folder).items() if has_begun(place)]
    if not begun or begun == [""]:
        is_other = bool(begun) and len(traded) > 1
    else:
        is_other = not set(begun) <= set(traded) or len(traded) == 1
    if is_other:
        found = ", ".join(begun) if begun != [""] else "one instrument"
        raise SettingsError(
            f"{folder} holds a day of {found}, expected one of {', '.join(traded)}, as in the settings; go "
            "on with the same instruments, or choose another --out"
        )


def make_folder(folder: Path) -> None:
    """Make the folder of a live day, and refuse one that cannot be written or is a backtest's.

    Raises
    ------
    SettingsError
        With the remedy.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise SettingsError(
            f"--out {folder} cannot be written ({error.strerror}), expected a folder or a place to make one; "
            "choose another, or mend its permissions"
        ) from error
    if (folder / "summary.json").exists() and not (folder / "live.log").exists():
        raise SettingsError(
            f"--out {folder} holds another kind of run, expected a new folder or that of a live day; choose "
            "another name"
        )


def _name(request: LiveRequest) -> str:
    settings = request.settings
    return f"{request.mode}-{'+'.join(settings.market.traded)}-{settings.strategy.name.replace(':', '-')}"
