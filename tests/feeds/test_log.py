from __future__ import annotations

import datetime as dt
import enum
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from feeds.clock import IST, ReplayClock
from feeds.live_log import make_log
from feeds.log import Log, NullLog
from feeds.log_file import LogFile
from feeds.secrets import Secrets

NOON = dt.datetime(2024, 6, 3, 12, 0, tzinfo=IST)


@pytest.fixture
def clock():
    return ReplayClock(NOON)


@pytest.fixture
def log_to(tmp_path, clock):
    made = []

    def make(**options):
        log = make_log(tmp_path / "logs" / "live.log", clock, options.pop("secrets", Secrets()), **options)
        made.append(log)
        return log

    yield make
    for log in made:
        log.close()


@pytest.fixture
def lines(tmp_path):
    def read(name="live.log"):
        return [json.loads(line) for line in (tmp_path / "logs" / name).read_text().splitlines()]

    return read


def test_an_event_is_a_line_of_json(log_to, lines, clock):
    log: Log = log_to()
    log.info("bar", close=18_000.05, complete=True)
    clock.set(NOON + dt.timedelta(milliseconds=1_500))
    log.warning("order_unresolved", tag="MX1")
    first, second = lines()
    assert list(first) == ["time", "level", "event", "uptime_seconds", "close", "complete"]
    assert first["time"] == "2024-06-03T12:00:00.000+05:30"
    assert second["time"] == "2024-06-03T12:00:01.500+05:30"
    assert (first["level"], second["level"]) == ("info", "warning")
    assert (first["event"], first["close"], first["complete"]) == ("bar", 18_000.05, True)
    assert 0 <= first["uptime_seconds"] <= second["uptime_seconds"]


def test_another_zone_is_written_as_ours(tmp_path):
    class Abroad:
        def now(self):
            return dt.datetime(2024, 6, 3, 6, 30, tzinfo=dt.UTC)

    with make_log(tmp_path / "live.log", Abroad(), Secrets()) as log:
        log.info("x")
    assert json.loads((tmp_path / "live.log").read_text())["time"].startswith("2024-06-03T12:00:00")


@pytest.mark.parametrize(("level", "count"), [("info", 3), ("debug", 4)])
def test_debug_is_written_where_it_is_asked_for(log_to, lines, level, count):
    log = log_to(level=level)
    for told in (log.debug, log.info, log.warning, log.error):
        told("x")
    assert len(lines()) == count


class Side(enum.Enum):
    BUY = "buy"


class Point(NamedTuple):
    x: float
    at: dt.date


@dataclass
class Box:
    point: Point


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (float("nan"), None),
        (float("inf"), None),
        (np.float64(1.5), 1.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.float32("nan"), None),
        (Side.BUY, "buy"),
        (NOON, "2024-06-03T12:00:00+05:30"),
        (Box(Point(1.0, NOON.date())), {"point": {"x": 1.0, "at": "2024-06-03"}}),
        ((1, "a", None), [1, "a", None]),
        ({1: Path("a")}, {"1": "a"}),
        (ValueError("no"), "ValueError: no"),
        ("line\nfeed ₹ \ud800", "line\nfeed ₹ \ud800"),
        (np.arange(2), "[0 1]"),
    ],
)  # fmt: skip
def test_whatever_is_told_becomes_json(log_to, lines, value, written):
    log_to().info("x", value=value)
    assert lines()[0]["value"] == written


def test_fields_may_be_named_like_the_logs_own(log_to, lines):
    log_to().info("filled", time=NOON, level=3, event="e", uptime_seconds=1, fields=2, self=3, name=4)
    (line,) = lines()
    assert (line["event"], line["event_"], line["level_"], line["time_"]) == (
        "filled",
        "e",
        3,
        NOON.isoformat(),
    )
    assert (line["uptime_seconds_"], line["fields"], line["self"], line["name"]) == (1, 2, 3, 4)


def test_an_error_brings_its_traceback(log_to, lines):
    log = log_to(secrets=Secrets({"KITE_ACCESS_TOKEN": "the-token"}))
    try:
        raise ValueError("with the-token in it")
    except ValueError:
        log.error("strategy_failed", exc_info=True)
    (line,) = lines()
    assert "exc_info" not in line
    assert line["traceback"].rstrip().endswith("ValueError: with *** in it")


def test_secrets_are_hidden_wherever_they_stand(log_to, tmp_path):
    secrets = Secrets({"KITE_API_SECRET": "api-secret-1"})
    shown = []
    log = log_to(secrets=secrets, console=shown.append)
    secrets.remember("token-of-today")
    log.info(
        "token-of-today",
        text="x token-of-today y",
        nested=[{"api-secret-1": ("api-secret-1",)}],
        access_token="not known to anybody",
        error=ValueError("GET /?request_token=abc123 api-secret-1"),
        **{"token-of-today": 1},
    )
    text = (tmp_path / "logs" / "live.log").read_text()
    for secret in ("token-of-today", "api-secret-1", "not known", "abc123"):
        assert secret not in text
        assert secret not in str(shown)


def test_the_console_is_shown_what_is_written(log_to, lines):
    shown = []
    log = log_to(console=shown.append)
    log.info("bar", close=float("nan"))
    log.debug("unseen")
    assert shown == lines()


def test_events_as_parts_of_the_day_tell_them(log_to, lines):
    log = log_to()
    log.on_event("stream_up", {})
    log.on_event("history_unreadable", {"level": "warning", "error": "x"})
    log.on_event("odd", {"level": "close"})
    assert [(line["level"], line["event"]) for line in lines()] == [
        ("info", "stream_up"), ("warning", "history_unreadable"), ("info", "odd"),
    ]  # fmt: skip


