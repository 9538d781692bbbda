"""The files of a live day: the same as a backtest's, from what the journal holds."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from analyzers.analysis import analyze
from analyzers.parity.files import BARS_FILE, read_bars, write_fills
from analyzers.result import RunResult
from analyzers.trades import open_trade_ids
from analyzers.writer import write_run
from brokers.charges import latest_date
from brokers.journal import Fill, Journal
from brokers.settings import make_charges
from feeds.calendar import TradingCalendar
from feeds.errors import MuhuratError
from feeds.terms import DatedTerms
from strategies.live_accounts import Account
from strategies.modelling import PreparedModel
from strategies.plugins import PLUGIN_BUGS, plugin_of
from strategies.settings import Settings
from strategies.why import explained_trades

__all__ = ["fills_on_bars", "write_day"]


def write_day(
    settings: Settings,
    account: Account,
    model: PreparedModel | None,
    folder: Path,
    calendar: TradingCalendar,
    *,
    day: dt.date,
    mode: str,
    synthetic: bool,
    model_is_synthetic: bool = False,
) -> bool:
    """Write summary, trades, orders, equity, tearsheet and report beside the day's recordings.

    Returns
    -------
    bool
        False where the day had no bar of its own, so that there is nothing to report.
    """
    if not (folder / BARS_FILE).stat().st_size:  # ended before the first bar
        return False
    recorded = read_bars(folder / BARS_FILE)
    frame = recorded.loc[recorded.index >= pd.Timestamp(day, tz="Asia/Kolkata")].drop(
        columns=["origin", "end"]
    )
    if frame.empty:
        return False
    journal = Journal()
    journal.events, journal.contexts = account.journal.events, account.journal.contexts
    placed = fills_on_bars(account.journal.fills, frame)
    journal.fills = sorted(placed, key=lambda fill: fill.bar)
    today = latest_date()
    cash = settings.broker.starting_cash
    analysis = analyze(
        journal,
        frame,
        cash,
        plan=make_charges(settings.broker),
        today_rates_date=today,
        largest_order_today=DatedTerms(settings.market, calendar)(today).largest_order,
        settings=settings.report,
        arms=plugin_of(settings.strategy).arm_names,
    )
    predictor = None if model is None else model.predictor
    with contextlib.suppress(MuhuratError, *PLUGIN_BUGS):  # told at each entry; the report is worth more
        analysis = analysis._replace(trades=explained_trades(analysis.trades, predictor, recorded))
    result = RunResult(
        **analysis._asdict(),
        instrument=settings.market.instrument,
        strategy=settings.strategy.name,
        bars=frame,
        bar_minutes=settings.data.bar_minutes,
        events=journal.events,
        starting_cash=cash,
        settings=settings.model_dump(mode="json"),
        data={
            "source": f"{mode} day",
            "sha256": hashlib.sha256((folder / BARS_FILE).read_bytes()).hexdigest(),
            "first": frame.index[0].isoformat(),
            "last": frame.index[-1].isoformat(),
            "bars": len(frame),
            "sessions": 1,
            "rejects": 0,
            "missing_sessions": [],
            "incomplete_bars": int(np.count_nonzero(~frame["complete"])),
            "synthetic": synthetic,
            "starting_cash": cash,
            "mode": mode,
        },
        model=None if model is None else model.info | {"trials": 1},
        risk_rules=[(rule.name, rule.describe()) for rule in account.gate.rules],
        assumptions=_assumptions(mode),
        warnings=_warnings(journal, mode, synthetic=synthetic, model_is_synthetic=model_is_synthetic),
    )
    timed = zip(account.timed_fills, placed, strict=True)
    write_fills(folder, [one._replace(fill=one.fill._replace(bar=on_bar.bar)) for one, on_bar in timed])
    _move_into(write_run(result, folder / ".report", settings.report), folder)
    return True


def fills_on_bars(fills: list[Fill], bars: pd.DataFrame) -> list[Fill]:
    """Return the fills, in their order, with the number and START of the bar they happened in.

    A fill between two bars, or after the last, counts to the one before it.
    """
    starts = pd.DatetimeIndex(bars.index).tz_localize(None).as_unit("us").to_numpy()
    times = np.array([fill.time for fill in fills], dtype="datetime64[us]")
    numbers = np.clip(np.searchsorted(starts, times, side="right") - 1, 0, len(bars) - 1)
    return [
        fill._replace(bar=int(number), time=starts[number].astype("datetime64[us]").item())
        for fill, number in zip(fills, numbers, strict=True)
    ]


def _move_into(made: Path, folder: Path) -> None:
    """Move each file over an older one of the same name, whole."""
    for file in sorted(made.iterdir()):
        file.replace(folder / file.name)
    shutil.rmtree(made)


def _assumptions(mode: str) -> list[str]:
    if mode == "paper":
        return ["Paper trading: live bars, simulated orders; what fills when is as in a backtest."]
    where = "a sandbox exchange of our own" if mode == "demo" else "the exchange"
    return [
        f"Orders, fills and prices are those of {where}; charges are computed from the dated table.",
        "Slippage is measured against the last price when the order was sent, for stops and targets "
        "against their own price; it may be negative.",
    ]


def _warnings(journal: Journal, mode: str, *, synthetic: bool, model_is_synthetic: bool) -> list[str]:
    said = ["One day proves nothing about a strategy."]
    if mode == "demo":
        said.append("A demo: no order left this machine.")
    if synthetic:
        said.append("Synthetic ticks: made up, they prove nothing about a market.")
    if model_is_synthetic:
        said.append("The model was trained on synthetic bars: it knows nothing about a market.")
    left = open_trade_ids(journal.fills)
    if left:
        said.append(f"Still open at the end, and not among the trades: {', '.join(map(str, left))}.")
    return said
