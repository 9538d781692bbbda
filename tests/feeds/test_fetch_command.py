"""``python -m feeds fetch`` against the sandbox: what it asks, what it says, and how it ends."""

from __future__ import annotations

import datetime as dt
import errno
import os
import socket
import sys

import numpy as np
import pandas as pd
import pytest

from brokers.kite.client import KiteClient
from brokers.sandbox.faults import Fault
from feeds.__main__ import main
from feeds.bars import aggregate
from feeds.clock import IST
from feeds.store.parquet import ParquetStore
from tests.feeds.fetch_market import (
    CALENDAR,
    CANDLES,
    INDEX,
    NEAR,
    fetch_arguments,
    history_server,
    index_minutes,
    log_in,
)

FIRST, LAST = dt.date(2024, 9, 9), dt.date(2024, 10, 14)
ROLL = dt.date(2024, 9, 27)
MINUTES = index_minutes(FIRST, LAST)
FUTURE = MINUTES.assign(volume=65.0 * 40, open_interest=65.0 * 90_000)


@pytest.fixture
def market(monkeypatch):
    monkeypatch.setattr("feeds.fetch.run._PAUSE_SECONDS", 0.0)
    histories = {INDEX.token: MINUTES, NEAR.token: FUTURE}
    with history_server(histories, monkeypatch) as (server, requests):
        log_in(server, monkeypatch)
        yield server, requests


@pytest.fixture
def run(market, capsys, tmp_path, monkeypatch):
    """Run the command in a folder of its own; gives exit code, output lines and error text."""
    monkeypatch.chdir(tmp_path)

    def run_it(first: object = FIRST, last: object = LAST, *more: str, store: str = "bars"):
        code = main(fetch_arguments(market[0], store, first, last, *more))
        printed = capsys.readouterr()
        return code, printed.out.splitlines(), printed.err

    return run_it


def stored(name: str, minutes: int) -> pd.DataFrame:
    return ParquetStore("bars").load(name, minutes)


def of_days(frame: pd.DataFrame, first: dt.date) -> pd.DataFrame:
    return frame[frame.index >= pd.Timestamp(first, tz="Asia/Kolkata")]


def test_the_index_as_the_server_has_it(run, market):
    code, lines, err = run(FIRST, LAST, "--index", "--interval", "3minute")
    assert (code, err) == (0, "")
    assert lines[0] == "1 of 1: index NIFTY 2024-09-09 to 2024-10-14, 3,125 bars added"
    expected = aggregate(MINUTES, 3, CALENDAR)
    pd.testing.assert_frame_equal(stored("NIFTY-INDEX", 3), expected, check_freq=False)
    assert run(FIRST, LAST, "--index", "--interval", "3minute")[0] == 0
    assert len(market[1].times) == 1


def test_the_near_month_and_one_contract(run):
    assert run(ROLL, LAST)[0] == 0
    pd.testing.assert_frame_equal(stored("NIFTY", 1), of_days(FUTURE, ROLL), check_freq=False)
    code, lines, _ = run(FIRST, LAST, "--contract", "2024-10", "--interval", "5minute")
    assert code == 0
    assert "NIFTY-2024-10 5minute" in lines[3]
    assert len(stored("NIFTY-2024-10", 5)) == 75 * len(CALENDAR.sessions(FIRST, LAST))


def test_what_kite_does_not_have_is_said_with_the_ways_out(run, market):
    code, lines, err = run(FIRST, LAST)
    assert (code, lines) == (4, [])
    assert err == (
        "error: kite has no candles of the NIFTY future of 2024-09, expected one of those it lists "
        "(NIFTY24OCTFUT, NIFTY24NOVFUT, NIFTY24DECFUT); --from 2024-09-27, or fetch what expired in the "
        "last six months from Upstox (--source upstox), take the index itself (--index), bring a vendor's "
        "files in with `python -m feeds import`, or keep what comes from now on with `python -m feeds "
        "record`: Kite keeps bars of listed contracts only, and of expired ones no more than days\n"
    )
    assert market[1].times == []


def test_a_day_that_is_not_over_by_the_servers_clock_is_left_out(run, monkeypatch):
    noon = dt.datetime(2024, 10, 14, 12, 0, tzinfo=IST)
    monkeypatch.setattr(KiteClient, "server_time", lambda _: noon)
    code, lines, _ = run(FIRST, LAST, "--index")
    assert code == 0
    assert "left out, because the session is not over: 2024-10-14" in lines
    assert stored("NIFTY-INDEX", 1).index[-1].date() == dt.date(2024, 10, 11)


