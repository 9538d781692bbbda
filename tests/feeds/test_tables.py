from __future__ import annotations

import datetime as dt

import pytest

from feeds.errors import DataError
from feeds.tables import FACTS, read_table

TABLES = {
    "regular_hours": ("effective_from", "segments"),
    "special_sessions": ("date", "kind", "segments"),
    "expiry_rules": ("month_from", "underlying", "weekday"),
    "lot_sizes": ("month_from", "underlying", "lot"),
    "tick_size": ("effective_from", "underlying", "tick"),
    "freeze_quantity": ("effective_from", "underlying", "units"),
    "margins": ("effective_from", "underlying", "percent"),
}


def test_every_table_is_listed_here():
    assert sorted(path.stem for path in FACTS.glob("*.csv")) == sorted(TABLES)


@pytest.mark.parametrize("name", TABLES)
def test_rows_are_dated_sourced_and_graded(name):
    rows = read_table(FACTS / f"{name}.csv", TABLES[name])
    assert rows
    for row in rows:
        key = row[TABLES[name][0]]
        assert dt.date.fromisoformat(key if len(key) == 10 else f"{key}-01")
        assert row["confidence"] in ("confirmed", "one source", "unconfirmed")
        assert None not in row, "a value with a comma needs quotes"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("effective_from,source,confidence\n2020-01-01,NSE,confirmed\n", "row 2: expected columns"),
        ("effective_from,value,source,confidence\n2020-01-01,1,,confirmed\n", "source with its confidence"),
        ("effective_from,value,source,confidence\n2020-01-01,1\n", "row 2"),
    ],
)
def test_incomplete_tables_are_refused(tmp_path, text, message):
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_table(path, ("effective_from", "value"))


def test_an_absent_table_is_named(tmp_path):
    with pytest.raises(DataError, match=r"absent\.csv.*reinstall"):
        read_table(tmp_path / "absent.csv", ("effective_from",))
