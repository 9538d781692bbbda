"""Parts of the cash: they add up to one, follow from sessions that are over, and are those of the library."""

from __future__ import annotations

import datetime as dt
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.errors import DataError, SettingsError
from strategies.allocation import Allocation, shares_of
from strategies.allocation_settings import AllocationSettings
from strategies.session_returns import RollingCorrelation, session_returns
from tests.strategies.several_cases import side_by_side, two_frames, two_settings

NAMES = ["NIFTY", "BANKNIFTY", "FINNIFTY"]


def returns_of(sessions=90, seed=3, deviations=(0.01, 0.015, 0.02)):
    rng = np.random.default_rng(seed)
    common = rng.normal(0.0, 0.006, (sessions, 1))
    values = common + rng.normal(0.0004, deviations, (sessions, len(deviations)))
    index = pd.bdate_range("2015-01-01", periods=sessions)
    return pd.DataFrame(values, index=index, columns=NAMES[: len(deviations)])


def shares_on(allocation, day, names=NAMES):
    return [allocation.share(name, day) for name in names]


def test_nothing_is_shared_out_by_default():
    allocation = Allocation(AllocationSettings(), returns_of())
    assert shares_on(allocation, dt.date(2015, 4, 1)) == [1.0, 1.0, 1.0]
    assert allocation.periods_without_past == 0


def test_equal_parts_need_no_past():
    allocation = Allocation(AllocationSettings(kind="equal"), returns_of())
    assert shares_on(allocation, dt.date(2015, 1, 1)) == [1 / 3] * 3
    assert allocation.periods_without_past == 0


def test_inverse_volatility_by_hand():
    returns = returns_of()
    allocation = Allocation(AllocationSettings(kind="inverse_volatility", sessions=20), returns)
    monday = dt.date(2015, 4, 6)
    last = returns[returns.index < pd.Timestamp(monday)].iloc[-20:]
    inverse = [1.0 / float(np.std(last[name], ddof=1)) for name in NAMES]
    for day in (monday, monday + dt.timedelta(days=4)):
        assert shares_on(allocation, day) == pytest.approx([part / sum(inverse) for part in inverse])


@pytest.mark.parametrize(("past", "is_enough"), [(19, False), (20, True), (21, True)])
def test_with_too_few_sessions_the_parts_are_equal_and_it_is_said(past, is_enough):
    returns = returns_of(past)
    day = (returns.index[-1] + pd.Timedelta(days=7)).date()
    allocation = Allocation(AllocationSettings(kind="inverse_volatility", sessions=20), returns)
    shares = shares_on(allocation, day)
    assert (shares != [1 / 3] * 3) is is_enough
    assert allocation.periods_without_past == (0 if is_enough else 1)
    assert allocation.table()["sessions"].tolist() == [20 if is_enough else 0]


@pytest.mark.parametrize("renewed", ["daily", "weekly", "monthly"])
@settings(max_examples=20, deadline=None)
@given(place=st.integers(30, 89), seed=st.integers(0, 50))
def test_the_future_changes_no_share(renewed, place, seed):
    returns = returns_of(seed=seed)
    day = returns.index[place].date()
    changed = returns.copy()
    changed.iloc[place:] = 0.5
    chosen = AllocationSettings(kind="inverse_volatility", sessions=15, renewed=renewed)
    shares = shares_on(Allocation(chosen, returns), day)
    assert shares == shares_on(Allocation(chosen, changed), day)
    assert sum(shares) == pytest.approx(1.0)


def test_shares_are_renewed_with_the_period():
    allocation = Allocation(AllocationSettings(kind="inverse_volatility", sessions=20), returns_of())
    week = [dt.date(2015, 4, 6) + dt.timedelta(days=days) for days in range(7)]
    assert len({allocation.share("NIFTY", day) for day in week}) == 1
    assert allocation.share("NIFTY", dt.date(2015, 4, 13)) != allocation.share("NIFTY", week[0])


