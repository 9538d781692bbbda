"""Days that run themselves through what a day may bring: no login, no broker, an error, a clock set back, a
full disk, and what a person orders meanwhile."""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import json
from types import SimpleNamespace

import pytest

from analyzers.parity.files import read_day
from analyzers.status.now import read_now
from brokers.desk.facts import ExitWanted
from brokers.desk.journal_file import read_journal
from brokers.sandbox.faults import Fault
from brokers.token_store import StoredToken
from strategies import live_days, live_process
from strategies.live_controls import Command
from strategies.live_process import LiveProcess
from tests.brokers.kite.tokens import save_token
from tests.faults.unattended_market import DaysMarket, RunningDays, go_by_the_market
from tests.live_market import DAY, TOKEN, at, day_config, wait_until

pytestmark = pytest.mark.slow

RAISES = "tests.faults.broken_strategies:RaisesWhileHolding"
TOMORROW = DAY + dt.timedelta(days=1)
MODES = pytest.mark.parametrize("mode", ["live", "paper"])


@pytest.fixture(autouse=True)
def environment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KITE_API_KEY", "sandbox")
    monkeypatch.setenv("KITE_ACCESS_TOKEN", TOKEN)


@pytest.fixture
def running(tmp_path, monkeypatch):
    """Run days at a market; gives the market, the days, how far the wall's clock is off, and the process."""

    @contextlib.contextmanager
    def run(mode, *more, before=lambda at_market, step, count: None, speed=120.0, begins="14:45", name=None):
        with DaysMarket(day_config(begins=begins, speed=speed), tmp_path, mode) as market:
            if name is not None:
                market.name_after(name)
            it = SimpleNamespace(market=market, off=None, process=None)
            it.days = RunningDays(market, *more, before=lambda step, count: before(it, step, count))
            it.off = go_by_the_market(monkeypatch, market, it.days)

            class Seen(LiveProcess):
                def __init__(self, *arguments):
                    super().__init__(*arguments)
                    it.process = self

            monkeypatch.setattr(live_days, "LiveProcess", Seen)
            with it.days:
                yield it

    return run


def bring_to_the_close(it):
    it.market.move_to(at("15:20:30"))
    wait_until(
        lambda: not it.market.told("bar")[-1]["position"] or it.days.exit_code is not None, "it is flat"
    )
    it.market.move_to(at("15:39:50"))


def log_in(tmp_path, token=TOKEN):
    login, ends = at("08:00"), at("06:00", TOMORROW)
    save_token(tmp_path / "token.json", StoredToken("sandbox", token, "SB0001", login, ends))


# -- what keeps a day from beginning -----------------------------------------------------------------------


def test_a_day_begins_late_when_what_was_missing_has_come(running, tmp_path, monkeypatch):
    """No login; then a clock that is off; then a broker who does not answer as the session begins."""
    monkeypatch.delenv("KITE_ACCESS_TOKEN")

    def before(it, step, count):
        match step.name, count:
            case "preflight", 1:
                log_in(tmp_path)
                it.off[0] = -dt.timedelta(hours=1)
            case "preflight", 2:
                it.off[0] = dt.timedelta()
                it.market.faults.add(Fault(kind="refuse", skip=1, route="GET /instruments*"))
            case "post_market", _:
                it.market.kill_token()

    token_file = f"broker.kite.token_file={tmp_path / 'token.json'}"
    with running("paper", "--set", token_file, before=before) as it:
        wait_until(lambda: it.market.holds, "a position is open")
        bring_to_the_close(it)
        assert it.days.finish() == 0
    market = it.market
    against = [
        [check["name"] for check in told["checks"] if check["outcome"] == "no_go"]
        for told in market.told("preflight")
    ]
    assert against == [["login"], ["login"], ["clock"], [], []]
    assert [told["login_needed"] for told in market.told("preflight")] == [True, True, False, False, False]
    (failed,) = market.told("day_failed")
    assert failed["will_retry"]
    assert market.told("session_missed") == []
    assert [step.name for step in it.days.waited] == ["preflight"] * 3 + ["post_market", "morning"]
    assert len(market.told("day_begins")) == 1
    (trade,) = market.rows("trades.csv")
    assert trade["exit_reason"] == "square_off"
    # The login died before the candles could be fetched: the rest was done
    (no_history,) = market.told("no_history")
    assert "access token" in no_history["error"]
    (done,) = market.told("post_market")
    assert (done["candle_bars"], done["parity"]) == (None, "passed")
    (row,) = market.listed
    assert (row["outcome"], row["trades"]) == ("done", "1")
    for file in market.out.rglob("*.log"):
        assert TOKEN not in file.read_text()


# -- a day that an error ends ------------------------------------------------------------------------------


@MODES
def test_an_error_ends_the_day_and_not_the_days(running, mode):
    with running(mode, "--strategy", RAISES, name=RAISES, speed=300.0) as it:
        assert it.days.finish() == 1
        market = it.market
        assert mode == "paper" or market.account()[:2] == (0, [])
    (failed,) = market.told("day_failed")
    assert not failed["will_retry"]
    assert "KeyError: 'not there'" in failed["error"]
    assert failed["error"].endswith("nothing is open")
    assert len(market.told("day_begins")) == 1, "it was begun again"
    assert len(market.told("post_market")) == 1
    (row,) = market.listed
    assert row["outcome"] == "ended by an error"
    # Then the next day is waited for, and its morning would have come
    assert [(step.name, step.at.date()) for step in it.days.waited] == [
        ("post_market", DAY),
        ("morning", TOMORROW),
    ]
    assert read_now(market.state_folder).phase == "over"


