"""What only the Parquet store promises: whole files, whatever happens while they are written."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pandas as pd
import pytest

from feeds.errors import DataError
from feeds.store.parquet import ParquetStore
from tests.feeds.frames import day_frame, frame_of


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
