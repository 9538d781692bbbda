"""What stands behind the verdict: how it is asked, and how the page says it."""

import dataclasses
import re

import numpy as np
import pytest

from analyzers.luck import random_entry_figures, random_entry_odds, sharpe_figures
from analyzers.report.build import render_report
from analyzers.report.luck import luck_checks
from analyzers.settings import ReportSettings
from analyzers.trades import trades_frame
from brokers.journal import Journal
from tests.analyzers.examples import CASH, make_bars, make_journal, make_result

BARS = make_bars(sessions=40)
SETTINGS = ReportSettings(bootstrap_samples=400)


def trades_of(**options):
    journal = make_journal(BARS, **options)
    return trades_frame(journal.fills, journal.contexts, BARS)


def odds(**options):
    return random_entry_odds(trades_of(**options), BARS, 400)


def test_an_edge_beats_entries_at_random_and_none_does_not():
    assert odds(edge_points=20.0).probability == pytest.approx(1 / 401)
    assert np.mean([odds(seed=seed).probability for seed in range(20)]) == pytest.approx(0.5, abs=0.2)


@pytest.mark.parametrize("units", [75.0, -75.0])
def test_the_bars_and_sides_of_the_trades_are_those_that_are_drawn(units):
    """With trades at a single minute, held for a single bar, the draws can be counted by hand."""
    trades = trades_of().head(40).copy()
    starts = BARS.index[BARS.index.strftime("%H:%M") == "10:00"]
    trades["entry_time"], trades["exit_time"] = starts, starts
    trades["bars_held"], trades["size"] = 0, units
    at_ten = BARS.loc[starts]
    moves = np.sign(units) * 1e4 * (at_ten["close"] / at_ten["open"] - 1.0)
    found = random_entry_odds(trades, BARS, 4000)
    assert found.random_mean_bps == pytest.approx(moves.mean(), abs=4 * moves.std() / np.sqrt(40 * 4000))
    value = 75.0 * trades["entry_price"]
    assert found.mean_bps == pytest.approx(float((1e4 * trades["gross_pnl"] / value).mean()))


@pytest.mark.parametrize(("count", "known"), [(0, False), (1, False), (2, True)])
def test_fewer_than_two_trades_tell_nothing(count, known):
    found = random_entry_figures(trades_of().head(count), BARS, SETTINGS)
    assert list(found) == ["random_entry_p", "random_entry_mean_bps", "random_entry_high_bps"]
    assert all((value is not None) == known for value in found.values())


def test_the_interval_of_the_sharpe_ratio_holds_the_ratio():
    result = make_result(sessions=40)
    figures = sharpe_figures(result.equity, CASH, SETTINGS)
    assert figures["sharpe_low"] < result.metrics["sharpe"] < figures["sharpe_high"]
    still = result.equity.assign(value=CASH)
    assert sharpe_figures(still, CASH, SETTINGS) == {"sharpe_low": None, "sharpe_high": None}


def with_figures(low, deflated, random_entry, trials=3):
    result = make_result(sessions=40)
    metrics = result.metrics | {
        "deflated_sharpe": deflated, "random_entry_p": random_entry, "trials": trials,
    }  # fmt: skip
    return dataclasses.replace(result, verdict=result.verdict._replace(net_low=low), metrics=metrics)


@pytest.mark.parametrize(
    ("figures", "passed"),
    [
        ((0.01, 0.95, 0.05), [True, True, True]),
        ((0.0, 0.9499, 0.0501), [False, False, False]),
        ((1.0, None, 0.01), [True, True]),
        ((1.0, 0.99, None), [True, True]),
    ],
)
def test_each_question_passes_where_the_verdict_lets_it_pass(figures, passed):
    assert [check.passed for check in luck_checks(with_figures(*figures))] == passed


def test_the_answers_name_their_figures():
    checks = luck_checks(with_figures(-5.0, 0.5, 0.25))
    assert "luckiest of 3 trials" in checks[1].question
    assert checks[1].answer == "50.0 % sure"
    assert checks[2].answer == "25.0 % of random portfolios did as well"
    assert "luckiest of 1 trial?" in luck_checks(with_figures(-5.0, 0.5, 0.25, trials=1))[1].question
    assert luck_checks(with_figures(1.0, 0.5, 0.0009))[2].answer.startswith("under 0.1 %")


def test_the_page_asks_where_there_was_enough_to_ask():
    page = re.sub(r"\s+", " ", render_report(with_figures(1.0, 0.99, 0.2)))
    assert "More than luck?" in page
    assert page.count('<li class="yes"><b>Yes</b>') == 2
    assert page.count('<li class="no"><b>No</b>') == 1
    few = make_result(journal=Journal())
    assert luck_checks(few) == []
    assert "More than luck?" not in render_report(few)
