"""Small made-up runs: bars, fills and everything that follows, the same on every machine."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np
import pandas as pd

from analyzers.analysis import analyze
from analyzers.result import RunResult
from brokers.journal import Fill, Journal, OrderEvent, TradeContext

CASH = 1_000_000.0


class FlatPercent:
    """A plan of charges for tests: percent of value, at most a cap per order."""

    def __init__(self, percent: float, cap: float = float("inf")) -> None:
        self.percent, self.cap = percent, cap

    def order_charges(self, day: dt.date, size: float, price: float) -> float:
        assert day
        return min(abs(size * price) * self.percent / 100.0, self.cap)


def make_bars(sessions: int = 30, bars_per_session: int = 125, seed: int = 7) -> pd.DataFrame:
    """Return 3-minute bars of weekdays from 2020-01-01, a random walk from 12,000 on a tick of 0.05."""
    random = np.random.default_rng(seed)
    days = pd.bdate_range("2020-01-01", periods=sessions)
    starts = pd.timedelta_range("09:15:00", periods=bars_per_session, freq="3min")
    index = pd.DatetimeIndex([day + start for day in days for start in starts], name="datetime")
    count = len(index)
    close = 12_000.0 + np.cumsum(random.normal(0.0, 4.0, count))
    open_ = np.append(12_000.0, close[:-1]) + random.normal(0.0, 0.5, count)
    high = np.maximum(open_, close) + random.exponential(3.0, count)
    low = np.minimum(open_, close) - random.exponential(3.0, count)
    frame = pd.DataFrame(
        {"open": open_, "high": high, "low": low, "close": close}, index=index.tz_localize("Asia/Kolkata")
    )
    frame = (frame / 0.05).round() * 0.05
    frame["volume"] = random.integers(10, 900, count) * 75.0
    frame["open_interest"] = 1e7
    frame["complete"] = True
    return frame


def make_journal(bars: pd.DataFrame, *, edge_points: float = 0.0, seed: int = 3, every: int = 25) -> Journal:
    """Return a journal with a trade at every so many bars; an edge moves each exit by that many points."""
    random = np.random.default_rng(seed)
    journal, naive = Journal(), bars.index.tz_localize(None)
    for trade_id, bar in enumerate(range(5, len(bars) - 20, every), start=1):
        side = float(random.choice([-1.0, 1.0]))
        exit_bar = bar + int(random.integers(0, 9))
        role = str(random.choice(["target", "stop", "square_off"], p=[0.4, 0.45, 0.15]))
        reference = float(bars["open"].iloc[bar])
        leave = float(bars["close"].iloc[exit_bar]) + side * edge_points
        signal = naive[bar].to_pydatetime()
        journal.contexts.append(TradeContext(trade_id, signal, float(random.uniform(0.4, 0.8))))
        for number, when, what, units, price in (
            (2 * trade_id - 1, bar, "entry", side * 75.0, reference),
            (2 * trade_id, exit_bar, role, -side * 75.0, leave),
        ):
            slipped = price if what == "target" else price * (1.0 + 0.0002 * np.sign(units))
            time = naive[when].to_pydatetime()
            charges = FlatPercent(0.02).order_charges(time.date(), units, slipped)
            journal.fills.append(
                Fill(number, trade_id, "NIFTY", time, when, what, units, slipped, price, charges)
            )
            for state in ("submitted", "accepted", "completed"):
                journal.events.append(OrderEvent(time, number, trade_id, what, "market", state, units, price))
    for number in range(12):
        time = naive[(40 * number + 7) % len(naive)].to_pydatetime()
        rule, reason = (
            ("max_trades", "10 of 10 entries today") if number % 3 else ("cooldown", "3 losses in a row")
        )
        journal.events.append(
            OrderEvent(
                time,
                9000 + number,
                9000 + number,
                "entry",
                "market",
                "denied",
                75.0,
                12_000.0,
                0.0,
                0.0,
                rule,
                reason,
            )
        )
    journal.events.sort(key=lambda event: event.time)
    return journal


def make_windows(count: int = 3) -> list[dict[str, object]]:
    """Return walk-forward windows with plausible figures."""
    random = np.random.default_rng(11)
    names = [
        "return_zscore",
        "volume_ratio_20",
        "vwap_distance",
        "ema_cross",
        "ema_slope",
        "rsi_14",
        "hour_sin",
    ]
    windows = []
    for number in range(count):
        shares = random.dirichlet(np.full(len(names), 1.3))
        first = pd.Timestamp("2018-01-01") + pd.DateOffset(months=3 * number)
        windows.append(
            {
                "train_first": first.isoformat(),
                "train_last": (first + pd.DateOffset(months=24)).isoformat(),
                "test_first": (first + pd.DateOffset(months=24, days=1)).isoformat(),
                "test_last": (first + pd.DateOffset(months=27)).isoformat(),
                "rows_train": 60_000,
                "rows_test": 7_400,
                "accuracy": 0.41 + 0.03 * float(random.random()),
                "log_loss": 1.07,
                "brier": 0.64,
                "confusion": (random.integers(200, 900, (3, 3)) + 700 * np.eye(3, dtype=int)).tolist(),
                "calibration": [
                    {"predicted": p, "observed": p * 0.7 + 0.1, "count": int(900 * (1 - p))}
                    for p in np.arange(0.15, 0.9, 0.1)
                ],
                "importance": dict(zip(names, shares.tolist(), strict=True)),
                "unseen_importance": {
                    "permutation": dict(zip(names, (0.02 * shares - 0.001).tolist(), strict=True)),
                    "shap": dict(zip(names, (0.1 * shares).tolist(), strict=True)),
                },
            }
        )
    return windows


def make_result(
    *,
    sessions: int = 30,
    edge_points: float = 0.0,
    synthetic: bool = True,
    journal: Journal | None = None,
    arms: Sequence[str] = (),
) -> RunResult:
    """Return a whole run."""
    bars = make_bars(sessions)
    kept = make_journal(bars, edge_points=edge_points) if journal is None else journal
    analysis = analyze(
        kept,
        bars,
        CASH,
        plan=FlatPercent(0.03),
        today_rates_date=dt.date(2026, 4, 1),
        trials=[0.3, -0.4],
        arms=arms,
    )
    return RunResult(
        instrument="NIFTY",
        strategy="ml",
        bars=bars,
        bar_minutes=3,
        events=kept.events,
        starting_cash=CASH,
        settings={"broker": {"starting_cash": CASH, "kite": {"api_key": "••••"}}, "risk": {"max_trades": 10}},
        data={
            "source": "synthetic (seed 7)" if synthetic else "bars.parquet",
            "sha256": "ab" * 32,
            "first": bars.index[0].isoformat(),
            "last": bars.index[-1].isoformat(),
            "bars": len(bars),
            "sessions": sessions,
            "rejects": 0,
            "missing_sessions": ["2020-01-15"],
            "synthetic": synthetic,
        },
        model={
            "name": "xgboost",
            "features": ["return_zscore", "rsi_14"],
            "label": "3 bars, ±0.1 %",
            "trials": 3,
        },
        windows=make_windows(),
        risk_rules=[
            ("max_trades", "at most 10 entries a day"),
            ("cooldown", "30 minutes after 3 losses in a row"),
        ],
        assumptions=["A decision at a bar's close fills no earlier than the next bar."],
        timing={"load": 0.4, "train": 12.5, "run": 1.2, "bars_per_second": 101_000.0},
        warnings=["1 session of the calendar is missing from the data."],
        **analysis._asdict(),
    )
