"""Files of recorded ticks."""

from __future__ import annotations

import datetime as dt
import gzip
import math

import pytest

from feeds.clock import IST
from feeds.errors import DataError
from feeds.readers.ticks import RecordedTrade, read_recorded_trades, read_ticks
from feeds.tick_bars import Tick

PLAIN = "20221101,09:15:00,18161.10,1,11713150\n20221101,09:15:00,18130,6000,11713150\n"
HEADER = "Ticker,Date,Time,LTP,BuyPrice,BuyQty,SellPrice,SellQty,LTQ,OpenInterest\n"
QUOTED = (
    HEADER + "NIFTY-I.NFO,03/01/2022,09:15:00,17443,17425.25,200,17430.85,50,1700,10274450\n"
    "NIFTY-I.NFO,03/01/2022,09:15:01,17410.05,17425.25,200,17430.85,200,0,10274450\n"
    "NIFTY-I.NFO,03/01/2022,09:15:02,17411,17425.25,200,17430.85,200,50,10274400\n"
)


def written(tmp_path, text: str, name: str = "ticks.csv"):
    path = tmp_path / name
    content = text.encode()
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


@pytest.mark.parametrize("name", ["ticks.csv", "ticks.csv.gz"])
@pytest.mark.parametrize("text", [PLAIN, PLAIN.replace("\n", "\r\n"), "\ufeff" + PLAIN, PLAIN + "\n\n"])
def test_trades_without_a_header(tmp_path, name, text):
    trades = read_recorded_trades(written(tmp_path, text, name))
    time = dt.datetime(2022, 11, 1, 9, 15, tzinfo=IST)
    assert [trade[:4] for trade in trades] == [
        (time, 18161.1, 1.0, 11713150.0),
        (time, 18130.0, 6000.0, 11713150.0),
    ]
    assert all(math.isnan(trade.bid) and math.isnan(trade.ask) for trade in trades)


def test_trades_with_quotes_without_the_rows_that_are_no_trades(tmp_path):
    time = dt.datetime(2022, 1, 3, 9, 15, tzinfo=IST)
    trades = read_recorded_trades(written(tmp_path, QUOTED))
    assert trades == [
        RecordedTrade(time, 17443.0, 1700.0, 10274450.0, 17425.25, 17430.85),
        RecordedTrade(time.replace(second=2), 17411.0, 50.0, 10274400.0, 17425.25, 17430.85),
    ]


def test_ticks_carry_the_size_of_each_trade(tmp_path):
    time = dt.datetime(2022, 11, 1, 9, 15, tzinfo=IST)
    path = written(tmp_path, PLAIN)
    assert read_ticks(path) == [Tick(time, 18161.1, 1.0, 11713150.0), Tick(time, 18130.0, 6000.0, 11713150.0)]


def test_open_interest_may_be_unknown(tmp_path):
    (trade,) = read_recorded_trades(written(tmp_path, "20221101,09:15:00,18161.10,1,nan\n"))
    assert math.isnan(trade.open_interest)


@pytest.mark.parametrize("text", ["", "\n\n", HEADER])
def test_a_file_without_trades_has_none(tmp_path, text):
    assert read_recorded_trades(written(tmp_path, text)) == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("20221101,09:15:00,18161.10,1", "4 fields"),
        ("20221101,09:15:00,18161.10,1,2,3", "6 fields"),
        ("20221301,09:15:00,18161.10,1,2", "20221301"),
        ("20221101,9.15,18161.10,1,2", "9.15"),
        ("20221101,09:15:00,high,1,2", "high"),
        ("20221101,09:15:00,0,1,2", "price above 0"),
        ("20221101,09:15:00,nan,1,2", "price above 0"),
        ("20221101,09:15:00,inf,1,2", "price above 0"),
        ("20221101,09:15:00,18161.10,-1,2", "price above 0"),
        ("20221101,09:15:00,18161.10,nan,2", "price above 0"),
        ("20221101,09:14:59,18161.10,1,2", "back in time at line 3"),
    ],
)
def test_a_line_that_is_wrong_is_named(tmp_path, line, found):
    path = written(tmp_path, PLAIN + line + "\n")
    with pytest.raises(DataError) as wrong:
        read_recorded_trades(path)
    message = str(wrong.value)
    assert found in message
    assert "line 3" in message
    assert str(path) in message
    assert "\n" not in message


def test_a_line_of_the_other_form_is_named(tmp_path):
    with pytest.raises(DataError, match=r"line 5.*5 fields"):
        read_recorded_trades(written(tmp_path, QUOTED + "20221101,09:15:00,18161.10,1,2\n"))


@pytest.mark.parametrize(
    ("name", "content"),
    [("none.csv", None), ("text.csv.gz", b"20221101"), ("cut.csv.gz", gzip.compress(b"x" * 5000)[:20]),
     ("binary.csv", b"\xff\xfe\x00")],
    ids=["absent", "not zipped", "cut off", "binary"],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, content):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=f"cannot read ticks from .*{name}"):
        read_recorded_trades(tmp_path / name)


@pytest.mark.real_data
def test_real_recordings(shared_data):
    nifty = read_recorded_trades(shared_data / "data/ticks/NIFTY-I_20221101.csv.gz")
    quoted = read_recorded_trades(shared_data / "data/ticks/NIFTY-I_20220103_with_best_bid_ask.csv.gz")
    assert (len(nifty), nifty[-1].price) == (16_989, 18_215.0)
    assert len(quoted) == 21_750 - 5_718
