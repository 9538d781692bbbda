"""Ticks as they came, written down so that a demo can replay the day."""

from __future__ import annotations

from pathlib import Path

from feeds.appended_csv import cut_torn_line
from feeds.clock import IST
from feeds.tick_bars import Tick

__all__ = ["TickRecorder"]


class TickRecorder:
    """Appends ticks to a file of the form that ``--ticks`` reads: date, time, price, quantity, open interest.

    For one thread. Lines are buffered: a crash loses the last few.

    Parameters
    ----------
    path : pathlib.Path
        CSV file without header; what is in it stays, but for half a line that a crash left behind.

    Notes
    -----
    Kite's ticks carry the volume of the day; the quantity written is what was added since the tick before, 0
    for the first one of the process, whose share is not known.
    """

    def __init__(self, path: Path) -> None:
        cut_torn_line(path)
        self._file = path.open("a", encoding="utf-8")
        self._volume: float | None = None

    def write(self, tick: Tick) -> None:
        """Append a tick."""
        before = tick.quantity if self._volume is None else self._volume
        self._volume = tick.quantity
        time = tick.time.astimezone(IST)
        quantity = max(0.0, tick.quantity - before)
        self._file.write(
            f"{time:%Y%m%d},{time:%H:%M:%S},{tick.price:.2f},{quantity:.0f},{tick.open_interest:.0f}\n"
        )

    def flush(self) -> None:
        """Write what is buffered; it outlives this process then."""
        self._file.flush()

    def close(self) -> None:
        """Write what is buffered and close."""
        self._file.close()
