"""Several instruments on one account: each as if alone, but for the cash and the limits they share."""

from __future__ import annotations

import itertools
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from analyzers.several import joined_equity
from brokers.journal import Journal
from brokers.risk.rule import AccountState
from feeds.errors import MuhuratError, SettingsError
from feeds.settings import check_one_instrument
from strategies.column_signal import Strategy as ColumnSignal
from strategies.engine import Engine, SkippedBarError
from strategies.per_instrument import for_instrument
from strategies.settings import load_settings
from tests.strategies.several_cases import (
    NAMES,
    journals_of,
    made_bars,
    side_by_side,
    two_frames,
    two_settings,
)
from tests.support import run, settings_of


def run_both(settings, frames=None, **options):
    made = side_by_side(frames or two_frames(), settings, **options)
    made.engine.run()
    return made


def held_together(made):
    """The most instruments that were held at one moment, by the times of fills; and their lots' units."""
    fills = sorted(
        (fill.time, place, fill.instrument, fill.size)
        for place, fill in enumerate(
            itertools.chain.from_iterable(dealing.journal.fills for dealing in made.dealings.values())
        )
    )
    units, most = dict.fromkeys(made.dealings, 0.0), 0
    for _, same in itertools.groupby(fills, key=lambda fill: fill[0]):
        for _, _, name, size in same:
            units[name] += size
        most = max(most, sum(1 for size in units.values() if size))
    return most


# -- as if alone -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["column_signal", "ema_cross", "opening_range", "random_entry"])
@pytest.mark.parametrize("with_rules", [False, True])
def test_each_trades_as_it_does_alone_where_cash_does_not_bind(name, with_rules):
    rules = (
        {"max_entries_per_day": 4, "cooldown_losses": 2, "daily_loss_rupees": 3_000.0} if with_rules else {}
    )
    settings = two_settings(strategy={"name": name}, risk=rules)
    together = journals_of(run_both(settings))
    for instrument, frame in two_frames().items():
        alone = run(frame, for_instrument(settings, instrument))
        fills, events = together[instrument]
        assert len(fills) >= 10
        assert fills == [fill._replace(order_id=0, trade_id=0) for fill in alone.fills]
        assert events == [event._replace(order_id=0, trade_id=0) for event in alone.events]


@pytest.mark.parametrize("name", ["column_signal", "ema_cross", "opening_range", "random_entry"])
def test_jumping_over_bars_changes_nothing(name):
    settings = two_settings(
        strategy={"name": name, "sizer": "risk", "risk_percent": 2.0},
        broker={"starting_cash": 2_000_000.0},
        risk={"daily_loss_percent": 1.0, "max_margin_percent": 60.0, "max_entries_per_day": 6},
        account={"max_lots": 9, "daily_loss_rupees": 15_000.0, "max_margin_percent": 70.0},
    )
    expected = journals_of(run_both(settings, skip=False))
    assert sum(len(fills) for fills, _ in expected.values()) > 20
    assert journals_of(run_both(settings)) == expected
    assert journals_of(run_both(settings, verify=True)) == expected
    stepwise = side_by_side(two_frames(), settings)
    stepwise.engine.run(runonce=False)
    assert journals_of(stepwise) == expected


class Forgetful(ColumnSignal):
    """Declares no bar and acts all the same."""

    def entry_bars(self):
        return np.zeros(self.data.buflen(), dtype=bool)


def test_verify_finds_a_wrong_declaration():
    settings = two_settings(strategy={"name": f"{__name__}:Forgetful"})
    with pytest.raises(SkippedBarError, match=r"would have been skipped.*Forgetful"):
        run_both(settings, verify=True)


def test_as_many_strategies_as_feeds():
    made = side_by_side(two_frames(), two_settings())
    made.engine.strats.pop()
    with pytest.raises(MuhuratError, match="1 strategies on 2 feeds"):
        made.engine.run()


def test_the_order_of_instruments_changes_nothing_but_the_booking():
    frames = two_frames()
    settings = two_settings(strategy={"name": "ema_cross"})
    there = journals_of(run_both(settings, frames))
    back = journals_of(run_both(settings, dict(reversed(frames.items()))))
    assert there == back


def test_progress_ends_near_all_bars_of_both():
    told = []
    frames = two_frames()
    settings = two_settings(strategy={"name": "ema_cross"}, risk={"daily_loss_percent": 50.0})
    made = side_by_side(frames, settings, on_progress=told.append)
    made.engine.run()
    assert told == sorted(told)
    assert len(made.engine.datas[0]) == len(frames["NIFTY"])
    assert len(made.engine.datas[1]) == len(frames["BANKNIFTY"])


