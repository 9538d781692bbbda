"""Days that run themselves, killed and ended by signals: nothing is done twice, and nothing after the end."""

from __future__ import annotations

import contextlib
import signal
import sys

import pytest

from analyzers.status.now import read_now
from brokers.desk.facts import Intent
from brokers.desk.journal_file import read_journal
from brokers.desk.state import DeskState
from brokers.paper_book import PaperBook
from brokers.sandbox.faults import Fault
from tests.faults.unattended_market import DaysMarket, DaysProgram
from tests.live_market import TOKEN, at, day_config, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="processes share the counter of the machine"),
]

SPEED = 120.0
MODES = pytest.mark.parametrize("mode", ["live", "paper"])


@pytest.fixture
def market_of(tmp_path, monkeypatch):
    with contextlib.ExitStack() as stack:

        def make(mode, begins="14:45"):
            market = stack.enter_context(DaysMarket(day_config(begins=begins, speed=SPEED), tmp_path, mode))
            monkeypatch.setattr("brokers.sandbox.serving.WallClock", lambda: market)
            return market

        yield make


@pytest.fixture
def started(tmp_path):
    return lambda market, *more: DaysProgram(tmp_path, market, *more)


def wait_for(program, condition, what):
    wait_until(lambda: condition() or program.process.poll() is not None, what)
    assert program.process.poll() is None, program


def bring_to_the_close(market, program):
    """Move time on to the square-off and the close, once each has been seen to."""
    market.move_to(at("15:20:30"))
    wait_for(program, lambda: not held_by(market), "it is flat")
    market.move_to(at("15:39:50"))
    wait_for(program, lambda: market.told("day_over"), "the session has ended")


def held_by(market):
    if market.mode == "live":
        return market.account().position
    return market.told("bar")[-1]["position"]


def assert_a_day_of_one_trade(market, *, processes):
    """One folder, one trade, one line in the list of days, one post-market."""
    assert sorted(path.name for path in market.out.iterdir()) == sorted(
        [market.day_folder.name, market.state_folder.name]
    )
    (trade,) = market.rows("trades.csv")
    assert trade["exit_reason"] == "square_off"
    assert len(market.rows("fills.csv")) == 2
    starts = [row["start"] for row in market.rows("bars.csv")]
    assert starts == sorted(set(starts)), "a bar was recorded twice"
    (row,) = market.listed
    assert (row["outcome"], row["trades"]) == ("done", "1")
    assert float(row["net_pnl"]) == pytest.approx(float(trade["net_pnl"]), abs=0.01)
    for event in ("post_market", "summary"):
        assert len(market.told(event)) == 1, event
    assert len(market.told("unattended_begins")) == processes
    assert len(market.told("day_begins")) == 2
    if market.mode == "live":
        account = market.account()
        assert (account.position, account.working, market.placed) == (0, [], 3)
        state = DeskState(row.fact for row in read_journal(market.day_folder / "journal.sqlite"))
        assert (state.position, state.active_trips) == (0, [])
        facts = [row.fact for row in read_journal(market.day_folder / "journal.sqlite")]
        assert [fact.role for fact in facts if isinstance(fact, Intent)] == ["entry", "stop", "square_off"]
    else:
        assert market.placed == 0
    for file in market.out.rglob("*.log"):
        assert TOKEN not in file.read_text()
    assert read_now(market.state_folder).phase == "over"


# -- killed ------------------------------------------------------------------------------------------------


def kill_with_a_position(market, started):
    with started(market) as program:
        wait_for(program, lambda: market.holds, "a position is open")
        kill(market, program)
    assert held_by(market)
    assert read_now(market.state_folder).phase == "session", "nobody was there to write more"


def kill(market, program):
    program.send(signal.SIGKILL)
    assert program.end() == -signal.SIGKILL
    market.stand()


