"""The page of a search."""

import numpy as np
import pytest

from analyzers.search_report.build import render_search_report
from analyzers.search_report.heat import heat_map, importances
from analyzers.search_report.page import SearchPage, TrialRow
from ml.overfitting import probability_of_overfitting


def trial(number, objective, **values):
    return TrialRow(
        number, values, objective, objective, 40, 100.0, "" if objective is not None else "too short"
    )


def page_of(trials, **changes):
    best = max((one for one in trials if one.objective is not None), key=lambda one: one.objective)
    noise = np.random.default_rng(1).standard_normal((40, 4))
    page = SearchPage(
        study="search-1", instrument="NIFTY", strategy="ml", source="<bars>", bar_minutes=3, synthetic=True,
        seen_first="2023-01-02", seen_last="2023-06-01", judged_sessions=40, minimum_trades=30, trials=trials,
        best=best, best_yaml="strategy:\n  stop_atr: 2.0\n", counted=len(trials) + 3, luckiest_sharpe=1.25,
        deflated_sharpe=0.4, overfitting=probability_of_overfitting(noise, 16), looks=1,
        holdout={
            "first": "2023-06-02", "last": "2023-07-02", "trades": 12, "gross_pnl": 10.0, "net_pnl": -900.0,
            "sharpe": -1.0, "sharpe_low": None, "sharpe_high": None, "label": "edge not supported",
            "reason": "Costs are larger.", "fingerprint": "0",
        },
    )  # fmt: skip
    return page._replace(**changes)


TRIALS = [trial(n, float(n % 3), depth=2 + n % 3, rate=n / 7, on=bool(n % 2)) for n in range(12)]


def test_it_loads_nothing_and_escapes_what_comes_from_outside():
    html = render_search_report(page_of(TRIALS))
    assert "&lt;bars&gt;" in html
    assert "<bars>" not in html
    assert "<script" not in html
    assert "http:" not in html.replace("http-equiv", "")
    assert "https:" not in html
    assert "SYNTHETIC DATA" in html
    assert "SYNTHETIC" not in render_search_report(page_of(TRIALS, synthetic=False))


def test_it_says_how_many_trials_and_what_chance_gives():
    html = render_search_report(page_of(TRIALS))
    assert "Best of 12 trials: number 2, Sharpe +2.00 of 40 trades" in html
    assert "the luckiest of 15 worthless trials on these bars would show about 1.25" in html
    assert "edge not supported" in html
    assert "has been shown" not in html
    assert "has been shown to 2 trials" in render_search_report(page_of(TRIALS, looks=2))


def test_too_few_trades_and_no_trade_are_said():
    few = page_of(TRIALS, minimum_trades=41)
    assert "(too few)" in few.words()
    assert "(too few)" not in page_of(TRIALS, minimum_trades=40).words()
    idle = page_of(TRIALS, best=TRIALS[0]._replace(trades=0))
    assert idle.words() == "best of 12 trials: not to trade"
    assert "Not to trade" in render_search_report(idle)


def test_a_trial_that_failed_stands_last_with_its_reason():
    html = render_search_report(page_of([trial(99, None, depth=2, rate=0.5, on=True), *TRIALS]))
    assert html.index("too short") > html.index("<td>11</td>")


def test_what_decides_the_objective_is_found():
    shares = importances(TRIALS)
    assert next(iter(shares)) == "depth"
    assert shares["depth"] == pytest.approx(1.0)
    assert shares["on"] == 0.0


def test_every_trial_lies_in_one_cell_of_the_heat_map():
    generator = np.random.default_rng(4)
    trials = [
        trial(n, float(generator.normal()), a=float(generator.random()), b=int(generator.integers(2, 60)))
        for n in range(50)
    ]
    heat = heat_map(trials)
    counts = np.array([[cell.trials for cell in row] for row in heat.cells])
    assert counts.sum() == 50
    assert counts.sum(axis=0).tolist() == [10] * 5 or counts.sum(axis=1).tolist() == [10] * 5
    total = sum(cell.mean * cell.trials for row in heat.cells for cell in row if cell.trials)
    assert total == pytest.approx(sum(one.objective for one in trials))


def test_one_setting_makes_no_heat_map():
    trials = [trial(n, float(n), a=n) for n in range(4)]
    assert heat_map(trials) is None
    assert "It takes two settings" in render_search_report(page_of(trials))
