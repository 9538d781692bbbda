"""Strategies, sizers and brokers that know what comes; and the shipped ones, which do not."""

import numpy as np
import pytest

from brokers.journal import Fill
from feeds.calendar import TradingCalendar
from feeds.clock import IST
from ml.features import FeatureSet
from ml.predict import Predictor
from strategies import leakage_run
from strategies.leakage import Recorded, check_decisions, check_fills, simulate_with
from strategies.leakage_run import run_leakage_checks
from strategies.loading import load_run_bars
from strategies.settings import load_settings
from tests.ml.leakage.cheats import KNOWS_THE_FUTURE

CALENDAR = TradingCalendar()


@pytest.fixture(scope="module")
def bars():
    settings = load_settings(None, ["data.synthetic.sessions=6", "data.synthetic.seed=5"])
    return load_run_bars(settings, CALENDAR).frame


def settings_for(name, *more):
    return load_settings(None, [f"strategy.name={name}", *more])


def checked(simulate, bars, warmup_bars=300):
    recorded = simulate(bars)
    return recorded, check_decisions(simulate, bars, recorded, warmup_bars=warmup_bars)


@pytest.mark.parametrize("name", ["ema_cross", "opening_range", "random_entry"])
def test_the_shipped_strategies_know_nothing_of_the_future(bars, name):
    recorded, findings = checked(simulate_with(settings_for(name), CALENDAR, None), bars)
    assert findings == []
    assert check_fills(recorded, bars) == []
    assert recorded.fills


class Oracle:
    """A model that is always sure, on the side that a feature says."""

    kind = "oracle"

    def predict_proba(self, X):  # noqa: N803 - scikit-learn's name
        buys = np.clip(0.5 + 400.0 * X[:, 0], 0.01, 0.98)
        return np.column_stack([0.99 - buys, np.full(len(buys), 0.01), buys])


def test_a_feature_that_cheats_shows_in_input_and_decision(bars, monkeypatch):
    from ml import features
    from ml.predict import ModelWindow

    cheat = KNOWS_THE_FUTURE["future_close"]
    monkeypatch.setitem(features.CATALOGUE, cheat.name, cheat)
    window = ModelWindow(Oracle(), None, None, bars.index[0].to_pydatetime())
    predictor = Predictor(FeatureSet([cheat.name]), [window])
    # In one pass over the whole history the next close is there to be seen
    _, findings = checked(whole_history(settings_for("ml"), predictor), bars)
    guilty = {found.guilty for found in findings}
    assert "decision" in guilty


def whole_history(settings, predictor):
    """Return a simulation in which answers come from one pass over all bars, as in a backtest that skips."""
    from ml.answers import RecordedAnswers

    def simulate(frame):
        answers = predictor.predict_frame(frame)
        known = np.isfinite(answers).all(axis=1)
        recorded = RecordedAnswers(predictor.features, frame.index[known], answers[known])
        return simulate_with(settings, CALENDAR, recorded)(frame)

    return simulate


def test_a_size_that_knows_the_next_bar_is_caught(bars):
    honest = simulate_with(settings_for("random_entry"), CALENDAR, None)

    def simulate(frame):
        recorded = honest(frame)
        rises = frame["close"].shift(-1) > frame["close"]
        records = [
            record._replace(units=record.units * (2.0 if rises[record.start.replace(tzinfo=IST)] else 1.0))
            for record in recorded.records
        ]
        return Recorded(records, recorded.fills)

    _, findings = checked(simulate, bars)
    assert "size" in {found.guilty for found in findings}


def cheated(recorded, bars, change):
    fills = list(recorded.fills)
    place = next(place for place, fill in enumerate(fills) if fill.role == "entry")
    fills[place] = change(fills[place], bars)
    return Recorded(recorded.records, fills)


def on_its_own_bar(fill: Fill, bars):
    return fill._replace(bar=fill.bar - 1, reference_price=float(bars["open"].iloc[fill.bar - 1]))


def at_the_signal_bars_close(fill: Fill, bars):
    return fill._replace(reference_price=float(bars["close"].iloc[fill.bar - 1]) + 0.05)


@pytest.mark.parametrize(
    ("change", "guilty"),
    [(on_its_own_bar, "entry on another bar"), (at_the_signal_bars_close, "entry at another price")],
)
def test_a_fill_that_comes_too_early_is_caught(bars, change, guilty):
    recorded = simulate_with(settings_for("random_entry"), CALENDAR, None)(bars)
    assert check_fills(recorded, bars) == []
    assert [found.guilty for found in check_fills(cheated(recorded, bars, change), bars)] == [guilty]


@pytest.fixture(scope="module")
def small():
    return load_settings(
        None,
        [
            "data.synthetic.sessions=80", "ml.split.train_months=2", "ml.split.test_months=1",
            "ml.model.rounds=30", "ml.workers=1",
        ],
    )  # fmt: skip


@pytest.mark.slow
def test_the_whole_pipeline_is_clean(small):
    frame = load_run_bars(small, CALENDAR).frame
    told = []
    report = run_leakage_checks(small, frame, CALENDAR, on_check=told.append)
    assert report.findings == []
    assert [check.name for check in report.checks] == [
        "future", "warm-up", "target", *4 * ["overlap"], "fitting", "decision", "fill",
    ]  # fmt: skip
    assert len(told) == len(report.checks)
    assert {one.feature for one in report.warm_ups} == set(small.ml.features)


@pytest.mark.parametrize("name", ["future_close", "endless_memory"])
def test_features_of_ones_own_are_checked_alone(small, name):
    frame = load_run_bars(small, CALENDAR).frame.iloc[-1200:]
    path = f"tests.ml.leakage.cheats:{name}"
    report = run_leakage_checks(small, frame, CALENDAR, [path])
    assert {found.guilty for found in report.findings} == {path}
    assert [check.name for check in report.checks] == ["future", "warm-up", "target"]


def test_a_warm_up_longer_than_a_live_day_begins_with_is_told():
    from ml.leakage.features import WarmUp

    least = leakage_run.LEAST_WARMUP_BARS
    told = leakage_run._live_warm_up(
        [WarmUp("a", 10, least), WarmUp("b", 10, least + 1), WarmUp("c", least + 9, least + 1)]
    )
    assert [found.guilty for found in told] == ["b"]
