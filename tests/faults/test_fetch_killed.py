"""Fetches that are killed, and whose database is: nothing lost, next to nothing asked for twice."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from random import Random

import pandas as pd
import pytest

from brokers.sandbox.faults import Fault
from feeds.__main__ import main
from feeds.bars import aggregate
from feeds.store.parquet import ParquetStore
from feeds.store.timescale import TimescaleStore
from tests.feeds.fetch_market import (
    CALENDAR,
    CANDLES,
    INDEX,
    Requests,
    environment,
    fetch_arguments,
    history_server,
    index_minutes,
    log_in,
)
from tests.feeds.postgres import PostgresServer, need_postgres, stored_in_postgres

FIRST, LAST = dt.date(2021, 7, 1), dt.date(2024, 6, 28)
FEWEST = 11
"""1,094 days in requests of 100."""

BARS = 92_380
"""The sessions of these years in bars of 3 minutes."""

KILLS = 5
ANSWER_SECONDS = 0.3
LIMIT = 3
WAIT = 60.0


def bars_of(folder: Path) -> pd.DataFrame:
    return ParquetStore(folder).load("NIFTY-INDEX", 3)


class Lives:
    """Fetches that run one after the other, each in a process of its own."""

    def __init__(self, arguments: list[str], folder: Path, env: dict[str, str]) -> None:
        self._arguments = json.dumps(arguments)
        self._errors = (folder / "errors.txt").open("w+b")
        self._nursery = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.killed_fetch"], cwd=folder, env=env, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
        )  # fmt: skip

    def begin(self) -> int:
        """Start a life and return the number of its process."""
        assert self._nursery.stdin is not None
        self._nursery.stdin.write(self._arguments + "\n")
        self._nursery.stdin.flush()
        return self._line()

    def end(self) -> int:
        """Wait for the end of a life and return its exit code; minus the signal that ended it."""
        return self._line()

    def close(self) -> None:
        self._nursery.communicate(timeout=WAIT)
        self._errors.close()

    def _line(self) -> int:
        assert self._nursery.stdout is not None
        line = self._nursery.stdout.readline()
        self._errors.seek(0)
        assert line, self._errors.read()[-3000:]
        return int(line)


def kill_at_random(lives: Lives, requests: Requests, random: Random) -> None:
    """Kill a life before the answer to its first or second request, while it keeps it, or just after."""
    wanted = len(requests.times) + random.choice((1, 2))
    number = lives.begin()
    assert requests.wait_for(wanted, WAIT)
    threading.Event().wait(random.uniform(0.0, ANSWER_SECONDS + 0.3))
    os.kill(number, signal.SIGKILL)
    assert lives.end() == -signal.SIGKILL


@pytest.mark.slow
def test_a_fetch_that_is_killed_five_times_ends_as_one_that_is_not(tmp_path, monkeypatch):
    slow = Fault(kind="late_answer", route=CANDLES, seconds=ANSWER_SECONDS, count=None)
    random = Random(1)  # noqa: S311 # moments, not secrets
    with history_server({INDEX.token: index_minutes(FIRST, LAST)}, monkeypatch) as (server, requests):

        def arguments(store: str) -> list[str]:
            return fetch_arguments(server, tmp_path / store, FIRST, LAST, "--index", "--interval", "3minute")

        log_in(server, monkeypatch)
        assert main(arguments("whole")) == 0
        assert len(requests.times) == FEWEST
        assert requests.most_in_a_second <= LIMIT
        requests.times.clear()
        server.faults.add(slow)
        with closing(Lives(arguments("killed"), tmp_path, environment(server))) as lives:
            for _ in range(KILLS):
                kill_at_random(lives, requests, random)
            server.faults.clear()
            lives.begin()
            assert lives.end() == 0
        assert FEWEST <= len(requests.times) <= FEWEST + KILLS
        assert requests.most_in_a_second <= LIMIT
    whole = bars_of(tmp_path / "whole")
    assert len(whole) == BARS
    pd.testing.assert_frame_equal(bars_of(tmp_path / "killed"), whole)


# -- the database ------------------------------------------------------------------------------------------

SHORT_LAST = dt.date(2022, 2, 28)
SHORT_REQUESTS = 3


def power_goes_in_the_middle_of(call: int, server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the database when the bars of this append are in their table and not yet committed."""
    real, calls = TimescaleStore._add_bars, []

    def add_bars(*arguments: object) -> int:
        calls.append(arguments)
        added = real(*arguments)
        if len(calls) == call:
            server.stop()
        return added

    monkeypatch.setattr(TimescaleStore, "_add_bars", add_bars)


@pytest.mark.slow
def test_a_fetch_goes_on_where_it_was_when_its_database_died_in_the_middle_of_a_write(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("feeds.fetch.run._PAUSE_SECONDS", 0.0)
    minutes = index_minutes(FIRST, SHORT_LAST)
    with (
        stored_in_postgres(need_postgres()) as (postgres, store),
        history_server({INDEX.token: minutes}, monkeypatch) as (server, requests),
    ):
        log_in(server, monkeypatch)
        monkeypatch.setenv("TIMESCALE_DSN", postgres.dsn())
        arguments = fetch_arguments(
            server, "timescale", FIRST, SHORT_LAST, "--index", "--interval", "3minute"
        )
        with monkeypatch.context() as dying:
            power_goes_in_the_middle_of(2, postgres, dying)
            assert main(arguments) != 0
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        assert "geheim12" not in err
        postgres.start()
        first = store.fetched("NIFTY-INDEX", 3, "kite")
        assert [span.first for span in first] == [FIRST]
        expected = aggregate(minutes, 3, CALENDAR)
        kept = store.load("NIFTY-INDEX", 3)
        pd.testing.assert_frame_equal(kept, expected.iloc[: len(kept)], check_freq=False)
        assert kept.index[-1].date() == first[0].last

        assert main(arguments) == 0
        assert len(requests.times) == SHORT_REQUESTS + 1
        pd.testing.assert_frame_equal(store.load("NIFTY-INDEX", 3), expected, check_freq=False)
