"""What a store has of each session: counted, listed, drawn."""

from __future__ import annotations

import datetime as dt
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.__main__ import main
from feeds.bars import aggregate
from feeds.calendar import TradingCalendar
from feeds.coverage import cover_sessions, expected_bars, yearly
from feeds.coverage_picture import draw_coverage
from feeds.errors import DataError
from feeds.store.parquet import ParquetStore
from tests.feeds.fetch_support import CALENDAR, minutes_of
from tests.feeds.frames import day_frame

WHOLE = minutes_of("2015-12-21", "2016-01-08")
SESSIONS = CALENDAR.sessions(dt.date(2015, 12, 21), dt.date(2016, 1, 8))
SVG = "{http://www.w3.org/2000/svg}"


def parsed(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)  # noqa: S314 # our own document


def test_a_whole_series_has_nothing_absent_or_short():
    coverage = cover_sessions(WHOLE, 1, CALENDAR)
    assert coverage.absent == []
    assert coverage.short.empty
    assert coverage.outside == 0
    table = yearly(coverage)
    assert table.index.tolist() == [2015, 2016]
    assert table["sessions"].sum() == table["whole"].sum() == len(SESSIONS)
    assert table["percent"].tolist() == [100.0, 100.0]


def test_a_missing_session_a_short_one_and_a_bar_outside():
    frame = WHOLE[WHOLE.index.date != dt.date(2015, 12, 24)]
    frame = pd.concat([frame.iloc[:100], frame.iloc[103:], day_frame("2016-01-08", 2, start="15:30")])
    frame.iloc[5, frame.columns.get_loc("complete")] = False
    coverage = cover_sessions(frame, 1, CALENDAR)
    assert coverage.absent == [dt.date(2015, 12, 24)]
    assert coverage.short["missing"].to_dict() == {dt.date(2015, 12, 21): 3}
    assert coverage.outside == 2
    table = yearly(coverage).loc[2015]
    assert (table["absent"], table["short"], table["missing"], table["incomplete"]) == (1, 1, 378, 1)


def test_a_hundred_percent_is_said_of_all_bars_only():
    days = minutes_of("2015-01-01", "2015-12-31")
    assert yearly(cover_sessions(days.drop(days.index[40]), 1, CALENDAR))["percent"].tolist() == [99.99]


