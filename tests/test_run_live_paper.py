"""Whole days through ``run_live.py``, on paper and live, by the ticks' clock and by the wall's; and what the
commands ``journal`` and ``reconcile`` say of them."""

from __future__ import annotations

import csv
import json
import re
import signal

import pandas as pd
import pytest
import yaml

from brokers.__main__ import main as brokers
from brokers.desk.facts import DayOpened
from brokers.desk.journal_file import JournalFile
from brokers.paper_book import PaperBook
from brokers.sandbox.faults import Fault
from feeds.clock import SteadyClock, WallClock
from run_live import main
from tests.live_market import DAY, HOLD, TOKEN, Market, Program, day_config, prints, wait_until

FILES = {"bars.csv", "decisions.csv", "fills.csv", "orders.csv", "trades.csv", "summary.json", "report.html"}
SLOWLY = 120.0
MODES = pytest.mark.parametrize("mode", ["live", "paper"])


@pytest.fixture(autouse=True)
def environment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KITE_API_KEY", "sandbox")
    monkeypatch.setenv("KITE_ACCESS_TOKEN", TOKEN)


def rows_of(file):
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def summary_of(folder):
    return json.loads((folder / "summary.json").read_text())


def events_of(folder):
    return [json.loads(line) for line in (folder / "live.log").read_text().splitlines()]


def expected_bars():
    """Return the day's 3-minute bars, straight from the prints."""
    trades = prints("14:30", "15:40", 65)
    frame = pd.DataFrame(
        {"price": [trade.price for trade in trades], "volume": [trade.quantity for trade in trades]},
        index=pd.DatetimeIndex([trade.time for trade in trades]),
    )
    bins = frame.resample("3min")
    return bins["price"].ohlc().assign(volume=bins["volume"].sum().astype(float))


def assert_day_of_one_trade(folder, mode):
    assert {file.name for file in folder.iterdir()} >= FILES
    (trade,) = rows_of(folder / "trades.csv")
    assert trade["exit_reason"] == "square_off"
    assert len(rows_of(folder / "fills.csv")) == 2
    summary = summary_of(folder)
    assert summary["data"]["mode"] == mode
    assert summary["data"]["first"].startswith(f"{DAY}T14:00")
    begins = next(event for event in events_of(folder) if event["event"] == "day_begins")
    assert (begins["day"], begins["mode"]) == (str(DAY), mode)
    recorded = pd.read_csv(folder / "bars.csv", index_col="start", parse_dates=True)
    today = recorded[recorded.index >= pd.Timestamp(DAY, tz="Asia/Kolkata")]
    today = today[today["origin"] == "ticks"]
    # The first bar is torn: nobody knows whether prints came before the subscription was answered
    expected = expected_bars().iloc[1:]
    pd.testing.assert_frame_equal(
        today.loc[expected.index[0] :, list(expected.columns)], expected, check_freq=False, check_names=False,
        check_index_type=False,
    )  # fmt: skip


# -- whole days --------------------------------------------------------------------------------------------


@pytest.mark.slow
@MODES
def test_a_day_by_the_ticks_that_say_which_day_it_is(tmp_path, capsys, mode):
    folder = tmp_path / "run"
    with Market(day_config()) as market:
        assert main([*market.arguments(folder, mode=mode), *HOLD]) == 0
        account = market.account()
        assert (account.position, account.working) == (0, [])
        assert market.placed == (3 if mode == "live" else 0)
    assert_day_of_one_trade(folder, mode)
    told = capsys.readouterr()
    assert told.err == ""
    assert TOKEN not in told.out + (folder / "live.log").read_text()
    assert "the day is over: 1 trades" in told.out
    assert "enter: " in told.out
    assert len(re.findall(r"filled .*: (?:buy|sell) 130 at 2\d{4}\.\d\d", told.out)) == 2
    assert "nothing is open" in told.out


@pytest.mark.slow
@MODES
def test_a_day_by_the_wall_clock(tmp_path, capsys, monkeypatch, mode):
    """The wall's clock is the sandbox's here, so that it is a day like any other."""
    folder = tmp_path / "run"
    with Market(day_config(speed=200.0)) as market:
        clock = market._venue.clock
        for kind in (WallClock, SteadyClock):
            monkeypatch.setattr(kind, "now", lambda _: clock.now())
        market.faults.add(Fault(kind="clock_skew", seconds=0.0, count=None))  # its stamps are of this clock
        # A hundredth of a second on the way is two of that wall's
        late = ("--set", "live.bar_close_grace_seconds=60", "--set", "risk.max_data_age_seconds=null")
        assert main([*market.arguments(folder, mode=mode, clock="wall"), *HOLD, *late]) == 0
        account = market.account()
        assert (account.position, account.working) == (0, [])
        assert market.placed == (3 if mode == "live" else 0)
    (trade,) = rows_of(folder / "trades.csv")
    assert trade["exit_reason"] == "square_off"
    assert "nothing is open" in capsys.readouterr().out
    ends = [event for event in events_of(folder) if event["event"] == "market_over"]
    assert [event["reason"] for event in ends] == ["the session has closed"]


