"""What is asked of a backtest, and how long its stages take."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from feeds.clock import Clock, WallClock
from strategies.progress import ProgressReporter
from strategies.settings import Settings

__all__ = ["BacktestRequest", "StageTimes"]


@dataclass(frozen=True, kw_only=True)
class BacktestRequest:
    """What to backtest.

    Attributes
    ----------
    settings : Settings
        Everything that has a name in the settings.
    model : str
        ``walkforward``, ``train`` or a stored version; the first for strategies that ask no model.
    first, last : datetime.date or None
        Days to use, both included.
    out_dir : pathlib.Path or None
        Where the results go; None for ``runs/<time>-<fingerprint>``.
    clock : Clock
        Names the folder and dates a stored model.
    """

    settings: Settings
    model: str = "walkforward"
    first: dt.date | None = None
    last: dt.date | None = None
    out_dir: Path | None = None
    clock: Clock = field(default_factory=WallClock)

    def folder(self, fingerprint: str) -> Path:
        """Return where the results of that fingerprint go."""
        return self.out_dir or Path("runs") / f"{self.clock.now():%Y%m%d-%H%M%S}-{fingerprint[:8]}"


class StageTimes:
    """Seconds by stage; the progress is told of each as it begins.

    Attributes
    ----------
    seconds : dict
        By name; more may be put in.
    """

    def __init__(self, progress: ProgressReporter) -> None:
        self._progress = progress
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what is done inside."""
        self._progress.stage(name)
        started = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - started

    def rounded(self) -> dict[str, float]:
        """Return the seconds to the millisecond."""
        return {name: round(value, 3) for name, value in self.seconds.items()}
