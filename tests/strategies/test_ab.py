"""Arms that share one account: each as it would be alone, one position at a time, nobody favoured."""

from __future__ import annotations

import datetime as dt
from collections import Counter

import backtrader as bt
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from feeds.bars import aggregate
from feeds.calendar import TradingCalendar
from feeds.clock import IST
from feeds.errors import ModelNotFoundError, SettingsError
from feeds.settings import SyntheticSettings
from feeds.sources.synthetic import make_bars
from ml.answers import RecordedAnswers
from ml.features import FeatureSet
from ml.settings import MlSettings
from strategies.ab import Strategy
from strategies.arm_models import load_models, prepare_models
from strategies.arm_predictors import ArmPredictors
from strategies.arm_settings import ArmsSettings
from strategies.base import Decision, IntradayStrategy
from strategies.checks import check_before_loading
from strategies.loading import load_run_bars
from strategies.modelling import prepare_model
from strategies.plugins import models_of, plugin_settings
from strategies.recorded_drift import recorded_drift
from strategies.settings import load_settings
from strategies.simulation import prepare_simulation
from tests.brokers.paper_cases import play
from tests.parity.recorded import COSTS
from tests.support import assemble, run, settings_of

CALENDAR = TradingCalendar()
LOT = 75
NOW = dt.datetime(2024, 1, 1, tzinfo=IST)


def bars_of(sessions, seed=5):
    frame = aggregate(make_bars(SyntheticSettings(sessions=sessions, seed=seed), CALENDAR), 3, CALENDAR)
    draw = np.random.default_rng(seed)
    frame["signal"] = draw.choice([-1.0, 0.0, 1.0], len(frame), p=[0.05, 0.9, 0.05])
    frame["atr"] = draw.uniform(5.0, 20.0, len(frame))
    return frame


@pytest.fixture(scope="module")
def bars():
    return bars_of(8)


def arm(name="a", strategy="random_entry", lots=1, **more):
    return {"name": name, "strategy": strategy, "lots": lots, **more}


def coin(seed, probability=1.0):
    return {"parameters": {"seed": seed, "entry_probability": probability}}


def ab(*arms, **parts):
    chosen = {"name": "ab", "parameters": {"arms": list(arms)}}
    return settings_of(strategy=chosen, broker=COSTS, **parts)


def alone(strategy, parameters, lots=1):
    return settings_of(
        strategy={"name": strategy, "parameters": parameters, "fixed_units": lots * LOT}, broker=COSTS
    )


def answers(frame, seed=1, side=None):
    """Return a model that is sure of a side now and then, by chance; of one side only where it is given."""
    draw = np.random.default_rng(seed)
    buy = draw.random(len(frame))
    probabilities = np.column_stack([1.0 - buy, np.zeros(len(frame)), buy])
    sure = np.abs(buy - 0.5) > 0.45
    probabilities[~sure] = np.nan
    if side is not None:
        probabilities[sure] = [0.0, 0.0, 1.0] if side > 0 else [1.0, 0.0, 0.0]
    return RecordedAnswers(FeatureSet(MlSettings().features), pd.DatetimeIndex(frame.index), probabilities)


ALONE = [
    ("ema_cross", {}),
    ("opening_range", {"range_bars": 5}),
    ("random_entry", {"seed": 3}),
    ("column_signal", {}),
    ("ml", {"buy_probability": 0.9, "sell_probability": 0.9}),
]


# -- one arm is that strategy ------------------------------------------------------------------------------


@pytest.mark.parametrize(("strategy", "parameters"), ALONE, ids=[name for name, _ in ALONE])
def test_one_arm_trades_as_its_strategy_alone(bars, strategy, parameters):
    model = answers(bars) if strategy == "ml" else None
    models = None if model is None else ArmPredictors({"a": model}, bars.index[0])
    expected = run(bars, alone(strategy, parameters, lots=2), predictor=model)
    found = run(bars, ab(arm(strategy=strategy, parameters=parameters, lots=2)), predictor=models)
    assert len(expected.fills) > 10
    assert found.fills == expected.fills
    assert found.events == expected.events
    assert [str(context._replace(arm="")) for context in found.contexts] == list(map(str, expected.contexts))
    assert {context.arm for context in found.contexts} == {"a"}