# -- what they share -------------------------------------------------------------------------------


def events_of(made, **wanted):
    return [
        event
        for dealing in made.dealings.values()
        for event in dealing.journal.events
        if all(getattr(event, name) == value for name, value in wanted.items())
    ]


def test_margin_of_one_is_not_free_for_the_other():
    """10 % of 50 units at about 18,000 is 90,000 rupees, of 15 units 27,000: enough for one, not for both."""
    settings = two_settings(broker={"starting_cash": 105_000.0}, market={"margin_percent": 10})
    made = run_both(settings)
    refused = events_of(made, state="margin", role="entry")
    assert refused
    assert all("are free" in event.reason for event in refused)
    assert held_together(made) == 1
    plenty = run_both(two_settings(broker={"starting_cash": 1_500_000.0}, market={"margin_percent": 10}))
    assert held_together(plenty) == 2
    assert not events_of(plenty, state="margin")


@pytest.mark.parametrize(("most", "held"), [(1, 1), (2, 2), (3, 2)])
def test_positions_at_a_time(most, held):
    made = run_both(two_settings(account={"max_positions": most}))
    assert held_together(made) == held
    assert bool(events_of(made, rule="account_positions")) is (most == 1)


def test_a_loss_of_both_closes_both_and_ends_the_day_for_both():
    limit = 3_000.0
    made = run_both(two_settings(account={"daily_loss_rupees": limit}))
    exits = [
        fill
        for dealing in made.dealings.values()
        for fill in dealing.journal.fills
        if fill.role == "account_daily_loss"
    ]
    assert {fill.instrument for fill in exits} == set(NAMES)
    for left in exits:
        later = [
            fill
            for dealing in made.dealings.values()
            for fill in dealing.journal.fills
            if fill.role == "entry" and fill.time > left.time and fill.time.date() == left.time.date()
        ]
        assert not later


def test_correlated_instruments_are_not_held_the_same_way():
    """The same bars twice: once there are sessions enough, they go together at a correlation of 1."""
    frame = made_bars(5, 30)
    other = frame.assign(signal=made_bars(6, 30)["signal"].to_numpy())
    settings = two_settings(account={"max_correlation": 0.9, "correlation_sessions": 5})
    made = run_both(settings, {"NIFTY": frame, "BANKNIFTY": other})
    reasons = {event.reason for event in events_of(made, rule="account_correlation", role="entry")}
    unknown = {reason for reason in reasons if "not known" in reason}
    assert unknown
    assert any("correlation of 1.0000" in reason for reason in reasons - unknown)
    sides, days = dict.fromkeys(NAMES, 0.0), list(frame.index.tz_localize(None).normalize().unique())
    fills = sorted(
        (fill for dealing in made.dealings.values() for fill in dealing.journal.fills),
        key=lambda fill: (fill.time, fill.role == "entry"),
    )
    for fill in fills:
        sides[fill.instrument] += fill.size
        if fill.role == "entry" and fill.time > days[5]:
            assert sides["NIFTY"] * sides["BANKNIFTY"] <= 0.0, fill


def test_equity_of_a_limit_in_percent_is_that_of_the_account():
    state = AccountState(day=None, cash=100.0, elsewhere=-40.0)
    assert state.equity == 60.0


def test_the_single_gate_takes_the_limits_of_the_account_too():
    settings = settings_of(
        risk={"account": two_settings(account={"max_lots": 1}).risk.account}, strategy={"fixed_units": 225}
    )
    journal = run(made_bars(5), settings)
    assert {abs(fill.size) for fill in journal.fills} == {75.0}
    assert journal.events[0].rule == "account_max_lots"


# -- the settings of each --------------------------------------------------------------------------


def test_the_settings_of_one_of_several():
    settings = load_settings(
        None, ["market.instruments=[NIFTY, BANKNIFTY]", "data.sources={NIFTY: a.csv, BANKNIFTY: b.csv}"]
    )
    one = for_instrument(settings, "BANKNIFTY")
    assert (one.market.instrument, one.market.instruments) == ("BANKNIFTY", ())
    assert (one.data.source, one.data.sources) == ("b.csv", {})
    assert one.ml.registry == "models/BANKNIFTY"
    assert settings.market.traded == NAMES


def test_one_instrument_is_left_as_it_is():
    settings = load_settings(None)
    assert for_instrument(settings, "NIFTY") == settings
    assert settings.market.traded == ("NIFTY",)


