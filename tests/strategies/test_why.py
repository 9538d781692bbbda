"""Why a trade was entered: the words fit the model, the bar, the side and the arm, and change no trade."""

from __future__ import annotations

import datetime as dt
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from analyzers.bar_record import BarRecord
from feeds.clock import IST
from ml.answers import RecordedAnswers
from ml.explain import reason_words, toward_side
from ml.features import FeatureSet
from ml.models import LightGBMModel, XGBoostModel
from ml.predict import ModelWindow, Predictor
from run_backtest import main
from strategies.arm_predictors import ArmPredictors
from strategies.instrument_day import InstrumentDay
from strategies.why import Entry, bar_reasons, entry_reasons, explained_trades
from tests.analyzers.alerts.support import MemoryLog
from tests.ml.bars import random_bars

FEATURES = FeatureSet(["rsi_14", "return_zscore", "volume_ratio_20", "hour_sin"])
QUICK = {"rounds": 20, "leaf_rows": 20, "stopping_rounds": 10, "learning_rate": 0.2}
BAR = dt.timedelta(minutes=3)


@pytest.fixture(scope="module")
def bars():
    return random_bars(20, edge=0.003)


@pytest.fixture(scope="module")
def models(bars):
    matrix = FEATURES.compute(bars)
    known = np.isfinite(matrix).all(axis=1)
    ahead = np.sign(np.append(np.diff(np.log(bars["close"])), 0.0)).astype(np.int8)
    return [kind(**QUICK).fit(matrix[known], ahead[known]) for kind in (XGBoostModel, LightGBMModel)]


def predictor_of(model, bars):
    first = bars.index[0].to_pydatetime()
    return Predictor(FEATURES, [ModelWindow(model, first, None, first)])


def words_of(model, bars, row, side):
    added = model.contributions(FEATURES.compute(bars)[[row]])
    return reason_words(FEATURES.names, toward_side(added, np.array([side]))[0])


def closed(bars, row):
    return bars.index[row].to_pydatetime() + BAR


def test_the_words_are_those_of_the_bar_that_decided(bars, models):
    rows, sides = [900, 1500, 1501, 2499], [1, -1, 1, -1]
    entries = [Entry(closed(bars, row), side) for row, side in zip(rows, sides, strict=True)]
    told = entry_reasons(predictor_of(models[0], bars), bars, entries)
    assert told == [words_of(models[0], bars, row, side) for row, side in zip(rows, sides, strict=True)]
    assert len(set(told)) == 4
    assert all(re.fullmatch(r"(\w+ [+-]\d\.\d\d(, )?){1,3}", words) for words in told)


def test_bars_after_the_decision_change_nothing(bars, models):
    entries = [Entry(closed(bars, 1500), 1)]
    predictor = predictor_of(models[0], bars)
    assert entry_reasons(predictor, bars.iloc[:1501], entries) == entry_reasons(predictor, bars, entries)


def test_a_bar_that_ends_early_is_found_by_its_own_close(bars, models):
    """The last bar of a session may be shorter; no other began before its close."""
    entry = Entry(bars.index[1499].to_pydatetime() + dt.timedelta(minutes=1), 1)
    told = entry_reasons(predictor_of(models[0], bars), bars, [entry])
    assert told == [words_of(models[0], bars, 1499, 1)]


def test_each_arm_is_explained_by_its_own_model(bars, models):
    arms = {name: predictor_of(model, bars) for name, model in zip("ab", models, strict=True)}
    both = ArmPredictors(arms, bars.index[0].to_pydatetime())
    entries = [Entry(closed(bars, 1500), 1, arm) for arm in ("b", "", "coin", "a")]
    first, second = (words_of(model, bars, 1500, 1) for model in models)
    assert entry_reasons(both, bars, entries) == [second, "", "", first]
    assert first != second


@pytest.mark.parametrize("case", ["no model", "no entry", "recorded answers", "warm-up", "before all bars"])
def test_nothing_is_said_where_nothing_is_known(bars, models, case):
    predictor = predictor_of(models[0], bars)
    entry = Entry(closed(bars, 1500), 1)
    index = pd.DatetimeIndex(bars.index)
    given = {
        "no model": (None, bars, [entry]),
        "no entry": (predictor, bars, []),
        "recorded answers": (RecordedAnswers(FEATURES, index, np.zeros((len(bars), 3))), bars, [entry]),
        "warm-up": (predictor, bars, [Entry(closed(bars, 20), 1)]),
        "before all bars": (predictor, bars, [Entry(bars.index[0].to_pydatetime(), 1)]),
    }[case]
    assert entry_reasons(*given) == [""] * len(given[2])