@pytest.mark.slow
def test_risk_parity_adds_as_much_of_each_to_the_variance():
    returns = returns_of()
    shares = shares_of(AllocationSettings(kind="risk_parity"), returns)
    contributions = shares * (np.cov(returns.T) @ shares)
    assert contributions == pytest.approx(np.full(3, contributions.mean()), rel=1e-3)
    two = returns[NAMES[:2]]
    assert shares_of(AllocationSettings(kind="risk_parity"), two) == pytest.approx(
        shares_of(AllocationSettings(kind="inverse_volatility"), two), rel=1e-3
    )


@pytest.mark.slow
@pytest.mark.parametrize("aversion", [5.0, 10.0, 1000.0])
def test_mean_variance_of_two_by_hand(aversion):
    """Of shares w and 1 - w the utility is a parabola in w."""
    returns = returns_of(deviations=(0.01, 0.015))
    (mean_a, mean_b), cov = returns.mean(), np.cov(returns.T)
    curve = cov[0, 0] + cov[1, 1] - 2.0 * cov[0, 1]
    best = (mean_a - mean_b + 2.0 * aversion * (cov[1, 1] - cov[0, 1])) / (2.0 * aversion * curve)
    expected = min(max(best, 0.0), 1.0)
    shares = shares_of(AllocationSettings(kind="mean_variance", risk_aversion=aversion), returns)
    assert shares == pytest.approx([expected, 1.0 - expected], abs=1e-3)


def test_an_instrument_that_never_moved_is_an_error():
    returns = returns_of().assign(BANKNIFTY=0.0)
    with pytest.raises(DataError, match="BANKNIFTY had the same return in each of 90 sessions"):
        shares_of(AllocationSettings(kind="inverse_volatility"), returns)


def test_the_library_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "skfolio", None)
    with pytest.raises(SettingsError, match=r"risk_parity asks for skfolio.*muhurat\[portfolio\]"):
        shares_of(AllocationSettings(kind="risk_parity"), returns_of())


def test_returns_of_sessions_are_from_open_to_close():
    frames = two_frames()
    returns = session_returns(frames)
    first = frames["NIFTY"][frames["NIFTY"].index.normalize() == frames["NIFTY"].index[0].normalize()]
    assert returns["NIFTY"].iloc[0] == first["close"].iloc[-1] / first["open"].iloc[0] - 1.0
    assert returns["BANKNIFTY"].isna().tolist().index(False) == 2
    assert np.isnan(returns["BANKNIFTY"].iloc[5])


@pytest.mark.parametrize(("past", "known"), [(59, False), (60, True), (61, True)])
def test_a_correlation_needs_its_sessions_and_looks_at_none_later(past, known):
    returns = returns_of(90)
    day = returns.index[past].date()
    correlation = RollingCorrelation(returns, 60)
    found = correlation("NIFTY", "BANKNIFTY", day)
    assert np.isnan(found) is np.bool_(not known)
    if known:
        last = returns.iloc[past - 60 : past]
        assert found == pytest.approx(np.corrcoef(last["NIFTY"], last["BANKNIFTY"])[0, 1])
        assert correlation("BANKNIFTY", "NIFTY", day) == found
        changed = returns.copy()
        changed.iloc[past:] = 0.5
        assert RollingCorrelation(changed, 60)("NIFTY", "BANKNIFTY", day) == found


def test_entries_are_sized_by_the_share():
    """Half the cash at the same risk: about half the lots."""
    by_risk = {"sizer": "risk", "risk_percent": 0.2}
    whole = side_by_side(two_frames(), two_settings(strategy=by_risk))
    half = side_by_side(two_frames(), two_settings(strategy={**by_risk, "allocation": {"kind": "equal"}}))
    for made in (whole, half):
        made.engine.run()
    first = [made.dealings["NIFTY"].journal.fills[0] for made in (whole, half)]
    assert first[0].time == first[1].time
    assert first[1].size == pytest.approx(first[0].size / 2, abs=50)
    assert len(half.allocation.table()) >= 2
