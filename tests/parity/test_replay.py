"""A recorded day through the backtest: the same strategy on the same bars gives the same day."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzers.parity.compare import compare_days
from analyzers.parity.files import read_day
from feeds.clock import IST
from feeds.errors import DataError, ModelNotFoundError, SettingsError
from ml.features import FeatureSet
from ml.registry import ModelRegistry
from ml.settings import MlSettings
from strategies.assembly import assemble_backtest
from strategies.loading import load_run_bars
from strategies.modelling import prepare_model
from strategies.replay import load_reference, recorded_settings, replay_day
from strategies.settings import load_settings
from tests.parity.recorded import CALENDAR, bars_of_days, last_day, record, settings_for

BARS = bars_of_days()
FIRST = last_day(BARS)


def compared(day, reference=None):
    replay = replay_day(day, reference)
    return compare_days(day, replay.run, replay.tick)


def rewrite(folder, **changes):
    path = folder / "summary.json"
    summary = json.loads(path.read_text())
    path.write_text(json.dumps({**summary, **changes}))


@pytest.mark.parametrize("name", ["ema_cross", "random_entry"])
def test_the_replay_of_a_backtest_is_that_backtest(tmp_path, name):
    day = read_day(record(tmp_path / "day", BARS, settings_for(name)))
    result = compared(day)
    assert len(result.trades) >= 3
    assert result.failures(max_difference=0.0) == []
    assert [found.reason for found in result.decisions] == [None] * 125
    assert max(found.largest for found in result.inputs) == 0.0
    assert str(result.backtest.trips) == str(day.run.trips)
    assert result.tick == 0.05


ORDERS = {
    "limit": {"entry": {"kind": "limit", "offset_atr": 0.2, "valid_bars": 2}},
    "stop_limit": {"entry": {"kind": "stop_limit", "offset_atr": 0.2, "limit_atr": 0.4}},
    "trailing": {"trail_atr": 1.0},
    "scaling": {
        "targets": [{"atr": 0.5, "fraction": 0.5}, {"atr": 2.0, "fraction": 0.5}], "trail_atr": 1.5,
        "sizer": "fixed", "fixed_units": 150,
    },
}  # fmt: skip


@pytest.mark.parametrize("orders", ORDERS.values(), ids=ORDERS.keys())
def test_a_day_with_more_than_market_orders_is_replayed(tmp_path, orders):
    chosen = settings_for("random_entry", strategy=orders)
    day = read_day(record(tmp_path / "day", BARS, chosen))
    result = compared(day)
    assert len(result.trades) >= 2
    assert result.failures(max_difference=0.0) == []
    assert str(result.backtest.trips) == str(day.run.trips)


def test_warm_up_is_seen_and_never_traded(tmp_path):
    folder = record(tmp_path / "day", BARS, settings_for("random_entry"), first=BARS.index[-60])
    day = read_day(folder)
    result = compared(day)
    begin = BARS.index[-60].tz_localize(None).to_pydatetime()
    assert day.first == begin
    assert len(result.decisions) == result.bars.compared == 60
    assert len(result.backtest.records) == len(BARS)
    assert result.trades
    assert all(trip.signal_time > begin for trip in result.backtest.trips)
    asked = [start for start, row in result.backtest.records.items() if row.asked]
    assert min(asked) >= begin


def test_nothing_is_decided_on_bars_that_were_back_filled(tmp_path):
    gap = tuple(BARS.index[-100:-70])
    day = read_day(record(tmp_path / "day", BARS, settings_for("random_entry"), backfilled=gap))
    result = compared(day)
    assert result.failures(max_difference=0.0) == []
    starts = {start.tz_localize(None).to_pydatetime() for start in gap}
    assert not any(result.backtest.records[start].asked for start in starts)


def test_the_account_begins_with_what_the_live_one_had(tmp_path):
    folder = record(tmp_path / "day", BARS, settings_for())
    whole = compared(read_day(folder))
    rewrite(folder, data={"starting_cash": 400_000.0})
    poorer = compared(read_day(folder))
    assert poorer.day.starting_cash == 400_000.0
    assert poorer.backtest.trips != whole.backtest.trips
    assert poorer.failures() == []
    assert {part.cause for pair in poorer.trades for part in pair.parts} >= {"size"}


def test_a_losing_streak_from_before_counts(tmp_path):
    chosen = settings_for(risk={"cooldown_losses": 3, "cooldown_minutes": 300.0})
    folder = record(tmp_path / "day", BARS, chosen)
    before = len(compared(read_day(folder)).backtest.trips)
    rewrite(folder, data={"starting_cash": 1_000_000.0, "starting_losses": 2})
    result = compared(read_day(folder))
    assert len(result.backtest.trips) == 1 < before  # the first loss of the day is the third in a row
    denied = [part for pair in result.trades for part in pair.parts if part.cause == "rejection"]
    assert denied
    assert all("denied by cooldown (backtest)" in part.detail for part in denied)


@pytest.mark.parametrize("setting", ["kill_switch_file", "pause_file"])
def test_a_switch_of_today_does_not_stop_the_replay(tmp_path, monkeypatch, setting):
    folder = record(tmp_path / "day", BARS, settings_for(risk={setting: "STOP"}))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "STOP").touch()
    assert compared(read_day(folder)).backtest.trips


def test_settings_of_another_version_are_named(tmp_path):
    folder = record(tmp_path / "day", BARS, settings_for())
    stored = json.loads((folder / "summary.json").read_text())["settings"]
    stored["broker"]["latency_ms"] = -1
    rewrite(folder, settings=stored)
    with pytest.raises(SettingsError, match=r"summary\.json.*latency_ms"):
        replay_day(read_day(folder))


# -- reference bars ----------------------------------------------------------------------------------------


def test_a_bar_the_live_run_never_got_is_missing(tmp_path):
    whole = read_day(record(tmp_path / "whole", BARS, settings_for()))
    lost = pd.Timestamp(whole.run.trips[3].signal_time, tz="Asia/Kolkata") - pd.Timedelta(minutes=3)
    day = read_day(record(tmp_path / "day", BARS.drop(lost), settings_for()))
    result = compared(day, BARS[BARS.index >= FIRST])
    assert result.bars.missing == [lost.tz_localize(None).to_pydatetime()]
    assert result.unexplained["bars"] == 1
    assert result.failures()
    (found,) = [item for item in result.decisions if item.start == result.bars.missing[0]]
    assert found.reason.cause == "missed_bar"
    after = [item for item in result.decisions if item.reason and item.start > found.start]
    assert {item.reason.cause for item in after} <= {"bar", "timing"}
    parts = {part.cause for pair in result.trades for part in pair.parts}
    assert "missed_bar" in parts
    assert sum(result.by_cause.values()) == pytest.approx(result.difference, abs=1e-6)


def test_an_incomplete_bar_is_why_nothing_was_decided(tmp_path):
    whole = read_day(record(tmp_path / "whole", BARS, settings_for()))
    signal = pd.Timestamp(whole.run.trips[0].signal_time, tz="Asia/Kolkata") - pd.Timedelta(minutes=3)
    broken = BARS.copy()
    broken.loc[signal, "complete"] = False
    result = compared(read_day(record(tmp_path / "day", broken, settings_for())), BARS)
    assert [found.field for found in result.bars.differing] == ["complete"]
    first = result.trades[0]
    assert first.live is None
    assert [part.cause for part in first.parts] == ["bar"]
    assert "complete bars only" in first.parts[0].detail


def test_another_price_in_a_bar_reaches_features_and_is_traced_to_the_bar(tmp_path):
    other = BARS.copy()
    other.loc[FIRST, ["high", "close"]] += 40.0
    result = compared(read_day(record(tmp_path / "day", other, settings_for())), BARS)
    assert {found.field for found in result.bars.differing} == {"high", "close"}
    causes = {found.reason.cause for found in result.decisions if found.reason}
    assert causes <= {"bar", "timing"}
    assert result.unexplained["inputs"] == 5


def test_reference_bars_come_from_a_file_in_any_size(tmp_path):
    day = read_day(record(tmp_path / "day", BARS, settings_for(), first=BARS.index[-60]))
    path = tmp_path / "candles.csv"
    BARS.drop(columns="complete").to_csv(path)
    reference = load_reference(path, day)
    assert list(reference.index) == list(BARS.index[-60:])
    assert compared(day, reference).failures(max_difference=0.0) == []
    BARS.iloc[:125].drop(columns="complete").to_csv(path)
    with pytest.raises(DataError, match="holds no bar from 2023"):
        load_reference(path, day)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_damage_to_the_live_bars_is_attributed_to_the_last_rupee(tmp_path_factory, data):
    live = BARS.copy()
    counted = list(BARS.index[-125:])
    for start in data.draw(st.lists(st.sampled_from(counted[1:-1]), max_size=4, unique=True), label="moved"):
        live.loc[start, ["open", "high", "low", "close"]] += data.draw(st.floats(-50.0, 50.0))
    for start in data.draw(st.lists(st.sampled_from(counted), max_size=4), label="incomplete"):
        live.loc[start, "complete"] = False
    lost = data.draw(st.lists(st.sampled_from(counted[1:-1]), max_size=4, unique=True), label="lost")
    live = live.drop(lost)
    settings_of_day = settings_for(
        data.draw(st.sampled_from(["ema_cross", "random_entry"])),
        broker={"slippage": {"model": "percent", "percent": data.draw(st.floats(0.0, 0.05))}},
    )
    day = read_day(record(tmp_path_factory.mktemp("damaged") / "day", live, settings_of_day))
    result = compared(day, BARS)
    assert len(result.bars.missing) == len(lost)
    assert sum(result.by_cause.values()) == pytest.approx(result.difference, abs=1e-6)
    if not result.bars.starts:
        assert result.difference == 0.0
    unexplained = {part.cause for pair in result.trades for part in pair.parts} & {"feature", "decision"}
    assert not unexplained  # every difference goes back to a bar


# -- a model -----------------------------------------------------------------------------------------------

SMALL = [
    "data.synthetic.sessions=30", "ml.split.train_months=1", "ml.split.test_months=1", "ml.model.rounds=5",
    "ml.model.leaf_rows=20", "ml.features=[return_zscore, volume_ratio_20, rsi_14]",
    "risk.max_model_age_days=null",
    "strategy.parameters={buy_probability: 0.34, sell_probability: 0.34}",
]  # fmt: skip


@pytest.fixture(scope="module")
def modelled(tmp_path_factory):
    """A recorded day of the ``ml`` strategy, and the model's registry."""
    root = tmp_path_factory.mktemp("modelled")
    chosen = load_settings(None, [*SMALL, f"ml.registry={root / 'models'}"])
    bars = load_run_bars(chosen, CALENDAR)
    prepare_model(chosen, bars, "train", now=dt.datetime(2024, 1, 1, tzinfo=IST))
    stored = prepare_model(chosen, bars, "v0001", now=dt.datetime(2024, 1, 1, tzinfo=IST))
    frame = bars.frame.iloc[-6 * 125 :]
    model = {"registry": str(root / "models"), "version": "v0001"}
    return record(root / "day", frame, chosen, predictor=stored.predictor, model=model), root / "models"


