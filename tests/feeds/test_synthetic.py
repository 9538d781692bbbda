"""The synthetic market: sound bars, known statistics, and an edge exactly where one is asked for."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from feeds.bars import aggregate, check_frame, detect_bar_minutes
from feeds.calendar import TradingCalendar
from feeds.contracts import contract_for, tick_of
from feeds.errors import SettingsError
from feeds.settings import SyntheticSettings
from feeds.sources.synthetic import PATTERN_MINUTES, PAYOFF_MINUTES, make_bars


@pytest.fixture(scope="module")
def calendar() -> TradingCalendar:
    return TradingCalendar()


@pytest.fixture(scope="module")
def bars(calendar) -> pd.DataFrame:
    return make_bars(SyntheticSettings(), calendar)


def digest(frame: pd.DataFrame) -> str:
    return hashlib.sha256(frame.to_numpy(dtype=float).tobytes() + frame.index.asi8.tobytes()).hexdigest()


def minute_returns(frame: pd.DataFrame) -> pd.Series:
    """Close-to-close log returns inside sessions, NaN at each session's first bar."""
    day = frame.index.normalize()
    returns = np.log(frame["close"]).diff()
    returns[np.append(True, day[1:] != day[:-1])] = np.nan
    return returns


def is_first(frame: pd.DataFrame) -> np.ndarray:
    day = frame.index.normalize()
    return np.append(True, day[1:] != day[:-1])


def test_every_minute_of_every_session_is_there(bars, calendar):
    check_frame(bars)
    assert detect_bar_minutes(bars.index) == 1
    sessions = calendar.sessions(bars.index[0].date(), bars.index[-1].date())
    assert len(sessions) == 750
    assert len(bars) == sum(session.minutes for session in sessions)
    assert calendar.locate(bars.index).in_session.all()
    assert aggregate(bars, 3, calendar)["complete"].all()


def test_the_default_run_meets_muhurat_sessions_and_a_saturday_in_two_parts(bars):
    muhurat = bars.loc["2023-11-12"]
    assert (len(muhurat), str(muhurat.index[0].time())) == (60, "18:15:00")
    saturday = bars.loc["2024-03-02"]
    assert len(saturday) == 105
    assert str(saturday.index[45].time()) == "11:30:00"


def test_prices_are_on_the_tick_and_sizes_on_the_lot_of_the_day(bars, calendar):
    for _, day in bars.groupby(bars.index.normalize()):
        date = day.index[0].date()
        tick = tick_of("NIFTY", date)
        prices = day[["open", "high", "low", "close"]].to_numpy() / tick
        assert np.abs(prices - np.rint(prices)).max() < 1e-6
        lot = contract_for("NIFTY", date, calendar).lot
        assert (day["volume"] % lot == 0).all()
        assert (day["open_interest"] % lot == 0).all()
    assert (bars["volume"] > 0).all()


def test_both_ticks_of_the_tables_occur(bars):
    # 0.05 until 2025-04-14, 0.10 from the next day on.
    cents = np.rint(bars["close"].to_numpy() * 100).astype(int)
    late = bars.index >= pd.Timestamp("2025-04-15", tz="Asia/Kolkata")
    assert (cents[~late] % 10 == 5).any()
    assert (cents[late] % 10 == 0).all()


def test_prices_have_no_float_dust(bars):
    assert (bars["close"] == bars["close"].round(2)).all()


def test_the_same_settings_give_the_same_bars_to_the_last_bit(bars, calendar):
    assert digest(make_bars(SyntheticSettings(), calendar)) == digest(bars)
    assert digest(make_bars(SyntheticSettings(seed=8), calendar)) != digest(bars)


def test_the_hash_seed_of_python_changes_nothing(calendar):
    script = """
        import hashlib
        from feeds.calendar import TradingCalendar
        from feeds.settings import SyntheticSettings
        from feeds.sources.synthetic import make_bars
        frame = make_bars(SyntheticSettings(sessions=30, edge="momentum"), TradingCalendar())
        print(hashlib.sha256(frame.to_numpy(dtype=float).tobytes() + frame.index.asi8.tobytes()).hexdigest())
    """
    root = Path(__file__).resolve().parents[2]
    printed = {
        subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script)],
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for seed in ("0", "1")
    }
    assert printed == {digest(make_bars(SyntheticSettings(sessions=30, edge="momentum"), calendar))}


def test_a_longer_run_begins_with_the_shorter_one(calendar):
    short = make_bars(SyntheticSettings(sessions=40), calendar)
    long = make_bars(SyntheticSettings(sessions=60), calendar)
    pd.testing.assert_frame_equal(long.iloc[: len(short)], short, check_exact=True)


def test_one_session(calendar):
    frame = make_bars(SyntheticSettings(sessions=1, first_date=dt.date(2024, 11, 1)), calendar)
    assert len(frame) == 60  # Muhurat
    assert frame["open"].iloc[0] == 18_000.0


@pytest.mark.parametrize("first_date", [dt.date(2026, 1, 1), dt.date(2030, 1, 1)])
def test_more_sessions_than_the_calendar_has(calendar, first_date):
    with pytest.raises(SettingsError, match=r"data\.synthetic\.sessions is 4000, but the calendar"):
        make_bars(SyntheticSettings(sessions=4000, first_date=first_date), _with_known_hours())


def _with_known_hours() -> TradingCalendar:
    return TradingCalendar(extra_sessions={dt.date(2026, 11, 8): "18:00-19:00"})


