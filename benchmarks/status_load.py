"""What a crowd on the status page, or an alert channel that hangs, costs a decision: nothing, it should say.

``python -m benchmarks.status_load``: the same day twice each, quiet and loaded, about a quarter of an hour.
Page: a demo at 120 times real time, while 200 browsers ask each second and 50 clients read a byte a second.
Alerts: mode live against a sandbox exchange, with a Telegram that takes messages and never answers.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.live import ROOT, distribution, run_against_exchange, settings_of
from benchmarks.stopwatch import LiveRun, Stopwatch
from brokers.desk.journal_file import read_journal
from strategies.live import run_live
from strategies.live_request import LiveRequest
from strategies.settings import Settings

_BAR_MINUTES = 2
_CASH = 20_000_000.0
_LOOK_SECONDS = 0.1
_TELEGRAM = {"TELEGRAM_BOT_TOKEN": "700100200:benchmark", "TELEGRAM_CHAT_ID": "4242"}


class Day(NamedTuple):
    """What a run left.

    Attributes
    ----------
    decisions : list of dict
        As they stand in ``decisions.csv``.
    milliseconds : list of float
        Latency of each entry.
    others : float
        Processors that programs other than this benchmark's kept busy meanwhile. A comparison in which they
        differ is one of those programs.
    """

    decisions: list[dict[str, str]]
    milliseconds: list[float]
    others: float


class _Processors:
    """Counts what is used by others from its making on; children count once they were waited for."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._all, self._ours = _busy_seconds()

    def others(self) -> float:
        everyone, ours = _busy_seconds()
        return ((everyone - self._all) - (ours - self._ours)) / (time.monotonic() - self._begun)


def _busy_seconds() -> tuple[float, float]:
    """Return the seconds that processors have worked, for anybody and for us; Linux only, else zeros."""
    spent = os.times()
    ours = spent.user + spent.system + spent.children_user + spent.children_system
    stat = Path("/proc/stat")
    if not stat.exists():
        return ours, ours
    user, nice, system, _, _, *interrupts = map(int, stat.read_text().splitlines()[0].split()[1:8])
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK"), ours


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print; leave with 1 where a decision was another one."""
    options = _parser().parse_args(arguments)
    same = []
    with tempfile.TemporaryDirectory(prefix="muhurat-bench-") as folder:
        if options.only != "alerts":
            same.append(print_page(Path(folder), options))
        if options.only != "page":
            same.append(print_alerts(Path(folder), options))
    if not all(same):
        raise SystemExit("decisions were not the same")


def print_page(folder: Path, options: argparse.Namespace) -> bool:
    """Compare a quiet demo with one whose page is crowded; return whether the decisions were the same."""
    print(
        f"\ndemo day at speed {options.speed:g}: nobody on the page, then {options.pollers} that ask each "
        f"second and {options.slow} that read a byte a second"
    )
    settings = page_settings()
    days: list[tuple[Day, Day]] = []
    for number in range(options.rounds):
        quiet = demo_day(settings, folder / f"quiet-{number}", options.speed)
        processors = _Processors()
        with crowd(folder / f"crowd-{number}", options.pollers, options.slow) as seen:
            loaded = demo_day(settings, folder / f"crowd-{number}", options.speed)
        loaded = loaded._replace(others=processors.others())  # now that the crowd has gone
        print(f"the crowd saw {json.dumps(seen)}")
        days.append((quiet, loaded))
    return print_ratio(days, "crowded")


def print_alerts(folder: Path, options: argparse.Namespace) -> bool:
    """Compare a quiet live day with one whose Telegram hangs; return whether the decisions were the same."""
    print(f"\nlive day at speed {options.speed:g}: no channel, then a Telegram that never answers")
    settings = page_settings()
    days: list[tuple[Day, Day]] = []
    for number in range(options.rounds):
        quiet = exchange_day(settings, folder / f"silent-{number}", options)
        with socket.create_server(("127.0.0.1", 0), backlog=1024) as mute:
            root = f"http://127.0.0.1:{mute.getsockname()[1]}"
            alerts = settings.alerts.model_copy(update={"telegram_api_root": root})
            hanging = settings.model_copy(update={"alerts": alerts})
            loaded = exchange_day(hanging, folder / f"hanging-{number}", options, _TELEGRAM)
        days.append((quiet, loaded))
    return print_ratio(days, "hanging")


def print_ratio(days: Sequence[tuple[Day, Day]], name: str) -> bool:
    """Print latencies side by side; return whether all decisions were the same."""
    quiet = [value for one, _ in days for value in one.milliseconds]
    loaded = [value for _, one in days for value in one.milliseconds]
    print(distribution("last tick of a bar -> entry on the wire, quiet", quiet))
    print(distribution(f"last tick of a bar -> entry on the wire, {name}", loaded))
    ratios = np.percentile(loaded, [50, 99]) / np.percentile(quiet, [50, 99])
    print(f"{name} / quiet: median {ratios[0]:.2f}, p99 {ratios[1]:.2f}")
    busy = ", ".join(f"{one.others:.2f} and {other.others:.2f}" for one, other in days)
    print(f"processors that other programs kept busy, quiet and {name}: {busy} of {os.cpu_count()}")
    different = 0
    for one, other in days:
        pairs = [(a, b) for a, b in zip(one.decisions, other.decisions, strict=False) if a != b]
        different += len(pairs) + abs(len(one.decisions) - len(other.decisions))
        for pair in pairs[:3]:
            print(f"not the same: {pair}")
    print(f"{len(days[0][0].decisions)} bars a day, {different} decisions not the same")
    return not different


def page_settings() -> Settings:
    """Return settings with a page on any port, under which decisions rest on bars alone.

    Stop and target are out of reach: when exactly they are touched depends on the price of the fill. Cash is
    plentiful, so that no size depends on what was earned; and a bar is long enough for its orders, which
    Kite's limits space out, to have come to their end.
    """
    settings = settings_of("benchmarks.every_other_bar:EveryOtherBar", {})
    strategy = settings.strategy.model_copy(update={"stop_atr": 50.0, "target_atr": 50.0})
    status = settings.status.model_copy(update={"enabled": True, "port": 0})
    data = settings.data.model_copy(update={"bar_minutes": _BAR_MINUTES})
    broker = settings.broker.model_copy(update={"starting_cash": _CASH})
    return settings.model_copy(
        update={"status": status, "strategy": strategy, "data": data, "broker": broker}
    )


def demo_day(settings: Settings, folder: Path, speed: float) -> Day:
    """Trade the synthetic day of the demo."""
    processors = _Processors()
    run_live(
        LiveRequest(settings=settings, mode="demo", clock="feed", quiet=True, speed=speed, out_dir=folder)
    )
    return Day(decisions_of(folder), entries_of(folder), processors.others())


def exchange_day(
    settings: Settings, folder: Path, options: argparse.Namespace, secrets: dict[str, str] | None = None
) -> Day:
    """Trade a day as ``--mode live`` does."""
    processors = _Processors()
    run_against_exchange(
        settings, folder, speed=options.speed, minutes=options.minutes, secrets=secrets or {}
    )
    return Day(decisions_of(folder), entries_of(folder), processors.others())


def entries_of(folder: Path) -> list[float]:
    """Return what the journal says of entries, from a bar's last tick to the wire, milliseconds."""
    return LiveRun(read_journal(folder / "journal.sqlite"), Stopwatch(), {}, {}).at_wire("entry")


