"""The whole chain against the truth: synthetic bars in which we know whether there is anything to find."""

import pytest

from benchmarks.significance import run_seed
from strategies.backtest import BacktestRequest, run_backtest
from strategies.progress import QuietProgress
from strategies.settings import load_settings

SEEDS = range(1, 21)


def verdict(tmp_path, seed, edge):
    """Return the verdict of a default run on about eleven months that no model has seen."""
    settings = load_settings(
        None,
        [
            f"data.synthetic.seed={seed}",
            f"data.synthetic.edge={edge}",
            "data.synthetic.edge_bps=40",
            "data.synthetic.sessions=360",
            "ml.split.train_months=6",
            f"ml.registry={tmp_path / 'models'}",
            "report.tearsheet=false",
            "report.embedded_bars=0",
        ],
    )
    request = BacktestRequest(settings=settings, out_dir=tmp_path / "run")
    return run_backtest(request, QuietProgress()).result.verdict


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_a_planted_edge_is_found(tmp_path, seed):
    found = verdict(tmp_path, seed, "momentum")
    assert found.label == "edge supported", found.reason


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_no_edge_is_claimed_where_there_is_none(tmp_path, seed):
    claimed = verdict(tmp_path, seed, "none")
    assert claimed.label != "edge supported", claimed.reason


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 5))
def test_an_edge_of_half_the_costs_is_there_before_them_and_does_not_pay(seed):
    """With benchmarks.significance, over 200 seeds, the share of these is measured."""
    found = run_seed("half", seed)
    assert found.eaten
    assert found.label == "edge not supported"
    assert 0.2 < found.gross_bps / found.cost_bps < 0.9


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 5))
def test_without_costs_to_hide_behind_luck_is_not_called_an_edge(seed):
    found = run_seed("none-free", seed)
    assert (found.label, found.cost_bps) == ("edge not supported", 0.0)