def test_volatility_is_what_the_settings_say(calendar):
    daily = []
    for seed in range(6):
        frame = make_bars(SyntheticSettings(seed=seed, edge_probability=0), calendar)
        closes = frame["close"].groupby(frame.index.normalize()).last()
        daily.append(np.log(closes).diff().var())
    assert np.sqrt(np.mean(daily) * 250) * 100 == pytest.approx(14.0, rel=0.08)


def test_volume_and_volatility_are_u_shaped(bars):
    minute = bars.index.hour * 60 + bars.index.minute - 555
    absolute = minute_returns(bars).abs().groupby(minute).mean()
    volume = bars["volume"].groupby(minute).mean()
    for shape in (absolute, volume):
        morning, noon, evening = (shape.loc[a:b].mean() for a, b in ((1, 15), (150, 220), (335, 365)))
        assert morning > 1.4 * noon
        assert evening > 1.2 * noon


def test_tails_are_fat_and_volatility_clusters(bars):
    returns = minute_returns(bars).dropna()
    assert returns.kurt() > 3
    absolute = returns.abs()
    assert absolute.autocorr(1) > 0.1
    assert absolute.autocorr(30) > 0.05


def test_open_interest_runs_down_before_the_expiry(bars, calendar):
    expiry = contract_for("NIFTY", dt.date(2024, 6, 3), calendar).expiry
    last = bars.loc[str(expiry), "open_interest"].iloc[-1]
    after = bars.loc[str(calendar.next_session(expiry).date), "open_interest"].iloc[0]
    assert last < 0.7 * after


def test_the_price_jumps_by_the_carry_the_morning_after_an_expiry(bars, calendar):
    first = is_first(bars)
    gaps = np.log(bars["open"].to_numpy()[first][1:] / bars["close"].to_numpy()[np.append(first[1:], False)])
    dates = [stamp.date() for stamp in bars.index[first]]
    months = np.array([contract_for("NIFTY", date, calendar).month for date in dates])
    rolled = months[1:] != months[:-1]
    assert rolled.sum() in (35, 36, 37)
    noise = gaps[~rolled].std()
    assert gaps[rolled].mean() == pytest.approx(0.005, abs=3 * noise / np.sqrt(rolled.sum()))
    assert abs(gaps[~rolled].mean()) < 3 * noise / np.sqrt((~rolled).sum())


@pytest.mark.parametrize("bar_minutes", [1, 3])
def test_without_an_edge_returns_are_a_martingale(calendar, bar_minutes):
    # Studentised by the square root of the summed squared products, which fat tails do not upset.
    for lag in (1, 2, 3, 5, 9):
        scores = []
        for seed in range(8):
            frame = make_bars(SyntheticSettings(seed=seed, sessions=200), calendar)
            frame = aggregate(frame, bar_minutes, calendar)
            returns = minute_returns(frame).to_numpy()
            product = (returns[lag:] * returns[:-lag])[np.isfinite(returns[lag:] * returns[:-lag])]
            scores.append(product.sum() / np.sqrt((product**2).sum()))
        assert abs(np.sum(scores)) / np.sqrt(len(scores)) < 4.0, (lag, scores)


def returns_after_pattern(settings: SyntheticSettings, calendar: TradingCalendar) -> np.ndarray:
    """Return of the payoff window in the pattern's direction, as a trader would see the pattern, bps."""
    frame = aggregate(make_bars(settings, calendar), PATTERN_MINUTES, calendar)
    horizon = PAYOFF_MINUTES // PATTERN_MINUTES
    returns = minute_returns(frame)
    ratio = frame["volume"] / frame["volume"].rolling(20).mean()
    score = returns / returns.rolling(20).std()
    ahead = np.log(frame["close"].shift(-horizon) / frame["close"]) * 1e4
    day = pd.Series(frame.index.normalize(), index=frame.index)
    seen = (ratio >= 3) & (score.abs() >= 1.5) & (day.shift(-horizon) == day)
    return (ahead * np.sign(score))[seen].to_numpy()


def test_the_planted_edge_pays_more_than_its_costs_and_is_absent_without_it(calendar):
    for seed in (1, 2, 3):
        with_edge = returns_after_pattern(SyntheticSettings(seed=seed, edge="momentum"), calendar)
        without = returns_after_pattern(SyntheticSettings(seed=seed, edge="none"), calendar)
        assert len(with_edge) > 800
        error = with_edge.std() / np.sqrt(len(with_edge))
        assert with_edge.mean() - 4 * error > 15.0  # the 20 bps of the default, less false alarms
        assert abs(without.mean()) < 4 * without.std() / np.sqrt(len(without))


def test_an_edge_changes_nothing_before_its_first_payoff(calendar):
    plain = make_bars(SyntheticSettings(sessions=20, edge="none"), calendar)
    edged = make_bars(SyntheticSettings(sessions=20, edge="momentum"), calendar)
    np.testing.assert_array_equal(plain["volume"], edged["volume"])
    differs = np.flatnonzero(plain["close"].to_numpy() != edged["close"].to_numpy())
    assert len(differs) > 0
    pattern = plain["volume"].iloc[differs[0] - PATTERN_MINUTES : differs[0]]
    assert (pattern > 2 * plain["volume"].iloc[differs[0] : differs[0] + PAYOFF_MINUTES].mean()).all()


def test_an_edge_of_nothing_is_no_edge(calendar):
    plain = make_bars(SyntheticSettings(sessions=20, edge="none"), calendar)
    edged = make_bars(SyntheticSettings(sessions=20, edge="momentum", edge_bps=0), calendar)
    pd.testing.assert_frame_equal(plain, edged, check_exact=True)
