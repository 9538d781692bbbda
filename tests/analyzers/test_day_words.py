"""The sentences of a day; those of a session are also held by the tests of the console."""

from __future__ import annotations

import pytest

from analyzers.day_words import has_sentence, words_of


def told(event, **fields):
    return {
        "time": "2026-09-24T12:00:00+05:30",
        "level": "info",
        "event": event,
        "uptime_seconds": 1.0,
        **fields,
    }


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (told("unattended_begins", mode="paper", until=None), "running by itself: paper"),
        (told("unattended_begins", mode="live", until="2026-10-01"),
         "running by itself: live until 2026-10-01"),
        (told("unattended_ends", reason="SIGTERM"), "no longer running by itself: SIGTERM"),
        (told("plan", day="2026-09-24", kind="normal", notes=["expiry day"],
              steps=[{"name": "preflight", "at": "2026-09-24T08:45:00+05:30"},
                     {"name": "square_off", "at": "2026-09-24T15:20:00+05:30"}]),
         "plan of 2026-09-24: preflight 08:45, square off 15:20; expiry day"),
        (told("no_session", day="2026-09-26", next="2026-09-28"),
         "no session on 2026-09-26; the next one is on 2026-09-28"),
        (told("step", name="post_market", at="x"), "step: post market"),
        (told("step_missed", name="preflight", at="2026-09-24T08:45:00+05:30", late_minutes=12.4),
         "missed: preflight of 08:45, 12 minutes late"),
        (told("session_missed", day="2026-09-24", reason="started at 16:00"),
         "the session of 2026-09-24 was missed: started at 16:00"),
        (told("preflight", go=True, day="2026-09-24", login_needed=False,
              checks=[{"name": "disk", "outcome": "go", "words": "12 GB"}]),
         "preflight of 2026-09-24: go"),
        (told("preflight", go=False, day="2026-09-24", login_needed=True,
              checks=[{"name": "login", "outcome": "no_go", "words": "none of today"},
                      {"name": "data_store", "outcome": "warning", "words": "old"}]),
         "preflight of 2026-09-24: NO GO (login: none of today; data store: old)"),
        (told("clock_stepped", seconds=-3600.0), "this machine's clock was moved by -3600 s"),
        (told("control", id="1", command="pause", by="page", outcome="done", words="paused"),
         "pause by page, done: paused"),
        (told("companion_died", code=-9), "the companion (page and alerts) died with code -9"),
        (told("challengers_died", code=1, error="no room", next_try_seconds=1.0),
         "the challengers' process died with code 1 (no room)"),
        (told("day_failed", error="no margin", will_retry=True),
         "the day failed: no margin; it will be tried again"),
        (told("day_failed", error="no margin", will_retry=False), "the day failed: no margin"),
        (told("post_market", candle_bars=125, candle_equal=124, parity="not_run", parity_words="no bars",
              drift="ok", drift_words="", backup="x"),
         "after the market: 124 of 125 bars equal the broker's candles, parity not run (no bars), drift ok"),
        (told("post_market", candle_bars=0, candle_equal=0, parity="passed", parity_words="", drift="unknown",
              drift_words="few rows", backup=""),
         "after the market: no candles to compare, parity passed, drift unknown (few rows)"),
        (told("summary", day="2026-09-24", mode="live", trades=3, wins=2, net_pnl=1500.0, charges=900.0),
         "2026-09-24 (live): 3 trades, 2 won, net +1,500 rupees, charges 900"),
    ],
)  # fmt: skip
def test_a_sentence_for_what_happens_between_sessions(record, words):
    assert has_sentence(record)
    assert words_of(record) == words


@pytest.mark.parametrize(
    "event",
    ["plan", "preflight", "post_market", "summary", "step_missed", "control", "bar", "paper_order", "filled"],
)
def test_a_sentence_that_lacks_its_words_is_the_event_with_its_fields(event):
    assert words_of(told(event, odd=3)) == f"{event.replace('_', ' ')}: odd 3"


def test_an_event_without_a_sentence():
    assert not has_sentence(told("resync"))
    assert words_of(told("resync", reason="a\nminute", empty="")) == "resync: reason a minute"
    assert len(words_of(told("odd", text="x" * 1000))) == 300


def test_a_step_on_paper_in_between_is_nothing_to_tell():
    assert words_of(told("paper_order", state="accepted", role="stop")) == ""