TWO = (arm("a", "ema_cross", 2), arm("b", "random_entry", 3, **coin(7, 0.1)))


@pytest.mark.parametrize("options", [{"skip": False}, {"verify": True}, {"on_bar": lambda record: None}])
def test_every_way_through_the_bars_gives_the_same_trades(bars, options):
    expected, found = run(bars, ab(*TWO)), run(bars, ab(*TWO), **options)
    assert {context.arm for context in expected.contexts} == {"a", "b"}
    assert (found.fills, found.events, str(found.contexts)) == (
        expected.fills, expected.events, str(expected.contexts),
    )  # fmt: skip


def test_bar_by_bar_gives_the_same_trades(bars):
    """As live: indicators from the trailing window, nothing known ahead."""
    expected, found = run(bars, ab(*TWO)), run(bars, ab(*TWO), cerebro={"runonce": False})
    assert (found.fills, str(found.contexts)) == (expected.fills, str(expected.contexts))


# -- who trades, and with how much -------------------------------------------------------------------------


def arms_of(journal):
    return {context.trade_id: context.arm for context in journal.contexts}


def test_each_arm_enters_with_its_own_lots(bars):
    journal = run(bars, ab(*TWO))
    arms = arms_of(journal)
    sizes = {(arms[fill.trade_id], abs(fill.size)) for fill in journal.fills if fill.role == "entry"}
    assert sizes == {("a", 2.0 * LOT), ("b", 3.0 * LOT)}


def test_lots_are_those_of_the_contract_of_the_day(bars):
    settings = ab(arm(lots=2), market={"lot_size": "dated", "tick_size": "dated"})
    sizes = {abs(fill.size) for fill in run(bars, settings).fills}
    assert sizes == {100.0}  # early in 2023 a lot of NIFTY was 50 units


@pytest.mark.parametrize(("lots", "units"), [(3, 3 * LOT), (4, 4 * LOT), (5, 4 * LOT)])
def test_the_risk_gate_has_the_last_word_on_lots(bars, lots, units):
    journal = run(bars, ab(arm(lots=lots, **coin(1)), risk={"max_lots": 4}))
    assert {abs(fill.size) for fill in journal.fills if fill.role == "entry"} == {units}
    reduced = {event.rule for event in journal.events if event.role == "entry"} - {""}
    assert reduced == ({"exposure"} if lots == 5 else set())


def test_lots_that_the_account_cannot_carry_are_refused_and_the_other_arm_trades(bars):
    journal = run(bars, ab(arm("a", lots=1000, **coin(1)), arm("b", lots=1, **coin(2))))
    assert set(arms_of(journal).values()) == {"b"}
    assert any(event.state == "margin" for event in journal.events)


def test_only_the_arm_that_holds_the_position_ends_it(bars):
    journal = run(bars, ab(*TWO))
    arms = arms_of(journal)
    assert {arms[fill.trade_id] for fill in journal.fills if fill.role == "signal"} == {"a"}


def test_neither_arm_is_favoured_when_both_want_every_bar():
    journal = run(bars_of(40), ab(arm("a", **coin(1)), arm("b", **coin(1))))
    count = Counter(arms_of(journal).values())
    entries = count.total()
    assert entries > 250
    assert abs(count["a"] - entries / 2) < 4 * (entries / 4) ** 0.5


@pytest.mark.parametrize("place", [0, 1])
def test_the_draw_does_not_know_the_coin_of_a_random_arm(place):
    """Both are hashes of the minute: an arm must not win the draw because its coin fell well."""
    rare, always = arm("a", **coin(place, 0.3)), arm("b", **coin(9))
    arms = (rare, always) if place == 0 else (always, rare)
    won = Counter(arms_of(run(bars_of(60), ab(*arms))).values())
    # Of the bars, of which b wants all and a three in ten, a gets half of those; with its coin, most of them
    share = won["a"] / won.total()
    assert abs(share - 0.15) < 0.05


