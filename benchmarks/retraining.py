"""Does a training beside a live day slow its decisions? ``python -m benchmarks.retraining``.

The same day twice against a sandbox exchange in a process of its own: alone, and with one training after
another beside it, as days that run themselves start them. About four minutes.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.live import distribution, run_against_exchange, train_model
from feeds.log import NullLog
from strategies.retraining_process import RetrainingProcess
from strategies.settings import Settings


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.retraining", description=__doc__)
    parser.add_argument("--minutes", type=int, default=120, help="of the market (default 120)")
    parser.add_argument("--speed", type=float, default=60.0, help="times real time (default 60)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="muhurat-bench-") as name:
        folder = Path(name)
        settings, version = train_model(folder / "models")
        print(f"last tick of a bar -> entry on the wire, {options.speed:g} times real time")
        for kind in ("alone", "training", "alone again"):
            beside: AbstractContextManager[_Trainings | None] = nullcontext()
            if kind == "training":
                beside = _Trainings(folder, settings)
            with beside as trainings:
                run = run_against_exchange(
                    settings, folder / kind, speed=options.speed, minutes=options.minutes, model=version
                )
            print(distribution(kind, run.at_wire("entry")))
            if trainings is not None:
                print(f"{trainings.count} trainings were begun meanwhile")


class _Trainings:
    """One training after another, as long as the block lasts."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        # Many rounds: a training that is on for most of the time
        model = settings.ml.model.model_copy(update={"rounds": 3000, "stopping_rounds": 3000})
        retrain = settings.ml.retrain.model_copy(update={"data": "synthetic"})
        registry = str(folder / "challengers")
        ml = settings.ml.model_copy(update={"model": model, "retrain": retrain, "registry": registry})
        self._settings = settings.model_copy(update={"ml": ml})
        self._process = RetrainingProcess(folder, NullLog())
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.count = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._process.stop("the measurement is over")

    def _run(self) -> None:
        while not self._over.wait(0.2):
            self.count += self._process.start(self._settings, "measurement")


if __name__ == "__main__":
    main()