# -- a paper account over restarts -------------------------------------------------------------------------


def position_in(folder):
    file = folder / "decisions.csv"
    rows = rows_of(file) if file.exists() else []
    return float(rows[-1]["position"]) if rows else 0.0


@pytest.mark.slow
def test_a_killed_paper_day_goes_on_with_the_same_book(tmp_path):
    folder = tmp_path / "run"
    with Market(day_config(speed=SLOWLY)) as market:
        arguments = [*market.arguments(folder, mode="paper"), *HOLD]
        with Program(tmp_path, *arguments) as program:
            wait_until(
                lambda: position_in(folder) or program.process.poll() is not None, "it holds a position"
            )
            program.send(signal.SIGKILL)
            assert program.end() == -signal.SIGKILL, program
        held = position_in(folder)
        with Program(tmp_path, *arguments, "--set", "live.on_stop=keep") as program:
            wait_until(lambda: program.has_told(" long ") or program.has_told(" short "), "it goes on")
            program.send(signal.SIGTERM)
            assert program.end() == 0, program
            assert program.complaints == []
            assert program.has_told(f"keeping {held:+g} units on paper"), program
        assert rows_of(folder / "trades.csv") == []
        first = rows_of(folder / "fills.csv")
        assert len(first) == 1
        book = PaperBook(folder / "paper.sqlite")
        kept = book.load()
        book.close()
        with Program(tmp_path, *arguments) as program:
            assert program.end() == 0, program
        assert market.placed == 0
    fills = rows_of(folder / "fills.csv")
    assert fills[0] == first[0]
    assert len(fills) == 2
    (trade,) = rows_of(folder / "trades.csv")
    assert trade["exit_reason"] == "square_off"
    summary = summary_of(folder)
    assert summary["data"]["starting_cash"] == 1_000_000.0
    book = PaperBook(folder / "paper.sqlite")
    final = book.load()
    book.close()
    assert final.state.cash == pytest.approx(1_000_000.0 + float(trade["net_pnl"]))
    assert final.state.trip_count == kept.state.trip_count == 1
    starts = [row["start"] for row in rows_of(folder / "bars.csv")]
    assert starts == sorted(set(starts)), "a bar was recorded twice"


@pytest.mark.slow
def test_a_day_that_is_over_is_not_begun_again_on_paper(tmp_path, capsys):
    folder = tmp_path / "run"
    with Market(day_config()) as market:
        assert main([*market.arguments(folder, mode="paper"), *HOLD]) == 0
    trades = (folder / "trades.csv").read_bytes()
    with Market(day_config(begins="15:36")) as market:
        assert main([*market.arguments(folder, mode="paper"), *HOLD]) == 0
    assert (folder / "trades.csv").read_bytes() == trades
    assert capsys.readouterr().err == ""


# -- the journal, and the journal against the account ------------------------------------------------------


@pytest.fixture
def settings_file(tmp_path):
    def write(market):
        file = tmp_path / "sandbox.yaml"
        kite = {"api_root": market.api_root, "ticker_root": market.ticker_root}
        file.write_text(yaml.safe_dump({"broker": {"kite": kite}}))
        return file

    return write


def ask(capsys, *arguments, code=0):
    capsys.readouterr()
    assert brokers([str(argument) for argument in arguments]) == code
    told = capsys.readouterr()
    if code:
        assert re.fullmatch(r"error: [^\n]+\n", told.err), told.err
        return told.err
    assert told.err == ""
    assert TOKEN not in told.out
    return told.out


@pytest.mark.slow
def test_journal_and_reconcile_of_a_day_that_is_over(tmp_path, capsys, settings_file):
    folder = tmp_path / "run"
    with Market(day_config()) as market:
        assert main([*market.arguments(folder), *HOLD, "--quiet"]) == 0
        before = market.order_requests, (folder / "journal.sqlite").read_bytes()
        told = ask(capsys, "journal", "--run", folder)
        assert told.splitlines()[-1] == "position +0, 1 trips, 3 orders"
        for fact in ("DayOpened", "EntryDecided", "Intent", "Sent", "Acknowledged", "Filled", "TripClosed"):
            assert fact in told
        told = ask(capsys, "reconcile", "--run", folder, "--settings", settings_file(market))
        assert "they agree" in told
        assert told.splitlines()[-1].split() == ["nothing"]
        assert told == ask(capsys, "reconcile", "--run", folder, *market.addresses)
        assert (market.order_requests, (folder / "journal.sqlite").read_bytes()) == before


