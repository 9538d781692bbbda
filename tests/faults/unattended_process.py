"""``run_live.py`` in a process whose machine goes by a sandbox's time, which a file tells."""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
import time
from pathlib import Path

__all__ = ["CLOCK_FILE", "market_time"]

CLOCK_FILE = "MARKET_CLOCK_FILE"
"""Variable that names the file: a time, the machine's counter at it, and how fast time runs."""


def market_time() -> dt.datetime:
    """Return the market's time, aware; the machine's counter is the same in every process."""
    shown, counted, speed = json.loads(Path(os.environ[CLOCK_FILE]).read_text())
    passed = dt.timedelta(seconds=(time.monotonic() - counted) * speed)
    return dt.datetime.fromisoformat(shown) + passed


class MarketDatetime(dt.datetime):
    """What the scheduler asks for the time."""

    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:
        return market_time().astimezone(tz)


def main() -> int:
    from apscheduler.executors import base as executors
    from apscheduler.schedulers import base as schedulers

    import run_live
    from feeds.clock import IST, SteadyClock, WallClock

    for kind in (WallClock, SteadyClock):
        kind.now = lambda _: market_time().astimezone(IST)
    for module in (executors, schedulers):
        module.datetime = MarketDatetime
    run_live._LOOK_SECONDS = 0.05
    return run_live.main()


if __name__ == "__main__":
    sys.exit(main())