def test_bad_input_is_one_line_and_asks_for_nothing(run, market, monkeypatch):
    monkeypatch.setattr(KiteClient, "server_time", lambda _: dt.datetime(2024, 10, 20, tzinfo=IST))
    for code, words, arguments in (
        (2, "--from 2024-10-14 is after --to 2024-09-09; swap them", (LAST, FIRST)),
        (2, "is in the future, expected", (FIRST, dt.date(2024, 10, 21))),
        (2, "Kite has no candles of 7 minutes", (FIRST, LAST, "--index", "--interval", "7minute")),
        (2, "--interval day: expected minute", (FIRST, LAST, "--interval", "day")),
        (2, "--contract 2024-1 is no month", (FIRST, LAST, "--contract", "2024-1")),
        (4, "found no index 'NIFTTY'", (FIRST, LAST, "--index", "--instrument", "NIFTTY")),
        (3, "know nothing of NIFTTY", (FIRST, LAST, "--instrument", "NIFTTY")),
        (2, "no session that is over lies from 2024-10-12 to 2024-10-13", ("2024-10-12", "2024-10-13")),
        (3, "the calendar knows", ("1999-10-10", "1999-10-11")),
    ):
        found, lines, err = run(*arguments)
        assert (found, lines) == (code, []), (arguments, err)
        assert words in err, err
        assert err.count("\n") == 1
    assert market[1].times == []


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (
            {"kind": "refuse", "status": 403, "error_type": "PermissionException",
             "message": "Insufficient permission for that call."},
            "history belongs to the paid Connect plan of the app, expected that it is subscribed",
        ),
        (
            {"kind": "refuse", "status": 403, "error_type": "TokenException", "message": "Incorrect token."},
            "log in again with: python -m brokers login",
        ),
    ],
)  # fmt: skip
def test_no_permission(run, market, fault, words):
    market[0].faults.add(Fault(route=CANDLES, **fault))
    code, lines, err = run(FIRST, LAST, "--index")
    assert (code, lines) == (4, [])
    assert words in err
    assert market[0].access_token not in err


def test_a_hiccup_of_the_server_is_asked_again(run, market):
    market[0].faults.add(Fault(kind="bad_gateway", route=CANDLES))
    assert run(FIRST, LAST, "--index")[0] == 0
    assert len(market[1].times) == 2


def test_no_login(run, monkeypatch):
    monkeypatch.delenv("KITE_API_KEY")
    code, _, err = run(FIRST, LAST, "--index")
    assert code == 4
    assert "KITE_API_KEY is not set" in err


def test_a_full_disk_is_one_line_and_the_run_goes_on_later(run, market, monkeypatch):
    real = os.fsync

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    code, _, err = run(FIRST, LAST, "--index")
    assert code in (1, 3)
    assert "No space left on device" in err
    assert err.count("\n") == 1
    monkeypatch.setattr(os, "fsync", real)
    assert run(FIRST, LAST, "--index")[0] == 0
    assert len(stored("NIFTY-INDEX", 1)) == len(MINUTES)


@pytest.mark.parametrize("dsn", ["", "nonsense", "postgresql://me:geheim12@127.0.0.1:1/market"])
def test_a_database_that_cannot_be_reached(run, market, monkeypatch, dsn):
    monkeypatch.setenv("TIMESCALE_DSN", dsn)
    code, lines, err = run(FIRST, LAST, "--index", store="timescale")
    assert (code in (2, 3), lines) == (True, [])
    assert err.count("\n") == 1
    assert "geheim12" not in err
    assert market[1].times == []


def test_rejected_candles_are_counted_and_written(run, market, tmp_path):
    damaged = FUTURE.copy()
    damaged.iloc[-5, damaged.columns.get_loc("low")] -= 0.03
    market[0].ask(lambda exchange: exchange.add_history(NEAR.token, damaged))
    code, lines, _ = run(ROLL, LAST, "--rejects", "rejects.csv")
    assert code == 0
    assert "off_tick" in "".join(lines)
    assert pd.read_csv(tmp_path / "rejects.csv")["reason"].tolist() == ["off_tick"]
    code, _, err = run(ROLL, LAST, "--rejects", "rejects.csv")
    assert code == 2
    assert "rejects.csv exists and is not overwritten" in err


def test_nobody_listens(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KITE_API_KEY", "key")
    monkeypatch.setenv("KITE_ACCESS_TOKEN", "secret-token")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    arguments = [
        "fetch", "--source", "kite", "--from", "2024-09-09", "--to", "2024-09-10", "--index",
        "--set", f"broker.kite.api_root=http://127.0.0.1:{port}", "--set", "broker.kite.read_attempts=1",
    ]  # fmt: skip
    assert main(arguments) == 4
    err = capsys.readouterr().err
    assert err.startswith("error: Kite could not be asked")
    assert err.count("\n") == 1


def test_a_bar_on_a_terminal(run, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    code, lines, _ = run(FIRST, LAST, "--index")
    assert code == 0
    assert not any("1 of 1" in line for line in lines)


def test_the_sandbox_lists_its_indices(market):
    server, _ = market
    text = server.ask(lambda exchange: exchange.instruments_csv("NSE"))
    assert text.splitlines()[1] == "256265,1001,NIFTY 50,NIFTY 50,0.0,,0.0,0.0,0,EQ,INDICES,NSE"
    assert "NIFTY 50" not in server.ask(lambda exchange: exchange.instruments_csv("NFO"))
    assert np.isnan(MINUTES["open_interest"]).all()