@pytest.mark.parametrize(
    ("hours", "minutes", "bars"),
    [
        ("09:15-15:30", 1, 375), ("09:15-15:30", 3, 125), ("09:15-15:30", 60, 7), ("09:15-15:40", 3, 129),
        ("18:15-19:14", 3, 20), ("09:15-10:00 11:30-12:29", 3, 35), ("09:15-10:00 11:30-12:29", 60, 2),
    ],
)  # fmt: skip
def test_a_session_makes_as_many_bars_as_aggregation_does(hours, minutes, bars):
    day = dt.date(2024, 10, 15)
    calendar = TradingCalendar({day: hours})
    session = calendar.session(day)
    assert expected_bars(session, minutes) == bars
    parts = [
        day_frame(str(day), int((end - start).total_seconds()) // 60, start=f"{start:%H:%M}")
        for start, end in session.segments
    ]
    assert len(aggregate(pd.concat(parts), minutes, calendar)) == bars


@settings(max_examples=30, deadline=None)
@given(st.sets(st.integers(0, len(WHOLE) - 1), max_size=800))
def test_what_is_found_and_what_is_missing_add_up(dropped):
    kept = WHOLE.iloc[np.setdiff1d(np.arange(len(WHOLE)), sorted(dropped))]
    coverage = cover_sessions(kept, 1, CALENDAR, SESSIONS[0].date, SESSIONS[-1].date)
    rows = coverage.sessions
    assert rows["found"].sum() == len(kept)
    assert (rows["expected"] - rows["found"]).sum() == len(dropped)
    short = len(coverage.short)
    assert short + len(coverage.absent) + (rows["found"] == rows["expected"]).sum() == len(SESSIONS)


def test_days_without_a_session():
    with pytest.raises(DataError, match="no session lies from 2016-01-09 to 2016-01-10"):
        cover_sessions(WHOLE, 1, CALENDAR, dt.date(2016, 1, 9), dt.date(2016, 1, 10))


def test_the_picture_has_a_cell_for_each_session_in_the_colour_of_its_completeness():
    cut = WHOLE[(WHOLE.index.date != dt.date(2015, 12, 24)) & (WHOLE.index.date != dt.date(2016, 1, 4))]
    half = WHOLE[(WHOLE.index.date == dt.date(2016, 1, 4))].iloc[:190]
    text = draw_coverage({"A&B 1minute": cover_sessions(pd.concat([cut, half]).sort_index(), 1, CALENDAR)})
    root = parsed(text)
    cells = {
        cell.findtext(f"{SVG}title"): cell.get("fill")
        for cell in root.iter(f"{SVG}rect")
        if cell.find(f"{SVG}title") is not None
    }
    assert len(cells) == len(SESSIONS)
    assert cells["Thu 2015-12-24: 0 of 375 bars"] == "#b2182b"
    assert cells["Mon 2016-01-04: 190 of 375 bars"] == "#f4a582"
    assert cells["Fri 2016-01-01: 375 of 375 bars"] == "#2166ac"
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "A&B 1minute: 2015-12-21 to 2016-01-08" in "".join(root.itertext())


@pytest.mark.parametrize(
    ("found", "colour"),
    [
        (100, "#2166ac"), (99, "#92c5de"), (98, "#fddbc7"), (90, "#fddbc7"), (89, "#f4a582"),
        (50, "#f4a582"), (49, "#ef8a62"), (1, "#ef8a62"),
    ],
)  # fmt: skip
def test_colours_at_their_edges(found, colour):
    calendar = TradingCalendar({dt.date(2016, 1, 4): "09:15-10:55"})
    text = draw_coverage({"X": cover_sessions(day_frame("2016-01-04", found), 1, calendar)})
    assert f'fill="{colour}"><title>Mon 2016-01-04: {found} of 100 bars (extra)' in text


def test_each_session_has_a_cell_of_its_own_in_the_column_of_its_week():
    root = parsed(draw_coverage({"X": cover_sessions(minutes_of("2013-01-01", "2016-12-30"), 1, CALENDAR)}))
    places = [
        (cell.get("x"), cell.get("y"))
        for cell in root.iter(f"{SVG}rect")
        if cell.find(f"{SVG}title") is not None
    ]
    days = [one.date for one in CALENDAR.sessions(dt.date(2013, 1, 1), dt.date(2016, 12, 30))]
    assert len(places) == len(set(places)) == len(days)
    columns: dict[tuple[int, dt.date], set[str | None]] = {}
    for day, (x, _) in zip(days, places, strict=True):
        monday = day - dt.timedelta(days=day.weekday())
        columns.setdefault((day.year, monday), set()).add(x)
    assert all(len(column) == 1 for column in columns.values())


# -- the command -------------------------------------------------------------------------------------------


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = ParquetStore(tmp_path / "bars")
    store.append("NIFTY", 1, WHOLE[WHOLE.index.date != dt.date(2015, 12, 24)])
    store.append("BANKNIFTY", 3, aggregate(WHOLE, 3, CALENDAR))

    def run_it(*arguments: object):
        code = main(["check", "--store", *map(str, arguments)])
        printed = capsys.readouterr()
        return code, printed.out.splitlines(), printed.err

    return run_it


def test_check_of_a_store_is_a_table_by_year_and_its_holes(run):
    code, lines, err = run()
    assert (code, err) == (0, "")
    assert lines[2].split() == ["BANKNIFTY", "3minute", "2015", "8", "8", "0", "0", "0", "0", "100.00"]
    assert lines[4].split() == ["NIFTY", "1minute", "2015", "8", "7", "0", "1", "375", "0", "87.50"]
    assert lines[6] == "NIFTY 1minute: absent 2015-12-24"


def test_check_of_one_series_and_some_days(run, tmp_path):
    code, lines, _ = run("bars", "--instrument", "NIFTY", "--from", "2016-01-01", "--picture", "all.svg")
    assert code == 0
    assert [line.split()[:3] for line in lines[3:]] == [["NIFTY", "1minute", "2016"]]
    assert parsed((tmp_path / "all.svg").read_text()).tag == f"{SVG}svg"
    code, _, err = run("bars", "--picture", "all.svg")
    assert code == 2
    assert "all.svg exists and is not overwritten" in err


def test_bars_outside_the_sessions_are_bad_data(run, tmp_path):
    ParquetStore(tmp_path / "bars").append("NIFTY", 1, day_frame("2016-01-09", 2))
    code, lines, _ = run()
    assert code == 3
    assert any("2 bars lie outside every session of the calendar" in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("bars", "--picture", "all.png"), 2, "--picture all.png has another ending than .svg"),
        (("bars", "--picture", "no/where.svg"), 2, "cannot be written (No such file or directory)"),
        (("bars", "--instrument", "NIFTTY"), 3, "holds no bars of NIFTTY, expected one of its series"),
        (("empty",), 3, "holds no bars of anything, expected one of its series (nothing)"),
        (("bars", "--from", "2016-01-05", "--to", "2016-01-04"), 2, "swap them"),
    ],
)
def test_bad_input_is_one_line(run, arguments, code, words):
    found, _, err = run(*arguments)
    assert found == code
    assert words in err
    assert err.count("\n") == 1


def test_nothing_to_check(capsys):
    assert main(["check"]) == 2
    assert "expected FILE, DIR or --store" in capsys.readouterr().err
    assert main(["check", "bars.csv", "--store", "bars"]) == 2
    assert "found bars.csv and --store, expected one of them" in capsys.readouterr().err