def test_trades_get_their_column(bars, models):
    trades = pd.DataFrame(
        {
            "signal_time": [closed(bars, 1500), closed(bars, 2000)],
            "side": ["short", "long"],
            "arm": "",
            "why": "",
        }
    )
    told = explained_trades(trades, predictor_of(models[0], bars), bars)
    assert told["why"].tolist() == [words_of(models[0], bars, 1500, -1), words_of(models[0], bars, 2000, 1)]
    assert trades["why"].tolist() == ["", ""]
    assert explained_trades(trades.iloc[:0], None, bars)["why"].dtype == object


# -- a bar as it is recorded -------------------------------------------------------------------------------


def record_of(bars, row, side=1, prefix="", **changes):
    start = bars.index[row].to_pydatetime().replace(tzinfo=None)
    values = dict(zip([prefix + name for name in FEATURES.names], FEATURES.compute(bars)[row], strict=True))
    record = BarRecord(start, 0.0, False, True, side, 0.6, 75.0, "", {"atr": 1.0} | values)
    return record._replace(**changes)


def test_a_recorded_bar_says_the_same_as_the_history(bars, models):
    predictor = predictor_of(models[0], bars)
    for row, side in ((1500, 1), (1501, -1)):
        entry = Entry(closed(bars, row), side)
        assert [bar_reasons(predictor, record_of(bars, row, side))] == entry_reasons(predictor, bars, [entry])


def test_a_recorded_bar_of_an_arm(bars, models):
    arms = ArmPredictors({"b": predictor_of(models[1], bars)}, bars.index[0].to_pydatetime().astimezone(IST))
    expected = words_of(models[1], bars, 1500, 1)
    assert bar_reasons(arms, record_of(bars, 1500, prefix="b.", arm="b")) == expected
    assert bar_reasons(arms, record_of(bars, 1500, prefix="a.", arm="a")) == ""


def test_a_recorded_bar_without_an_answer(bars, models):
    predictor = predictor_of(models[0], bars)
    assert bar_reasons(None, record_of(bars, 1500)) == ""
    assert bar_reasons(predictor, record_of(bars, 1500, side=0)) == ""
    assert bar_reasons(predictor, record_of(bars, 1500, inputs={"atr": 1.0})) == ""
    assert bar_reasons(predictor, record_of(bars, 10)) == ""  # warm-up


# -- a run -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["ml", "ema_cross"])
def test_a_backtest_says_why_where_there_is_a_model(tmp_path, strategy):
    arguments = [
        "--quiet", "--strategy", strategy, "--out", str(tmp_path / "run"),
        "--set", f"ml.registry={tmp_path / 'models'}", "--set", "data.synthetic.sessions=80",
        "--set", "ml.split.train_months=2", "--set", "ml.split.test_months=1", "--set", "ml.model.rounds=10",
        "--set", "report.tearsheet=false", "--set", "report.embedded_bars=0",
        "--set", "report.bootstrap_samples=200",
    ]  # fmt: skip
    if strategy == "ml":
        arguments += ["--set", "strategy.parameters={buy_probability: 0.38, sell_probability: 0.38}"]
    assert main(arguments) == 0
    trades = pd.read_csv(tmp_path / "run" / "trades.csv", keep_default_na=False)
    assert trades.columns[-1] == "why"
    assert len(trades) > 5
    assert all(trades["why"].str.contains(r"^\w+ [+-]")) if strategy == "ml" else not any(trades["why"])


# -- a live day --------------------------------------------------------------------------------------------


def telling_day(log, origin, predictor):
    day = InstrumentDay.__new__(InstrumentDay)
    day._log, day._last_bar = log, SimpleNamespace(origin=origin)
    day.model = SimpleNamespace(predictor=predictor)
    return day


@pytest.mark.parametrize("origin", ["ticks", "warmup"])
def test_what_cannot_be_explained_ends_no_day(bars, models, origin):
    """Its orders are on their way; bars of the warm-up, on which nothing is entered, are not told at all."""
    names = dict.fromkeys(FEATURES.names, 0.5)
    record = BarRecord(
        bars.index[1500].to_pydatetime().replace(tzinfo=None), 0.0, False, True, 1, 0.6, 75.0, "", names
    )
    log = MemoryLog()
    telling_day(log, origin, predictor_of(models[0], bars))._tell_reasons(record)
    asked = predictor_of(SimpleNamespace(contributions=lambda row: row[99]), bars)
    telling_day(log, origin, asked)._tell_reasons(record)
    told = [one["event"] for one in log.records]
    assert told == (["entry_reasons", "reasons_unknown"] if origin == "ticks" else [])
