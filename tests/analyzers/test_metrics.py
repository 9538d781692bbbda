from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest

from analyzers.equity import daily_returns, equity_frame
from analyzers.figures import FIGURES
from analyzers.luck import random_entry_figures, sharpe_figures
from analyzers.metrics import compute_metrics
from analyzers.settings import ReportSettings
from analyzers.sharpe import annual_sharpe, expected_maximum_sharpe, probabilistic_sharpe
from analyzers.trades import trades_frame
from brokers.journal import Journal
from tests.analyzers.examples import CASH, make_bars, make_journal

BARS = make_bars(sessions=60)


def figures_of(journal, trials=(), cash=CASH):
    trades = trades_frame(journal.fills, journal.contexts, BARS)
    equity = equity_frame(journal.fills, BARS, cash)
    return trades, equity, compute_metrics(trades, equity, cash, trials)


@pytest.mark.parametrize("edge_points", [-20.0, 5.0, 9.0])
def test_the_ratios_agree_with_quantstats(edge_points):
    import quantstats.stats

    _, equity, metrics = figures_of(make_journal(BARS, edge_points=edge_points))
    returns = daily_returns(equity, CASH).returns
    theirs = {
        "sharpe": quantstats.stats.sharpe(returns),
        "sortino": quantstats.stats.sortino(returns),
        "calmar": quantstats.stats.calmar(returns),
        "var_95": quantstats.stats.value_at_risk(returns),
        "cvar_95": quantstats.stats.conditional_value_at_risk(returns),
        "cagr_pct": 100.0 * quantstats.stats.cagr(returns),
        "volatility_pct": 100.0 * quantstats.stats.volatility(returns),
        "max_drawdown_daily_pct": -100.0 * quantstats.stats.max_drawdown(returns),
        "probabilistic_sharpe": quantstats.stats.probabilistic_sharpe_ratio(returns),
    }
    for name, value in theirs.items():
        # their skewness and kurtosis are the unbiased ones, ours the plain moments of the paper
        tolerance = 0.02 if name == "probabilistic_sharpe" else 1e-9
        assert metrics[name] == pytest.approx(float(value), rel=tolerance, abs=tolerance), name


def test_money_adds_up():
    trades, equity, metrics = figures_of(make_journal(BARS, edge_points=9.0))
    assert metrics["net_pnl"] == pytest.approx(
        metrics["gross_pnl"] - metrics["slippage_cost"] - metrics["charges"], abs=0.005
    )
    assert metrics["final_value"] == pytest.approx(CASH + metrics["net_pnl"], abs=0.005)
    assert metrics["gross_edge_bps"] - metrics["cost_bps"] == pytest.approx(metrics["net_edge_bps"])
    assert metrics["long_net_pnl"] + metrics["short_net_pnl"] == pytest.approx(metrics["net_pnl"])
    assert metrics["long_trades"] + metrics["short_trades"] == metrics["trades"] == len(trades)
    assert metrics["exposure"] == np.mean(equity["position"] != 0.0)


@pytest.mark.parametrize("edge_points", [-5.0, 5.0, 8.0, 8.5, 9.0, 20.0])
def test_the_run_earns_exactly_when_the_win_rate_is_above_break_even(edge_points):
    _, _, metrics = figures_of(make_journal(BARS, edge_points=edge_points))
    assert (metrics["win_rate"] > metrics["breakeven_hit_rate"]) == (metrics["net_pnl"] > 0.0)


def test_figures_of_trades_by_hand():
    net = [100.0, -50.0, -50.0, -20.0, 0.0, 40.0]
    trades = trades_frame([], [], BARS).reindex(range(len(net)))
    trades = trades.assign(net_pnl=net, gross_pnl=[n + 1.0 for n in net], size=1.0, entry_price=100.0)
    trades = trades.assign(
        side=["long", "short"] * 3, bars_held=2, slippage_cost=0.5, charges=0.5, mae=0.0, mfe=0.0
    )
    metrics = compute_metrics(trades, equity_frame([], BARS, CASH), CASH)
    assert metrics["win_rate"] == 2 / 6
    assert metrics["profit_factor"] == pytest.approx(140.0 / 120.0)
    assert metrics["longest_losing_streak"] == 3
    assert metrics["longest_winning_streak"] == 1
    assert metrics["average_win"] == 70.0
    assert metrics["average_loss"] == -40.0
    assert metrics["breakeven_hit_rate"] == pytest.approx(40.0 / 110.0)
    assert metrics["gross_win_rate"] == 3 / 6
    assert metrics["cost_bps"] == pytest.approx(100.0)


def test_the_drawdown_is_taken_from_every_bar_and_from_the_starting_cash():
    index = pd.date_range("2020-01-01 09:15", periods=4, freq="3min", tz="Asia/Kolkata", name="datetime")
    equity = pd.DataFrame({"cash": 0.0, "value": [90.0, 120.0, 96.0, 130.0], "position": 0.0}, index=index)
    metrics = compute_metrics(trades_frame([], [], BARS), equity, 100.0)
    assert metrics["max_drawdown"] == 24.0
    assert metrics["max_drawdown_pct"] == pytest.approx(20.0)
    assert metrics["max_drawdown_daily_pct"] == 0.0


