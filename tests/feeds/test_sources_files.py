"""Bars from files: what is right loads unchanged, and each thing that is wrong is one clear line."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from feeds.bars import check_frame
from feeds.calendar import TradingCalendar
from feeds.errors import DataError, SettingsError
from feeds.sources.files import load_bars
from tests.feeds.frames import day_frame

HEADER = "datetime,open,high,low,close,volume,open_interest"
GOOD = """\
datetime,open,high,low,close,volume,open_interest
2016-01-04T09:15:00+05:30,7924.55,7937.0,7921.0,7926.0,217350,14932650
2016-01-04T09:16:00+05:30,7926.0,7929.0,7921.05,7925.0,75075,14932650
2016-01-04T09:17:00+05:30,7925.0,7925.95,7919.0,7919.0,63900,14955000
"""


@pytest.fixture(scope="module")
def calendar() -> TradingCalendar:
    return TradingCalendar()


@pytest.fixture
def load(tmp_path, calendar):
    """Write a text as ``bars.csv`` and load it."""

    def write_and_load(text: str, **options):
        path = tmp_path / "bars.csv"
        path.write_text(text, encoding="utf-8")
        return load_bars(path, calendar=calendar, **options)

    return write_and_load


def test_a_good_file(load, tmp_path):
    loaded = load(GOOD)
    check_frame(loaded.frame)
    assert list(loaded.frame.columns) == [
        "open",
        "high",
        "low",
        "close",
        "volume",
        "open_interest",
        "complete",
    ]
    assert loaded.frame.index[0] == pd.Timestamp("2016-01-04 09:15", tz="Asia/Kolkata")
    assert loaded.frame["close"].tolist() == [7926.0, 7925.0, 7919.0]
    assert (loaded.bar_minutes, loaded.rows_read, len(loaded.rejects)) == (1, 3, 0)
    assert loaded.source == str(tmp_path / "bars.csv")
    assert loaded.sha256 == hashlib.sha256(GOOD.encode()).hexdigest()
    assert loaded.missing_sessions == ()


def test_without_open_interest_it_is_unknown_not_zero(load):
    text = "\n".join(line.rsplit(",", 1)[0] for line in GOOD.splitlines())
    assert load(text).frame["open_interest"].isna().all()


def test_further_numeric_columns_are_kept_in_order(load):
    lines = GOOD.splitlines()
    text = "\n".join([lines[0] + ",signal,atr", lines[1] + ",1,", lines[2] + ",0,4.5", lines[3] + ",-1,5"])
    frame = load(text).frame
    assert list(frame.columns[-3:]) == ["complete", "signal", "atr"]
    assert frame["signal"].tolist() == [1.0, 0.0, -1.0]
    assert np.isnan(frame["atr"].iloc[0])


def test_the_mark_of_an_incomplete_bar_is_kept(load):
    lines = GOOD.splitlines()
    text = "\n".join([lines[0] + ",complete", lines[1] + ",True", lines[2] + ",False", lines[3] + ",True"])
    assert load(text).frame["complete"].tolist() == [True, False, True]


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet"])
def test_every_form_gives_the_same_bars(tmp_path, calendar, suffix):
    frame = day_frame("2016-01-04", 30).assign(signal=0.1 + 0.2)  # 0.30000000000000004
    path = tmp_path / f"bars{suffix}"
    if suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path)
    pd.testing.assert_frame_equal(
        load_bars(path, calendar=calendar).frame, frame, check_exact=True, check_freq=False
    )


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata"])
def test_stamps_of_any_one_zone_become_indian_ones(tmp_path, calendar, zone):
    frame = day_frame("2016-01-04", 30)
    abroad = frame.tz_convert(zone)
    abroad.reset_index().to_parquet(tmp_path / "bars.parquet")
    abroad.to_csv(tmp_path / "bars.csv")
    for name in ("bars.parquet", "bars.csv"):
        loaded = load_bars(tmp_path / name, calendar=calendar).frame
        pd.testing.assert_frame_equal(loaded, frame, check_freq=False)


def test_naive_stamps_are_read_in_the_zone_of_the_settings(load):
    text = GOOD.replace("+05:30", "")
    assert load(text, timezone="Asia/Kolkata").frame.equals(load(GOOD).frame)
    in_utc = (
        text.replace("T09:", "T03:")
        .replace("03:15", "03:45")
        .replace("03:16", "03:46")
        .replace("03:17", "03:47")
    )
    assert load(in_utc, timezone="UTC").frame.equals(load(GOOD).frame)


def spoiled(row: int, column: str, value: str) -> str:
    lines = [line.split(",") for line in GOOD.splitlines()]
    lines[row][lines[0].index(column)] = value
    return "\n".join(",".join(line) for line in lines)


def reordered(*rows: int) -> str:
    lines = GOOD.splitlines()
    return "\n".join([lines[0], *(lines[row] for row in rows)])


FIVE_MINUTES_AMONG_ONE = GOOD + "\n".join(
    f"2016-01-05T09:{minute}:00+05:30,7900,7900,7900,7900,75,75" for minute in range(15, 60, 5)
)

BAD_TEXTS = {
    "no bytes": ("", r"is empty; expected a header and bars .*; give another file"),
    "blank": ("\n\n", r"is empty; expected a header and bars .*; give another file"),
    "header only": (HEADER + "\n", r"has a header but no bars; .*; give another file"),
    "missing column": (
        GOOD.replace("volume", "vol"),
        r"has no column 'volume'; expected datetime, .*found .*vol.*; add the column 'volume'",
    ),
    "column in capitals": (
        GOOD.replace("open,", "Open,", 1),
        r"has no column 'open'.*; rename 'Open' to 'open'",
    ),
    "no datetime": (GOOD.replace("datetime", "time"), r"has no column 'datetime'"),
    "not a table": ('a,b\n1,2,3\n1,2,3,4\n"', r"cannot be read as CSV \(.*\); get the file again"),
    "a word for a price": (
        spoiled(2, "close", "n.v."),
        r"row 2.*: close is 'n.v.', expected a number; correct",
    ),
    "missing price": (
        spoiled(2, "close", ""),
        r"row 2 \(2016-01-04 09:16:00\): close is nan, expected a number",
    ),
    "infinite price": (spoiled(3, "high", "inf"), r"row 3 .*: high is inf, expected a number"),
    "negative price": (spoiled(1, "low", "-7921"), r"row 1 .*: low is -7921, expected a price above 0"),
    "price of zero": (spoiled(1, "open", "0"), r"row 1 .*: open is 0, expected a price above 0"),
    "missing volume": (spoiled(1, "volume", ""), r"row 1 .*: volume is nan, expected a number"),
    "negative volume": (spoiled(1, "volume", "-75"), r"row 1 .*: volume is -75, expected 0 or more"),
    "negative interest": (
        spoiled(1, "open_interest", "-1"),
        r"row 1 .*: open_interest is -1, expected 0 or more",
    ),
    "high too low": (
        spoiled(2, "high", "7925.5"),
        r"row 2 .*: high is 7925.5, expected at least open and close",
    ),
    "low too high": (
        spoiled(2, "low", "7925.5"),
        r"row 2 .*: low is 7925.5, expected at most open and close",
    ),
    "unsorted": (
        reordered(1, 3, 2),
        r"row 3 .*09:16.* not after the one before it \(.*09:17.*; sort the file",
    ),
    "twice": (reordered(1, 2, 2, 3), r"row 3 .*09:16.* is there twice \(1 duplicate rows .*; .*remove them"),
    "naive": (GOOD.replace("+05:30", ""), r"without a time zone .*; set data\.timezone"),
    "one naive": (spoiled(2, "datetime", "2016-01-04T09:16:00"), r"row 2: .* has no time zone, .*one zone"),
    "mixed zones": (
        spoiled(2, "datetime", "2016-01-04T03:46:00+00:00"),
        r"row 2: .* has the offset \+00:00, .* have the offset \+05:30; .* convert all stamps to one zone",
    ),
    "no stamp": (spoiled(2, "datetime", ""), r"row 2: datetime is missing"),
    "not a stamp": (
        spoiled(2, "datetime", "04-Jan-2016 9:16+05:30"),
        r"row 2: datetime '04-Jan.*is no time; expected ISO 8601",
    ),
    "inside a minute": (
        spoiled(2, "datetime", "2016-01-04T09:16:59+05:30"),
        r"row 2 .* inside a minute, expected the START .* `python -m feeds import`",
    ),
    "a name": (
        GOOD.replace("open_interest", "symbol").replace(",14932650", ",NIFTY").replace(",14955000", ",NIFTY"),
        r"row 1: symbol is 'NIFTY', expected a number; remove the column",
    ),
    "complete is a word": (
        GOOD.replace("open_interest", "complete").replace(",14932650", ",yes").replace(",14955000", ",yes"),
        r"row 1: complete is 'yes', expected True or False",
    ),
    "one bar": (reordered(1), r"found 1 bars"),
    "two bar sizes": (FIVE_MINUTES_AMONG_ONE, r"expected bars of one size; give files"),
    "a holiday": (
        GOOD.replace("2016-01-04", "2016-01-26"),
        r"3 of 3 bars are outside the sessions of the calendar, first 2016-01-26 09:15, .*; "
        r"name the sessions in market\.extra_sessions if they took place, or set data\.calendar_mismatch",
    ),
    "before the calendar": (GOOD.replace("2016-01-04", "1999-01-04"), r"the calendar knows"),
}


@pytest.mark.parametrize("name", BAD_TEXTS)
def test_a_bad_file_is_one_line_with_its_remedy(load, name):
    text, pattern = BAD_TEXTS[name]
    with pytest.raises(DataError, match=pattern) as caught:
        load(text)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 3


def test_an_unknown_zone_is_an_error_of_the_settings(load):
    with pytest.raises(SettingsError, match=r"data\.timezone 'Asia/Bombai' is not a time zone"):
        load(GOOD.replace("+05:30", ""), timezone="Asia/Bombai")


def test_a_stamp_that_a_zone_does_not_have(load):
    text = GOOD.replace("+05:30", "").replace("2016-01-04T09", "2016-03-27T02")
    with pytest.raises(
        DataError, match=r"do not exist or exist twice in Europe/Berlin .*correct data\.timezone"
    ):
        load(text, timezone="Europe/Berlin")


def test_no_such_file(tmp_path, calendar):
    with pytest.raises(DataError, match=r"there is no file or folder .*nothing\.csv; check the path"):
        load_bars(tmp_path / "nothing.csv", calendar=calendar)


def test_an_unknown_ending(tmp_path, calendar):
    (tmp_path / "bars.xlsx").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"unknown ending '\.xlsx'; expected \.csv, \.csv\.gz, \.parquet"):
        load_bars(tmp_path / "bars.xlsx", calendar=calendar)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("bars.parquet", b"PAR1 and nothing more"),
        ("bars.csv.gz", b"not gzip at all"),
        ("bars.csv.gz", gzip.compress(GOOD.encode())[:-20]),
        ("bars.csv", b"datetime,open\n\xff\xfe\x00"),
    ],
)
def test_an_unreadable_file(tmp_path, calendar, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(
        DataError, match=r"cannot be read as (CSV|Parquet) \(.*\); get the file again"
    ) as caught:
        load_bars(tmp_path / name, calendar=calendar)
    assert "\n" not in str(caught.value)


def test_a_parquet_file_of_numbers_for_stamps(tmp_path, calendar):
    day_frame("2016-01-04", 3).reset_index().assign(datetime=[1, 2, 3]).to_parquet(tmp_path / "bars.parquet")
    with pytest.raises(DataError, match=r"column 'datetime' holds int64, expected timestamps"):
        load_bars(tmp_path / "bars.parquet", calendar=calendar)


def test_a_naive_parquet_file(tmp_path, calendar):
    day_frame("2016-01-04", 3).tz_localize(None).to_parquet(tmp_path / "bars.parquet")
    with pytest.raises(DataError, match=r"set data\.timezone"):
        load_bars(tmp_path / "bars.parquet", calendar=calendar)


def test_bars_outside_the_calendar_can_be_set_aside(tmp_path, calendar):
    frame = pd.concat([day_frame("2016-01-04", 376), day_frame("2016-01-26", 2)])
    frame.to_parquet(tmp_path / "bars.parquet")
    with pytest.raises(
        DataError, match=r"3 of 378 bars are outside .* first 2016-01-04 15:30, 2016-01-26 09:15"
    ):
        load_bars(tmp_path / "bars.parquet", calendar=calendar)
    loaded = load_bars(tmp_path / "bars.parquet", calendar=calendar, calendar_mismatch="reject")
    assert (len(loaded.frame), loaded.rows_read) == (375, 378)
    assert loaded.rejects["reason"].tolist() == ["outside_session"] * 3
    assert loaded.rejects.index[0] == pd.Timestamp("2016-01-04 15:30", tz="Asia/Kolkata")
    day_frame("2016-01-26", 20).to_parquet(tmp_path / "bars.parquet")
    with pytest.raises(DataError, match=r"no bar of .* lies in a session"):
        load_bars(tmp_path / "bars.parquet", calendar=calendar, calendar_mismatch="reject")


def test_a_session_named_in_the_settings_is_one(tmp_path):
    day_frame("2016-01-26", 20).to_parquet(tmp_path / "bars.parquet")
    calendar = TradingCalendar(extra_sessions={dt.date(2016, 1, 26): "09:15-15:30"})
    assert len(load_bars(tmp_path / "bars.parquet", calendar=calendar).frame) == 20


@pytest.mark.parametrize("bar_minutes", [1, 3])
def test_stamps_at_the_end_of_the_bar_are_recognised(tmp_path, calendar, bar_minutes):
    days = [
        day_frame(day, 375 // bar_minutes, bar_minutes=bar_minutes) for day in ("2016-01-04", "2016-01-05")
    ]
    frame = pd.concat(days)
    frame.index += pd.Timedelta(minutes=bar_minutes)
    frame.to_parquet(tmp_path / "bars.parquet")
    with pytest.raises(DataError, match=rf"seem to be the END .* subtract {bar_minutes} minutes"):
        load_bars(tmp_path / "bars.parquet", calendar=calendar)


def test_bars_off_the_grid_of_the_session(tmp_path, calendar):
    frame = day_frame("2016-01-04", 20, start="09:17", bar_minutes=5)
    frame.to_parquet(tmp_path / "bars.parquet")
    with pytest.raises(
        DataError, match=r"20 bars do not start a multiple of 5 minutes after the open, .*09:17"
    ):
        load_bars(tmp_path / "bars.parquet", calendar=calendar)


def test_a_session_without_bars_is_named(tmp_path, calendar):
    pd.concat([day_frame("2016-01-04", 5), day_frame("2016-01-07", 5)]).to_parquet(tmp_path / "bars.parquet")
    loaded = load_bars(tmp_path / "bars.parquet", calendar=calendar)
    assert loaded.missing_sessions == (dt.date(2016, 1, 5), dt.date(2016, 1, 6))


class TestFolder:
    def write(self, folder: Path, **days: str) -> None:
        for name, day in days.items():
            day_frame(day, 5).to_csv(folder / f"{name}.csv")

    def test_files_are_joined_in_time_order(self, tmp_path, calendar):
        self.write(tmp_path, z="2016-01-04", a="2016-01-05")
        (tmp_path / ".hidden").write_text("x")
        loaded = load_bars(tmp_path, calendar=calendar)
        whole = pd.concat([day_frame("2016-01-04", 5), day_frame("2016-01-05", 5)])
        pd.testing.assert_frame_equal(loaded.frame, whole, check_freq=False)
        assert loaded.rows_read == 10

    def test_the_digest_covers_every_file(self, tmp_path, calendar):
        self.write(tmp_path, a="2016-01-04", b="2016-01-05")
        before = load_bars(tmp_path, calendar=calendar).sha256
        day_frame("2016-01-05", 6).to_csv(tmp_path / "b.csv")
        assert load_bars(tmp_path, calendar=calendar).sha256 != before

    def test_files_must_not_overlap(self, tmp_path, calendar):
        self.write(tmp_path, a="2016-01-04", b="2016-01-04")
        with pytest.raises(DataError, match=r"expected files that do not overlap; remove one of them"):
            load_bars(tmp_path, calendar=calendar)

    def test_files_must_have_the_same_columns(self, tmp_path, calendar):
        self.write(tmp_path, a="2016-01-04")
        day_frame("2016-01-05", 5).assign(signal=1).to_csv(tmp_path / "b.csv")
        with pytest.raises(DataError, match=r"differ in their columns \(signal\)"):
            load_bars(tmp_path, calendar=calendar)

    def test_files_must_have_the_same_bar_size(self, tmp_path, calendar):
        self.write(tmp_path, a="2016-01-04")
        day_frame("2016-01-05", 20, bar_minutes=5).to_csv(tmp_path / "b.csv")
        with pytest.raises(DataError, match="expected bars of one size"):
            load_bars(tmp_path, calendar=calendar)

    def test_a_foreign_file_is_not_passed_over(self, tmp_path, calendar):
        self.write(tmp_path, a="2016-01-04")
        (tmp_path / "notes.txt").write_text("x")
        with pytest.raises(DataError, match=r"notes\.txt has the unknown ending"):
            load_bars(tmp_path, calendar=calendar)

    def test_an_empty_folder(self, tmp_path, calendar):
        with pytest.raises(DataError, match=r"is empty; expected .* files; give another folder"):
            load_bars(tmp_path, calendar=calendar)


@pytest.mark.real_data
class TestRealBars:
    def test_four_years_load_whole(self, shared_data, calendar):
        loaded = load_bars(shared_data / "data/NIFTY_FUT_1min_2013_2016.parquet", calendar=calendar)
        assert (len(loaded.frame), len(loaded.rejects), loaded.bar_minutes) == (365_620, 0, 1)
        assert len(loaded.frame.index.normalize().unique()) == 979
        assert [f"{day:%m%d}" for day in loaded.missing_sessions] == [
            "0206", "0930", "1006", "1224", "1228", "1229", "1230", "1231", "0729", "1030",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("name", "rows", "bar_minutes"),
        [
            ("BANKNIFTY_FUT_1min_2013_2016.parquet", 368_696, 1),
            ("NIFTY_FUT_1min_2022-10-17_2022-11-15.parquet", 7_185, 1),
            ("reference/bars_3min_with_signal_2013_2016.parquet", 121_750, 3),
        ],
    )
    def test_the_other_files_load_whole(self, shared_data, calendar, name, rows, bar_minutes):
        loaded = load_bars(shared_data / "data" / name, calendar=calendar)
        assert (len(loaded.frame), loaded.bar_minutes) == (rows, bar_minutes)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Date,open,high,low,close,volume\n", "rename 'Date' to 'datetime'"),
        (
            "datetime;open;high;low;close;volume\n2015-01-05 09:15;1;1;1;1;1\n",
            "separate the columns by commas",
        ),
        (
            "20150105,09:15,8300,8310,8290,8305,100\n20150105,09:16,1,1,1,1,1\n",
            "read by `python -m feeds import`",
        ),
    ],
)
def test_the_usual_disguises_of_a_column_are_recognised(tmp_path, text, words):
    file = tmp_path / "bars.csv"
    file.write_text(text + "2015-01-05 09:15,1,1,1,1,1\n" if text.startswith("Date") else text)
    with pytest.raises(DataError, match=words):
        load_bars(file, calendar=TradingCalendar())


def test_a_file_written_in_another_order_of_the_day_is_told_once(tmp_path):
    file = tmp_path / "bars.csv"
    file.write_text(
        "datetime,open,high,low,close,volume\n13/02/2015 09:15,1,1,1,1,1\n13/02/2015 09:16,1,1,1,1,1\n"
    )
    with pytest.raises(DataError, match="write every stamp of the file so"):
        load_bars(file, calendar=TradingCalendar(), timezone="Asia/Kolkata")
