"""The process of the challengers: follows the bars of a day and writes what each would have done.

It reads files and writes files. It holds no login, opens no connection and loads no broker's client: it has
nothing to send an order with.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import IO, Any

from analyzers.challengers import CHALLENGERS_FILE, write_challenger_trades, write_challengers
from analyzers.parity.files import BARS_FILE
from strategies.challengers import Challenger, judge_challengers, read_live_bars
from strategies.settings import Settings

__all__ = ["watch_challengers"]

_LOOK_SECONDS = 0.25
_END_SECONDS = 20.0
"""A challenger that hangs must not keep the process when whoever started it is gone."""


def watch_challengers(words: IO[str] = sys.stdin) -> int:
    """Follow a day until the line ``end``, or until whoever started us is gone.

    Parameters
    ----------
    words : file
        Its first line is JSON: ``folder`` (of the day), ``settings``, ``starting_cash``. After the end of it
        the bars are read once more, and the trades are written as a table.
    """
    configuration: dict[str, Any] = json.loads(words.readline())
    settings = Settings.model_validate(configuration["settings"])
    folder, cash = Path(configuration["folder"]), float(configuration["starting_cash"])
    over, done = threading.Event(), threading.Event()
    threading.Thread(target=_wait_for_end, args=(words, over, done), daemon=True).start()
    try:
        challengers = [Challenger(section, settings, cash) for section in settings.live.challengers]
        seen = -1
        while not over.wait(_LOOK_SECONDS):
            seen = _look(folder, challengers, seen)
        _look(folder, challengers, seen)
        if (folder / CHALLENGERS_FILE).exists():
            write_challenger_trades(folder)
    finally:
        done.set()
    return 0


def _look(folder: Path, challengers: list[Challenger], seen: int) -> int:
    """Judge anew where the file of bars has grown; return how long it is now."""
    path = folder / BARS_FILE
    size = path.stat().st_size if path.exists() else -1
    if size == seen:
        return seen
    bars = read_live_bars(folder)
    if bars is None:
        return seen
    write_challengers(folder / CHALLENGERS_FILE, judge_challengers(challengers, bars))
    return size


def _wait_for_end(words: IO[str], over: threading.Event, done: threading.Event) -> None:
    is_asked = bool(words.readline())
    over.set()
    if not is_asked and not done.wait(_END_SECONDS):
        os._exit(1)  # nobody is left who would end us