@pytest.mark.parametrize("trades", [0, 1])
def test_what_is_not_defined_is_none_and_never_nan(trades):
    whole = make_journal(BARS)
    journal = Journal()
    journal.fills, journal.contexts = whole.fills[: 2 * trades], whole.contexts[:trades]
    _, _, metrics = figures_of(journal)
    assert metrics["trades"] == trades
    for name in ("sharpe", "sortino", "calmar", "var_95", "cvar_95", "deflated_sharpe", "breakeven_hit_rate"):
        assert metrics[name] is None, name
    json.dumps(metrics, allow_nan=False)


def test_every_metric_can_be_written_as_json_and_every_figure_is_a_metric():
    for journal in (Journal(), make_journal(BARS), make_journal(BARS, edge_points=50.0)):
        trades, equity, metrics = figures_of(journal)
        metrics |= random_entry_figures(trades, BARS, ReportSettings())
        metrics |= sharpe_figures(equity, CASH, ReportSettings())
        json.dumps(metrics, allow_nan=False)
        assert {figure.key for _, group in FIGURES for figure in group} <= set(metrics)


def test_an_account_that_was_wiped_out_is_named_and_has_no_ratios():
    _, _, metrics = figures_of(make_journal(BARS), cash=60_000.0)
    assert metrics["ruined_on"] is not None
    assert metrics["max_drawdown_pct"] > 100.0
    assert metrics["sharpe"] is metrics["sortino"] is metrics["volatility_pct"] is None
    json.dumps(metrics, allow_nan=False)


def test_more_trials_deflate_the_sharpe_ratio():
    journal = make_journal(BARS, edge_points=9.0)
    alone = figures_of(journal)[2]
    many = figures_of(journal, trials=[1.0, -2.0, 0.5, 3.0, -1.0] * 8)[2]
    assert alone["deflated_sharpe"] == alone["probabilistic_sharpe"]
    assert many["trials"] == 41
    assert many["deflated_sharpe"] < alone["deflated_sharpe"]
    assert many["luckiest_trial_sharpe"] > 0.0


def test_trials_without_a_sharpe_ratio_count():
    journal = make_journal(BARS, edge_points=9.0)
    known = [1.0, -2.0, 0.5, 3.0, -1.0]
    few, more = (figures_of(journal, trials=known + [None] * count)[2] for count in (0, 30))
    assert (few["trials"], more["trials"]) == (6, 36)
    assert more["luckiest_trial_sharpe"] > few["luckiest_trial_sharpe"] > 0.0
    # Of one that varies nothing is known; worthless ones differ by chance
    one, ten = (figures_of(journal, trials=[None] * count)[2] for count in (0, 9))
    assert one["luckiest_trial_sharpe"] == 0.0
    assert ten["deflated_sharpe"] < one["deflated_sharpe"]


def test_the_luckiest_of_unknown_trials_is_that_of_chance():
    random = np.random.default_rng(8)
    best = [
        max(annual_sharpe(returns) for returns in random.standard_normal((10, 120)) * 0.01)
        for _ in range(600)
    ]
    assert expected_maximum_sharpe([0.3] + [None] * 9, 120) == pytest.approx(np.mean(best), rel=0.05)


def test_the_example_of_the_deflated_sharpe_paper():
    """Bailey and López de Prado (2014), page 9: 100 trials, variance 1/2, luckiest 0.1132 per day."""
    spread = np.sqrt(0.5)
    trials = np.tile([spread, -spread], 50) * np.sqrt(99 / 100)  # sample variance 1/2 exactly
    luckiest = expected_maximum_sharpe(trials.tolist(), 250)
    assert luckiest / math.sqrt(250) == pytest.approx(0.1132, abs=5e-4)


def test_the_luckiest_of_worthless_trials_is_about_what_is_expected():
    random = np.random.default_rng(5)
    best = [random.normal(0.0, 2.0, 50).max() for _ in range(4000)]
    trials = random.normal(0.0, 2.0, 50)
    trials = (trials - trials.mean()) / trials.std(ddof=1) * 2.0
    assert expected_maximum_sharpe(trials.tolist(), 250) == pytest.approx(np.mean(best), rel=0.03)


def test_the_probability_of_a_sharpe_ratio_is_honest():
    """Among worthless series, about one in twenty reaches 95 %."""
    random = np.random.default_rng(1)
    odds = [probabilistic_sharpe(random.standard_t(5, 250) * 0.01) for _ in range(2000)]
    assert np.mean(np.array(odds) > 0.95) == pytest.approx(0.05, abs=0.015)


def test_sharpe_is_not_defined_without_variation():
    assert annual_sharpe(np.zeros(10)) is None
    assert annual_sharpe(np.array([0.01])) is None
    assert probabilistic_sharpe(np.array([0.01, 0.02])) is None
    assert expected_maximum_sharpe([1.2], 250) == 0.0
