from __future__ import annotations

import datetime as dt
import io

import pytest

from brokers.desk import facts
from feeds.clock import IST, ReplayClock
from feeds.live_log import make_log
from feeds.secrets import Secrets
from strategies.live_console import Console, make_console

NOON = dt.datetime(2024, 6, 3, 12, 0, 5, tzinfo=IST)
SIGNAL = dt.datetime(2024, 6, 3, 12, 0)  # noqa: DTZ001 # the exchange's wall clock


@pytest.fixture
def shown(tmp_path):
    """Tell a log events, and return what a console shows of them."""

    def show(*told, is_quiet=False, stream=None):
        stream = stream or io.StringIO()
        console = Console(stream, is_quiet=is_quiet)
        with make_log(tmp_path / "live.log", ReplayClock(NOON), Secrets(), console) as log:
            for level, event, fields in told:
                getattr(log, level)(event, **fields)
        return stream.getvalue().splitlines()

    return show


BAR = {"start": "2024-06-03T11:57:00+05:30", "close": 18_000.05, "position": -75}


@pytest.mark.parametrize(
    ("event", "fields", "line"),
    [
        ("bar", BAR, "bar 11:57 close 18000.05 short 75"),
        ("bar", {**BAR, "position": 0, "pnl": -1234.5}, "bar 11:57 close 18000.05 flat day -1,234 rupees"),
        ("bar", {**BAR, "origin": "backfill", "complete": False},
         "bar 11:57 close 18000.05 short 75 (backfill, incomplete)"),
        ("warmup", {"bars": 120, "wanted": 120}, "warmed up with 120 bars"),
        ("stream_down", {"reason": "no frame for 5 s"}, "stream is down: no frame for 5 s"),
        ("stopping", {"reason": "SIGINT", "on_stop": "flatten", "open": "+75 units"},
         "stopping: SIGINT, closing +75 units"),
        ("stopping", {"reason": "SIGINT", "on_stop": "keep", "open": "+75 units"},
         "stopping: SIGINT, keeping +75 units"),
        ("stopping", {"reason": "the day is over", "on_stop": "flatten", "open": ""},
         "stopping: the day is over, nothing is open"),
        ("day_begins",
         {"mode": "demo", "strategy": "ml", "symbol": "NIFTY26OCTFUT", "day": "2026-10-15", "cash": 1e6,
          "folder": "runs/x"},
         "demo: ml on NIFTY26OCTFUT, 2026-10-15, 1,000,000 rupees, folder runs/x"),
        ("entry_reasons", {"start": "2024-06-03T11:57:00+05:30", "side": 1, "why": "rsi_14 +0.31"},
         "why: rsi_14 +0.31"),
        ("model", {"version": "v0001", "trained_until": "2026-10-14T15:39:00+05:30"},
         "model v0001, trained until 2026-10-14"),
        ("day_over", {"trades": 3, "open": "", "net_pnl": 1000.0},
         "the day is over: 3 trades, net +1,000 rupees, nothing is open"),
        ("day_over", {"trades": 3, "open": "+75 X", "net_pnl": -1.0},
         "the day is over: 3 trades, net -1 rupees, still open: +75 X"),
    ],
)  # fmt: skip
def test_a_sentence_for_what_matters(shown, event, fields, line):
    assert shown(("info", event, fields)) == [f"12:00:05          {line}"]


