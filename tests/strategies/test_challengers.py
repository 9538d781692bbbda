"""Challengers see the bars of the day and nothing else, and nothing they do leaves their process."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from analyzers.challengers import (
    CHALLENGERS_DAYS_FILE,
    CHALLENGERS_FILE,
    CHALLENGERS_TRADES_FILE,
    read_challenger_days,
    read_challengers,
    write_challenger_days,
    write_challenger_trades,
    write_challengers,
)
from analyzers.parity.files import BARS_FILE, read_bars, read_day
from feeds.errors import DataError, ModelNotFoundError, SettingsError
from ml.registry import ModelRegistry
from strategies.base import IntradayStrategy
from strategies.challenger_process import ChallengerProcess
from strategies.challenger_watch import watch_challengers
from strategies.challengers import Challenger, judge_challengers, read_live_bars, with_fixed_models
from strategies.kept_process import environment_beside
from strategies.replay import replay_day
from strategies.settings import load_settings
from tests.analyzers.alerts.support import MemoryLog
from tests.live_market import wait_until
from tests.parity.recorded import CASH, bars_of_days
from tests.strategies.finished_days import finish_day

DICE = {"name": "dice", "strategy": "random_entry", "parameters": {"entry_probability": 0.2}}
DAYS_HEADER = "day,name,strategy,model,trades,wins,gross_pnl,net_pnl,fingerprint"
CROSS = {"name": "cross", "strategy": "ema_cross"}


def settings_with(*challengers, strategy="ema_cross"):
    return load_settings(
        None, [f"strategy.name={strategy}", f"live.challengers={json.dumps(list(challengers))}"]
    )


@pytest.fixture
def day(tmp_path):
    """A finished day of ema_cross, with dice and ema_cross as challengers."""
    settings = settings_with(CROSS, DICE)
    folder = tmp_path / "day"
    finish_day(folder, bars_of_days(), settings)
    return folder, settings


def challengers_of(settings):
    return [Challenger(section, settings, CASH) for section in settings.live.challengers]


def test_a_challenger_that_is_the_champion_does_what_its_backtest_does(day):
    folder, settings = day
    cross, dice = judge_challengers(challengers_of(settings), read_bars(folder / BARS_FILE)).challengers
    recorded = read_day(folder)
    trips = replay_day(recorded).run.trips
    assert cross.trades == len(trips) > 0
    assert cross.net_pnl == pytest.approx(sum(trip.net for trip in trips))
    assert cross.open_units == 0
    assert dice.trades > 0
    assert dice.fingerprint != cross.fingerprint


def test_nothing_is_entered_on_bars_that_are_not_of_the_day(day):
    folder, settings = day
    bars = read_bars(folder / BARS_FILE)
    bars["origin"] = "warmup"
    judged = judge_challengers(challengers_of(settings), bars)
    assert (judged.bars, judged.as_of) == (0, None)
    assert all(one.trades == 0 and one.last_side == 0 for one in judged.challengers)


def test_the_answer_does_not_depend_on_when_it_was_asked(day):
    """Bar by bar, with new objects in between as after a restart, or once at the end."""
    folder, settings = day
    bars = read_bars(folder / BARS_FILE)
    once = judge_challengers(challengers_of(settings), bars)
    keeping = challengers_of(settings)
    for end in range(len(bars) - 30, len(bars) + 1, 7):
        part = bars.iloc[:end]
        assert judge_challengers(keeping, part) == judge_challengers(challengers_of(settings), part)
    assert judge_challengers(keeping, bars) == once


@pytest.mark.parametrize(
    ("challenger", "words"),
    [
        ({"name": "a", "strategy": "ml", "model": "v0099"}, "no model 'v0099'"),
        ({"name": "a", "strategy": "ml"}, "no champion"),
        ({"name": "a", "strategy": "no_such"}, "no_such"),
        ({"name": "a", "strategy": "ema_cross", "parameters": {"fast": 1}}, "fast"),
    ],
)
def test_one_that_cannot_run_says_why_and_the_others_go_on(day, challenger, words, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    folder, _ = day
    settings = settings_with(challenger, DICE)
    wrong, dice = judge_challengers(challengers_of(settings), read_bars(folder / BARS_FILE)).challengers
    assert words in wrong.error
    assert dice.trades > 0


class Faulty(IntradayStrategy):
    """Has a bug."""

    def decide(self):
        raise ZeroDivisionError("by nothing")


def test_a_bug_in_one_is_told_and_the_others_go_on(day):
    folder, _ = day
    settings = settings_with({"name": "a", "strategy": f"{__name__}:Faulty"}, DICE)
    wrong, dice = judge_challengers(challengers_of(settings), read_bars(folder / BARS_FILE)).challengers
    assert wrong.error == "ZeroDivisionError: by nothing (a bug in it)"
    assert dice.trades > 0


@pytest.mark.parametrize(("lacking", "is_judged"), [(1, False), (0, True), (-1, True)])
def test_a_model_that_needs_more_history_says_so(day, lacking, is_judged):
    """Instead of looking like one that found nothing to trade."""
    folder, settings = day
    bars = read_bars(folder / BARS_FILE)
    (dice,) = [one for one in challengers_of(settings) if one._section.name == "dice"]
    before = int(np.flatnonzero(bars["origin"] == "ticks")[0])
    predictor = SimpleNamespace(warmup_bars=before + lacking)
    dice._model = SimpleNamespace(predictor=predictor, info={"version": "v0001"})
    found = dice.judge(bars)
    assert (found.trades > 0) is is_judged
    assert (f"found {before} bars of history" in found.error) is not is_judged


def test_two_of_one_name_are_refused():
    with pytest.raises(SettingsError, match="two challengers are called dice"):
        settings_with(DICE, CROSS, DICE)


def test_the_models_of_the_day_are_named_at_its_start(tmp_path, monkeypatch):
    """A promotion in the midst of the day then changes nothing."""
    shown = []

    def show(registry, version):
        shown.append(version)
        if version == "v0099":
            raise ModelNotFoundError("no model 'v0099'")
        return SimpleNamespace(version={"champion": "v0003"}.get(version, version))

    monkeypatch.setattr(ModelRegistry, "show", show)
    settings = settings_with(
        {"name": "null", "strategy": "ml"}, {"name": "own", "strategy": "ml", "model": "v0002"},
        {"name": "gone", "strategy": "ml", "model": "v0099"}, DICE,
    )  # fmt: skip
    fixed = with_fixed_models(settings, "champion").live.challengers
    assert [one.model for one in fixed] == ["v0003", "v0002", "v0099", "v0003"]
    assert with_fixed_models(settings, "v0007").live.challengers[0].model == "v0007"
    assert shown[:3] == ["champion", "v0002", "v0099"]


def test_naming_them_loads_nothing_of_a_challengers_own(tmp_path, monkeypatch):
    """It is done in the process that trades, which a faulty file must not end."""
    (tmp_path / "half_written.py").write_text("def decide(:\n")
    monkeypatch.syspath_prepend(tmp_path)
    settings = settings_with({"name": "a", "strategy": "half_written:Strategy"})
    monkeypatch.chdir(tmp_path)
    assert with_fixed_models(settings, "champion").live.challengers == settings.live.challengers
    (one,) = judge_challengers(challengers_of(settings), bars_of_days().assign(origin="ticks")).challengers
    assert "SyntaxError" in one.error


def test_its_kill_switch_is_not_the_champions(day, tmp_path):
    folder, settings = day
    switch = tmp_path / "KILL_SWITCH"
    switch.touch()
    settings = settings.model_copy(
        update={"risk": settings.risk.model_copy(update={"kill_switch_file": str(switch)})}
    )
    judged = judge_challengers(challengers_of(settings), read_bars(folder / BARS_FILE))
    assert all(one.trades for one in judged.challengers)


# -- files ---------------------------------------------------------------------------------------


def test_a_day_is_written_and_read_and_stands_once_in_the_list(day, tmp_path):
    folder, settings = day
    judged = judge_challengers(challengers_of(settings), read_bars(folder / BARS_FILE))
    write_challengers(folder / CHALLENGERS_FILE, judged)
    assert read_challengers(folder / CHALLENGERS_FILE) == judged
    path, date = tmp_path / CHALLENGERS_DAYS_FILE, judged.as_of.date()
    assert read_challenger_days(path) == []
    for _ in range(2):
        write_challenger_days(path, date, judged)
    rows = read_challenger_days(path)
    assert [(row["day"], row["name"]) for row in rows] == [(f"{date}", "cross"), (f"{date}", "dice")]
    assert float(rows[1]["net_pnl"]) == judged.challengers[1].net_pnl
    write_challenger_trades(folder)
    with (folder / CHALLENGERS_TRADES_FILE).open(newline="") as file:
        trades = list(csv.DictReader(file))
    trips = [trip for one in judged.challengers for trip in one.round_trips]
    assert [float(row["entry_price"]) for row in trades] == [trip.entry_price for trip in trips]
    for one in judged.challengers:
        own = [row for row in trades if row["name"] == one.name]
        assert len(own) == one.trades
        assert sum(float(row["net_pnl"]) for row in own) == pytest.approx(one.net_pnl)
        assert sum(float(row["gross_pnl"]) for row in own) == pytest.approx(one.gross_pnl)


@pytest.mark.parametrize(
    ("name", "content", "read"),
    [
        (CHALLENGERS_FILE, "{", read_challengers),
        (CHALLENGERS_FILE, '{"as_of": null, "bars": 1, "challengers": [{"name": 1}]}', read_challengers),
        (CHALLENGERS_DAYS_FILE, "day,who\n", read_challenger_days),
        (CHALLENGERS_DAYS_FILE, "", read_challenger_days),
        (CHALLENGERS_DAYS_FILE, "\udcff\udcfe", read_challenger_days),
        (CHALLENGERS_DAYS_FILE, f"{DAYS_HEADER}\n2026-09-23,dice\n", read_challenger_days),
    ],
)
def test_a_damaged_file_is_named(tmp_path, name, content, read):
    path = tmp_path / name
    path.write_text(content, errors="surrogateescape")
    with pytest.raises(DataError, match=name):
        read(path)


def test_bars_that_are_being_written_are_read_the_next_time(day):
    folder, _ = day
    path = folder / BARS_FILE
    whole = path.read_text()
    path.write_text(whole[:-20])
    assert read_live_bars(folder) is None
    path.write_text(whole)
    assert len(read_live_bars(folder)) == len(read_bars(path))
    assert read_live_bars(folder / "nowhere") is None
    path.write_text(whole + "2026,\n")
    with pytest.raises(DataError, match=BARS_FILE):
        read_live_bars(folder)


# -- the process -----------------------------------------------------------------------------------


def first_line(folder, settings):
    told = {"folder": str(folder), "settings": settings.model_dump(mode="json"), "starting_cash": CASH}
    return json.dumps(told) + "\n"


def test_the_last_bars_are_judged_before_the_end(day):
    folder, settings = day
    assert watch_challengers(io.StringIO(first_line(folder, settings) + "end\n")) == 0
    judged = judge_challengers(challengers_of(settings), read_bars(folder / BARS_FILE))
    assert read_challengers(folder / CHALLENGERS_FILE) == judged


@pytest.mark.slow
def test_the_process_follows_the_bars_and_is_started_anew(day, monkeypatch):
    monkeypatch.setenv("KITE_ACCESS_TOKEN", "s3cret")
    folder, settings = day
    path = folder / BARS_FILE
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-40]))
    log = MemoryLog()

    def bars_judged():
        file = folder / CHALLENGERS_FILE
        return read_challengers(file).bars if file.exists() else 0

    with ChallengerProcess(settings, folder, CASH, log) as process:
        wait_until(lambda: bars_judged() > 0, "the first bars to be judged")
        before = bars_judged()
        child = process._child._process
        assert os.getpriority(os.PRIO_PROCESS, child.pid) == min(19, os.nice(0) + 15)
        assert "s3cret" not in Path(f"/proc/{child.pid}/environ").read_text()
        child.kill()
        wait_until(lambda: "challengers_died" in [one["event"] for one in log.records], "its death")
        path.write_text("".join(lines))
        wait_until(lambda: bars_judged() == before + 40, "the rest to be judged")
    assert read_challengers(folder / CHALLENGERS_FILE) == judge_challengers(
        challengers_of(settings), read_bars(path)
    )


LOOK = """
import json, os, runpy, sys
sys.argv = ["strategies", "challengers"]
try:
    runpy.run_module("strategies", run_name="__main__")
