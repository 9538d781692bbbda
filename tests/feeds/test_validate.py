from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from feeds.bars import check_frame
from feeds.calendar import TradingCalendar
from feeds.errors import DataError, SettingsError
from feeds.readers import READERS, read_raw
from feeds.stamps import StampConvention
from feeds.validate import Oddity, Reason, Validated, validate

CALENDAR = TradingCalendar()


def minutes(day: str = "2015-03-03") -> pd.DatetimeIndex:
    session = CALENDAR.session(dt.date.fromisoformat(day))
    return pd.date_range(session.open, session.close, freq="min", inclusive="left")


def compact(day: str = "2015-03-03", *, by: str = "end", volume: int = 2500) -> list[str]:
    shift = pd.Timedelta(minutes=1 if by == "end" else 0)
    return [
        f"NIFTY_F1,{time + shift:%Y%m%d,%H:%M},8900,8910,8890,8905,{volume},1000" for time in minutes(day)
    ]


def dashed(day: str = "2015-03-03", second: int = 59) -> list[str]:
    return [
        f"NIFTY-1M,{time:%d-%m-%Y,%H:%M}:{second:02d},8900,8910,8890,8905,2500,1000" for time in minutes(day)
    ]


def checked(path: Path, lines: list[str], **options) -> Validated:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    result = validate(read_raw(path), CALENDAR, **options)
    check_frame(result.frame)
    assert result.report.rows == result.report.kept + sum(result.report.rejected.values())
    assert len(result.rejects) == sum(result.report.rejected.values())
    return result


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "vendor.txt"


def test_good_rows_of_both_forms_become_the_same_bars(file):
    ends, inside = checked(file, compact()), checked(file, dashed())
    pd.testing.assert_frame_equal(ends.frame, inside.frame)
    assert len(ends.frame) == 375
    assert ends.report.stamp_days == {StampConvention.END: 1}
    assert inside.report.stamp_days == {StampConvention.LAST_TRADE: 1}
    assert ends.report.rejected == inside.report.rejected == {}
    assert ends.report.oddities == {}
    assert ends.report.underlying == "NIFTY"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda row: "NIFTY_F1,20150303,10:00,8900,8910", Reason.UNREADABLE),
        (lambda row: row + ",1,2", Reason.UNREADABLE),
        (lambda row: row.replace("20150303", "20151303"), Reason.UNREADABLE),
        (lambda row: row.replace("8905", "89O5"), Reason.UNREADABLE),
        (lambda row: row.replace("8905", "nan"), Reason.UNREADABLE),
        (lambda row: row.replace("8905", "inf"), Reason.UNREADABLE),
        (lambda row: row.replace("8905", ""), Reason.MISSING_VALUE),
        (lambda row: row.replace("2500", ""), Reason.MISSING_VALUE),
        (lambda row: row.replace("8890", "0"), Reason.NON_POSITIVE),
        (lambda row: row.replace("8890", "-8890"), Reason.NON_POSITIVE),
        (lambda row: row.replace("2500", "-2500"), Reason.NON_POSITIVE),
        (lambda row: row.replace("8910", "8904.95"), Reason.OHLC_RELATION),
        (lambda row: row.replace("8890", "8900.05"), Reason.OHLC_RELATION),
        (lambda row: row.replace("8905", "8905.03"), Reason.OFF_TICK),
    ],
)
def test_a_bad_row_is_rejected_with_its_reason(file, change, reason):
    lines = compact()
    lines[44] = change(lines[44])
    result = checked(file, lines)
    assert result.report.rejected == {reason: 1}
    assert list(result.rejects.iloc[0]) == [45, str(reason), lines[44]]
    assert result.report.oddities == {Oddity.MISSING_MINUTES: 1}


def test_a_row_on_the_tick_in_decimal_notation_is_kept(file):
    lines = [line.replace("8905", "8905.15") for line in compact()]
    assert checked(file, lines).report.rejected == {}


def test_tick_is_that_of_the_day(file):
    lines = [line.replace("8905", "8905.05") for line in compact("2025-04-15")]
    assert checked(file, lines, convention=StampConvention.END).report.rejected == {Reason.OFF_TICK: 375}


