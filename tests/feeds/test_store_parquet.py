"""What only the Parquet store promises: whole files, whatever happens while they are written."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from feeds.bars import BAR_COLUMNS
from feeds.errors import DataError
from feeds.store.base import Appended
from feeds.store.parquet import ParquetStore
from tests.feeds.frames import day_frame, frame_of
from tests.feeds.test_store import span


def files_of(root: Path) -> list[str]:
    return sorted(
        str(file.relative_to(root)) for file in root.rglob("*") if file.is_file() and file.name != ".lock"
    )


def test_layout(tmp_path):
    ParquetStore(tmp_path).append("NIFTY", 1, frame_of("2015-12-31", "2016-01-01"))
    assert files_of(tmp_path) == ["NIFTY/1minute/2015.parquet", "NIFTY/1minute/2016.parquet"]


def test_an_append_that_adds_nothing_leaves_the_file_alone(tmp_path):
    store = ParquetStore(tmp_path)
    store.append("NIFTY", 1, frame_of("2016-01-01"))
    file = tmp_path / "NIFTY/1minute/2016.parquet"
    before = file.stat()
    store.append("NIFTY", 1, frame_of("2016-01-01"))
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("step", ["to_parquet", "fsync", "replace"])
def test_a_failure_while_writing_leaves_the_old_bars_and_no_litter(tmp_path, monkeypatch, step):
    store = ParquetStore(tmp_path)
    store.append("NIFTY", 1, frame_of("2016-01-01"))

    def fail(*_args, **_kwargs):
        raise OSError("no space left on device")

    owner = {"to_parquet": pd.DataFrame, "fsync": os, "replace": Path}[step]
    with monkeypatch.context() as patch:
        patch.setattr(owner, step, fail)
        with pytest.raises(DataError, match=r"no space left .* unharmed, make room"):
            store.append("NIFTY", 1, frame_of("2016-01-04"))
    assert files_of(tmp_path) == ["NIFTY/1minute/2016.parquet"]
    pd.testing.assert_frame_equal(store.load("NIFTY", 1), frame_of("2016-01-01"), check_freq=False)


def test_a_killed_writer_leaves_the_old_bars_and_its_litter_goes_with_the_next_append(tmp_path):
    store = ParquetStore(tmp_path)
    store.append("NIFTY", 1, frame_of("2016-01-01"))
    script = """
        import os, sys
        import pandas as pd
        from feeds.store.parquet import ParquetStore
        from tests.feeds.frames import frame_of
        os.fsync = lambda descriptor: os._exit(9)  # dies with a whole temporary file and no rename
        ParquetStore(sys.argv[1]).append("NIFTY", 1, frame_of("2016-01-04"))
    """
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)], cwd=root, check=False
    )
    assert done.returncode == 9
    assert len(files_of(tmp_path)) == 2
    pd.testing.assert_frame_equal(store.load("NIFTY", 1), frame_of("2016-01-01"), check_freq=False)
    store.append("NIFTY", 1, frame_of("2016-01-04"))
    assert files_of(tmp_path) == ["NIFTY/1minute/2016.parquet"]
    assert len(store.load("NIFTY", 1)) == 10


def test_two_writers_lose_nothing(tmp_path):
    script = """
        import sys
        from feeds.store.parquet import ParquetStore
        from tests.feeds.frames import frame_of
        for day in range(1, 11):
            ParquetStore(sys.argv[1]).append("NIFTY", 1, frame_of(f"2016-{sys.argv[2]}-{day:02d}"))
    """
    root = Path(__file__).resolve().parents[2]
    writers = [
        subprocess.Popen([sys.executable, "-c", textwrap.dedent(script), str(tmp_path), month], cwd=root)
        for month in ("01", "02")
    ]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0]
    assert ParquetStore(tmp_path).coverage("NIFTY", 1).days == 20


def test_a_damaged_file_is_named(tmp_path):
    store = ParquetStore(tmp_path)
    store.append("NIFTY", 1, frame_of("2016-01-01"))
    file = tmp_path / "NIFTY/1minute/2016.parquet"
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(DataError, match=r"2016\.parquet cannot be read as Parquet .* import its bars again"):
        store.load("NIFTY", 1)


def test_a_foreign_file_is_named(tmp_path):
    folder = tmp_path / "NIFTY/1minute"
    folder.mkdir(parents=True)
    pd.DataFrame({"a": [1]}).to_parquet(folder / "2016.parquet")
    with pytest.raises(DataError, match=r"2016\.parquet does not hold bars of this store"):
        ParquetStore(tmp_path).load("NIFTY", 1)


def test_a_year_of_another_bar_is_not_touched(tmp_path):
    store = ParquetStore(tmp_path)
    store.append("NIFTY", 1, frame_of("2015-12-31"))
    before = (tmp_path / "NIFTY/1minute/2015.parquet").stat().st_mtime_ns
    store.append("NIFTY", 1, day_frame("2016-01-01", 3))
    assert (tmp_path / "NIFTY/1minute/2015.parquet").stat().st_mtime_ns == before


# -- only what is asked for --------------------------------------------------------------------------------


@pytest.fixture
def groups_read(monkeypatch):
    """Counts of row groups and names of columns that were read."""
    seen: list[tuple[int, list[str]]] = []
    read = pq.ParquetFile.read_row_groups

    def noted(file, groups, columns=None, **rest):
        seen.append((len(groups), list(columns)))
        return read(file, groups, columns=columns, **rest)

    monkeypatch.setattr(pq.ParquetFile, "read_row_groups", noted)
    return seen


def test_only_the_years_groups_and_columns_asked_for_are_read(tmp_path, groups_read):
    store = ParquetStore(tmp_path)
    days = pd.date_range("2015-01-01", "2016-12-31", freq="B")
    store.append("NIFTY", 1, frame_of(*(f"{day:%Y-%m-%d}" for day in days), bars=375))
    groups_read.clear()
    day = dt.date(2016, 6, 15)
    assert len(store.load("NIFTY", 1, day, day, columns=["close"])) == 375
    assert groups_read == [(1, ["close", "datetime"])]
    groups_read.clear()
    assert len(store.load("NIFTY", 1, dt.date(2016, 1, 1))) == 261 * 375
    assert groups_read == [(12, [*BAR_COLUMNS, "datetime"])]
    groups_read.clear()
    assert store.coverage("NIFTY", 1).days == len(days)
    assert [columns for _, columns in groups_read] == [["datetime"], ["datetime"]]


@pytest.mark.parametrize("midnight", [8_190, 8_191, 8_192, 8_193])
def test_a_day_that_begins_at_the_edge_of_a_group_is_found_whole(tmp_path, midnight):
    store = ParquetStore(tmp_path)
    start = pd.Timestamp("2016-01-10") - pd.Timedelta(minutes=midnight)
    store.append("NIFTY", 1, day_frame(f"{start:%Y-%m-%d}", 16_000, start=f"{start:%H:%M}"))
    for day in (dt.date(2016, 1, 9), dt.date(2016, 1, 10)):
        assert len(store.load("NIFTY", 1, day, day)) == 1440


def test_a_file_without_groups_of_a_month_is_read_as_well(tmp_path):
    # As earlier versions wrote them, with stamps of another unit for good measure.
    frame = frame_of("2016-01-04", "2016-03-04")
    file = tmp_path / "NIFTY/1minute/2016.parquet"
    file.parent.mkdir(parents=True)
    frame.set_axis(frame.index.as_unit("ns"), axis=0).to_parquet(file, compression="zstd")
    loaded = ParquetStore(tmp_path).load("NIFTY", 1, dt.date(2016, 3, 1))
    pd.testing.assert_frame_equal(loaded, frame_of("2016-03-04"), check_freq=False)


# -- readers and writers -----------------------------------------------------------------------------------


def test_a_reader_beside_a_writer_sees_whole_appends(tmp_path):
    store = ParquetStore(tmp_path)
    days = [f"2016-01-{day:02d}" for day in range(1, 32)]
    store.append("NIFTY", 1, frame_of(days[0]))
    seen, done = [], threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.append(len(store.load("NIFTY", 1)))

    reader = threading.Thread(target=read)
    reader.start()
    for day in days[1:]:
        store.append("NIFTY", 1, frame_of(day))
    done.set()
    reader.join(30)
    assert seen == sorted(seen)
    assert {count % 5 for count in seen} == {0}


def test_a_writer_killed_before_its_record_loses_the_record_only(tmp_path):
    script = """
        import datetime as dt, os, sys
        from feeds.store import parquet
        from feeds.store.base import FetchedSpan
        from tests.feeds.frames import frame_of
        parquet._record = lambda *_: os._exit(9)
        day = dt.date(2016, 1, 4)
        span = FetchedSpan("kite", day, day)
        parquet.ParquetStore(sys.argv[1]).append("NIFTY", 1, frame_of("2016-01-04"), fetched=span)
    """
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)]
    assert subprocess.run(command, cwd=root, check=False).returncode == 9
    store = ParquetStore(tmp_path)
    assert store.fetched("NIFTY", 1, "kite") == []
    again = store.append("NIFTY", 1, frame_of("2016-01-04"), fetched=span("2016-01-04", "2016-01-04"))
    assert again == Appended(0, 5)
    assert len(store.fetched("NIFTY", 1, "kite")) == 1


def test_a_full_disk_takes_nothing_and_loses_nothing(tiny_disk):
    store = ParquetStore(tiny_disk)
    random = np.random.default_rng(1)
    frame = day_frame("2016-01-04", 375)
    store.append("NIFTY", 1, frame, fetched=span("2016-01-04", "2016-01-04"))
    before = files_of(tiny_disk)
    big = day_frame("2016-02-01", 20_000).assign(volume=random.random(20_000))
    with pytest.raises(DataError, match=r"cannot be written \(No space left on device\); .* make room"):
        store.append("NIFTY", 1, big, fetched=span("2016-02-01", "2016-02-20"))
    assert files_of(tiny_disk) == before
    pd.testing.assert_frame_equal(store.load("NIFTY", 1), frame, check_freq=False)
    assert store.fetched("NIFTY", 1, "kite") == [span("2016-01-04", "2016-01-04")[1:]]


# -- what was fetched --------------------------------------------------------------------------------------


def test_a_year_whose_file_was_deleted_was_not_fetched(tmp_path):
    store = ParquetStore(tmp_path)
    store.append("NIFTY", 1, frame_of("2015-12-31", "2016-01-01"), fetched=span("2015-12-30", "2016-01-05"))
    (tmp_path / "NIFTY/1minute/2016.parquet").unlink()
    assert store.fetched("NIFTY", 1, "kite") == [span("2015-12-30", "2015-12-31")[1:]]
    # The new file of that year vouches for its own dates only.
    store.append("NIFTY", 1, frame_of("2016-01-04"), fetched=span("2016-01-04", "2016-01-04"))
    assert store.fetched("NIFTY", 1, "kite") == [
        span("2015-12-30", "2015-12-31")[1:],
        span("2016-01-04", "2016-01-04")[1:],
    ]


@pytest.mark.parametrize("text", ["{", "[]", '{"kite": [["2016-01-04"]]}', '{"kite": [["4 Jan", "5 Jan"]]}'])
def test_a_damaged_record_is_named_and_stops_nothing_else(tmp_path, text):
    store = ParquetStore(tmp_path)
    store.append("NIFTY", 1, frame_of("2016-01-04"), fetched=span("2016-01-04", "2016-01-04"))
    (tmp_path / "NIFTY/1minute/fetched.json").write_text(text)
    with pytest.raises(
        DataError, match=r"fetched\.json cannot be read .* delete it, and they are fetched again"
    ):
        store.fetched("NIFTY", 1, "kite")
    assert store.coverage("NIFTY", 1).bars == 5
