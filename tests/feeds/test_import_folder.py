"""``python -m feeds import`` of a folder: every vendor's form, and files that are none."""

from __future__ import annotations

import pandas as pd
import pytest

from feeds.__main__ import main
from feeds.store.parquet import ParquetStore
from tests.feeds.frames import day_frame


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_brought_in(folder, capsys):
    (folder / "in").mkdir()
    day_frame("2016-01-04", 20).to_csv(folder / "in" / "a.csv")
    (folder / "in" / "b.csv").write_text("not,bars\n1,2\n")
    day_frame("2016-01-05", 20).to_parquet(folder / "in" / "c.parquet")
    assert main(["import", "in", "--instrument", "NIFTY"]) == 3
    out, err = capsys.readouterr()
    assert err == ""
    assert "no reader knows the form of in/b.csv" in out.splitlines()[0]
    assert len(ParquetStore(folder / "bars").load("NIFTY", 1)) == 40


def test_a_store_that_refuses_ends_the_import(folder, capsys):
    (folder / "in").mkdir()
    for name, price in (("a", 8000.0), ("b", 8001.0)):
        day_frame("2016-01-04", 20, price=price).to_csv(folder / "in" / f"{name}.csv")
    assert main(["import", "in", "--instrument", "NIFTY"]) == 3
    err = capsys.readouterr().err
    assert "other values" in err
    assert err.count("\n") == 1


@pytest.mark.slow
@pytest.mark.real_data
def test_the_vendors_files_as_they_were_found(shared_data, folder, capsys):
    expected = pd.read_csv(shared_data / "data" / "raw" / "expected_rejects.csv").set_index("file")
    for name in ("NIFTY", "BANKNIFTY"):
        assert main(["import", str(shared_data / "data" / "raw" / name), "--rejects", f"{name}.csv"]) == 0
    rejects = pd.concat([pd.read_csv(folder / "NIFTY.csv"), pd.read_csv(folder / "BANKNIFTY.csv")])
    counted = rejects.groupby(rejects["file"].str.removeprefix(f"{shared_data / 'data'}/")).size()
    wanted = expected["rows"] - expected["kept"]
    assert counted.to_dict() == wanted[wanted > 0].to_dict()
    store = ParquetStore(folder / "bars")
    held = {series.instrument: store.coverage(*series).bars for series in store.instruments()}
    of = expected.groupby(expected.index.str.split("/").str[1])["kept"].sum()
    assert held == of.to_dict()
