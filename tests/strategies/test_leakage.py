"""Strategies, sizers and brokers that know what comes; and the shipped ones, which do not."""

from types import SimpleNamespace

import numpy as np
import pytest

from brokers.journal import Fill
from feeds.calendar import TradingCalendar
from feeds.clock import IST
from ml.__main__ import main
from ml.features import FeatureSet
from ml.predict import Predictor
from strategies.leakage import Recorded, check_decisions, check_fills, simulate_with
from strategies.leakage_run import run_leakage_checks
from strategies.leakage_start import check_live_start
from strategies.loading import load_run_bars
from strategies.settings import load_settings
from strategies.warm_up import live_warmup_bars
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
    _, findings = checked(simulate_with(settings_for("ml"), CALENDAR, predictor), bars.iloc[:400], 20)
    guilty = {found.guilty for found in findings}
    assert {"decision", "input p_buy", "input p_sell"} <= guilty


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


def cheated(recorded, role, change):
    fills = list(recorded.fills)
    place = next(place for place, fill in enumerate(fills) if fill.role == role)
    fills[place] = change(fills[place])
    return Recorded(recorded.records, fills)


@pytest.mark.parametrize(("role", "what"), [("entry", "entry"), ("signal", "exit")])
def test_a_fill_that_comes_too_early_is_caught(bars, role, what):
    def on_its_own_bar(fill: Fill):
        return fill._replace(bar=fill.bar - 1, reference_price=float(bars["open"].iloc[fill.bar - 1]))

    def at_the_signal_bars_close(fill: Fill):
        return fill._replace(reference_price=float(bars["close"].iloc[fill.bar - 1]) + 0.05)

    recorded = simulate_with(settings_for("ema_cross"), CALENDAR, None)(bars)
    assert check_fills(recorded, bars) == []
    early = check_fills(cheated(recorded, role, on_its_own_bar), bars)
    assert [found.guilty for found in early] == [f"{what} on another bar"]
    near = check_fills(cheated(recorded, role, at_the_signal_bars_close), bars)
    assert [found.guilty for found in near] == [f"{what} at another price"]


def test_a_broker_that_fills_at_the_bar_of_the_signal_is_caught(bars, monkeypatch):
    """backtrader's cheat-on-close, planted in our broker: an order is open to the bar it was decided on."""
    from brokers.simulated import SimulatedBroker

    def cheating(honest):
        def take(self, *given, **request):
            order = honest(self, *given, **request)
            self._match(self._market(order.data))
            return order

        return take

    for side in ("buy", "sell"):
        monkeypatch.setattr(SimulatedBroker, side, cheating(getattr(SimulatedBroker, side)))
    recorded = simulate_with(settings_for("random_entry"), CALENDAR, None)(bars)
    assert "entry on another bar" in {found.guilty for found in check_fills(recorded, bars)}


@pytest.mark.parametrize(("period", "asked", "guilty"), [(30, 400, True), (30, 612, False), (14, 400, False)])
def test_a_day_that_begins_with_too_little_history_is_told(period, asked, guilty):
    simulate = simulate_with(
        settings_for("random_entry", f"strategy.atr_period_bars={period}"), CALENDAR, None
    )
    whole = load_run_bars(load_settings(None, ["data.synthetic.sessions=8"]), CALENDAR).frame
    findings = check_live_start(simulate, whole, simulate(whole), warmup_bars=asked)
    assert {found.guilty for found in findings} == ({"input atr"} if guilty else set())


@pytest.mark.parametrize("name", ["ema_cross", "opening_range", "random_entry"])
@pytest.mark.parametrize("period", [14, 30])
def test_shipped_strategies_begin_a_day_with_enough(name, period):
    settings = settings_for(name, f"strategy.atr_period_bars={period}")
    whole = load_run_bars(load_settings(None, ["data.synthetic.sessions=8"]), CALENDAR).frame
    simulate = simulate_with(settings, CALENDAR, None)
    asked = live_warmup_bars(settings, None)
    assert asked < len(whole) * 3 / 4
    assert check_live_start(simulate, whole, simulate(whole), warmup_bars=asked) == []


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
        "future", "warm-up", "target", *4 * ["overlap"], "fitting", "decision", "live start", "fill",
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


@pytest.mark.parametrize(("period", "bars"), [(14, 400), (19, 400), (20, 406), (200, 4136)])
def test_a_live_day_begins_with_what_the_average_true_range_needs(period, bars):
    settings = settings_for("random_entry", f"strategy.atr_period_bars={period}")
    assert live_warmup_bars(settings, None) == bars


@pytest.mark.parametrize(("needs", "bars"), [(399, 400), (400, 401), (600, 601)])
def test_a_live_day_begins_with_what_the_model_needs(needs, bars):
    assert live_warmup_bars(settings_for("ml"), SimpleNamespace(warmup_bars=needs)) == bars


@pytest.mark.parametrize(("feature", "code"), [("rsi_14", 0), ("tests.ml.leakage.cheats:future_close", 1)])
def test_the_command_ends_with_one_where_something_leaks(feature, code, tmp_path, capsys):
    settings = tmp_path / "settings.yaml"
    settings.write_text("data: {synthetic: {sessions: 12}}\n")
    asked = ["leakage", "--settings", str(settings), "--data", "synthetic", "--features", feature]
    assert main(asked) == code
    told = capsys.readouterr().out
    assert ("future: tests.ml.leakage.cheats:future_close at 20" in told) == bool(code)
    assert ("nothing that is known" in told) != bool(code)