@MODES
def test_killed_with_a_position_open_it_goes_on_where_it_was(market_of, started, mode):
    market = market_of(mode)
    kill_with_a_position(market, started)
    held = held_by(market)
    with started(market) as program:
        wait_for(program, lambda: len(market.told("stream_up")) == 2, "it goes on")
        bars = len(market.told("bar"))
        wait_for(program, lambda: len(market.told("bar")) > bars, "a bar")
        assert held_by(market) == held
        assert [step["name"] for step in market.told("step")][-1] == "session", "it asked whether it may"
        bring_to_the_close(market, program)
        if mode == "live":  # the day is brought to its end by one more process
            kill(market, program)
        else:
            market.move_to(at("15:50"))
            assert program.end() == 0, program
            assert program.complaints == []
    if mode == "live":
        assert market.told("post_market") == []
        market.move_to(at("22:00"))
        with started(market) as program:
            assert program.end() == 0, program
            assert program.complaints == []
    assert_a_day_of_one_trade(market, processes=3 if mode == "live" else 2)


# -- ended by a signal -------------------------------------------------------------------------------------


def assert_ended_by_a_signal(market, program):
    assert program.end() == 0, program
    assert program.complaints == []
    (ends,) = market.told("unattended_ends")
    assert ends["reason"] == "stopped by a signal"
    assert read_now(market.state_folder).phase == "over"


def test_while_it_waits_and_a_second_one_wants_its_place(market_of, started):
    market = market_of("live", begins="05:00")
    with started(market) as first:
        wait_for(first, lambda: market.told("plan"), "it waits")
        log = (market.state_folder / "watch.log").stat().st_ino
        with started(market, "--quiet") as second:
            assert second.end() == 4
            assert second.lines == []
            (line,) = second.complaints
            assert line.startswith(
                f"error: the state folder of {market.state_folder / 'watch.log'} is in use"
            )
        assert first.process.poll() is None
        assert (market.state_folder / "watch.log").stat().st_ino == log
        assert read_now(market.state_folder).process_id == first.process.pid
        first.send(signal.SIGTERM)
        assert_ended_by_a_signal(market, first)
    assert not market.day_folder.exists()


def test_during_the_preflight(market_of, started):
    market = market_of("live")
    market.faults.add(Fault(kind="delay", seconds=2.0, route="GET /user/profile"))
    with started(market) as program:
        wait_for(program, lambda: market.told("step", name="preflight"), "it asks")
        program.send(signal.SIGTERM)
        assert_ended_by_a_signal(market, program)
    assert len(market.told("preflight")) == 1
    assert market.told("step", name="session") == []
    assert not market.day_folder.exists()


def test_as_the_session_begins(market_of, started):
    """Between the checks and the stream: nobody is to find out at the close that it was not heard."""
    market = market_of("live")
    number = market.faults.add(Fault(kind="delay", seconds=2.0, skip=1, route="GET /instruments*"))[0]
    with started(market) as program:
        wait_for(program, lambda: market.faults.happened(number), "it asks for the second time")
        program.send(signal.SIGTERM)
        assert_ended_by_a_signal(market, program)
    assert market.told("day_begins") == []
    assert market.told("day_failed") == []
    assert market.placed == 0


@pytest.mark.parametrize(("mode", "on_stop"), [("live", "keep"), ("paper", "flatten")])
def test_during_the_session(market_of, started, mode, on_stop):
    market = market_of(mode)
    with started(market, "--set", f"live.on_stop={on_stop}") as program:
        wait_for(program, lambda: market.holds, "a position is open")
        program.send(signal.SIGTERM)
        assert_ended_by_a_signal(market, program)
    exits = [trade["exit_reason"] for trade in market.rows("trades.csv")]
    assert exits == (["shutdown"] if on_stop == "flatten" else [])
    if mode == "live":
        account = market.account()
        assert account.is_protected == (on_stop == "keep")
        assert bool(account.position) == (on_stop == "keep")
    assert market.told("post_market") == []
    assert not (market.state_folder / "days.csv").exists(), "the day is not over"


def test_during_the_post_market(market_of, started):
    """It is brought to its end: the day is then in the list."""
    market = market_of("paper", begins="15:55")
    market.day_folder.mkdir(parents=True)
    PaperBook(market.day_folder / "paper.sqlite").close()
    number = market.faults.add(Fault(kind="delay", seconds=2.0, route="GET /instruments*"))[0]
    with started(market) as program:
        wait_for(program, lambda: market.faults.happened(number), "it asks for the candles")
        program.send(signal.SIGTERM)
        assert_ended_by_a_signal(market, program)
    assert len(market.listed) == 1
    assert len(market.told("post_market")) == 1
