"""Shares before and after splits, bonuses and dividends; the numbers are made up."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from feeds.corporate_actions import CorporateAction, adjusted_for_actions, read_actions
from feeds.errors import DataError
from tests.feeds.frames import day_frame

HEADER = "symbol,ex_date,kind,value,source\n"
SPLIT = "ACME,2024-06-04,split,5,exchange circular 1\n"


@pytest.fixture
def table(tmp_path):
    def write(text: str):
        path = tmp_path / "actions.csv"
        path.write_text(HEADER + text)
        return path

    return write


@pytest.fixture
def frame():
    return pd.concat([day_frame(f"2024-06-0{day}", 3, price=1000.0) for day in (3, 4, 5)])


@pytest.mark.parametrize(
    ("kind", "value", "close", "volume"),
    [("split", 5.0, 200.02, 5.0), ("bonus", 1.0, 500.05, 2.0), ("dividend", 100.01, 900.09, 1.0)],
)
def test_bars_before_the_day_are_in_terms_of_todays_shares(frame, kind, value, close, volume):
    made = adjusted_for_actions(
        frame, [CorporateAction("ACME", dt.date(2024, 6, 4), kind, value, "a source")]
    )
    assert made["close"].iloc[2] == pytest.approx(close)
    assert made["volume"].iloc[2] == frame["volume"].iloc[2] * volume
    assert made[3:].equals(frame[3:])


@pytest.mark.parametrize("day", ["2024-06-03", "2024-06-06"])
def test_actions_before_the_first_or_after_the_last_bar_change_nothing(frame, day):
    action = CorporateAction("ACME", dt.date.fromisoformat(day), "split", 2.0, "a source")
    assert adjusted_for_actions(frame, [action]).equals(frame)


def test_actions_multiply(frame):
    actions = [
        CorporateAction("ACME", dt.date(2024, 6, 4), "split", 2.0, "a source"),
        CorporateAction("ACME", dt.date(2024, 6, 5), "bonus", 1.0, "a source"),
    ]
    made = adjusted_for_actions(frame, actions)
    assert made["open"].iloc[[0, 3, 6]].tolist() == [250.0, 500.0, 1000.0]


def test_a_dividend_above_the_price_is_refused(frame):
    action = CorporateAction("ACME", dt.date(2024, 6, 4), "dividend", 2000.0, "a source")
    with pytest.raises(DataError, match="correct the table"):
        adjusted_for_actions(frame, [action])


def test_the_actions_of_one_share_are_read_in_order(table):
    path = table("ACME,2024-07-01,dividend,3,page 2\nOTHER,2024-01-01,split,2,page 9\n" + SPLIT)
    assert [action.kind for action in read_actions(path, "ACME")] == ["split", "dividend"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SPLIT.replace("exchange circular 1", ""), "no source is given"),
        (SPLIT.replace("split", "merger"), "expected split, bonus or dividend"),
        (SPLIT.replace(",5,", ",0,"), "expected above 0"),
        (SPLIT.replace(",5,", ",nan,"), "expected above 0"),
        (SPLIT.replace("2024-06-04", "4 June"), "expected a day such as"),
        (SPLIT + SPLIT, "twice"),
        ("ACME,2024-06-04,split\n", "a value in each line"),
    ],
)
def test_a_line_that_cannot_be_meant_is_refused(table, text, words):
    with pytest.raises(DataError, match=words):
        read_actions(table(text), "ACME")