def test_a_log_goes_on_where_it_ended(log_to, lines):
    log_to().info("first")
    log_to().info("second")
    assert [line["event"] for line in lines()] == ["first", "second"]


def test_nothing_is_written_after_the_end(log_to, lines):
    log = log_to()
    log.info("first")
    log.close()
    log.close()
    log.info("second")
    assert len(lines()) == 1


def test_threads_do_not_tear_each_others_lines(log_to, lines):
    log = log_to(megabytes=0.02, files=1000)

    def tell(thread):
        for number in range(200):
            log.info("x", thread=thread, number=number, text="y" * 50)

    threads = [threading.Thread(target=tell, args=[name]) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = ["live.log", *(f"live.log.{number}" for number in range(1, 1000))]
    told = []
    for name in reversed(names):
        try:
            told += lines(name)
        except FileNotFoundError:
            continue
    for thread in range(4):
        assert [line["number"] for line in told if line["thread"] == thread] == list(range(200))


def test_a_log_that_cannot_be_made(tmp_path, clock):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        make_log(tmp_path / "file" / "live.log", clock, Secrets())


def test_the_log_that_forgets():
    log: Log = NullLog()
    for told in (log.debug, log.info, log.warning, log.error):
        assert told("x", field=1) is None


# -- the file ----------------------------------------------------------------------------------------------


@pytest.fixture
def file_of(tmp_path):
    made = []

    def make(max_bytes=100, files=3, failures=None):
        file = LogFile(
            tmp_path / "a.log",
            max_bytes=max_bytes,
            files=files,
            on_failure=(failures if failures is not None else []).append,
            lost_line="lost {}".format,
        )
        made.append(file)
        return file

    yield make
    for file in made:
        file.close()


def content(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_files_are_cut_before_they_pass_their_size(file_of, tmp_path):
    file = file_of(max_bytes=10, files=3)
    for line in ("aaaa", "bbbb", "cccc", "dddd", "eeee", "ffff", "gggg"):
        file.write(line)
    assert content(tmp_path) == {"a.log": "gggg\n", "a.log.1": "eeee\nffff\n", "a.log.2": "cccc\ndddd\n"}


def test_one_file_starts_anew(file_of, tmp_path):
    file = file_of(max_bytes=10, files=1)
    for line in ("aaaa", "bbbb", "cccc"):
        file.write(line)
    assert content(tmp_path) == {"a.log": "cccc\n"}


def test_a_line_longer_than_a_file_is_whole(file_of, tmp_path):
    file = file_of(max_bytes=10, files=3)
    file.write("x" * 50)
    file.write("y")
    assert content(tmp_path) == {"a.log": "y\n", "a.log.1": "x" * 50 + "\n"}


def test_a_torn_line_is_ended(file_of, tmp_path):
    (tmp_path / "a.log").write_text("whole\nto")
    file_of().write("next")
    assert (tmp_path / "a.log").read_text() == "whole\nto\nnext\n"


class FullDisk:
    """A file that takes some bytes more and then none."""

    def __init__(self, file, room):
        self.file, self.room = file, room

    def write(self, data):
        if not self.room:
            raise OSError(28, "No space left on device")
        taken = data[: self.room]
        self.room -= len(taken)
        return self.file.write(taken)

    def close(self):
        self.file.close()


@pytest.mark.parametrize("room", [0, 3])
def test_a_full_disk_is_told_once_and_stops_nobody(file_of, tmp_path, monkeypatch, room):
    failures = []
    file = file_of(failures=failures)
    file.write("before")
    opened = Path.open
    full = True

    def no_room(path, *arguments, **options):
        if full:
            raise OSError(28, "No space left on device", str(path))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", no_room)
    file._file = FullDisk(file._file, room)
    for line in ("lost 1", "lost 2", "lost 3"):
        file.write(line)
    assert [error.errno for error in failures] == [28]
    full = False
    file.write("after")
    torn = "los\n" if room else ""
    assert (tmp_path / "a.log").read_text() == f"before\n{torn}lost 3\nafter\n"


def test_the_log_says_that_lines_were_lost(log_to, lines, monkeypatch):
    shown = []
    log = log_to(console=shown.append)
    log.info("before")
    log._file._file = FullDisk(log._file._file, 0)
    log.info("gone")
    log.info("after")
    assert [line["event"] for line in lines()] == ["before", "log_lines_lost", "after"]
    assert lines()[1]["lines"] == 1
    assert (
        "No space left on device"
        in next(told for told in shown if told["event"] == "log_unwritable")["error"]
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a process the POSIX way")
def test_a_killed_process_has_written_every_line_it_told(tmp_path):
    program = """
import os, signal, sys
from pathlib import Path
from feeds.clock import WallClock
from feeds.live_log import make_log
from feeds.secrets import Secrets
log = make_log(Path(sys.argv[1]), WallClock(), Secrets())
for number in range(50):
    log.info("x", number=number)
os.kill(os.getpid(), signal.SIGKILL)
"""
    path = tmp_path / "live.log"
    ended = subprocess.run(
        [sys.executable, "-c", program, str(path)], cwd=Path(__file__).parents[2], check=False
    )
    assert ended.returncode == -9
    assert [json.loads(line)["number"] for line in path.read_text().splitlines()] == list(range(50))