@pytest.mark.parametrize(
    ("fact", "event", "words"),
    [
        (facts.EntryDecided(1, 75, 18_000.0, 17_900.0, 18_150.0, SIGNAL, float("nan")), "entry_decided",
         "enter: buy 75 at about 18000.00, stop 17900.00, target 18150.00"),
        (facts.EntryDecided(1, -75, 18_000.0, 18_100.0, 17_850.0, SIGNAL, 0.61, "exposure", "20 lots"),
         "entry_decided",
         "enter: sell 75 at about 18000.00, stop 18100.00, target 17850.00, probability 0.61 "
         "(reduced: 20 lots)"),
        (facts.EntryDenied(75, 18_000.0, SIGNAL, 0.6, "cooldown", "3 losses"), "entry_denied",
         "entry denied by cooldown: buy 75, 3 losses"),
        (facts.Intent("T1", 1, "entry", 75, "market", 0.0, 18_000.0), "intent",
         "order T1 (entry): buy 75 at market"),
        (facts.Intent("T2", 1, "stop", -75, "stop", 17_900.0, 17_900.0), "intent",
         "order T2 (stop): sell 75 stop 17900.00"),
        (facts.Filled("T1", "9", 75, 18_001.0, NOON, 100.0), "filled", "filled T1: buy 75 at 18001.00"),
        (facts.Refused("T1", "no margin"), "refused", "refused T1: no margin"),
        (facts.ExitWanted(1, "square_off"), "exit_wanted", "exit: square_off"),
        (facts.ExitWanted(1, "daily_loss", "2 percent"), "exit_wanted", "exit: daily_loss (2 percent)"),
        (facts.TripClosed(1, -500.0), "trip_closed", "flat again: trade 1, net -500 rupees"),
        (facts.Halted("too bad"), "halted", "no more entries: too bad"),
        (facts.Resumed("user"), "resumed", "entries are allowed again: user"),
        (facts.TakenOver(1, -150, 0), "taken_over", "somebody else closed short 150 of ours"),
    ],
)  # fmt: skip
def test_a_sentence_for_facts_of_the_journal(shown, fact, event, words):
    assert shown(("info", event, fact._asdict())) == [f"12:00:05          {words}"]


def test_what_has_no_sentence_is_for_the_log_alone(shown):
    assert shown(("info", "resync", {"reason": "a minute"})) == []


def test_warnings_and_errors_are_always_shown(shown):
    assert shown(
        ("warning", "order_unresolved", {"tag": "T1", "error": "timed out"}),
        ("error", "desk_failed", {"error": "X", "open": "", "traceback": "long"}),
        ("warning", "stream_down", {"reason": "reset"}),
        ("error", "halt", {}),
    ) == [
        "12:00:05  WARNING order unresolved: tag T1, error timed out",
        "12:00:05  ERROR   desk failed: error X",
        "12:00:05  WARNING stream is down: reset",
        "12:00:05  ERROR   halt",
    ]  # fmt: skip


def test_a_sentence_that_lacks_its_words_is_shown_plainly(shown):
    assert shown(("info", "bar", {"close": None, "start": 3})) == [
        "12:00:05          bar: close None, start 3"
    ]


def test_quiet_shows_errors_only(shown):
    told = [("info", "bar", BAR), ("warning", "book_unread", {}), ("error", "session_dead", {"error": "403"})]
    assert shown(*told, is_quiet=True) == ["12:00:05  ERROR   session dead: error 403"]


def test_a_line_is_one_line_and_ends(shown):
    (line,) = shown(("error", "x", {"text": "a\nb " + "y" * 1000}))
    assert "a b y" in line
    assert len(line) < 330


class Gone(io.StringIO):
    written = 0

    def write(self, text):
        self.written += 1
        raise BrokenPipeError


def test_a_terminal_that_goes_away_does_not_end_the_day(shown, tmp_path):
    stream = Gone()
    shown(("error", "a", {}), ("error", "b", {}), stream=stream)
    assert stream.written == 1
    assert len((tmp_path / "live.log").read_text().splitlines()) == 2


@pytest.mark.parametrize(("quiet", "stream"), [(False, "stdout"), (True, "stderr")])
def test_where_it_is_shown(capsys, quiet, stream):
    make_console(quiet=quiet)({"time": NOON.isoformat(), "level": "error", "event": "x"})
    assert getattr(capsys.readouterr(), stream.removeprefix("std")) == "12:00:05  ERROR   x\n"
