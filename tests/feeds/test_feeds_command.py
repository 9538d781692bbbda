"""``python -m feeds``: what it prints, what it writes, and how it ends."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from feeds.__main__ import main
from feeds.show import print_table
from feeds.store.parquet import ParquetStore
from tests.feeds.frames import day_frame

VENDOR = """\
NIFTY_F1,20160104,09:16,7924.55,7937,7921,7926,217350,14932650
NIFTY_F1,20160104,09:17,7926,7929,7921.05,7925,75075,14932650
NIFTY_F1,20160104,09:17,7926,7929,7921.05,7925,75075,14932650
NIFTY_F1,20160104,09:18,7925,7925.95,7919.02,7919.05,63900,14955000
NIFTY_F1,20160104,15:30,7925,7926,7919,7919.05,63900,14955000
"""


@pytest.fixture
def vendor(tmp_path) -> Path:
    file = tmp_path / "raw" / "NIFTY.txt"
    file.parent.mkdir()
    file.write_text(VENDOR)
    return file


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    """Run a command in a folder of its own; gives exit code, output lines and error text."""
    monkeypatch.chdir(tmp_path)

    def run_it(*arguments: object):
        code = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return code, printed.out.splitlines(), printed.err

    return run_it


def write_bars(path: Path, **changes: object) -> Path:
    frame = day_frame("2016-01-04", 20).assign(**changes)
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path)
    return path


def test_check_counts_the_rejects_of_a_vendor_file(run, vendor, tmp_path):
    code, lines, _ = run("check", vendor, "--rejects", tmp_path / "rejects.csv")
    assert code == 3
    assert lines[2].split() == [str(vendor), "comma_date_compact", "NIFTY", "5", "3", "2"]
    assert [line.split()[1:] for line in lines if str(vendor) in line][1:3] == [
        ["identical_duplicate", "1"],
        ["off_tick", "1"],
    ]
    rejects = pd.read_csv(tmp_path / "rejects.csv")
    assert rejects["line"].tolist() == [3, 4]
    assert rejects["reason"].tolist() == ["identical_duplicate", "off_tick"]
    assert rejects["text"].tolist() == VENDOR.splitlines()[2:4]


@pytest.mark.parametrize("name", ["bars.csv", "bars.parquet"])
def test_check_of_good_bars(run, tmp_path, name):
    code, lines, _ = run("check", write_bars(tmp_path / name))
    assert code == 0
    assert lines[2].split()[1:] == ["header", "NIFTY", "20", "20", "0"]


@pytest.mark.parametrize("name", ["bars.csv", "bars.parquet"])
def test_check_names_every_bad_row_where_a_backtest_stops_at_the_first(run, tmp_path, name):
    close = 8000.0 + np.arange(20) * 0.05
    close[3], close[5], close[7] = np.nan, -1.0, 9000.0
    bars = write_bars(tmp_path / name, close=close)
    code, _, _ = run("check", bars, "--rejects", tmp_path / "rejects.csv")
    assert code == 3
    rejects = pd.read_csv(tmp_path / "rejects.csv").set_index("line")["reason"]
    assert rejects.to_dict() == {5: "missing_value", 7: "non_positive", 9: "ohlc_relation"}


def test_check_of_a_word_and_of_a_stamp_inside_a_minute(run, tmp_path):
    file = tmp_path / "bars.csv"
    lines = write_bars(file).read_text().splitlines()
    lines[2] = lines[2].replace(":00+05:30", ":59+05:30")
    lines[4] = lines[4].replace(",True", "").rsplit(",", 1)[0] + ",much,True"
    lines[6] = "tomorrow" + lines[6][lines[6].index(",") :]
    file.write_text("\n".join(lines))
    code, _, _ = run("check", file, "--rejects", tmp_path / "rejects.csv")
    assert code == 3
    rejects = pd.read_csv(tmp_path / "rejects.csv").set_index("line")["reason"]
    assert rejects.to_dict() == {3: "unreadable", 5: "unreadable", 7: "unreadable"}


def test_check_of_a_folder_goes_on_after_an_unreadable_file(run, vendor):
    (vendor.parent / "notes.csv").write_text("not,bars\n1,2\n")
    code, lines, _ = run("check", vendor.parent)
    assert code == 3
    assert "notes.csv" in lines[0]
    assert any("comma_date_compact" in line for line in lines)


def test_import_then_export_then_import_again(run, tmp_path):
    frame = pd.concat([day_frame("2015-12-31", 30), day_frame("2016-01-04", 30)])
    frame.to_parquet(tmp_path / "in.parquet")
    assert run("import", tmp_path / "in.parquet", "--instrument", "NIFTY")[0] == 0
    assert run("export", tmp_path / "out.csv")[0] == 0
    written = pd.read_csv(tmp_path / "out.csv", parse_dates=["datetime"]).set_index("datetime")
    np.testing.assert_array_equal(written.to_numpy(dtype=float), frame.to_numpy(dtype=float))
    code, lines, _ = run("import", tmp_path / "out.csv", "--instrument", "NIFTY")
    assert code == 0
    assert lines[2].split()[-4:] == ["60", "0", "0", "60"]
    code, lines, _ = run("stored")
    assert lines[2].split() == ["NIFTY", "1minute", "2015-12-31", "2016-01-04", "2", "60"]


def test_export_of_a_range_in_longer_bars(run, tmp_path):
    ParquetStore(tmp_path / "bars").append("NIFTY", 1, day_frame("2016-01-04", 30))
    ParquetStore(tmp_path / "bars").append("NIFTY", 1, day_frame("2016-01-05", 30))
    options = ("--bar-minutes", 15, "--from", "2016-01-05", "--to", "2016-01-05")
    code, lines, _ = run("export", tmp_path / "out.parquet", *options)
    assert (code, lines) == (0, [f"2 15-minute bars of NIFTY written to {tmp_path / 'out.parquet'}"])
    frame = pd.read_parquet(tmp_path / "out.parquet")
    assert [f"{stamp:%m-%d %H:%M}" for stamp in frame.index] == ["01-05 09:15", "01-05 09:30"]


def test_import_of_a_vendor_file_keeps_the_good_rows_and_counts_the_others(run, vendor, tmp_path):
    code, lines, _ = run("import", vendor, "--rejects", tmp_path / "rejects.csv")
    assert code == 0
    assert lines[2].split()[-4:] == ["5", "2", "3", "0"]
    stored = ParquetStore(tmp_path / "bars").load("NIFTY", 1)
    assert [f"{stamp:%H:%M}" for stamp in stored.index] == ["09:15", "09:16", "15:29"]
    assert len(pd.read_csv(tmp_path / "rejects.csv")) == 2


def test_import_says_which_columns_it_does_not_store(run, tmp_path):
    bars = write_bars(tmp_path / "in.csv", signal=1.0)
    code, lines, _ = run("import", bars, "--instrument", "NIFTY")
    assert code == 0
    assert lines[0] == f"{bars}: not stored, because it is no part of a bar: signal"


def test_import_of_other_values_for_stored_bars_stops(run, tmp_path):
    run("import", write_bars(tmp_path / "a.csv"), "--instrument", "NIFTY")
    code, _, error = run("import", write_bars(tmp_path / "b.csv", volume=75.0), "--instrument", "NIFTY")
    assert code == 3
    assert "are stored in" in error
    assert "with other values" in error


def test_calendar_shows_special_hours_and_expiries(run):
    code, lines, _ = run("calendar", "--from", "2024-02-29", "--to", "2024-03-04")
    assert code == 0
    assert [line.split() for line in lines[2:]] == [
        ["2024-02-29", "Thu", "regular", "09:15-15:30", "375", "2024-02", "expires", "50"],
        ["2024-03-01", "Fri", "regular", "09:15-15:30", "375", "2024-03", "50"],
        ["2024-03-02", "Sat", "weekend", "09:15-10:00", "11:30-12:30", "105", "2024-03", "50"],
        ["2024-03-04", "Mon", "regular", "09:15-15:30", "375", "2024-03", "50"],
    ]


def test_calendar_takes_extra_days(run):
    extra = ("--session", "2026-11-08=18:00-19:00", "--holiday", "2026-11-09")
    code, lines, _ = run("calendar", "--from", "2026-11-07", "--to", "2026-11-11", *extra)
    assert code == 0
    assert [line.split()[0] for line in lines[2:]] == ["2026-11-08", "2026-11-11"]


BAD = {
    "no such file": (("check", "nothing.csv"), 3, "there is no file|cannot read"),
    "empty folder": (("check", "."), 3, r"no file below .* ends in"),
    "unknown ending": (("check", "bars.xls"), 3, r"unknown ending '\.xls'"),
    "unknown reader": (
        ("check", "good.csv", "--reader", "x"),
        2,
        r"there is no reader 'x'; choose one of comma",
    ),
    "existing rejects": (("check", "good.csv", "--rejects", "good.csv"), 2, "exists and is not overwritten"),
    "no instrument": (("import", "good.csv"), 2, "does not say of which instrument it is; give --instrument"),
    "bad instrument": (("import", "good.csv", "--instrument", "nifty"), 2, "cannot name a stored series"),
    "other instrument": (
        ("import", "raw", "--instrument", "BANKNIFTY"),
        2,
        "bars of NIFTY, not of BANKNIFTY",
    ),
    "nothing stored": (("export", "out.csv"), 3, "holds nothing"),
    "unknown output": (("export", "out.xls"), 2, r"unknown ending '\.xls'"),
    "existing output": (("export", "good.csv"), 2, "exists and is not overwritten"),
    "dates swapped": (("calendar", "--from", "2026-01-02", "--to", "2026-01-01"), 2, "swap them"),
    "unknown hours": (("calendar", "--from", "2026-11-08", "--to", "2026-11-08"), 3, "hours are not known"),
    "outside": (("calendar", "--from", "1999-01-01", "--to", "1999-01-02"), 3, "the calendar knows"),
    "session twice": (
        ("calendar", "--session", "2026-11-08=18:00-19:00", "--session", "2026-11-08=20:00-21:00"),
        2,
        "names a day twice",
    ),
    "bad hours": (("calendar", "--session", "2026-11-08=soon"), 2, "are 'soon', expected parts in order"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_the_user_can_mend_is_one_line_and_an_exit_code(run, tmp_path, vendor, name):
    arguments, code, pattern = BAD[name]
    if name != "empty folder":
        write_bars(tmp_path / "good.csv")
        (tmp_path / "bars.xls").write_bytes(b"x")
    else:
        vendor.unlink()
    found, _, error = run(*arguments)
    assert found == code
    assert error.count("\n") == 1
    assert re.search(pattern, error), error


@pytest.mark.parametrize(
    "arguments", [(), ("unknown",), ("calendar", "--from", "soon"), ("check", "x", "--stamps", "mid")]
)
def test_wrong_arguments_end_with_2(run, arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        run(*arguments)
    assert ended.value.code == 2


def test_an_interrupted_export_leaves_nothing(run, tmp_path, monkeypatch):
    ParquetStore(tmp_path / "bars").append("NIFTY", 1, day_frame("2016-01-04", 30))

    def stop(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(pd.DataFrame, "to_csv", stop)
    assert run("export", tmp_path / "out.csv")[0] == 130
    assert sorted(file.name for file in tmp_path.iterdir()) == ["bars"]


def test_an_unwritable_output(run, tmp_path):
    ParquetStore(tmp_path / "bars").append("NIFTY", 1, day_frame("2016-01-04", 30))
    code, _, error = run("export", tmp_path / "no" / "folder" / "out.csv")
    assert code == 2
    assert "cannot be written (No such file or directory)" in error


def test_as_a_module():
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "feeds", "calendar", "--from", "2016-01-26", "--to", "2016-01-27"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert [line.split()[0] for line in done.stdout.splitlines()[2:]] == ["2016-01-27"]


class TestTable:
    def test_plain(self, capsys):
        print_table("title", ["name", ">count"], [["a", "1"], ["longer", "1,000"]])
        assert capsys.readouterr().out == "title\nname    count\na           1\nlonger  1,000\n"

    def test_without_rows(self, capsys):
        print_table("title", ["name", ">count"], [])
        assert capsys.readouterr().out == "title\nname  count\n"

    def test_on_a_terminal_it_is_drawn_and_brackets_stay(self, capsys, monkeypatch):
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        print_table("title [x]", ["name", ">count"], [["[bold]a", "1"]])
        out = capsys.readouterr().out
        assert "title [x]" in out
        assert "[bold]a" in out
        assert "┃" in out or "|" in out
