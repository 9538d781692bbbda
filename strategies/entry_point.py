"""What ``run_backtest.py`` and ``run_live.py`` share: arguments, and one line for what went wrong."""

from __future__ import annotations

import argparse
import datetime as dt
import re
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from feeds.command_line import fail
from feeds.errors import MuhuratError, SettingsError

if TYPE_CHECKING:
    from strategies.settings import Settings

__all__ = ["Parser", "day", "read_settings", "run_entry_point", "thread_failures_told"]

_NAMED_SOURCE = re.compile(r"([A-Z0-9][A-Z0-9&_-]{0,31})=(.+)", re.DOTALL)
_SETTINGS_FILE = Path(__file__).resolve().parents[1] / "settings.yaml"


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line, like all others.

    Parameters
    ----------
    prog, description, epilog : str
        As in :mod:`argparse`.
    """

    def __init__(self, *, prog: str, description: str, epilog: str) -> None:
        super().__init__(prog=prog, description=description, epilog=epilog, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage and leaving."""
        raise SettingsError(f"{message}; see --help")

    def add_settings(self) -> None:
        """Add ``--settings`` and ``--set``."""
        self.add_argument(
            "--settings",
            type=Path,
            metavar="FILE",
            default=_SETTINGS_FILE if _SETTINGS_FILE.exists() else None,
            help="settings file (default: settings.yaml beside this program)",
        )
        self.add_argument(
            "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", dest="overrides",
            help="one setting, on top of the file; may be given again",
        )  # fmt: skip

    def add_strategy(self) -> None:
        """Add ``--strategy``."""
        self.add_argument(
            "--strategy",
            metavar="NAME",
            help="ml, ema_cross, opening_range, column_signal, random_entry, ab, package.module:Class, "
            "entry point",
        )

    def add_manners(self) -> None:
        """Add ``--quiet`` and ``--debug``."""
        self.add_argument("--quiet", action="store_true", help="print errors only")
        self.add_argument("--debug", action="store_true", help="show the traceback of an error")


def day(text: str) -> dt.date:
    """Return the day that an argument names.

    Raises
    ------
    argparse.ArgumentTypeError
        If it names none.
    """
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a day such as 2016-01-31") from None


def read_settings(options: argparse.Namespace) -> Settings:
    """Return the settings of ``--settings``, ``--set``, ``--data``, ``--instrument`` and ``--strategy``.

    Raises
    ------
    SettingsError
        As :func:`strategies.settings.load_settings`; or ``--data`` names several sources that are not each
        for an instrument.
    """
    from strategies.settings import load_settings

    source, sources = _sources(options.data)
    names = getattr(options, "instrument", None) or []
    arguments = {
        "data.source": ("--data", source),
        "data.sources": ("--data", sources),
        "market.instrument": ("--instrument", names[0] if len(names) == 1 else None),
        "market.instruments": ("--instrument", (names if len(names) > 1 else []) if names else None),
        "strategy.name": ("--strategy", options.strategy),
    }
    given = {name: argument for name, argument in arguments.items() if argument[1] is not None}
    return load_settings(options.settings, options.overrides, given)


def _sources(given: str | list[str] | None) -> tuple[str | None, dict[str, str] | None]:
    """Return the one source of ``--data``, or those by instrument; None for what was not given."""
    values = [given] if isinstance(given, str) else given or []
    named = [match for value in values if (match := _NAMED_SOURCE.fullmatch(value))]
    if named and len(named) == len(values):
        return None, {match[1]: match[2] for match in named}
    if len(values) > 1:
        raise SettingsError(
            f"--data was given {len(values)} times, found {' and '.join(values)}, expected each as "
            "NAME=FILE, such as NIFTY=nifty.csv"
        )
    # What a settings file says of single instruments gives way to the one source that was asked for
    return (values[0], {}) if values else (None, None)


def run_entry_point(
    parse: Callable[[], argparse.Namespace],
    work: Callable[[argparse.Namespace], int],
    *,
    interrupted: str,
    mask: Callable[[str], str] = str,
) -> int:
    """Do the work of a program and return its exit code.

    Parameters
    ----------
    parse : callable
        Returns the arguments, ``debug`` among them.
    work : callable
        Takes them and returns the exit code of a program that came to its end.
    interrupted : str
        What Ctrl-C has left behind.
    mask : callable
        Takes secrets out of a text.

    Returns
    -------
    int
        That of ``work``; that of a :class:`feeds.errors.MuhuratError`; 130 when interrupted; 1 for anything
        else. What went wrong is one line on the standard error; a fault of the program itself leaves its
        traceback in a file that the line names. With ``--debug`` the traceback is shown instead.
    """
    debug = False

    def told(message: str, exit_code: int) -> int:
        if debug:
            sys.stderr.write(mask(traceback.format_exc()))
            return exit_code
        return fail(mask(message), exit_code)

    try:
        options = parse()
        debug = options.debug
        return work(options)
    except MuhuratError as error:
        return told(str(error), error.exit_code)
    except KeyboardInterrupt:
        return fail(interrupted, 130)
    except OSError as error:
        reason = error.strerror or error
        if not error.filename:
            return told(f"{reason}; look after disk and network, then start again", 1)
        return told(f"{reason} at {error.filename}; make room there, or mend its permissions", 1)
    except Exception as error:
        if debug:
            raise SystemExit(told("", 1)) from error
        return told(
            f"this is a bug, here or in a plugin of yours: {type(error).__name__}: {error}; please report it "
            f"with {_keep_traceback(mask, traceback.format_exc())}",
            1,
        )


@contextmanager
def thread_failures_told(mask: Callable[[str], str]) -> Iterator[None]:
    """Have what ends a thread told in one masked line, too, instead of a traceback on the terminal."""

    def tell(failed: threading.ExceptHookArgs) -> None:
        name = failed.thread.name if failed.thread else "unknown"
        lines = traceback.format_exception(failed.exc_type, failed.exc_value, failed.exc_traceback)
        place = _keep_traceback(mask, "".join(lines))
        reason = f"{failed.exc_type.__name__}: {failed.exc_value}"
        fail(mask(f"the thread {name} ended with {reason}; please report it with {place}"), 1)

    before, threading.excepthook = threading.excepthook, tell
    try:
        yield
    finally:
        threading.excepthook = before


def _keep_traceback(mask: Callable[[str], str], text: str) -> str:
    """Write a traceback into a file, and say where it is."""
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="muhurat-", suffix="-traceback.txt", delete=False, encoding="utf-8"
        ) as file:
            file.write(mask(text))
    except OSError:
        return "what --debug shows"
    return file.name
