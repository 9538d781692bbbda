"""How long the live stack takes: from a bar's last tick to its entry, and from a fill to its stop.

``python -m benchmarks.live``: the whole stack in one process against a sandbox exchange in another, about
five minutes; recorded ticks beside the project where there are some, else synthetic ones. Orders are timed
twice: by the journal, until the request begins to leave, and by the exchange, when it has read it.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from benchmarks.stopwatch import LiveRun, Stopwatch
from brokers.desk.journal_file import read_journal
from brokers.sandbox.day import SYNTHETIC_DAY
from feeds.calendar import TradingCalendar
from feeds.clock import WallClock
from feeds.secrets import Secrets
from strategies.live import run_live
from strategies.live_request import LiveRequest
from strategies.loading import load_run_bars
from strategies.modelling import prepare_model
from strategies.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
TICKS = ROOT.parent / "shared/data/ticks/NIFTY-I_20221101.csv.gz"

_SESSIONS = 120

_OFTEN: dict[str, Any] = {
    "status": {"enabled": False},
    "data": {"bar_minutes": 1},
    "strategy": {"stop_atr": 1.0, "target_atr": 0.2, "sizer": "fixed", "fixed_units": 650},
    # Rules that would end a day of so many entries; the others stay, they take their time as on any day.
    "risk": {
        "daily_loss_percent": 100.0, "max_entries_per_day": 10_000, "cooldown_losses": None, "max_lots": 100,
    },
    "live": {"idle_end_seconds": 10.0},
    "report": {"tearsheet": False},
}  # fmt: skip
"""Settings under which a strategy enters on most bars and is soon out again; 650 is whole lots on any day."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    options = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="muhurat-bench-") as folder:
        print(f"{'recorded' if TICKS.is_file() else 'synthetic'} ticks, bars of one minute")
        if options.only != "stops":
            print_entries(Path(folder), options.entry_speed, options.entry_minutes)
        if options.only != "entries":
            print_stops(Path(folder), options.stop_speed, options.stop_minutes)


def print_entries(folder: Path, speed: float, minutes: int) -> None:
    """Measure decisions of the ``ml`` strategy, with a model that was really trained."""
    settings, version = train_model(folder / "models")
    run = run_against_exchange(settings, folder / "entries", speed=speed, minutes=minutes, model=version)
    print(f"\nlast tick of a bar -> entry, strategy ml, {speed:g} times real time, {minutes} minutes")
    print(distribution("on the wire (journal)", run.at_wire("entry")))
    print(distribution("read by the exchange", run.at_exchange("entry")))


def print_stops(folder: Path, speed: float, minutes: int) -> None:
    """Measure how soon a fill is protected, with partial fills; leave with 1 if one is not, or doubly."""
    settings = settings_of("random_entry", {"entry_probability": 1.0})
    run = run_against_exchange(settings, folder / "stops", speed=speed, minutes=minutes, partial_fills=0.8)
    protection = run.protection()
    print(f"\nfill -> protective stop, partial fills, {speed:g} times real time, {minutes} minutes")
    print(distribution("on the wire (journal)", run.at_wire("stop")))
    print(
        distribution("from the fill's arrival until the exchange has read its stop", protection.milliseconds)
    )
    wrong = [*protection.uncovered, *run.seen["violations"]]
    print(
        f"{run.seen['orders']} orders, {run.seen['changes']:,} changes at the exchange: "
        f"{len(protection.uncovered)} fills without their stop ({protection.left_instead} left at once), "
        f"{len(run.seen['violations'])} moments with exits beyond the position"
    )
    if wrong:
        raise SystemExit("\n".join(wrong))


def distribution(name: str, milliseconds: Sequence[float]) -> str:
    """Return count, median, 99th percentile and maximum in a line."""
    if not milliseconds:
        return f"n     0  {name}"
    middle, high, most = np.percentile(milliseconds, [50, 99, 100])
    return f"n {len(milliseconds):>5}   median {middle:6.1f}   p99 {high:6.1f}   max {most:6.1f} ms   {name}"


def settings_of(name: str, parameters: dict[str, Any]) -> Settings:
    """Return settings under which a strategy enters often."""
    strategy = {**_OFTEN["strategy"], "name": name, "parameters": parameters}
    return Settings.model_validate({**_OFTEN, "strategy": strategy})


def train_model(registry: Path) -> tuple[Settings, str]:
    """Train a model on synthetic bars; return settings that trade it, and its version."""
    settings = settings_of("ml", {"buy_probability": 0.01, "sell_probability": 0.01})
    calendar = TradingCalendar()
    day = dt.date(2022, 11, 1) if TICKS.is_file() else SYNTHETIC_DAY
    before = calendar.sessions(day - dt.timedelta(days=240), day - dt.timedelta(days=1))[-_SESSIONS:]
    made = settings.data.synthetic.model_copy(
        update={"first_date": before[0].date, "sessions": len(before), "edge": "momentum"}
    )
    data = settings.data.model_copy(update={"source": "synthetic", "synthetic": made})
    ml = settings.ml.model_copy(update={"registry": str(registry)})
    settings = settings.model_copy(update={"data": data, "ml": ml})
    model = prepare_model(settings, load_run_bars(settings, calendar), "train", now=WallClock().now())
    return settings, str(model.info["version"])


def run_against_exchange(
    settings: Settings,
    folder: Path,
    *,
    speed: float,
    minutes: int,
    model: str | None = None,
    partial_fills: float = 0.0,
    secrets: Mapping[str, str] = MappingProxyType({}),
) -> LiveRun:
    """Trade the first minutes of a day as ``--mode live`` does; the exchange has a process of its own.

    ``secrets`` are those of alert channels.
    """
    ticks = ["--ticks", str(TICKS)] if TICKS.is_file() else []
    exchange = subprocess.Popen(
        [
            sys.executable, "-m", "benchmarks.live_exchange", *ticks, "--minutes", str(minutes),
            "--speed", str(speed), "--partial-fills", str(partial_fills),
        ],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    with exchange, Stopwatch() as watch:
        told = json.loads(exchange.stdout.readline() if exchange.stdout else "")
        kite = settings.broker.kite.model_copy(
            update={"api_root": told["api_root"], "ticker_root": told["ticker_root"]}
        )
        broker = settings.broker.model_copy(update={"kite": kite})
        of_kite = {"KITE_API_KEY": told["api_key"], "KITE_ACCESS_TOKEN": told["access_token"]}
        run_live(
            LiveRequest(
                settings=settings.model_copy(update={"broker": broker}),
                mode="live", clock="feed", confirmed=True, quiet=True, model=model, out_dir=folder,
                day=dt.date.fromisoformat(told["day"]),
                secrets=Secrets({**secrets, **of_kite}),
            )
        )  # fmt: skip
        seen = json.loads(exchange.communicate()[0])
    return LiveRun(read_journal(folder / "journal.sqlite"), watch, seen.pop("arrivals"), seen)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live", description=__doc__)
    parser.add_argument("--only", choices=("entries", "stops"), help="measure one of the two")
    for name, minutes, speed in (("entry", 150, 60.0), ("stop", 20, 10.0)):
        parser.add_argument(
            f"--{name}-minutes", type=int, default=minutes, help=f"of the market (default {minutes})"
        )
        parser.add_argument(
            f"--{name}-speed", type=float, default=speed, help=f"times real time (default {speed:g})"
        )
    return parser


if __name__ == "__main__":
    main()
