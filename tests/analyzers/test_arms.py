"""The judgement of arms: figures, intervals, and a comparison that is right about chance."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from analyzers.arms import judge_arms
from analyzers.report.build import render_report
from analyzers.settings import ReportSettings
from analyzers.trades import TRADE_COLUMNS
from analyzers.writer import summary, write_run
from tests.analyzers.examples import make_bars, make_journal, make_result

SETTINGS = ReportSettings(bootstrap_samples=500)
TODAY = pd.Timestamp("2024-01-01 10:00", tz="Asia/Kolkata")


def trades_of(sessions, *, mean=(0.0, 0.0), seed=0, lots=(1, 1), each=2, weather=0.0):
    """Return trades of arms a and b, so many a session each; basis points, of which 20 are the spread."""
    draw = np.random.default_rng(seed)
    rows = []
    for session in range(sessions):
        common = weather * draw.standard_normal()
        for name, bps, size in zip("ab", mean, lots, strict=True):
            for _ in range(each):
                net = bps + 20.0 * draw.standard_normal() + common
                rows.append((name, TODAY + pd.Timedelta(days=session), 75.0 * size, net))
    frame = pd.DataFrame(rows, columns=["arm", "entry_time", "size", "net_pnl"])
    frame["size"] *= draw.choice([-1.0, 1.0], len(frame))
    frame["entry_price"] = 20_000.0
    frame["net_pnl"] *= frame["size"].abs() * frame["entry_price"] / 1e4
    frame["gross_pnl"] = frame["net_pnl"] + 100.0
    return frame


def judged(trades, names=("a", "b"), **settings):
    return judge_arms(trades, names, SETTINGS.model_copy(update=settings))


def test_without_arms_there_is_nothing_to_judge():
    assert judge_arms(trades_of(30), (), SETTINGS) is None


def test_figures_of_each_arm():
    trades = trades_of(30, lots=(1, 3))
    result = judged(trades)
    for arm in result.arms:
        own = trades[trades["arm"] == arm.name]
        assert (arm.trades, arm.sessions) == (60, 30)
        assert arm.net_pnl == pytest.approx(own["net_pnl"].sum())
        assert arm.gross_pnl - arm.net_pnl == pytest.approx(6_000.0)
        assert arm.net_low < arm.net_per_trade < arm.net_high
        assert arm.win_rate == pytest.approx((own["net_pnl"] > 0).mean())
    assert json.loads(json.dumps(result.as_dict(), allow_nan=False))["arms"][0]["name"] == "a"


def test_a_better_arm_is_found_in_the_order_of_the_settings():
    trades = trades_of(60, mean=(15.0, 0.0))
    (better,) = judged(trades).comparisons
    assert (better.first, better.second, better.label) == ("a", "b", "better")
    assert better.low_bps > 0
    assert better.difference_bps == pytest.approx(15.0, abs=6.0)
    (worse,) = judged(trades, ("b", "a")).comparisons
    assert (worse.first, worse.label) == ("b", "not shown to be better")
    assert worse.p_value > 0.9
    assert "\N{MINUS SIGN}" in worse.words


def test_more_lots_are_not_better():
    (comparison,) = judged(trades_of(60, mean=(3.0, 3.0), lots=(10, 1))).comparisons
    assert comparison.label == "not shown to be better"
    assert abs(comparison.difference_bps) < 10.0


def test_chance_is_seldom_taken_for_skill():
    """At 95 % one in twenty; the days' weather, which both arms share, must not make it more."""
    found = sum(
        judged(trades_of(40, seed=seed, weather=30.0)).comparisons[0].label == "better" for seed in range(200)
    )
    assert found <= 20  # 10 expected; more than 20 has a chance of one in a thousand


def test_days_that_both_share_do_not_hide_a_difference():
    """Paired by session: the weather falls out of the difference."""
    (comparison,) = judged(trades_of(60, mean=(12.0, 0.0), weather=200.0)).comparisons
    assert comparison.label == "better"
    assert judged(trades_of(60, mean=(12.0, 0.0), weather=200.0)).arms[0].net_low < 0


@pytest.mark.parametrize(
    ("trades", "sessions", "enough"), [(59, 29, True), (60, 30, True), (60, 31, False), (61, 30, False)]
)
def test_too_few_trades_or_sessions_of_either_arm(trades, sessions, enough):
    result = judged(trades_of(30), minimum_trades=trades, minimum_sessions=sessions)
    assert (result.comparisons[0].label != "too few trades") is enough
    assert (result.arms[0].net_low is not None) is enough


def test_an_arm_that_never_traded_is_shown():
    trades = trades_of(30)
    result = judged(trades[trades["arm"] == "a"])
    assert [arm.trades for arm in result.arms] == [60, 0]
    assert result.arms[1].win_rate is None
    assert result.comparisons[0].label == "too few trades"
    assert "b 0 in 0 sessions" in result.comparisons[0].words


def test_no_trades_at_all():
    empty = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in TRADE_COLUMNS.items()})
    result = judged(empty)
    assert [arm.trades for arm in result.arms] == [0, 0]
    assert result.comparisons[0].label == "too few trades"


def test_an_arm_of_before_a_restart_is_shown_too():
    assert [arm.name for arm in judged(trades_of(30), ("b",)).arms] == ["b", "a"]


def test_with_more_arms_each_comparison_has_to_be_surer():
    trades = trades_of(30)
    third = trades[trades["arm"] == "b"].assign(arm="c")
    comparisons = judged(pd.concat([trades, third]), ("a", "b", "c")).comparisons
    assert [(one.first, one.second) for one in comparisons] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert "at most 0.0167" in comparisons[0].words


def test_the_same_trades_get_the_same_answer():
    assert judged(trades_of(40)) == judged(trades_of(40))


# -- in the files of a run ---------------------------------------------------------------------------------


def run_with_arms():
    bars = make_bars(60)
    journal = make_journal(bars)
    journal.contexts = [context._replace(arm="ab"[context.trade_id % 2]) for context in journal.contexts]
    return make_result(sessions=60, journal=journal, arms=("a", "b"))


def test_the_report_shows_arms_where_there_are_any():
    page = render_report(run_with_arms(), embedded_bars=0)
    assert 'id="arms"' in page
    assert "better than b" in page
    assert 'id="arms"' not in render_report(make_result(), embedded_bars=0)


def test_arms_are_in_the_files_and_not_in_the_fingerprint(tmp_path):
    with_arms, without = run_with_arms(), make_result(sessions=60)
    assert with_arms.fingerprint == without.fingerprint
    assert summary(without)["arms"] is None
    folder = write_run(with_arms, tmp_path / "run", ReportSettings(tearsheet=False))
    found = pd.read_csv(folder / "trades.csv", keep_default_na=False)
    assert set(found["arm"]) == {"a", "b"}
    told = json.loads((folder / "summary.json").read_text())["arms"]
    assert [arm["trades"] for arm in told["arms"]] == found["arm"].value_counts().loc[["a", "b"]].tolist()