def test_synthetic_bars_of_two_are_not_the_same_ones():
    settings = load_settings(None, ["market.instruments=[NIFTY, BANKNIFTY]"])
    assert [for_instrument(settings, name).data.synthetic.seed for name in NAMES] == [7, 8]


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("market.instruments=[NIFTY]", "expected two names or more; set instrument instead"),
        ("market.instruments=[NIFTY, NIFTY]", "expected each name once"),
        ("market.instruments=[NIFTY, nifty]", "market.instruments"),
    ],
)
def test_instruments_that_cannot_be_meant(override, words):
    with pytest.raises(SettingsError, match="instruments") as caught:
        load_settings(None, [override])
    assert words in str(caught.value)


def test_a_lot_for_all_instruments_alike_is_refused():
    with pytest.raises(SettingsError, match="lot_size is 75 for NIFTY and BANKNIFTY alike"):
        load_settings(None, ["market.instruments=[NIFTY, BANKNIFTY]", "market.lot_size=75"])


def test_sources_of_other_instruments_are_refused():
    settings = load_settings(None, ["market.instruments=[NIFTY, BANKNIFTY]", "data.sources={NIFTY: a.csv}"])
    with pytest.raises(SettingsError, match="names NIFTY, expected what is traded: NIFTY, BANKNIFTY"):
        for_instrument(settings, "NIFTY")


def test_commands_of_one_instrument_refuse_several():
    settings = load_settings(None, ["market.instruments=[NIFTY, BANKNIFTY]"])
    with pytest.raises(SettingsError, match=r"search takes one instrument at a time.*holds NIFTY, BANKNIFTY"):
        check_one_instrument(settings.market, "search")


# -- looking at each other -------------------------------------------------------------------------


class Peering(ColumnSignal):
    """Writes down what it sees of the other instrument, and tries to see more."""

    seen: ClassVar[list] = []

    def decide(self):
        other = self.peer("BANKNIFTY" if self.data._name == "NIFTY" else "NIFTY")
        if len(other):
            self.seen.append((self.data._name, self.data.closed_at(), other.closed_at(), other.close[0]))
        for ago in (1, -len(other)):
            with pytest.raises(MuhuratError, match="bars that have closed"):
                other.close[ago]
        return super().decide()

    def entry_bars(self):
        return None


def test_a_peer_shows_the_last_bar_that_has_closed_and_no_other():
    frames = two_frames()
    Peering.seen.clear()
    run_both(two_settings(strategy={"name": f"{__name__}:Peering"}), frames)
    assert len(Peering.seen) > 500
    closes = {
        name: pd.Series(
            frame["close"].to_numpy(), index=(frame.index + pd.Timedelta(minutes=3)).tz_localize(None)
        )
        for name, frame in frames.items()
    }
    for name, now, closed_at, price in Peering.seen:
        other = closes["BANKNIFTY" if name == "NIFTY" else "NIFTY"]
        known = other[other.index <= now]
        assert (closed_at, price) == (known.index[-1], known.iloc[-1])


def test_a_peer_that_is_not_traded_is_refused():
    with pytest.raises(MuhuratError, match="BANKNIFTY is not traded beside NIFTY, expected none"):
        run(made_bars(5), settings_of(strategy={"name": f"{__name__}:Peering"}))


# -- figures ---------------------------------------------------------------------------------------


def test_the_account_is_the_sum_of_its_instruments():
    stamps = pd.DatetimeIndex(["2024-01-01 09:15", "2024-01-01 09:18", "2024-01-01 09:21"], tz="Asia/Kolkata")

    def frame(index, cash, value, position):
        return pd.DataFrame({"cash": cash, "value": value, "position": position}, index=index)

    joined = joined_equity(
        {
            "A": frame(stamps[:2], [0.0, 10.0], [0.0, 12.0], [0.0, 75.0]),
            "B": frame(stamps[1:], [0.0, -3.0], [-1.0, -3.0], [-30.0, 0.0]),
        },
        100.0,
    )
    assert joined["cash"].tolist() == [100.0, 110.0, 107.0]
    assert joined["value"].tolist() == [100.0, 111.0, 109.0]
    assert joined["position"].tolist() == [0, 2, 1]
    assert joined["A_profit"].tolist() == [0.0, 12.0, 12.0]
    assert joined["B_position"].tolist() == [0.0, -30.0, 0.0]


def test_an_engine_of_one_is_what_it_was():
    journal = run(made_bars(5), settings_of())
    assert isinstance(journal, Journal)
    assert Engine().strats == []
