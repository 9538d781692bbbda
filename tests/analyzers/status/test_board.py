"""The board folds the files of a process; what it shows is ready before anybody asks."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import threading

import pytest

from analyzers.challengers import CHALLENGERS_FILE, ChallengerNow, ChallengersNow, write_challengers
from analyzers.status.board import Board
from analyzers.status.controls import CommandSender, Outcome
from analyzers.status.now import write_now
from feeds.clock import ReplayClock, WallClock
from tests.analyzers.status.examples import (
    BARS_HEADER,
    DAY,
    DECISIONS_HEADER,
    NOON,
    Counter,
    bar,
    board_of,
    csv_rows,
    decision,
    log,
    now_of,
    record,
)

WAIT = 30.0


@pytest.fixture
def day(tmp_path):
    folder = tmp_path / "days" / DAY
    log(folder / "live.log", record("day_begins", day=DAY))
    csv_rows(folder / "bars.csv", BARS_HEADER, bar("09:15"))
    csv_rows(folder / "decisions.csv", DECISIONS_HEADER, decision("09:15", 1))
    return folder


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state"


def shown(board):
    return json.loads(board.poll().body)


def test_everything_the_page_needs(state, day):
    log(state / "watch.log", record("step", time="09:00:00", name="preflight"))
    csv_rows(
        state / "days.csv",
        "day,mode,trades,wins,net_pnl,charges,cash,outcome,folder",
        *(f"2026-08-{number:02d},live,3,1,{number}.5,700,1e6,done,x" for number in range(1, 26)),
        "2026-09-23,live,0,0,,0,1e6,failed,x",
    )
    body = shown(board_of(state, now_of(folder=str(day))))
    assert set(body) == {
        "now", "stale_seconds", "health", "candles", "decisions", "prediction", "fills", "equity", "events",
        "latency", "alerts", "days", "challengers", "controls", "server_time",
    }  # fmt: skip
    assert body["now"]["account"]["position"] == 130
    assert body["stale_seconds"] == 0.0
    assert body["health"] == {"level": "ok", "reasons": []}
    assert len(body["candles"]) == len(body["decisions"]) == 1
    assert body["events"][0] == {
        "time": f"{DAY}T09:00:00.000+05:30", "level": "info", "event": "step", "words": "step: preflight",
    }  # fmt: skip
    assert [event["event"] for event in body["events"]] == ["step", "day_begins"]
    assert len(body["days"]) == 20
    assert body["days"][0] == {
        "day": "2026-09-23", "mode": "live", "trades": 0, "net_pnl": None, "outcome": "failed",
    }  # fmt: skip
    assert body["days"][1]["day"] == "2026-08-25"
    assert body["controls"] == {"can": True, "why_not": ""}
    assert body["server_time"] == "2026-09-24T12:00:05+05:30"


ODD_RECORDS = {
    "surrogate": record("stream_down", reason="\ud83d"),
    "event a list": record("x") | {"event": ["x"]},
    "event a dict": record("x") | {"event": {"x": 1}},
    "trade a list": record("filled", tag="T", trade_id=[1], size=1, price=2.0),
    "order a list": record("paper_order", order_id=[1], state="completed", filled=1, average_price=2.0),
    "huge": record("filled", tag="T", trade_id=1, size=10**400, price=10**400),
    "huge pnl": record("trip_closed", level="error", net_pnl=10**400),
    "no time": record("bar", start="a", net=1.0) | {"time": float("nan")},
    "time of a fill": record("filled", tag="T", trade_id=1, size=1, price=2.0, time_=float("nan")),
    "level a list": record("stream_down") | {"level": ["error"]},
    "outcome": record("control", id=["x"], outcome={}, words=[1]),
    "deep": record("bar", start="a", net=1.0) | {"time": [[["x"]]]},
}


@pytest.mark.parametrize("file", ["watch.log", "live.log"])
@pytest.mark.parametrize("odd", ODD_RECORDS.values(), ids=ODD_RECORDS)
def test_no_record_ends_the_reading(state, odd, file):
    log(state / file, odd, control("after"))
    board = board_of(state, now_of())
    body = shown(board)
    assert body["now"]["mode"] == "live"
    assert board.wait_for_outcome("after", 0.0) is not None
    assert all(isinstance(point[0], str) for point in body["equity"])
    unread = "1 record(s) of the logs that make no sense"
    assert body["health"]["reasons"] in ([], [f"files of the day cannot be read: {unread}"])


@pytest.mark.parametrize("file", ["watch.log", "live.log"])
def test_records_that_make_no_sense_are_counted(state, file):
    log(state / file, ODD_RECORDS["event a list"], ODD_RECORDS["event a dict"], control("after"))
    board = board_of(state, now_of())
    (reason,) = shown(board)["health"]["reasons"]
    assert reason == "files of the day cannot be read: 2 record(s) of the logs that make no sense"


def test_a_line_nested_too_deeply_is_left_out(state):
    state.mkdir()
    (state / "live.log").write_text(f'{{"event": {"[" * 100_000}\n')
    assert shown(board_of(state, now_of()))["health"]["level"] == "ok"


@pytest.mark.parametrize(("seconds", "is_out"), [(14.9, False), (15.0, False), (15.1, True)])
def test_a_board_that_hangs_is_an_outage(state, seconds, is_out):
    clock = Counter()
    board = board_of(state, now_of(), monotonic=clock)
    clock.seconds += seconds
    assert bool(board.outage) is is_out
    assert bool(board.kind_of_outage) is is_out
    if is_out:
        assert board.outage == "the page's own reading of the files hangs for 15 s; restart the program"
        board.poll()
        assert board.outage.startswith("the trading process is silent for 15 s")
        assert board.kind_of_outage == "the trading process is silent"


def test_the_login_is_no_more_than_whether_there_is_one(state):
    board = board_of(state, now_of())
    now = shown(board)["now"]
    assert "api_key" not in now
    assert now["login_page"] is True
    write_now(now_of(api_key=""), state)
    assert shown(board)["now"]["login_page"] is False


def test_text_that_turns_the_reading_direction_is_shown_without(state):
    turned = "a\u202eb\u2069c"
    log(state / "live.log", record("stream_down", reason=turned))
    csv_rows(state / "days.csv", "day,mode,outcome", f"2026-09-23,live,{turned}")
    body = board_of(state, now_of(paused=turned)).view.body.decode()
    assert "\u202e" not in body
    assert "\u2069" not in body
    assert body.count("a\ufffdb\ufffdc") >= 3


def test_the_files_are_followed(state, day):
    board = board_of(state, now_of(folder=str(day)))
    csv_rows(day / "bars.csv", bar("09:18"))
    log(day / "live.log", record("stream_down", reason="reset"))
    body = shown(board)
    assert len(body["candles"]) == 2
    assert body["events"][-1]["words"] == "stream is down: reset"


def test_another_day_begins(state, day, tmp_path):
    board = board_of(state, now_of(folder=str(day)))
    tomorrow = tmp_path / "days" / "2026-09-25"
    log(tomorrow / "live.log", record("day_begins", day="2026-09-25"))
    csv_rows(tomorrow / "bars.csv", BARS_HEADER, bar("09:15", 200.0, day="2026-09-25"))
    write_now(now_of(folder=str(tomorrow)), state)
    body = shown(board)
    assert [candle[4] for candle in body["candles"]] == [200.0]
    assert body["decisions"] == []
    assert board.counts.counted().records["info"] == 2


def test_the_challengers_of_another_day_are_not_shown(state, day, tmp_path):
    """Where those of today cannot be read, nothing is, and the page says what is wrong."""
    dice = ChallengerNow(name="dice", strategy="random_entry", trades=3)
    write_challengers(day / CHALLENGERS_FILE, ChallengersNow(as_of=None, bars=1, challengers=(dice,)))
    board = board_of(state, now_of(folder=str(day)))
    assert [one["trades"] for one in shown(board)["challengers"]] == [3]
    tomorrow = tmp_path / "days" / "2026-09-25"
    log(tomorrow / "live.log", record("day_begins", day="2026-09-25"))
    (tomorrow / CHALLENGERS_FILE).write_text("{")
    write_now(now_of(folder=str(tomorrow)), state)
    body = shown(board)
    assert body["challengers"] == []
    assert CHALLENGERS_FILE in " ".join(body["health"]["reasons"])


@pytest.mark.parametrize("named", [None, "days/2026-09-24", "gone/2026-09-24"])
def test_where_the_day_lies(tmp_path, day, named):
    """Named by nothing: beside now.json. Moved since: under its own name beside now.json."""
    state = {None: day, "days/2026-09-24": tmp_path / "other", "gone/2026-09-24": day.parent}[named]
    folder = str(day) if named == "days/2026-09-24" else named
    board = board_of(state, now_of(folder=folder))
    assert len(shown(board)["candles"]) == 1


def test_a_folder_without_now_is_shown_as_far_as_it_goes(day):
    body = shown(board_of(day))
    assert (body["now"], body["stale_seconds"], body["health"]["level"]) == (None, None, "red")
    assert "no now.json" in body["health"]["reasons"][0]
    assert len(body["candles"]) == 1


def test_an_empty_folder(state):
    board = board_of(state)
    assert shown(board)["candles"] == []
    assert board.view.outage.startswith("no now.json")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"mode": "odd"}', "\0"])
def test_a_now_that_cannot_be_read_leaves_the_last_one_and_grows_old(state, text):
    clock = Counter()
    board = board_of(state, now_of(), monotonic=clock)
    (state / "now.json").write_text(text)
    clock.seconds += 20.0
    body = shown(board)
    assert body["now"]["mode"] == "live"
    assert body["stale_seconds"] == 20.0
    assert "not of this version" in body["health"]["reasons"][0]
    write_now(now_of(written_at=NOON + dt.timedelta(seconds=20)), state)
    assert shown(board)["health"]["level"] == "ok"


@pytest.mark.parametrize(("seconds", "level"), [(14.0, "ok"), (15.0, "ok"), (16.0, "red")])
def test_a_process_that_falls_silent(state, seconds, level):
    clock = Counter()
    board = board_of(state, now_of(), monotonic=clock)
    clock.seconds += seconds
    assert shown(board)["health"]["level"] == level
    assert bool(board.view.outage) is (level == "red")


def test_a_now_that_was_old_when_first_seen(state):
    board = board_of(state, now_of(written_at=NOON - dt.timedelta(hours=1)))
    assert shown(board)["stale_seconds"] == 3600.0


class Stepped:
    """A wall clock that is set by hand, back too."""

    def __init__(self):
        self.time = NOON

    def now(self):
        return self.time


def test_a_clock_set_back_an_hour_neither_alarms_nor_hides_a_death(state):
    wall, clock = Stepped(), Counter()
    board = board_of(state, now_of(), clock=wall, monotonic=clock)
    wall.time -= dt.timedelta(hours=1)
    assert shown(board)["health"]["level"] == "ok"
    clock.seconds += 16.0
    assert shown(board)["health"]["level"] == "red"
    write_now(now_of(written_at=wall.time), state)
    assert shown(board)["stale_seconds"] == 0.0


def test_the_same_state_has_the_same_tag_and_another_one_another(state, day):
    clock = Counter()
    board = board_of(state, now_of(folder=str(day)), monotonic=clock)
    tag = board.poll().etag
    assert board.poll().etag == tag
    csv_rows(day / "bars.csv", bar("09:18"))
    assert board.poll().etag != tag


def test_the_zipped_body_is_the_body(state):
    view = board_of(state, now_of()).poll()
    assert gzip.decompress(view.zipped_body) == view.body


def test_secrets_are_hidden_wherever_text_comes_from(state, day):
    log(day / "live.log", record("stream_down", reason="hunter2"))
    log(state / "watch.log", record("odd", level="error", text="hunter2"))
    log(
        day / "live.log",
        record("intent", tag="T", role="hunter2"),
        record("filled", tag="T", trade_id=1, size=1, price=2.0, time_="hunter2"),
        record("bar", start="a", net=1.0) | {"time": "hunter2"},
        record("hunter2", level="error"),
    )
    csv_rows(state / "days.csv", "day,mode,outcome", "hunter2,hunter2,hunter2")
    now = now_of(folder=str(day), paused="by hunter2", why="hunter2", state="halted")
    board = board_of(
        state,
        now,
        mask=lambda text: text.replace("hunter2", "***"),
        alert_counters=lambda: [{"name": "telegram", "failed": 1, "last_error": "hunter2"}],
    )
    assert b"hunter2" not in board.view.body
    assert board.view.body.count(b"***") >= 5


def test_alerts_are_counted_into_the_health(state):
    channel = {"name": "telegram", "queued": 0, "sent": 3, "failed": 0, "dropped": 1, "last_error": ""}
    body = shown(board_of(state, now_of(), alert_counters=lambda: [channel]))
    assert body["alerts"] == {"channels": [channel]}
    assert body["health"]["level"] == "attention"


@pytest.mark.parametrize(
    ("changes", "options", "why_not"),
    [
        ({}, {}, ""),
        ({}, {"read_only": "only shows"}, "only shows"),
        ({"phase": "over"}, {}, "the trading process has ended"),
    ],
)
def test_whether_there_are_controls(state, changes, options, why_not):
    body = shown(board_of(state, now_of(**changes), **options))
    assert body["controls"] == {"can": not why_not, "why_not": why_not}


def test_a_file_that_cannot_be_read_is_told_and_the_rest_goes_on(state, day):
    board = board_of(state, now_of(folder=str(day)))
    (state / "watch.log").mkdir()
    body = shown(board)
    assert "files of the day cannot be read: Is a directory" in body["health"]["reasons"][0]
    assert len(body["candles"]) == 1


# -- the thread --------------------------------------------------------------------------------------------


def test_the_thread_follows_the_files_and_ends(state):
    state.mkdir()
    write_now(now_of(written_at=WallClock().now()), state)
    seen = threading.Event()

    def counters():
        if board_is_made and board.view.now is not None and board.view.now.why == "second":
            seen.set()
        return []

    board_is_made = False
    board = Board(state, alert_counters=counters)
    board_is_made = True
    with board:
        assert board.view.now is not None  # read before anybody can ask
        write_now(now_of(written_at=WallClock().now(), why="second"), state)
        assert seen.wait(WAIT)
    assert "status-board" not in {thread.name for thread in threading.enumerate()}


def test_a_board_that_was_never_started_can_be_stopped(state):
    Board(state, clock=ReplayClock(NOON)).stop()


# -- outcomes of commands ----------------------------------------------------------------------------------


def control(command_id, outcome="done", words="paused"):
    return record("control", level="warning", id=command_id, command="pause", by="page", outcome=outcome,
                  words=words)  # fmt: skip


@pytest.mark.parametrize("file", ["watch.log", "live.log"])
def test_the_outcome_of_a_command_is_heard_from_either_log(state, file):
    """The command is answered only while it is waited for, as by the trading process."""
    lines = []

    def write_line(line):
        lines.append(json.loads(line))
        log(state / file, control(lines[-1]["id"], "refused", "not now"))

    state.mkdir()
    with Board(state) as board:
        outcome = CommandSender(write_line, board.wait_for_outcome, WAIT)("lift", by="page", word="LIFT")
    assert outcome == Outcome("refused", "not now")
    (line,) = lines
    assert {**line, "id": ""} == {"id": "", "command": "lift", "by": "page", "reason": "", "word": "LIFT"}
    assert len(line["id"]) >= 16


def test_an_outcome_that_was_there_first_is_found(state):
    log(state / "watch.log", control("one"), control("two", words="resumed"))
    board = board_of(state)
    assert board.wait_for_outcome("one", 0.0) == Outcome("done", "paused")
    assert board.wait_for_outcome("two", 0.0) == Outcome("done", "resumed")
    assert board.wait_for_outcome("three", 0.0) is None


def test_only_so_many_outcomes_are_kept(state):
    log(state / "watch.log", *(control(f"number {number}") for number in range(257)))
    board = board_of(state)
    assert board.wait_for_outcome("number 0", 0.0) is None
    assert board.wait_for_outcome("number 1", 0.0) is not None


def test_stopping_ends_the_waiting(state):
    state.mkdir()
    board = Board(state)
    board.start()
    found = []
    waiting = threading.Thread(target=lambda: found.append(board.wait_for_outcome("never", WAIT)))
    waiting.start()
    board.stop()
    waiting.join(WAIT)
    assert found == [None]


def test_no_answer_and_no_process():
    sender = CommandSender(lambda _: None, lambda *_: None, 3.0)
    assert sender("pause", by="page").outcome == "unknown"

    def gone(_):
        raise BrokenPipeError(32, "Broken pipe")

    assert CommandSender(gone, lambda *_: None)("pause", by="page") == Outcome(
        "refused", "the trading process cannot be reached (Broken pipe)"
    )