def decisions_of(folder: Path) -> list[dict[str, str]]:
    """Return a run's decisions."""
    with (folder / "decisions.csv").open(newline="") as lines:
        return list(csv.DictReader(lines))


@contextmanager
def crowd(folder: Path, pollers: int, slow: int) -> Iterator[dict[str, Any]]:
    """Have clients in a process of their own on the page of a run, as soon as it has one.

    Yields a dictionary that holds what they saw once the block has been left.
    """
    seen: dict[str, Any] = {}
    over = threading.Event()

    def run() -> None:
        url = ""
        while not url and not over.wait(_LOOK_SECONDS):
            url = _page_of(folder)
        if not url:  # the run has ended before it had a page; its error tells
            return
        clients = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.status_crowd", url, str(pollers), str(slow)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        with clients:
            over.wait()
            seen.update(json.loads(clients.communicate()[0]))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def _page_of(folder: Path) -> str:
    """Return where the page of a run is, empty while there is none."""
    log = folder / "live.log"
    for line in log.read_text().splitlines() if log.exists() else ():
        if '"status_page"' in line:
            return str(json.loads(line)["url"])
    return ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.status_load", description=__doc__)
    parser.add_argument("--only", choices=("page", "alerts"), help="measure one of the two")
    parser.add_argument("--speed", type=float, default=120.0, help="times real time (default 120)")
    parser.add_argument("--minutes", type=int, default=375, help="alerts: of the market (default 375)")
    parser.add_argument("--pollers", type=int, default=200, help="that ask each second (default 200)")
    parser.add_argument("--slow", type=int, default=50, help="that read a byte a second (default 50)")
    parser.add_argument("--rounds", type=int, default=1, help="pairs of days (default 1)")
    return parser


if __name__ == "__main__":
    main()
