"""The ``muhurat`` command: the packages' own commands under one name."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from feeds.suggest import did_you_mean

__all__ = ["main"]

_PACKAGES = {
    "feeds": "check, import, export and list bars; show the calendar",
    "ml": "train, judge, list, promote and roll back models",
    "brokers": "work out charges",
    "analyzers": "tell about a finished run",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Hand the arguments to a package's command and return its exit code.

    Parameters
    ----------
    arguments : sequence of str or None
        ``PACKAGE COMMAND ...``; None for those of the process.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words and words[0] in _PACKAGES:
        code: int = importlib.import_module(f"{words[0]}.__main__").main(words[1:])
        return code
    if words and words[0] not in ("-h", "--help"):
        sys.stderr.write(f"error: unknown command {words[0]!r}{did_you_mean(words[0], _PACKAGES)}\n")
        return 2
    usage = "\n".join(f"  muhurat {name:<10} {text}" for name, text in _PACKAGES.items())
    sys.stdout.write(f"usage: muhurat PACKAGE COMMAND ...\n\n{usage}\n\nBacktests: muhurat-backtest --help\n")
    return 0