# -- the machine -------------------------------------------------------------------------------------------


def test_a_clock_set_back_and_a_full_disk_change_nothing_in_the_session(running, monkeypatch):
    def full(now, folder):
        raise OSError(errno.ENOSPC, "No space left on device", str(folder / "now.json"))

    def before(it, step, count):
        if step.name == "post_market":  # the session has ended by a clock that nobody could set
            assert it.market.now() >= at("15:40")
            it.off[0] = dt.timedelta()

    with running("live", before=before) as it:
        market = it.market
        wait_until(lambda: market.holds, "a position is open")
        it.off[0] = -dt.timedelta(hours=1)
        monkeypatch.setattr(live_process, "write_now", full)
        market.wait_told("clock_stepped")
        market.wait_told("now_unwritable")
        seen = len(market.told("bar"))
        wait_until(lambda: len(market.told("bar")) >= seen + 2, "two more bars")
        bring_to_the_close(it)
        assert it.days.finish() == 0
    stepped = [round(told["seconds"]) for told in market.told("clock_stepped")]
    assert [seconds for seconds in stepped if seconds] == [-3600]
    assert len(market.told("now_unwritable")) == 1
    (trade,) = market.rows("trades.csv")
    assert trade["exit_reason"] == "square_off"
    assert trade["exit_time"][11:16] in ("15:21", "15:20")
    starts = [row["start"] for row in market.rows("bars.csv")]
    assert starts == sorted(set(starts))
    assert market.listed[0]["outcome"] == "done"


# -- what a person orders ----------------------------------------------------------------------------------


@MODES
def test_what_a_person_orders_is_done(running, tmp_path, mode):
    """Left by hand twice, squared off the third time; no entry while it is paused or the switch is on."""
    with running(mode, begins="14:08", speed=180.0) as it:
        market = it.market

        def order(name, **fields):
            outcome = it.process.controls.carry_out(Command(name, "page", "a test", **fields))
            assert outcome.outcome == "done", outcome
            return outcome.words

        def bars_pass(count):
            seen = len(market.told("bar"))
            wait_until(lambda: len(market.told("bar")) >= seen + count, "bars pass")

        def is_flat():
            return not market.told("bar")[-1]["position"]

        def denied():
            live = [told["rule"] for told in market.told("entry_denied")]
            return live + [told["rule"] for told in market.told("paper_order", state="denied")]

        wait_until(lambda: market.holds, "a position is open")
        words = order("flatten")
        assert words.startswith(("closing +130", "closing -130"))
        assert words.endswith("entries are paused until you resume")
        wait_until(is_flat, "it is left")
        bars_pass(2)
        assert is_flat()
        assert set(denied()) == {"pause"}
        wait_until(lambda: read_now(market.state_folder).state == "paused", "the page says so")
        assert order("flatten").startswith("nothing is open")
        assert order("resume") == "entries are allowed again"
        wait_until(lambda: market.holds, "there is a new position")
        assert order("kill").startswith("kill switch on; no entry until it is lifted")
        wait_until(is_flat, "it is left")
        bars_pass(2)
        assert is_flat()
        assert set(denied()) == {"pause", "kill_switch"}
        wait_until(lambda: read_now(market.state_folder).state == "halted", "the page says so")
        refused = it.process.controls.carry_out(Command("lift", "page", word="lift"))
        assert refused.outcome == "refused"
        assert (tmp_path / "KILL_SWITCH").exists()
        order("lift", word="LIFT")
        wait_until(lambda: market.holds, "there is a third position")
        bring_to_the_close(it)
        assert it.days.finish() == 0
        assert mode == "paper" or market.account()[:2] == (0, [])
        assert market.placed == (9 if mode == "live" else 0)
    assert_a_day_left_by_hand(market)


def assert_a_day_left_by_hand(market):
    """Trades, summary, report, parity and list of days know of it."""
    folder = market.day_folder
    trades = market.rows("trades.csv")
    assert [trade["exit_reason"] for trade in trades] == ["manual", "manual", "square_off"]
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["metrics"]["trades"] == 3
    assert "manual" in (folder / "report.html").read_text()
    (done,) = market.told("post_market")
    assert done["troubles"] == []
    # The backtest was not told to leave: every rupee that it made of that has its cause
    assert done["parity"] == "passed"
    parity = json.loads((folder / "parity.json").read_text())["rupees"]
    assert parity["unexplained"] == 0
    assert parity["by_cause"]["timing"] != 0
    assert sum(parity["by_cause"].values()) == pytest.approx(parity["difference"])
    assert [trip.exit_reason for trip in read_day(folder).run.trips] == ["manual", "manual", "square_off"]
    (row,) = market.listed
    assert (row["trades"], row["outcome"]) == ("3", "done")
    if market.mode == "live":
        wanted = [
            (row.fact.reason, row.fact.detail)
            for row in read_journal(folder / "journal.sqlite")
            if isinstance(row.fact, ExitWanted)
        ]
        assert wanted[:2] == [("manual", "page: a test")] * 2