@given(
    seeds=st.lists(st.integers(0, 50), min_size=2, max_size=3),
    chances=st.lists(st.sampled_from([0.05, 0.5, 1.0]), min_size=3, max_size=3),
    lots=st.lists(st.integers(1, 3), min_size=3, max_size=3),
    days=st.integers(0, 20),
)
@examples(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_there_are_never_two_positions(seeds, chances, lots, days):
    names = "abc"[: len(seeds)]
    arms = [
        arm(name, lots=size, **coin(seed, chance))
        for name, seed, chance, size in zip(names, seeds, chances, lots, strict=False)
    ]
    journal = run(bars_of(2, seed=days), ab(*arms))
    by_name = dict(zip(names, lots, strict=False))
    whose, held, holder = arms_of(journal), 0.0, 0
    assert set(whose.values()) <= set(names)
    for fill in journal.fills:
        if held == 0.0:
            assert fill.role == "entry"
            holder = fill.trade_id
            assert abs(fill.size) == by_name[whose[holder]] * LOT
        assert fill.trade_id == holder
        held += fill.size
        assert abs(held) <= by_name[whose[holder]] * LOT
    assert held == 0.0


@pytest.mark.parametrize("bars_traded", [20, 41, 62, 83, 104])
def test_a_paper_account_that_is_killed_knows_whose_position_it_is(bars, tmp_path, bars_traded):
    day = len(bars) - 125
    settings = ab(arm("a", "ema_cross", 2), arm("b", "random_entry", 1, **coin(2, 0.05)))
    begins = bars.index[day].to_pydatetime()
    whole = play(bars, settings, tmp_path / "whole.sqlite", start=begins)
    whose = arms_of(whole.journal)
    assert set(whose.values()) == {"a", "b"}
    assert {whose[fill.trade_id] for fill in whole.journal.fills if fill.role == "signal"} == {"a"}
    path, broken_off = tmp_path / "broken.sqlite", day + bars_traded
    play(bars, settings, path, start=begins, breaks_after=broken_off)
    again = bars.index[broken_off - 1].to_pydatetime() + dt.timedelta(minutes=3, seconds=1)
    broken = play(bars, settings, path, start=again)
    assert broken.journal.fills == whole.journal.fills
    assert str(broken.journal.contexts) == str(whole.journal.contexts)


# -- what it saw -------------------------------------------------------------------------------------------


def test_inputs_are_named_by_arm(bars):
    records = []
    run(bars, ab(*TWO), on_bar=records.append)
    assert list(records[0].inputs) == [
        "atr", "a.atr", "a.fast", "a.slow", "a.fast_before", "a.slow_before", "b.atr",
    ]  # fmt: skip


def test_a_bar_tells_which_arm_entered(bars):
    records = []
    journal = run(bars, ab(*TWO), on_bar=records.append)
    assert [record.arm for record in records if record.units] == [one.arm for one in journal.contexts]
    assert {record.arm for record in records} == {"", "a", "b"}


COUNTED = []


class Counting(IntradayStrategy):
    """Counts bars as strategies of backtrader do."""

    def decide(self):
        """No entry."""
        COUNTED.append((len(self), len(self.data)))


def test_an_arm_may_ask_how_many_bars_there_are(bars):
    COUNTED.clear()
    run(bars, ab(arm(strategy=f"{__name__}:Counting")))
    assert len(COUNTED) > 500
    assert all(own == data for own, data in COUNTED)


# -- models ------------------------------------------------------------------------------------------------


def test_each_arm_asks_its_own_model_and_none_before_all_of_them_judge(bars):
    begins = bars.index[300]
    models = ArmPredictors({"up": answers(bars, 1, 1), "down": answers(bars, 2, -1)}, begins)
    settings = ab(arm("up", "ml"), arm("down", "ml"), arm("coin", **coin(4, 0.02)))
    journal = run(bars, settings, predictor=models)
    arms = arms_of(journal)
    sides = {(arms[fill.trade_id], np.sign(fill.size)) for fill in journal.fills if fill.role == "entry"}
    assert {("up", 1.0), ("down", -1.0)} <= sides
    assert ("up", -1.0) not in sides
    assert ("down", 1.0) not in sides
    assert min(context.signal_time for context in journal.contexts) > begins.tz_localize(None)
    assert str(run(bars, settings, predictor=models, skip=False).contexts) == str(journal.contexts)


def test_an_arm_without_a_model_does_not_trade_the_warm_up_of_the_others(bars):
    """The bars before the first that counts are there for the features only."""
    model = answers(bars)
    model.warmup_bars = 200
    begins = bars.index[300].to_pydatetime()
    settings = ab(arm("m", "ml"), arm("coin", **coin(4)))
    simulation = prepare_simulation(
        settings, CALENDAR, bars, predictor=ArmPredictors({"m": model}, begins), counts_from=begins
    )
    simulation.run()
    simulated = simulation.analyse()
    assert simulation.bars == len(bars) - 300 + 199 + 1
    assert {result.name for result in simulated.analysis.arms.arms if result.trades} == {"m", "coin"}
    assert simulated.analysis.trades["signal_time"].min() > begins


SMALL = [
    "data.synthetic.sessions=46", "ml.split.train_months=1", "ml.split.test_months=1", "ml.model.rounds=5",
    "ml.model.leaf_rows=20", "ml.features=[return_zscore, volume_ratio_20]", "strategy.name=ab",
]  # fmt: skip


def test_arms_share_the_model_of_the_run_and_have_their_own(tmp_path):
    single = load_settings(None, [*SMALL[:-1], f"ml.registry={tmp_path}"])
    loaded = load_run_bars(single, CALENDAR)
    stored = prepare_model(single, loaded, "train", now=NOW)
    settings = load_settings(None, [*SMALL, f"ml.registry={tmp_path}"])
    arms = [arm("a", "ml"), arm("b", "ml", model="v0001"), arm("c", "ml"), arm("d")]
    strategy = settings.strategy.model_copy(update={"parameters": {"arms": arms}})
    settings = settings.model_copy(update={"strategy": strategy})
    assert models_of(strategy) == {"a": None, "b": "v0001", "c": None}
    check_before_loading(settings, "walkforward")

    model = prepare_models(settings, loaded, "walkforward", now=NOW)
    assert sorted(model.predictor.by_arm) == ["a", "b", "c"]
    assert model.predictor.by_arm["a"] is model.predictor.by_arm["c"]
    assert model.judges_from == model.predictor.judges_from == stored.judges_from
    assert len(model.windows) == 2  # once, though two arms share them
    assert model.info["arms"]["b"]["version"] == "v0001"
    assert "version" not in model.info

    live = load_models(settings, "v0001")
    assert (live.info["version"], live.info["trained_until"]) == ("v0001", stored_until(live, "b"))
    assert load_models(single, "v0001").info["version"] == "v0001"
    assert load_models(load_settings(None, ["strategy.name=ema_cross"]), "champion") is None


def stored_until(model, name):
    return model.info["arms"][name]["trained_until"]


def test_a_version_that_is_not_there_is_refused_before_any_bar_is_read(tmp_path):
    settings = load_settings(None, [*SMALL, f"ml.registry={tmp_path}"])
    parameters = {"arms": [arm("a", "ml", model="v0007")]}
    strategy = settings.strategy.model_copy(update={"parameters": parameters})
    with pytest.raises(ModelNotFoundError, match="v0007"):
        check_before_loading(settings.model_copy(update={"strategy": strategy}), "walkforward")


def test_drift_is_not_known_where_arms_ask_models_of_their_own(tmp_path):
    (tmp_path / "summary.json").write_text('{"model": {"version": "v0001", "arms": {"a": {}}}}')
    drift = recorded_drift(tmp_path, [])
    assert (drift.level, drift.words) == ("unknown", "not known: each arm asks a model of its own")


def test_arms_without_models_take_no_model():
    settings = load_settings(
        None, ["strategy.name=ab", "strategy.parameters={arms: [{name: a, strategy: ema_cross}]}"]
    )
    with pytest.raises(SettingsError, match="asks no model"):
        check_before_loading(settings, "train")


# -- settings ----------------------------------------------------------------------------------------------


class Walker(IntradayStrategy):
    """Goes its own way over the bars."""

    def next(self):
        """Do nothing."""


class Lined(IntradayStrategy):
    """Has a line of its own."""

    lines = ("extra",)

    def decide(self):
        """Long."""
        return Decision(1)


def test_the_default_is_the_model_against_chance():
    assert ArmsSettings().arm_names == ("model", "random")
    assert Strategy.models(ArmsSettings()) == {"model": None}


WRONG = [
    ([], "arms"),
    ([arm("a"), arm("a")], "two arms are called 'a'"),
    ([arm("A")], "strategy.parameters.arms.0.name"),
    ([arm(lots=0)], "strategy.parameters.arms.0.lots is 0, expected 1 or more"),
    ([arm(lots=1001)], "strategy.parameters.arms.0.lots is 1001, expected 1000 or less"),
    ([arm(strategy="ema_kross")], "did you mean 'ema_cross'"),
    ([arm(), arm("b", parameters={"sed": 1})],
     "unknown setting 'strategy.parameters.arms.1.parameters.sed'; did you mean 'seed'"),
    ([arm(strategy="ab")], "which has arms itself"),
    ([arm(model="v0001")], "strategy random_entry asks no model"),
    ([arm(strategy="ml", model="newest")], "strategy.parameters.arms.0.model"),
    ([arm(strategy=f"{__name__}:Walker")], r"has a next\(\) of its own"),
]  # fmt: skip


@pytest.mark.parametrize(("arms", "words"), WRONG, ids=[words for _, words in WRONG])
def test_wrong_arms_are_refused_with_their_place(arms, words):
    with pytest.raises(SettingsError, match=words):
        plugin_settings("ab", Strategy, {"arms": arms})


@pytest.mark.parametrize("number", [1, 9, 10])
def test_the_number_of_arms(number):
    arms = [arm(f"a{place}") for place in range(number)]
    if number > 9:
        with pytest.raises(SettingsError, match="arms"):
            plugin_settings("ab", Strategy, {"arms": arms})
    else:
        assert len(plugin_settings("ab", Strategy, {"arms": arms}).arm_names) == number


def test_a_strategy_with_lines_of_its_own_is_no_arm(bars):
    assert issubclass(Lined, bt.Strategy)
    with pytest.raises(SettingsError, match="declares lines of its own"):
        assemble(bars, ab(arm(strategy=f"{__name__}:Lined"))).engine.run()


def test_no_arm_trades_before_the_first_bar_that_counts(bars):
    """Although its model judged before, and another arm needs more bars before, as in a search's holdout."""
    asks = ab(arm("a", "ml"), arm("b", parameters={"seed": 3, "entry_probability": 1.0}))
    asks = asks.model_copy(update={"strategy": asks.strategy.model_copy(update={"atr_period_bars": 3})})
    days = pd.DatetimeIndex(bars.index).normalize().unique()
    models = ArmPredictors({"a": answers(bars)}, days[1].to_pydatetime())
    models.warmup_bars = 281
    simulation = prepare_simulation(
        asks, CALENDAR, bars, predictor=models, counts_from=days[5].to_pydatetime()
    )
    simulation.run()
    found = simulation.analyse()
    assert min(fill.bar for fill in found.journal.fills) >= 0
    assert set(found.analysis.trades["entry_time"].dt.normalize()) == set(days[5:])
