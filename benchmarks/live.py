"""How long the live stack takes: from a bar's last tick to its entry, and from a fill to its stop.

``python -m benchmarks.live [--quick]``: the whole stack, one process, against a sandbox exchange in another;
recorded ticks beside the project where there are some, else synthetic ones. Each order is timed twice: by its
journal, up to the moment the request begins to leave, and at the exchange, when it has been read there.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from brokers.desk.facts import Acknowledged, Intent
from brokers.desk.journal_file import JournalRow, read_journal
from feeds.calendar import TradingCalendar
from feeds.clock import WallClock
from feeds.secrets import Secrets
from strategies.live import run_live
from strategies.live_request import LiveRequest
from strategies.loading import load_run_bars
from strategies.modelling import prepare_model
from strategies.settings import Settings

__all__ = ["LiveRun", "distribution", "run_live_stack", "train_model"]

ROOT = Path(__file__).resolve().parents[1]
TICKS = ROOT.parent / "shared/data/ticks/NIFTY-I_20221101.csv.gz"

_START_SECONDS = 60
_OFTEN: dict[str, Any] = {
    "data": {"bar_minutes": 1},
    "strategy": {
        "stop_atr": 1.0, "target_atr": 1.0, "sizer": "fixed", "fixed_units": 500, "last_entry": "15:00",
    },
    # Rules that would end a day of so many entries; the others stay, they take their time as on any day.
    "risk": {
        "daily_loss_percent": 100.0, "max_entries_per_day": 10_000, "cooldown_losses": None,
        "max_lots": 100,
    },
    "live": {"idle_end_seconds": 6.0},
    "report": {"tearsheet": False},
}  # fmt: skip
"""Settings under which a strategy enters on nearly every bar, and is soon out again."""


class LiveRun(NamedTuple):
    """What a run left.

    Attributes
    ----------
    rows : list of JournalRow
        Its journal.
    arrivals : dict
        ``time.perf_counter`` at which the exchange had read an order, by tag, seconds.
    seen : dict
        What else the exchange saw.
    """

    rows: list[JournalRow]
    arrivals: dict[str, float]
    seen: dict[str, Any]

    def wire_ms(self, role: str) -> list[float]:
        """Return what the journal says of orders of a role, from their cause to the wire, milliseconds."""
        roles = {row.fact.tag: row.fact.role for row in self.rows if isinstance(row.fact, Intent)}
        return [
            row.fact.wire_ms
            for row in self.rows
            if isinstance(row.fact, Acknowledged)
            and roles[row.fact.tag] == role
            and row.fact.wire_ms == row.fact.wire_ms
        ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few minutes of the market only")
    parser.add_argument("--only", choices=("entries", "stops"))
    parser.add_argument("--speed", type=float)
    parser.add_argument("--last")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="muhurat-bench-") as folder:
        if options.only != "stops":
            _entries(Path(folder), options)
        if options.only != "entries":
            _stops(Path(folder), options)


def _entries(folder: Path, options: argparse.Namespace) -> None:
    settings, version = train_model(folder / "models")
    speed = options.speed or 30.0
    run = run_live_stack(
        settings, folder / "entries", model=version, speed=speed, last=options.last or ("09:45" if options.quick else "11:15")
    )
    print(f"last tick of a bar -> entry on the wire, strategy ml, {speed:g} times real time")
    print(distribution("journal, request begins to leave", run.wire_ms("entry")))


def _stops(folder: Path, options: argparse.Namespace) -> None:
    settings = settings_of("random_entry", {"entry_probability": 1.0})
    speed = options.speed or 10.0
    run = run_live_stack(
        settings, folder / "stops", speed=speed, partial_fills=0.8, last=options.last or ("09:25" if options.quick else "09:55")
    )
    print(f"fill known -> its stop on the wire, partial fills, {speed:g} times real time")
    print(distribution("journal, request begins to leave", run.wire_ms("stop")))
    print(f"{run.seen['changes']:,} changes of {run.seen['orders']} orders at the exchange, exits beyond the "
          f"position: {len(run.seen['violations'])}")
    print(run.seen)


def distribution(name: str, milliseconds: list[float]) -> str:
    """Return count, median, 99th percentile and maximum in a line."""
    if not milliseconds:
        return f"{'no orders':>44}  {name}"
    middle, high = np.percentile(milliseconds, [50, 99])
    return (
        f"n {len(milliseconds):>5}   median {middle:7.1f} ms   p99 {high:7.1f} ms   "
        f"max {max(milliseconds):7.1f} ms   {name}"
    )


def settings_of(name: str, parameters: dict[str, Any]) -> Settings:
    """Return settings under which a strategy enters often."""
    given = {**_OFTEN, "strategy": {**_OFTEN["strategy"], "name": name, "parameters": parameters}}
    return Settings.model_validate(given)


def train_model(registry: Path) -> tuple[Settings, str]:
    """Train a model on synthetic 1-minute bars; return settings that trade it, and its version."""
    settings = settings_of("ml", {"buy_probability": 0.01, "sell_probability": 0.01})
    made = settings.data.synthetic.model_copy(
        update={"first_date": dt.date(2022, 1, 3), "sessions": 120, "edge": "momentum"}
    )
    data = settings.data.model_copy(update={"source": "synthetic", "synthetic": made})
    ml = settings.ml.model_copy(update={"registry": str(registry)})
    settings = settings.model_copy(update={"data": data, "ml": ml})
    bars = load_run_bars(settings, TradingCalendar())
    model = prepare_model(settings, bars, "train", now=WallClock().now())
    return settings, str(model.info["version"])


def run_live_stack(
    settings: Settings,
    folder: Path,
    *,
    speed: float,
    last: str,
    model: str | None = None,
    first: str = "09:15",
    partial_fills: float = 0.0,
) -> LiveRun:
    """Trade a part of a day as ``--mode live`` does, against an exchange in another process."""
    arguments = ["--first", first, "--last", last, "--speed", str(speed), "--partial-fills", str(partial_fills)]
    if TICKS.is_file():
        arguments += ["--ticks", str(TICKS)]
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.live_exchange", *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    ) as exchange:  # fmt: skip
        told = json.loads(exchange.stdout.readline())
        kite = settings.broker.kite.model_copy(
            update={"api_root": told["api_root"], "ticker_root": told["ticker_root"]}
        )
        broker = settings.broker.model_copy(update={"kite": kite})
        run_live(
            LiveRequest(
                settings=settings.model_copy(update={"broker": broker}), mode="live", clock="feed",
                confirmed=True, quiet=True, model=model, out_dir=folder, day=dt.date.fromisoformat(told["day"]),
                secrets=Secrets({"KITE_API_KEY": "sandbox", "KITE_ACCESS_TOKEN": "benchmark"}),
            )
        )  # fmt: skip
        exchange.stdin.close()
        seen = json.loads(exchange.stdout.read())
    return LiveRun(read_journal(folder / "journal.sqlite"), seen.pop("arrivals"), seen)


if __name__ == "__main__":
    main()
