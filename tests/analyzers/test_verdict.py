from __future__ import annotations

import pytest

from analyzers.equity import equity_frame
from analyzers.metrics import compute_metrics
from analyzers.trades import trades_frame
from analyzers.verdict import judge_edge
from brokers.journal import Journal
from tests.analyzers.examples import CASH, make_bars, make_journal

BARS = make_bars(sessions=40)


def judged(journal, trials=(), **options):
    trades = trades_frame(journal.fills, journal.contexts, BARS)
    metrics = compute_metrics(trades, equity_frame(journal.fills, BARS, CASH), CASH, trials)
    return judge_edge(trades, metrics, **options)


@pytest.mark.parametrize("seed", range(20))
def test_a_planted_edge_is_found_and_none_is_not_claimed(seed):
    assert judged(make_journal(BARS, edge_points=20.0, seed=seed)).label == "edge supported"
    assert judged(make_journal(BARS, edge_points=0.0, seed=seed)).label == "edge not supported"


def test_free_trades_without_an_edge_are_rarely_called_one():
    """Even without any cost, luck must not pass as skill more often than the confidence allows."""
    free = 0
    for seed in range(40):
        journal = make_journal(BARS, seed=seed)
        journal.fills = [fill._replace(price=fill.reference_price, charges=0.0) for fill in journal.fills]
        free += judged(journal).label == "edge supported"
    assert free <= 4


def test_a_gross_edge_that_costs_eat_is_said_to_be_one():
    verdict = judged(make_journal(BARS, edge_points=5.0))
    assert verdict.label == "edge not supported"
    assert "gross edge" in verdict.reason
    assert "eat it" in verdict.reason
    assert verdict.gross_low > 0.0 > verdict.net_high


def test_many_trials_turn_a_supported_edge_down():
    journal = make_journal(BARS, edge_points=12.0)
    assert judged(journal).label == "edge supported"
    verdict = judged(journal, trials=[30.0, -30.0] * 20)
    assert verdict.label == "edge not supported"
    assert "after 41 trials" in verdict.reason


def test_a_sharpe_ratio_that_is_too_good_is_a_warning():
    assert "error" in judged(make_journal(BARS, edge_points=20.0)).caution
    assert judged(make_journal(BARS)).caution == ""


@pytest.mark.parametrize(("trades", "label"), [(29, "too few trades"), (30, "edge not supported")])
def test_too_few_trades(trades, label):
    whole = make_journal(BARS, every=125)
    journal = Journal()
    journal.fills, journal.contexts = whole.fills[: 2 * trades], whole.contexts[:trades]
    assert judged(journal).label == label


def test_too_few_sessions_and_no_trades_at_all():
    assert judged(make_journal(BARS), minimum_sessions=41).label == "too few trades"
    assert judged(make_journal(BARS), minimum_sessions=40).label == "edge not supported"
    assert judged(Journal()).label == "too few trades"


def test_the_same_trades_get_the_same_verdict():
    assert judged(make_journal(BARS)) == judged(make_journal(BARS))


def test_a_wider_confidence_means_a_wider_interval():
    narrow = judged(make_journal(BARS), confidence_percent=80.0)
    wide = judged(make_journal(BARS), confidence_percent=99.0)
    assert wide.net_low < narrow.net_low < narrow.net_high < wide.net_high


def test_a_sure_sharpe_ratio_alone_does_not_make_an_edge():
    journal = make_journal(BARS, edge_points=8.3)
    trades = trades_frame(journal.fills, journal.contexts, BARS)
    metrics = {"deflated_sharpe": 0.999, "sharpe": 0.5, "trials": 1}
    verdict = judge_edge(trades, metrics)
    assert verdict.gross_low > 0.0
    assert verdict.net_low < 0.0 < verdict.net_high
    assert verdict.label == "edge not supported"


def test_trades_that_lose_before_costs_are_not_said_to_be_chance():
    verdict = judged(make_journal(BARS, edge_points=-20.0))
    assert verdict.gross_high < 0.0
    assert "cannot be told from zero" not in verdict.reason
    assert f"lose ₹{-verdict.gross_per_trade:,.0f} each before costs" in verdict.reason


def test_a_gross_edge_after_many_trials_is_not_stated_as_a_fact():
    """Only the net result is deflated: the best of twenty worthless ideas often has a gross edge."""
    assert "not corrected" not in judged(make_journal(BARS, edge_points=5.0)).reason
    assert (
        "(not corrected for 21 trials)"
        in judged(make_journal(BARS, edge_points=5.0), trials=[0.1] * 20).reason
    )


@pytest.mark.parametrize(("today", "warned"), [(-1.0, True), (0.0, True), (1.0, False)])
def test_an_edge_that_todays_charges_would_eat_brings_a_caution(today, warned):
    verdict = judged(make_journal(BARS, edge_points=20.0), metrics_today={"net_pnl": today})
    assert verdict.label == "edge supported"
    assert ("at today's charges" in verdict.caution) == warned
    unsupported = judged(make_journal(BARS), metrics_today={"net_pnl": today})
    assert unsupported.caution == ""


@pytest.mark.parametrize(
    ("probability", "label"),
    [(0.05, "edge supported"), (0.0501, "edge not supported"), (None, "edge supported")],
)
def test_what_random_entries_do_as_well_is_no_edge(probability, label):
    journal = make_journal(BARS, edge_points=20.0)
    trades = trades_frame(journal.fills, journal.contexts, BARS)
    metrics = compute_metrics(trades, equity_frame(journal.fills, BARS, CASH), CASH)
    verdict = judge_edge(trades, metrics | {"random_entry_p": probability})
    assert verdict.label == label
    assert ("5.0 % of random portfolios" in verdict.reason) == (label == "edge not supported")
