"""Several instruments from the command line: files of each and all, one line for what cannot be meant."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from feeds.store.parquet import ParquetStore
from run_backtest import main
from tests.feeds.postgres import need_postgres, stored_in_postgres

BOTH = ["--instrument", "NIFTY", "--instrument", "BANKNIFTY"]
SHORT = ["--strategy", "ema_cross", "--set", "data.synthetic.sessions=30", "--set", "report.tearsheet=false"]
LOTS = ["--set", "strategy.sizer=lots", "--set", "broker.starting_cash=50000000"]


def backtest(tmp_path, name, *arguments):
    out = tmp_path / name
    registry = f"ml.registry={tmp_path / 'models'}"
    assert main([*arguments, "--out", str(out), "--set", registry, "--quiet"]) == 0
    return out


def summary(folder):
    return json.loads((folder / "summary.json").read_text(encoding="utf-8"))


def test_each_instrument_has_its_files_and_the_account_its_own(tmp_path):
    out = backtest(tmp_path, "both", *BOTH, *SHORT, *LOTS)
    found = summary(out)
    trades = pd.read_csv(out / "trades.csv")
    assert found["instrument"] == "NIFTY + BANKNIFTY"
    assert set(trades["instrument"]) == {"NIFTY", "BANKNIFTY"}
    assert trades["entry_time"].is_monotonic_increasing
    parts = {name: pd.read_csv(out / name / "trades.csv") for name in ("NIFTY", "BANKNIFTY")}
    assert sum(map(len, parts.values())) == len(trades) == found["metrics"]["trades"]
    net = {name: figures["metrics"]["net_pnl"] for name, figures in found["instruments"].items()}
    assert sum(net.values()) == pytest.approx(found["metrics"]["net_pnl"])
    equity = pd.read_csv(out / "equity.csv")
    assert equity["value"].iloc[-1] == pytest.approx(50_000_000 + found["metrics"]["net_pnl"])
    assert equity["NIFTY_profit"].iloc[-1] == pytest.approx(net["NIFTY"])
    assert (equity["position"] == (equity[["NIFTY_position", "BANKNIFTY_position"]] != 0).sum(axis=1)).all()
    orders = pd.read_csv(out / "orders.csv")
    assert orders["time"].is_monotonic_increasing
    assert set(orders["instrument"]) == {"NIFTY", "BANKNIFTY"}
    page = (out / "report.html").read_text(encoding="utf-8")
    assert 'href="NIFTY/report.html"' in page
    assert "Instruments on this account" in page
    assert (out / "BANKNIFTY" / "report.html").is_file()


def test_each_part_is_the_run_of_that_instrument_alone(tmp_path):
    calm = ["--set", "risk.daily_loss_percent=null"]
    both = summary(backtest(tmp_path, "both", *BOTH, *SHORT, *LOTS, *calm))
    for name, seed in (("NIFTY", 7), ("BANKNIFTY", 8)):
        seeded = ["--instrument", name, "--set", f"data.synthetic.seed={seed}"]
        alone = summary(backtest(tmp_path, name, *seeded, *SHORT, *LOTS, *calm))
        assert alone["metrics"]["trades"] > 50
        assert both["instruments"][name]["fingerprint"] == alone["fingerprint"]
        assert "instruments" not in alone


def test_the_same_run_twice_is_one_trial_and_another_another(tmp_path):
    first = summary(backtest(tmp_path, "first", *BOTH, *SHORT))
    again = summary(backtest(tmp_path, "again", *BOTH, *SHORT))
    other = summary(backtest(tmp_path, "other", *BOTH, *SHORT, "--set", "strategy.stop_atr=1.5"))
    assert first["fingerprint"] == again["fingerprint"] != other["fingerprint"]
    assert [run["metrics"]["trials"] for run in (first, again, other)] == [1, 1, 2]


def test_shares_are_written_and_what_they_lack_is_said(tmp_path):
    shared = [
        "--set",
        "strategy.allocation.kind=inverse_volatility",
        "--set",
        "strategy.allocation.sessions=20",
    ]
    out = backtest(tmp_path, "shared", *BOTH, *SHORT, *shared)
    shares = pd.read_csv(out / "shares.csv")
    assert (shares[["NIFTY", "BANKNIFTY"]].sum(axis=1) - 1.0).abs().max() < 1e-12
    few = shares["sessions"] == 0
    assert 0 < few.sum() < len(shares)
    assert (shares.loc[few, "NIFTY"] == 0.5).all()
    assert any(
        f"{few.sum()} of {len(shares)} periods had too few" in text for text in summary(out)["warnings"]
    )


@pytest.mark.slow
def test_each_instrument_has_a_model_of_its_own(tmp_path):
    trained = [*BOTH, "--set", "data.synthetic.sessions=60", "--set", "report.tearsheet=false"]
    out = backtest(tmp_path, "trained", *trained, "--model", "train", "--set", "ml.model.rounds=20")
    for name in ("NIFTY", "BANKNIFTY"):
        card = json.loads((tmp_path / "models" / name / "v0001" / "card.json").read_text(encoding="utf-8"))
        assert card["instrument"] == name
        assert summary(out)["model"][name]["version"] == "v0001"
        assert summary(out / name)["model"]["windows"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([*BOTH, "--data", "a.csv", "--data", "b.csv"], "expected each as NAME=FILE"),
        ([*BOTH, "--data", "NIFTY=a.csv"], "names NIFTY, expected what is traded: NIFTY, BANKNIFTY"),
        (["--instrument", "NIFTY", "--instrument", "NIFTY"], "expected each name once"),
        (["--instrument", "nifty"], "market.instrument"),
        ([*BOTH, "--set", "market.freeze_quantity=1800"], "freeze_quantity is 1800 for NIFTY and BANKNIFTY"),
        ([*BOTH, "--set", "risk.account.max_lots=0"], "risk.account.max_lots"),
    ],
)
def test_what_cannot_be_meant_is_one_line(arguments, words, tmp_path, capsys):
    registry = f"ml.registry={tmp_path / 'models'}"
    code = main([*arguments, "--strategy", "ema_cross", "--out", str(tmp_path / "run"), "--set", registry])
    assert code == 2
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1


@pytest.mark.real_data
@pytest.mark.slow
def test_two_years_of_both_give_the_same_from_parquet_and_from_postgresql(shared_data, tmp_path, monkeypatch):
    years = ["--from", "2015-01-01", "--to", "2016-12-31", "--strategy", "ema_cross"]
    files = {
        name: shared_data / "data" / f"{name}_FUT_1min_2013_2016.parquet" for name in ("NIFTY", "BANKNIFTY")
    }
    given = [argument for name, file in files.items() for argument in ("--data", f"{name}={file}")]
    more = [*BOTH, *years, "--set", "report.tearsheet=false", "--set", "report.embedded_bars=0"]
    more += ["--set", "data.calendar_mismatch=reject"]
    from_files = summary(backtest(tmp_path, "files", *more, *given))
    assert from_files["metrics"]["trades"] > 1000

    frames = {name: _stored_form(file) for name, file in files.items()}
    parquet = ParquetStore(tmp_path / "bars")
    for name, frame in frames.items():
        parquet.append(name, 1, frame)
    stored = ["--data", "store", "--set", f"data.store={tmp_path / 'bars'}"]
    from_parquet = summary(backtest(tmp_path, "parquet", *more, *stored))
    with stored_in_postgres(need_postgres()) as (server, database):
        for name, frame in frames.items():
            database.append(name, 1, frame)
        monkeypatch.setenv("TIMESCALE_DSN", server.dsn())
        stored = ["--data", "store", "--set", "data.store=timescale"]
        from_postgres = summary(backtest(tmp_path, "postgres", *more, *stored))
    assert from_files["fingerprint"] == from_parquet["fingerprint"] == from_postgres["fingerprint"]
    assert from_parquet["data"]["sha256"] == from_postgres["data"]["sha256"]


def _stored_form(file: Path) -> pd.DataFrame:
    from feeds.calendar import TradingCalendar
    from feeds.sources.files import load_bars

    frame = load_bars(str(file), calendar=TradingCalendar(), timezone=None, calendar_mismatch="reject").frame
    return frame[frame.index >= pd.Timestamp("2015-01-01", tz="Asia/Kolkata")]