def test_a_day_with_a_model_replays_to_the_last_bit(modelled):
    folder, _ = modelled
    day = read_day(folder)
    result = compared(day)
    assert result.failures(max_difference=0.0) == []
    assert {found.name for found in result.inputs} == {
        "atr", "p_sell", "p_hold", "p_buy", "return_zscore", "volume_ratio_20", "rsi_14",
    }  # fmt: skip
    assert max(found.largest for found in result.inputs) == 0.0
    assert result.trades
    sides = [found.live for found in result.decisions if found.live.side]
    assert all(0.34 <= answer.probability <= 1.0 for answer in sides)
    assert all(np.isfinite(list(found.live.inputs.values())).all() for found in result.decisions[5:])


def test_inputs_of_a_model_are_the_same_bar_by_bar(modelled):
    folder, models = modelled
    day = read_day(folder)
    chosen = recorded_settings(day)
    features = FeatureSet(chosen.ml.features)
    predictor = ModelRegistry(models).load("v0001", features).predictor(features)
    seen = []
    assembled = assemble_backtest(
        chosen, day.run.bars[list(BARS.columns)], CALENDAR, predictor=predictor, on_bar=seen.append
    )
    assembled.engine.run(runonce=False, preload=False)
    assert str(seen) == str(list(day.run.records.values()))


def test_without_its_model_a_day_cannot_be_replayed(modelled):
    folder, models = modelled
    whole = (folder / "summary.json").read_text()
    try:
        rewrite(folder, model=None)
        with pytest.raises(DataError, match="names no model version"):
            replay_day(read_day(folder))
        rewrite(folder, model={"registry": str(models), "version": "v0009"})
        with pytest.raises(ModelNotFoundError, match="no model 'v0009'"):
            replay_day(read_day(folder))
        assert ModelRegistry(models).versions() == ("v0001",)
        assert MlSettings().registry != str(models)
    finally:
        (folder / "summary.json").write_text(whole)
