"""A simulation is a backtest without its files."""

import numpy as np
import pandas as pd
import pytest

from feeds.errors import DataError
from feeds.settings import make_calendar
from ml.answers import RecordedAnswers
from ml.features import FeatureSet
from strategies.backtest import BacktestRequest, run_backtest
from strategies.loading import load_run_bars
from strategies.progress import QuietProgress
from strategies.settings import load_settings
from strategies.simulation import prepare_simulation


@pytest.fixture
def settings(tmp_path):
    return load_settings(
        None,
        [
            "data.synthetic.sessions=30", f"ml.registry={tmp_path / 'models'}", "report.tearsheet=false",
            "strategy.name=ema_cross",
        ],
    )  # fmt: skip


@pytest.fixture
def calendar(settings):
    return make_calendar(settings.market)


def test_it_finds_the_trades_of_the_backtest(settings, calendar, tmp_path):
    outcome = run_backtest(BacktestRequest(settings=settings, out_dir=tmp_path / "run"), QuietProgress())
    bars = load_run_bars(settings, calendar)
    simulation = prepare_simulation(settings, calendar, bars.frame, minutes=bars.minutes)
    simulation.run()
    assert simulation.analyse().analysis.fingerprint == outcome.result.fingerprint
    assert len(outcome.result.trades) > 10


def test_it_counts_from_the_bar_it_is_told(settings, calendar):
    frame = load_run_bars(settings, calendar).frame
    begin = frame.index[1000]
    simulation = prepare_simulation(settings, calendar, frame, counts_from=begin.to_pydatetime())
    simulation.run()
    run = simulation.analyse()
    assert run.bars.index[0] == begin
    assert run.analysis.trades["signal_time"].min() > begin


def test_answers_are_traded_where_they_were_given(settings, calendar):
    chosen = load_settings(None, ["data.synthetic.sessions=30", "strategy.name=ml"])
    frame = load_run_bars(chosen, calendar).frame
    given = np.full((len(frame), 3), np.nan)
    given[600:700] = (0.1, 0.1, 0.8)
    answers = RecordedAnswers(FeatureSet(chosen.ml.features), pd.DatetimeIndex(frame.index), given)
    simulation = prepare_simulation(chosen, calendar, frame, predictor=answers)
    simulation.run()
    trades = simulation.analyse().analysis.trades
    assert len(trades) > 3
    assert set(trades["side"]) == {"long"}
    closes = trades["signal_time"] - pd.Timedelta(minutes=3)
    assert closes.between(frame.index[600], frame.index[699]).all()


def test_nothing_left_to_trade_is_an_error(settings, calendar):
    frame = load_run_bars(settings, calendar).frame
    after = frame.index[-1].to_pydatetime() + pd.Timedelta(days=1)
    with pytest.raises(DataError, match="no bar is left"):
        prepare_simulation(settings, calendar, frame, counts_from=after)


def test_it_is_run_before_it_is_judged(settings, calendar):
    simulation = prepare_simulation(settings, calendar, load_run_bars(settings, calendar).frame)
    with pytest.raises(DataError, match="has not run"):
        simulation.analyse()
