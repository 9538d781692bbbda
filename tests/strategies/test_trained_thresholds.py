"""Strategy ml by thresholds that its model's training chose, and what a trade costs when they are chosen."""

from __future__ import annotations

import datetime as dt
import json
import math

import numpy as np
import pandas as pd
import pytest

from brokers.charges import ZerodhaCharges
from feeds.errors import DataError, SettingsError
from feeds.settings import make_calendar
from ml.answers import RecordedAnswers
from ml.features import FeatureSet
from strategies.assembly import assemble_backtest
from strategies.backtest import BacktestRequest, run_backtest
from strategies.checks import check_before_loading
from strategies.loading import load_run_bars
from strategies.progress import QuietProgress
from strategies.settings import load_settings
from strategies.simulation import prepare_simulation
from strategies.trade_cost import TradeCost, choosing_cost

TRAINED = ["data.synthetic.sessions=30", "strategy.name=ml", "strategy.parameters={thresholds: trained}"]


@pytest.fixture(scope="module")
def settings():
    return load_settings(None, TRAINED)


@pytest.fixture(scope="module")
def calendar(settings):
    return make_calendar(settings.market)


@pytest.fixture(scope="module")
def frame(settings, calendar):
    return load_run_bars(settings, calendar).frame


def answers(settings, frame, buy, sell):
    """Random probabilities; the thresholds are the same on every bar."""
    given = np.random.default_rng(2).dirichlet([2, 2, 2], len(frame))
    index = pd.DatetimeIndex(frame.index)
    thresholds = np.tile([buy, sell], (len(frame), 1))
    return RecordedAnswers(FeatureSet(settings.ml.features), index, given, thresholds)


def traded(settings, calendar, frame, predictor):
    simulation = prepare_simulation(settings, calendar, frame, predictor=predictor)
    simulation.run()
    return simulation.analyse().analysis


@pytest.mark.parametrize(
    ("buy", "sell", "sides"),
    [(0.6, 0.6, {"long", "short"}), (math.inf, 0.6, {"short"}), (0.6, math.inf, {"long"})],
)
def test_each_side_has_its_threshold_and_may_have_none(settings, calendar, frame, buy, sell, sides):
    trades = traded(settings, calendar, frame, answers(settings, frame, buy, sell)).trades
    assert set(trades["side"]) == sides
    assert (trades["probability"] >= 0.6).all()


def test_both_infinite_is_not_to_trade(settings, calendar, frame):
    assert len(traded(settings, calendar, frame, answers(settings, frame, math.inf, math.inf)).trades) == 0


def test_trained_thresholds_of_the_same_value_trade_as_fixed_ones(settings, calendar, frame):
    fixed = load_settings(
        None, [*TRAINED[:2], "strategy.parameters={buy_probability: 0.55, sell_probability: 0.65}"]
    )
    predictor = answers(settings, frame, 0.55, 0.65)
    of_both = [traded(chosen, calendar, frame, predictor).fingerprint for chosen in (settings, fixed)]
    assert of_both[0] == of_both[1]


def test_no_bar_that_is_left_out_would_have_been_traded(settings, calendar, frame):
    predictor = answers(settings, frame, 0.45, 0.4)
    assembled = assemble_backtest(settings, frame, calendar, predictor=predictor, verify=True)
    assembled.engine.run()
    assert assembled.journal.fills


def test_a_model_without_thresholds_is_refused(settings, calendar, frame):
    given = np.full((len(frame), 3), 1 / 3)
    bare = RecordedAnswers(FeatureSet(settings.ml.features), pd.DatetimeIndex(frame.index), given)
    with pytest.raises(SettingsError, match=r"ml\.thresholds.kind: expected_net"):
        traded(settings, calendar, frame, bare)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("ml.thresholds.kind=none", "thresholds: trained, and the model of --model walkforward has none"),
        ("ml.model.kind=regime", "add atr_14_percent"),
    ],
)
def test_what_cannot_be_is_refused_before_any_bar_is_read(tmp_path, override, message):
    overrides = [*TRAINED[1:], f"ml.registry={tmp_path}", "ml.features=[rsi_14]", override]
    chosen = ["ml.thresholds.kind=expected_net"] if "kind=none" not in override else []
    with pytest.raises(SettingsError, match=message):
        check_before_loading(load_settings(None, [*overrides, *chosen]), "walkforward")
    if not chosen:
        mended = load_settings(None, [*overrides[:-1], "ml.thresholds.kind=expected_net"])
        check_before_loading(mended, "walkforward")


def test_a_backtest_trains_chooses_and_reports(tmp_path):
    settings = load_settings(
        None,
        [
            "data.synthetic.sessions=70", "data.synthetic.edge=momentum", "data.synthetic.edge_bps=60",
            "data.synthetic.edge_probability=0.06", *TRAINED[1:], f"ml.registry={tmp_path / 'models'}",
            "ml.thresholds={kind: expected_net, minimum_trades: 20}", "report.tearsheet=false",
            "ml.split={train_months: 2, test_months: 1, embargo_bars: 10}",
            "ml.model={rounds: 40, leaf_rows: 40, learning_rate: 0.2}",
        ],
    )  # fmt: skip
    run_backtest(BacktestRequest(settings=settings, out_dir=tmp_path / "run"), QuietProgress())
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    chosen = [window["thresholds"] for window in summary["model"]["windows"]]
    assert {side for window in chosen for side in window} == {"buy", "sell"}
    assert any(side["threshold"] for window in chosen for side in window.values())
    assert "thresholds" in summary["model"]
    report = (tmp_path / "run" / "report.html").read_text()
    assert "Thresholds chosen in training" in report
    assert "Money by test window" in report


def test_a_lot_costs_its_charges_and_its_slippage(calendar):
    settings = load_settings(
        None, ["broker.slippage.model=ticks", "broker.slippage.ticks=2", "broker.latency_ms=0"]
    )
    frame = load_run_bars(load_settings(None, ["data.synthetic.sessions=3"]), calendar).frame
    day = frame.index[0].date()
    price = frame["close"][frame.index.date == day].median()
    cost = TradeCost(settings, calendar, frame)(day)
    lot, tick = 50, 0.05
    plan = ZerodhaCharges()
    rupees = plan.order_charges(day, lot, price) + plan.order_charges(day, -lot, price)
    assert cost == pytest.approx(1e4 * (rupees / lot + 2 * 2 * tick) / price)


@pytest.mark.parametrize("model", ["none", "percent", "ticks", "volatility", "square_root"])
def test_slippage_and_latency_only_add_to_the_charges(calendar, model):
    frame = load_run_bars(load_settings(None, ["data.synthetic.sessions=3"]), calendar).frame
    day = frame.index[0].date()

    def cost(*overrides):
        return TradeCost(load_settings(None, list(overrides)), calendar, frame)(day)

    least = cost("broker.slippage.model=none", "broker.latency_ms=0")
    slipped = cost(f"broker.slippage.model={model}", "broker.latency_ms=0")
    assert (slipped == least) if model == "none" else (slipped > least > 0)
    assert cost(f"broker.slippage.model={model}", "broker.latency_ms=500") > slipped


def test_only_sessions_of_the_bars_have_a_cost(settings, calendar, frame):
    with pytest.raises(DataError, match="expected a session of the bars"):
        TradeCost(settings, calendar, frame)(dt.date(2001, 1, 1))
    assert choosing_cost(settings, frame) is None
