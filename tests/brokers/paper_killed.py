"""Kill a paper day at every write: before it, in its midst, after it.

Run as a process of its own, because it forks. Leaves one book for each kill in the folder it is given.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from brokers.paper_book import PaperBook
from tests.brokers.paper_cases import at, play
from tests.brokers.test_simulated_accounting import COSTS
from tests.support import frame_of, settings_of

FLAT = (1000.0, 1005.0, 995.0, 1000.0)
RISE = (1000.0, 1031.0, 999.0, 1030.0)
FALL = [(1000.0, 1001.0, 979.0, 985.0), (980.0, 990.0, 979.0, 985.0)]
SLIDE = (1000.0, 1001.0, 985.0, 985.0)
BARS = [*[FLAT] * 3, RISE, RISE, *[FLAT] * 3, *FALL, *[FLAT] * 4, SLIDE, *[FLAT] * 4]
SIGNALS = {0: 1, 5: 1, 11: 1, 17: -1}
FRAME = frame_of(
    BARS, signal=[SIGNALS.get(bar, 0) for bar in range(len(BARS))], atr=[10.0] * len(BARS), volume=1500.0
)
SETTINGS = settings_of(
    strategy={"fixed_units": 300},
    broker={**COSTS, "max_percent_of_volume": 10.0},
    risk={"max_entries_per_day": 5, "cooldown_losses": 2, "daily_loss_rupees": 1000.0},
)
FLATTEN = (at("10:04"), lambda broker: broker.flatten("signal", "by hand"))
"""Three round trips, each in parts: a target, a stop, a daily loss whose second half is flattened by hand."""

PHASES = ("before", "during", "after")


class DyingBook(PaperBook):
    """Kills its process at one write."""

    phase, fatal_write, writes = "before", 1, 0

    def write(self, records, state):
        self.writes += 1
        fatal = self.writes == self.fatal_write
        if fatal and self.phase == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        if fatal and self.phase == "during":
            self._database.set_trace_callback(die_at_commit)
        super().write(records, state)
        if fatal and self.phase == "after":
            os.kill(os.getpid(), signal.SIGKILL)


def die_at_commit(statement: str) -> None:
    if statement == "COMMIT":
        os.kill(os.getpid(), signal.SIGKILL)


def survives(path: Path, phase: str, write: int) -> bool:
    """Return whether the day had no such write."""
    child = os.fork()
    if not child:
        DyingBook.phase, DyingBook.fatal_write = phase, write
        play(FRAME, SETTINGS, path, idle=[FLATTEN], make_book=DyingBook)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFEXITED(status) or os.WTERMSIG(status) == signal.SIGKILL
    assert not os.WIFEXITED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFEXITED(status)


def main(folder: Path) -> None:
    for phase in PHASES:
        write = 1
        while not survives(folder / f"{phase}-{write}.sqlite", phase, write):
            write += 1


if __name__ == "__main__":
    main(Path(sys.argv[1]))