def test_rows_twice_and_rows_that_contradict(file):
    lines = compact()
    contradiction = lines[10].replace("8905", "8904")
    result = checked(file, [*lines, lines[3], contradiction])
    assert result.report.rejected == {Reason.IDENTICAL_DUPLICATE: 1, Reason.SAME_MINUTE_OTHER_VALUES: 1}
    assert result.frame["close"].eq(8905).all()  # the first row stays


def test_prints_after_the_close_are_no_bars(file):
    late = [
        "NIFTY_F1,20150303,15:31,8905,8905,8905,8905,75,1000",
        "NIFTY_F1,20150303,16:31,8905,8905,8905,8905,1,1000",
    ]
    result = checked(file, [*compact(), *late, "NIFTY_F1,20150301,10:00,8905,8905,8905,8905,75,1000"])
    assert result.report.rejected == {Reason.AFTER_CLOSE: 1, Reason.OUTSIDE_SESSION: 2}


def test_unsorted_rows_are_kept_in_order_and_counted(file):
    lines = compact()
    lines[5], lines[6] = lines[6], lines[5]
    result = checked(file, lines)
    assert result.report.kept == 375
    assert result.report.oddities == {Oddity.OUT_OF_ORDER: 1}


def test_oddities_are_counted_and_kept(file):
    lines = compact("2015-03-02") + compact("2015-03-03") + compact("2015-03-05")
    lines[400] = lines[400].replace("8890", "8690")
    lines[500] = lines[500].replace("1000", "0")
    lines[600] = lines[600].replace("1000", "10000")
    del lines[700]
    result = checked(file, lines)
    assert result.report.rejected == {}
    assert result.report.oddities == {
        Oddity.FREAK_PRINT: 1,
        Oddity.ZERO_OPEN_INTEREST: 1,
        Oddity.OPEN_INTEREST_JUMP: 1,
        Oddity.MISSING_MINUTES: 1,
        Oddity.MISSING_SESSIONS: 1,
    }


def test_eight_fields_have_no_open_interest(file):
    result = checked(file, [line.rsplit(",", 1)[0] for line in compact()])
    assert result.report.rejected == {}
    assert result.frame["open_interest"].isna().all()


@pytest.mark.parametrize("line_end", ["\r", "\r\n", "\n"])
def test_line_ends_do_not_matter(file, line_end):
    file.write_bytes(b"\xef\xbb\xbf" + line_end.join([*compact(), "", ""]).encode())
    assert validate(read_raw(file), CALENDAR).report.kept == 375


def test_hours_may_have_one_digit(file):
    assert checked(file, [line.replace(",09:", ",9:") for line in dashed()]).report.kept == 375


def test_rejects_are_written(file, tmp_path):
    result = checked(file, [*compact(), "NIFTY_F1,20150303,16:31,8905,8905,8905,8905,1,1000"])
    result.write_rejects(tmp_path / "rejects.csv")
    rows = list(csv.DictReader((tmp_path / "rejects.csv").read_text(encoding="utf-8").splitlines()))
    assert [(row["line"], row["reason"]) for row in rows] == [("376", "outside_session")]
    assert rows[0]["text"].endswith("16:31,8905,8905,8905,8905,1,1000")


def test_start_stamps_are_found(file):
    result = checked(file, compact(by="start"))
    assert result.report.stamp_days == {StampConvention.START: 1}
    assert (result.frame.index[0].hour, result.frame.index[0].minute) == (9, 15)


def test_a_lone_print_at_the_close_is_no_minute_of_an_end_stamped_day(file):
    lone = "NIFTY_F1,20150303,15:30,8905,8905,8905,8905,75,1000"
    result = checked(file, [*compact(by="start")[1:], lone])
    assert result.report.stamp_days == {StampConvention.START: 1}
    assert result.report.rejected == {Reason.AFTER_CLOSE: 1}


def test_a_day_that_speaks_against_the_file_is_read_its_own_way_and_counted(file):
    days = [f"2015-03-{day:02d}" for day in (2, 3, 4, 5, 9, 10, 11, 12, 13, 16)]
    lines = [line for day in days for line in compact(day)] + compact("2015-03-17", by="start")
    result = checked(file, lines)
    assert result.report.stamp_days == {StampConvention.END: 10, StampConvention.START: 1}
    assert result.report.oddities == {Oddity.CONTRARY_STAMP_DAYS: 1}
    assert result.report.rejected == {}
    given = checked(file, lines, convention=StampConvention.END)
    assert given.report.rejected == {Reason.OUTSIDE_SESSION: 1}
    assert given.report.oddities[Oddity.CONTRARY_STAMP_DAYS] == 1


