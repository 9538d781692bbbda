"""What ``run_live.py`` makes of its arguments, and that nothing starts where they are wrong."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import threading
import types
from datetime import date
from pathlib import Path

import pytest

import run_live
from feeds.errors import BrokerError, DataError
from feeds.secrets import MASK
from run_live import main

ROOT = Path(__file__).resolve().parents[1]
TOKEN = "sXq81TokenOfTheDay"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def environment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("KITE_API_KEY", "KITE_API_SECRET", "KITE_ACCESS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "stdin", io.StringIO())


@pytest.fixture
def session(monkeypatch):
    """Stands for the trading day: ``requests`` holds what was asked for, ``work`` is what it does."""
    one_day, days = types.ModuleType("strategies.live"), types.ModuleType("strategies.live_days")
    session = types.SimpleNamespace(requests=[], unattended=[], work=lambda _: 0)

    def run(request):
        session.requests.append(request)
        return session.work(request)

    def run_days(request, make_timer):
        session.unattended.append(make_timer)
        return run(request)

    one_day.run_live, days.run_days = run, run_days
    monkeypatch.setitem(sys.modules, "strategies.live", one_day)
    monkeypatch.setitem(sys.modules, "strategies.live_days", days)
    return session


@pytest.fixture
def refuse(session, capsys):
    """Run, and return the one line of the refusal; nothing may have begun."""

    def run(exit_code, *arguments):
        assert main([str(argument) for argument in arguments]) == exit_code
        assert session.requests == []
        return one_line(capsys)

    return run


def one_line(capsys):
    told = capsys.readouterr().err
    assert re.fullmatch(r"error: [^\n]+\n", told), f"expected one line, found: {told}"
    return told.removeprefix("error: ").strip()


# -- what is asked for -------------------------------------------------------------------------------------


def test_a_demo_needs_nothing(session):
    assert main(["--mode", "demo", "--now"]) == 0
    (request,) = session.requests
    assert (request.mode, request.clock, request.model, request.speed) == ("demo", "feed", None, 200.0)
    assert (request.out_dir, request.ticks, request.day) == (None, None, None)
    assert (request.data_given, request.confirmed, request.quiet, request.debug) == (False,) * 4
    assert request.settings.strategy.name == "ml"


def test_every_argument_arrives(session, tmp_path):
    ticks = tmp_path / "ticks.csv"
    ticks.touch()
    arguments = [
        "--mode", "demo", "--now", "--clock", "feed", "--ticks", ticks, "--day", "2022-11-01",
        "--speed", "120",
        "--strategy", "ema_cross", "--model", "v0003", "--data", "bars.csv", "--out", tmp_path / "run",
        "--set", "live.on_stop=keep", "--quiet", "--debug",
    ]  # fmt: skip
    assert main([str(argument) for argument in arguments]) == 0
    (request,) = session.requests
    assert (request.ticks, request.day, request.speed) == (ticks, date(2022, 11, 1), 120.0)
    assert (request.model, request.out_dir) == ("v0003", tmp_path / "run")
    assert request.data_given
    assert request.quiet
    assert request.debug
    assert request.settings.strategy.name == "ema_cross"
    assert request.settings.data.source == "bars.csv"
    assert request.settings.live.on_stop == "keep"


@pytest.mark.parametrize(("arguments", "clock"), [([], "wall"), (["--clock", "feed"], "feed")])
def test_paper_goes_by_the_clock_unless_told_otherwise(session, arguments, clock):
    assert main(["--mode", "paper", "--now", *arguments]) == 0
    assert session.requests[0].clock == clock
    assert not session.requests[0].confirmed


def test_the_exit_code_of_the_day_is_ours(session):
    session.work = lambda _: 4
    assert main(["--mode", "demo", "--now"]) == 4


@pytest.mark.parametrize("mode", ["demo", "paper", "live"])
def test_without_now_the_days_run_themselves(session, mode):
    agreed = ["--yes"] if mode == "live" else []
    assert main(["--mode", mode, *agreed, "--until", "2026-10-22"]) == 0
    (request,) = session.requests
    assert len(session.unattended) == 1
    assert (request.mode, request.until) == (mode, date(2026, 10, 22))


def test_now_is_one_day(session):
    assert main(["--mode", "demo", "--now"]) == 0
    assert session.unattended == []
    assert session.requests[0].until is None


# -- secrets -----------------------------------------------------------------------------------------------


def test_a_demo_sees_no_secret(session, monkeypatch, tmp_path):
    monkeypatch.setenv("KITE_ACCESS_TOKEN", TOKEN)
    (tmp_path / "secrets.env").write_text("no such line")
    assert main(["--mode", "demo", "--now"]) == 0
    assert session.requests[0].secrets.get("KITE_ACCESS_TOKEN") is None


def test_paper_is_given_the_secrets(session, monkeypatch):
    monkeypatch.setenv("KITE_ACCESS_TOKEN", TOKEN)
    assert main(["--mode", "paper", "--now"]) == 0
    (request,) = session.requests
    assert request.secrets.get("KITE_ACCESS_TOKEN") == TOKEN
    assert TOKEN not in repr(request)


def test_a_secrets_file_that_others_can_read(refuse, tmp_path):
    (tmp_path / "secrets.env").write_text(f"KITE_API_SECRET={TOKEN}\n")
    (tmp_path / "secrets.env").chmod(0o644)
    line = refuse(2, "--mode", "paper", "--now")
    assert "expected 0600; run: chmod 600 secrets.env" in line


# -- arguments that are wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--mode is missing, expected demo, paper or live"),
        (["--now"], "--mode is missing"),
        (["--mode", "demo", "--now", "--until", "2026-10-22"], "--until is for days that run themselves"),
        (["--mode", "demo", "--ticks", __file__], "--ticks replays one day; add --now"),
        (["--mode", "paper", "--clock", "feed"], "--clock feed replays one day; add --now"),
        (["--mode", "live", "--yes", "--accept-foreign"], "--accept-foreign is for the day that is on"),
        (["--mode", "paper", "--until", "someday"], "expected a day such as"),
        (["--mode", "real", "--now"], "invalid choice: 'real'"),
        (["--mode", "paper", "--now", "--ticks", "x.csv"], "--ticks is for --mode demo"),
        (["--mode", "paper", "--now", "--speed", "2"], "--speed is for --mode demo"),
        (["--mode", "live", "--now", "--yes", "--day", "2022-11-01"], "--day is for --mode demo"),
        (["--mode", "demo", "--now", "--ticks", "x.csv"], "--ticks: found no file x.csv"),
        (["--mode", "demo", "--now", "--ticks", "."], "--ticks: found no file ."),
        (["--mode", "demo", "--now", "--clock", "wall"], "a demo replays a day and goes by its ticks"),
        (["--mode", "demo", "--now", "--clock", "sun"], "invalid choice: 'sun'"),
        (["--mode", "paper", "--now", "--yes"], "--yes is for --mode live, which sends real orders"),
        (["--mode", "demo", "--now", "--accept-foreign"], "--accept-foreign is for --mode live"),
        (["--mode", "demo", "--now", "--speed", "0"], "found '0', expected a number above 0"),
        (["--mode", "demo", "--now", "--speed", "nan"], "found 'nan', expected a number above 0"),
        (["--mode", "demo", "--now", "--speed", "inf"], "found 'inf', expected a number above 0"),
        (["--mode", "demo", "--now", "--speed", "fast"], "found 'fast', expected a number above 0"),
        (["--mode", "demo", "--now", "--day", "today"], "expected a day such as"),
        (["--mode", "demo", "--now", "--from", "2022-11-01"], "unrecognized arguments: --from"),
        (["--mode", "demo", "--now", "--set", "live.on_stop=sell"], "on_stop is 'sell', expected 'flatten'"),
        (["--mode", "demo", "--now", "--set", "live.on_stp=keep"], "did you mean 'on_stop'?"),
        (["--mode", "demo", "--now", "--set", "live.resync_seconds=1"], "expected 5 or more"),
        (["--mode", "demo", "--now", "--set", "live.log_files=0"], "expected 1 or more"),
        (["--mode", "demo", "--now", "--set", "live.capital_rupees=0"], "expected above 0"),
        (["--mode", "demo", "--now", "--settings", "no.yaml"], "settings file no.yaml: not found"),
    ],
)  # fmt: skip
def test_wrong_arguments(refuse, arguments, words):
    assert words in refuse(2, *arguments)


def test_a_missing_extra_is_named(refuse, monkeypatch):
    monkeypatch.setattr(run_live, "find_spec", lambda name: None if name == "kiteconnect" else object())
    line = refuse(2, "--mode", "demo", "--now")
    assert line.startswith("kiteconnect is not installed, expected the extra 'live'; run: make setup")


# -- real orders -------------------------------------------------------------------------------------------


def test_live_asks_for_the_word(session, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", Terminal("LIVE\n"))
    assert main(["--mode", "live", "--now", "--strategy", "ema_cross"]) == 0
    assert session.requests[0].confirmed
    assert not session.requests[0].accept_foreign
    asked = capsys.readouterr().out
    assert "ema_cross will trade futures on NIFTY with real money" in asked
    assert "Type LIVE to go on" in asked


@pytest.mark.parametrize("typed", ["\n", "", "live\n", "yes\n", "LIVE!\n"])
def test_any_other_word_stops(refuse, monkeypatch, typed):
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    assert refuse(2, "--mode", "live", "--now").endswith("expected LIVE; nothing was sent")


def test_without_a_terminal_nobody_can_agree(refuse, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("LIVE\n"))
    assert "there is no terminal to ask on; add --yes" in refuse(2, "--mode", "live", "--now")


def test_yes_agrees_beforehand(session, capsys):
    assert main(["--mode", "live", "--now", "--yes", "--accept-foreign"]) == 0
    assert session.requests[0].confirmed
    assert session.requests[0].accept_foreign
    assert capsys.readouterr().out == ""


def test_wrong_settings_are_refused_before_the_question(refuse, monkeypatch):
    monkeypatch.setattr(sys, "stdin", Terminal("LIVE\n"))
    assert "unknown section" in refuse(2, "--mode", "live", "--now", "--set", "foo.bar=1")


# -- what goes wrong on the day ----------------------------------------------------------------------------


def raising(error):
    def work(request):
        request.secrets.remember(TOKEN)
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (BrokerError(f"token {TOKEN} is over"), 4, f"token {MASK} is over"),
        (DataError("no ticks"), 3, "no ticks"),
        (KeyboardInterrupt(), 130, "interrupted; if the day had begun, live.log"),
        (ConnectionRefusedError(111, "Connection refused"), 1, "Connection refused; look after disk and"),
        (OSError(28, "No space left on device", "runs"), 1, "No space left on device at runs; make room"),
        (OSError("odd"), 1, "odd; look after disk and network"),
    ],
)  # fmt: skip
def test_one_line_and_its_code(session, capsys, error, code, words):
    session.work = raising(error)
    assert main(["--mode", "demo", "--now"]) == code
    assert one_line(capsys).startswith(words)


def test_a_bug_leaves_its_traceback_without_secrets(session, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    session.work = raising(ZeroDivisionError(f"at {TOKEN}"))
    assert main(["--mode", "demo", "--now"]) == 1
    line = one_line(capsys)
    assert line.startswith("this is a bug, here or in a plugin of yours: ZeroDivisionError: at ***;")
    (kept,) = tmp_path.glob("muhurat-*-traceback.txt")
    assert line.endswith(str(kept))
    assert "in work" in kept.read_text()
    assert TOKEN not in kept.read_text()
    assert kept.stat().st_mode & 0o077 == 0


def test_debug_shows_the_traceback_without_secrets(session, capsys):
    session.work = raising(ZeroDivisionError(f"at {TOKEN}"))
    with pytest.raises(SystemExit) as leaving:
        main(["--mode", "demo", "--now", "--debug"])
    assert leaving.value.code == 1
    told = capsys.readouterr().err
    assert told.endswith("ZeroDivisionError: at ***\n")
    assert TOKEN not in told


def test_a_thread_that_fails_is_one_line_too(session, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    hook = threading.excepthook

    def work(request):
        request.secrets.remember(TOKEN)
        thread = threading.Thread(target=lambda: int(TOKEN), name="order-desk")
        thread.start()
        thread.join()
        return 0

    session.work = work
    assert main(["--mode", "demo", "--now"]) == 0
    line = one_line(capsys)
    assert line.startswith("the thread order-desk ended with ValueError: invalid literal for int()")
    (kept,) = tmp_path.glob("muhurat-*-traceback.txt")
    assert "ValueError" in kept.read_text()
    assert TOKEN not in line + kept.read_text()
    assert threading.excepthook is hook


# -- the program -------------------------------------------------------------------------------------------


def test_help_loads_nothing_heavy():
    code = (
        "import sys, run_live\n"
        "try: run_live.main(['--help'])\n"
        "except SystemExit as leaving: assert leaving.code == 0\n"
        "heavy = {'pandas', 'numpy', 'backtrader', 'pydantic', 'kiteconnect', 'aiohttp', 'structlog', "
        "'flask', 'apscheduler'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    assert shown.splitlines()[-1] == "[]"
    assert "Exit codes: 0 the day is over" in shown


def test_the_program_refuses_in_one_line(tmp_path):
    ended = subprocess.run(
        [sys.executable, str(ROOT / "run_live.py"), "--mode", "live", "--now"],
        capture_output=True, text=True, check=False, cwd=tmp_path, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert ended.returncode == 2
    assert re.fullmatch(r"error: --mode live sends real orders [^\n]+\n", ended.stderr)
    assert ended.stdout == ""
