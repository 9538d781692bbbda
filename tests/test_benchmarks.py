"""What a benchmark compares must run on every machine; its times are nobody's business here."""

import datetime as dt
import math

import pandas as pd
import pytest

from benchmarks import live, significance, storage
from benchmarks.engine import SETTINGS, round_trips, run, synthetic_bars
from benchmarks.exit_audit import ExitAudit
from benchmarks.stock import run_stock
from benchmarks.stopwatch import LiveRun, Stopwatch
from brokers.desk.facts import Acknowledged, EntryDecided, Intent
from brokers.desk.journal_file import JournalRow
from feeds.bars import aggregate, close_times
from feeds.calendar import TradingCalendar
from feeds.settings import SyntheticSettings
from feeds.sources.synthetic import make_bars
from feeds.store.parquet import ParquetStore
from strategies.settings import load_settings
from tests.live_market import Market, day_config


def test_stock_and_ours_trade_the_same_signals_on_made_up_bars():
    calendar = TradingCalendar()
    bars = synthetic_bars(calendar, sessions=12)
    fast = run(load_settings(SETTINGS), bars, calendar, skip=True)
    plain = run(load_settings(SETTINGS), bars, calendar, skip=False)
    assert fast.fills == plain.fills
    closes = close_times(pd.DatetimeIndex(bars.index), 3, calendar).tz_localize(None)
    # Stock backtrader fills by other rules, so the counts are near, not equal
    assert round_trips(fast) > 20
    assert abs(run_stock(bars.set_axis(closes)) - round_trips(fast)) <= 5


def test_each_way_of_keeping_bars_gives_them_back(tmp_path, capsys):
    calendar = TradingCalendar()
    made = SyntheticSettings(sessions=20, first_date=dt.date(2016, 5, 20))
    bars = {"NIFTY": make_bars(made, calendar, "NIFTY")}
    threes = aggregate(bars["NIFTY"], 3, calendar)
    found = {}
    for name, make in (("CSV", storage.CsvFolder), ("Parquet", ParquetStore)):
        root = tmp_path / name
        root.mkdir()
        found[name] = storage.measure(
            make(root), lambda root=root: storage.folder_megabytes(root), bars, threes
        )
    assert found["CSV"].megabytes > found["Parquet"].megabytes > 0.1
    storage.print_measured(found)
    assert "load a year of 3 minutes, ms" in capsys.readouterr().out


def test_four_years_of_made_up_bars_lie_within_the_calendar():
    assert len(synthetic_bars(TradingCalendar())) > 120_000


def test_the_audit_sees_an_exit_too_many_and_none_where_there_is_none():
    with ExitAudit() as audit, Market(day_config(start="manual")) as market:
        near = market.config.exchange.instruments[0]
        order = {
            "exchange": "NFO", "tradingsymbol": near.symbol, "transaction_type": "BUY",
            "quantity": str(near.lot), "product": "MIS", "order_type": "MARKET", "market_protection": "-1",
            "validity": "DAY", "tag": "a",
        }  # fmt: skip
        levels = {"trigger_price": "24900", "price": "24800"}
        stop = {**order, "transaction_type": "SELL", "order_type": "SL", **levels}

        def place(form):
            market.ask(lambda exchange: exchange.place("regular", form))
            market.advance(10.0)

        place(order)
        place(stop)
        assert (audit.violations, audit.most_exits) == ([], 1)
        place({**stop, "tag": "b"})
        assert "position +65, exits" in audit.violations[0]
        assert set(audit.arrivals) == {"a", "b"}


def test_a_fill_without_its_stop_is_told():
    time = dt.datetime(2026, 9, 24, 10, tzinfo=dt.UTC)
    decided = EntryDecided(1, 130, 100.0, 90.0, 110.0, time.replace(tzinfo=None), math.nan)
    entry = Intent("e", 1, "entry", 130, "market", 0.0, 100.0)
    stop = Intent("s", 1, "stop", -65, "stop", 90.0, 90.0)
    facts = (decided, entry, Acknowledged("e", "1", 3.0, 4.0), stop, Acknowledged("s", "2", 5.0, 4.0))
    watch = Stopwatch()
    watch.causes.update(e=10.0, s=20.0)
    watch.updates += [(20.0, "1", 65), (21.0, "1", 65), (30.0, "1", 130)]
    rows = [JournalRow(number, time, fact) for number, fact in enumerate(facts, start=1)]
    run = LiveRun(rows, watch, {"e": 10.25, "s": 20.5}, {})
    assert run.protection() == ([500.0], 0, ["e: 130 units"])
    assert run.at_wire("stop") == [5.0]
    assert run.at_exchange("entry") == [250.0]


@pytest.mark.slow
def test_the_live_stack_is_measured_against_an_exchange_in_another_process(tmp_path, monkeypatch):
    monkeypatch.setattr(live, "TICKS", tmp_path / "none")
    settings = live.settings_of("random_entry", {"entry_probability": 1.0})
    quick = settings.model_copy(update={"live": settings.live.model_copy(update={"idle_end_seconds": 2.0})})
    run = live.run_against_exchange(quick, tmp_path / "run", speed=120.0, minutes=8, partial_fills=0.5)
    protection = run.protection()
    assert protection.milliseconds
    assert protection.uncovered == []
    assert run.seen["violations"] == []
    assert len(run.at_wire("entry")) == len(run.at_exchange("entry")) > 0
    assert live.distribution("x", run.at_wire("stop")).startswith("n ")


@pytest.mark.parametrize(("supported", "code"), [(0, 0), (2, 0), (3, 1)])
def test_the_benchmark_of_the_verdict_keeps_to_its_bounds(monkeypatch, capsys, supported, code):
    def run_seed(arm, seed):
        label = "edge supported" if seed <= supported else "edge not supported"
        return significance.Outcome(label, False, 100.0, 1.0 if arm == "none" else 9.0, 5.0)

    monkeypatch.setattr(significance, "run_seed", run_seed)
    assert significance.main(["--seeds", "40", "--workers", "1", "--arms", "none"]) == code
    told = capsys.readouterr().out
    assert "gross a trade +1.00 ± 0.00 bps = 0.20 x costs of 5.00" in told
    assert f"edge supported   {supported:4d}" in told
    assert told.endswith("MISSED\n" if code else "kept\n")
