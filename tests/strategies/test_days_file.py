"""``days.csv``: one row a day, whole at every moment."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.errors import DataError
from strategies.days_file import DAYS_FILE, DayRow, read_days, write_day_row

DAY = dt.date(2026, 8, 3)
ROW = DayRow(DAY, "paper", 3, 1, -1234.5, 310.25, 998_765.5, "done", "../20260803-paper-NIFTY-ml")


def test_there_are_no_days_before_the_first(tmp_path):
    assert read_days(tmp_path / DAYS_FILE) == []


def test_a_day_comes_back_as_it_was(tmp_path):
    path = tmp_path / DAYS_FILE
    write_day_row(path, ROW)
    assert read_days(path) == [ROW]
    assert path.read_text().splitlines() == [
        "day,mode,trades,wins,net_pnl,charges,cash,outcome,folder",
        "2026-08-03,paper,3,1,-1234.5,310.25,998765.5,done,../20260803-paper-NIFTY-ml",
    ]


def test_the_same_day_again_takes_the_place_of_its_row(tmp_path):
    path = tmp_path / DAYS_FILE
    before, after = ROW._replace(day=DAY - dt.timedelta(1)), ROW._replace(day=DAY + dt.timedelta(1))
    for row in (ROW, after, before):
        write_day_row(path, row)
    again = ROW._replace(trades=4, outcome='left "open", really')
    write_day_row(path, again)
    assert read_days(path) == [before, again, after]
    assert [file.name for file in tmp_path.iterdir()] == [DAYS_FILE]


rows = st.builds(
    DayRow, st.dates(DAY, DAY + dt.timedelta(5)), st.sampled_from(["demo", "paper", "live"]),
    st.integers(0, 99), st.integers(0, 99), st.floats(-1e9, 1e9), st.floats(0, 1e9),
    st.none() | st.floats(0, 1e9), *[st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]))] * 2,
)  # fmt: skip


@settings(max_examples=25)  # each writes to the disk
@given(st.lists(rows, max_size=6))
def test_the_last_row_of_each_day_is_kept_in_order(tmp_path_factory, given_rows):
    path = tmp_path_factory.mktemp("days") / DAYS_FILE
    for row in given_rows:
        write_day_row(path, row)
    assert read_days(path) == [row for _, row in sorted({row.day: row for row in given_rows}.items())]


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace("day,mode", "date,mode"),
        lambda text: text.replace(",3,1,", ",three,1,"),
        lambda text: text[: text.rindex(",1,")],
        lambda text: "",
    ],
    ids=["another column", "no number", "a torn line", "an empty file"],
)
def test_a_damaged_file_is_refused_in_one_line_and_left_alone(tmp_path, damage):
    path = tmp_path / DAYS_FILE
    write_day_row(path, ROW)
    path.write_text(damage(path.read_text()))
    before = path.read_bytes()
    for act in (lambda: read_days(path), lambda: write_day_row(path, ROW)):
        with pytest.raises(DataError, match=r"days\.csv .* expected .*a new one is begun") as caught:
            act()
        assert "\n" not in str(caught.value)
    assert path.read_bytes() == before


def test_a_file_that_cannot_be_read_is_said(tmp_path):
    path = tmp_path / DAYS_FILE
    path.mkdir()
    with pytest.raises(DataError, match=r"cannot be read \(Is a directory\)"):
        read_days(path)