@pytest.mark.slow
def test_journal_and_reconcile_in_the_middle(tmp_path, capsys, settings_file):
    """While the program runs, after it was killed, and after somebody else has closed the position."""
    folder = tmp_path / "run"
    with Market(day_config(speed=SLOWLY)) as market:
        settings = settings_file(market)
        with Program(tmp_path, *market.arguments(folder), *HOLD) as program:
            wait_until(
                lambda: market.account().is_protected or program.process.poll() is not None, "it holds"
            )
            wait_until(lambda: program.has_told("filled"), "it is known")
            held = market.account().position
            before = market.order_requests
            assert f"position {held:+d}, 1 trips, 2 orders" in ask(capsys, "journal", "--run", folder)
            wait_until(
                lambda: "they agree" in ask(capsys, "reconcile", "--run", folder, "--settings", settings),
                "journal and account agree",
            )
            assert program.process.poll() is None, "reading has disturbed it"
            program.send(signal.SIGKILL)
            program.end()
        assert f"position {held:+d}, 1 trips, 2 orders" in ask(capsys, "journal", "--run", folder)
        told = ask(capsys, "reconcile", "--run", folder, "--settings", settings)
        assert "they agree" in told
        assert told.splitlines()[-1].split() == ["nothing"]
        close_by_hand(market, -held)
        told = ask(capsys, "reconcile", "--run", folder, "--settings", settings)
        assert "they agree" not in told
        assert "TakenOver" in told
        assert "Cancel " in told, "the stop without a position would open one"
        assert market.order_requests["POST"] == before["POST"]
        assert market.order_requests["DELETE"] == before["DELETE"]


def close_by_hand(market, units):
    """Somebody trades in the account, at their own terminal."""
    symbol = market.config.exchange.instruments[0].symbol

    def place(exchange):
        exchange.place(
            "regular",
            {
                "exchange": "NFO", "tradingsymbol": symbol, "product": "MIS", "validity": "DAY",
                "transaction_type": "BUY" if units > 0 else "SELL", "quantity": str(abs(units)),
                "order_type": "MARKET", "market_protection": "-1",
            },
        )  # fmt: skip

    market.ask(place)
    wait_until(lambda: market.account().position == 0, "it is closed")


@pytest.fixture
def journal(tmp_path):
    folder = tmp_path / "run"
    file = JournalFile(folder / "journal.sqlite", WallClock())
    file.append([DayOpened(DAY, "NIFTY26SEPFUT", "MIS", 1e6, "mark")])
    file.close()
    return folder


def test_journal_of_no_run(tmp_path, capsys):
    assert "no journal at" in ask(capsys, "journal", "--run", tmp_path, code=3)


def test_journal_that_is_none(journal, capsys):
    (journal / "journal.sqlite").write_bytes(b"no database" * 100)
    line = ask(capsys, "journal", "--run", journal, code=3)
    assert str(journal / "journal.sqlite") in line


def test_journal_without_a_day(tmp_path, capsys):
    JournalFile(tmp_path / "run" / "journal.sqlite", WallClock()).close()
    assert "position +0, 0 trips, 0 orders" in ask(capsys, "journal", "--run", tmp_path / "run")
    assert "is empty" in ask(capsys, "reconcile", "--run", tmp_path / "run", code=3)


def test_reconcile_without_a_login(journal, capsys, monkeypatch):
    monkeypatch.delenv("KITE_ACCESS_TOKEN")
    assert "found no access token" in ask(capsys, "reconcile", "--run", journal, code=4)


def test_reconcile_with_a_dead_token(journal, capsys, settings_file):
    with Market(day_config(start="manual", access_token="another")) as market:
        line = ask(capsys, "reconcile", "--run", journal, "--settings", settings_file(market), code=4)
    assert "no longer accepts our access token" in line
    assert TOKEN not in line


def test_reconcile_sees_what_is_none_of_ours(journal, capsys, settings_file):
    with Market(day_config(speed=SLOWLY, start="now")) as market:
        symbol = market.config.exchange.instruments[0].symbol
        market.ask(
            lambda exchange: exchange.place(
                "regular",
                {
                    "exchange": "NFO", "tradingsymbol": symbol, "product": "MIS", "validity": "DAY",
                    "transaction_type": "BUY", "quantity": "65", "order_type": "MARKET",
                    "market_protection": "-1",
                },
            )
        )  # fmt: skip
        wait_until(lambda: market.account().position == 65, "it is bought")
        told = ask(capsys, "reconcile", "--run", journal, "--settings", settings_file(market))
        assert "they agree" not in told
        assert "Halted" in told
        assert market.placed == 0