except SystemExit as ended:
    assert not ended.code
names = ("brokers.kite.", "brokers.desk", "brokers.wire", "brokers.live_broker", "brokers.paper",
         "kiteconnect", "requests", "websocket", "aiohttp", "urllib3")
known = sorted(name for name in sys.modules if name.startswith(names))
print(json.dumps([known, os.nice(0), sorted(os.environ)]))
"""


def test_the_process_knows_no_broker_and_no_secret(day, tmp_path, monkeypatch):
    """What could send an order is not loaded in one that has judged a day, and it is last in line."""
    folder, settings = day
    for name in ("KITE_API_KEY", "KITE_API_SECRET", "KITE_ACCESS_TOKEN", "TELEGRAM_BOT_TOKEN"):
        monkeypatch.setenv(name, "s3cret")
    said = subprocess.run(
        [sys.executable, "-c", LOOK], input=first_line(folder, settings) + "end\n", cwd=tmp_path,
        env=environment_beside(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    known, nice, variables = json.loads(said.stdout)
    assert known == ["brokers.kite.settings"]
    assert nice == min(19, os.nice(0) + 15)
    assert [name for name in variables if name.startswith(("KITE", "TELEGRAM"))] == []
    assert read_challengers(folder / CHALLENGERS_FILE).challengers[1].trades > 0


class Hanging(IntradayStrategy):
    """Never answers."""

    def decide(self):
        while True:
            pass


@pytest.mark.slow
def test_a_process_that_hangs_does_not_outlive_the_one_that_trades(day, monkeypatch):
    folder, _ = day
    settings = settings_with({"name": "a", "strategy": f"{__name__}:Hanging"})
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; from strategies import challenger_watch as watch; "
         "watch._END_SECONDS = 1.0; sys.exit(watch.watch_challengers())"],
        stdin=subprocess.PIPE, text=True, env=environment_beside(),
    ) as process:  # fmt: skip
        try:
            process.stdin.write(first_line(folder, settings))
            process.stdin.close()
            assert process.wait(30) == 1
        finally:
            process.kill()