@pytest.mark.parametrize(
    "lines",
    [
        compact()[10:200],  # neither the open nor the close is there
        compact("2015-03-03") + compact("2015-03-04", by="start"),  # one day says this, one that
        dashed(second=0)[1:-1],
    ],
)
def test_a_convention_that_cannot_be_told_is_asked_for(file, lines):
    with pytest.raises(DataError, match=r"cannot tell .*vendor.txt.* say which"):
        checked(file, lines)


def test_a_given_convention_is_obeyed(file):
    lines = compact()[10:200]
    ends, starts = (checked(file, lines, convention=convention) for convention in ("end", "start"))
    assert (starts.frame.index - ends.frame.index).unique() == [pd.Timedelta(minutes=1)]


def test_a_day_on_whole_minutes_in_a_form_with_seconds(file):
    whole = [
        line.replace("09:15:00", "15:30:00") if "09:15:00" in line else line
        for line in dashed("2015-03-04", 0)
    ]
    result = checked(file, dashed("2015-03-03") + whole)
    assert result.report.stamp_days == {StampConvention.LAST_TRADE: 1, StampConvention.END: 1}
    assert result.report.kept == 750


def test_two_tickers_are_two_files(file):
    with pytest.raises(DataError, match="2 tickers"):
        checked(file, [*compact(), compact()[0].replace("NIFTY_F1", "BANKNIFTY_F1")])


def test_nothing_readable(file):
    with pytest.raises(DataError, match="0 tickers"):
        checked(file, ["NIFTY_F1,20150303,09:16,broken"])


def test_unknown_forms_and_readers(file, tmp_path):
    file.write_text("datetime,open,high,low,close\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"no reader knows the form.*comma_date_dash, comma_date_compact"):
        read_raw(file)
    with pytest.raises(SettingsError, match="no reader 'csv'"):
        read_raw(file, "csv")
    with pytest.raises(DataError, match=r"cannot read .*absent.txt"):
        read_raw(tmp_path / "absent.txt")
    file.write_bytes(b"\x80\x81")
    with pytest.raises(DataError, match="is not text"):
        read_raw(file)
    file.write_text("\n\n", encoding="utf-8")
    with pytest.raises(DataError, match="no rows"):
        read_raw(file, "comma_date_dash")


def test_named_readers_match_their_own_form_only():
    lines = {"comma_date_dash": dashed()[0], "comma_date_compact": compact()[0]}
    assert {
        name: [other for other in lines if reader.matches(lines[other])] for name, reader in READERS.items()
    } == {name: [name] for name in lines}


@pytest.fixture(scope="module")
def clean_bars(shared_data):
    return {
        name: pd.read_parquet(shared_data / f"data/{name}_FUT_1min_2013_2016.parquet")
        .set_index("datetime")
        .astype("float64")
        for name in ("NIFTY", "BANKNIFTY")
    }


@pytest.mark.slow
@pytest.mark.real_data
def test_raw_months_have_the_expected_rejects_and_become_the_clean_bars(shared_data, clean_bars):
    with (shared_data / "data/raw/expected_rejects.csv").open(encoding="utf-8") as expected_file:
        expected = list(csv.DictReader(expected_file))
    assert len(expected) == 29
    columns = {
        "identical_duplicate": Reason.IDENTICAL_DUPLICATE,
        "same_minute_other_values": Reason.SAME_MINUTE_OTHER_VALUES,
        "after_close_1530": Reason.AFTER_CLOSE,
        "outside_session": Reason.OUTSIDE_SESSION,
    }
    for row in expected:
        result = validate(read_raw(shared_data / "data" / row["file"]), CALENDAR)
        report = result.report
        found = {name: report.rejected.get(reason, 0) for name, reason in columns.items()}
        assert {"file": row["file"], "rows": report.rows, **found, "kept": report.kept} == {
            name: value if name == "file" else int(value) for name, value in row.items()
        }
        assert sum(found.values()) == sum(report.rejected.values())
        index = result.frame.index
        clean = clean_bars[report.underlying]
        clean = clean[
            (clean.index >= index[0].normalize()) & (clean.index < index[-1].normalize() + pd.Timedelta("1D"))
        ]
        assert index.equals(clean.index), row["file"]
        np.testing.assert_array_equal(result.frame[list(clean.columns)], clean)
