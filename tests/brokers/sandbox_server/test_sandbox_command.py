"""`python -m brokers sandbox`: its first line, its end, and what it refuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from kiteconnect import KiteConnect

from brokers.__main__ import main

ROOT = Path(__file__).resolve().parents[3]
WAIT = 60.0


class Command:
    """The command as a process; ``told`` is its first line."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "brokers", "sandbox", *arguments], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONWARNINGS": "error"},
        )  # fmt: skip
        line = self.process.stdout.readline()
        if not line:
            pytest.fail(self.process.stderr.read())
        self.told = json.loads(line)

    def end(self) -> tuple[int, str]:
        """Wait for the end; return exit code and what was said to people."""
        _, said = self.process.communicate(timeout=WAIT)
        return self.process.returncode, said

    def __enter__(self) -> Command:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


@pytest.mark.slow
def test_a_program_can_use_what_the_first_line_says():
    with Command("--day", "2026-09-24", "--clock-start", "09:20", "--speed", "100") as command:
        told = command.told
        kite = KiteConnect(told["api_key"], access_token=told["access_token"], root=told["api_root"])
        (near, *_) = kite.instruments("NFO")
        assert near["tradingsymbol"] == "NIFTY26SEPFUT"
        page = requests.get(told["login"], timeout=WAIT).text
        token = page.split("<code>")[1].split("</code>")[0]
        assert kite.generate_session(token, told["api_secret"])["access_token"] != told["access_token"]
        assert (
            len(
                kite.historical_data(
                    near["instrument_token"], "2026-09-24 09:15:00", "2026-09-24 15:40:00", "minute"
                )
            )
            >= 5
        )
        kite.reqsession.close()
        command.process.send_signal(signal.SIGTERM)
        code, said = command.end()
    assert told["day"] == "2026-09-24"
    assert told["ticker_root"] == told["api_root"].replace("http", "ws")
    assert (code, "Traceback" in said) == (0, False)
    assert "synthetic" in said
    assert told["access_token"] not in said


@pytest.mark.slow
def test_ctrl_c_is_an_ordinary_end():
    with Command("--start", "manual", "--access-token", "mine") as command:
        answer = requests.get(command.told["api_root"] + "/sandbox/state", timeout=WAIT).json()["data"]
        command.process.send_signal(signal.SIGINT)
        code, said = command.end()
    assert (code, command.told["access_token"]) == (0, "mine")
    assert answer["is_running"] is False
    assert "Traceback" not in said


@pytest.mark.slow
def test_it_ends_with_its_parent_where_asked_and_reads_faults_from_a_file(tmp_path):
    path = tmp_path / "faults.json"
    path.write_text('[{"kind": "refuse", "route": "GET /orders"}]', encoding="utf-8")
    with Command("--exit-with-parent", "--faults", f"@{path}") as command:
        answer = requests.get(command.told["api_root"] + "/orders", timeout=WAIT)
        code, said = command.end()  # closes the standard input
    assert answer.json()["message"] == "The sandbox was told to refuse this."
    assert (code, "Traceback" in said) == (0, False)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--ticks", "none.csv"], 3, "cannot read ticks from none.csv"),
        (["--day", "2026-09-26"], 2, "2026-09-26 has no session"),
        (["--history", "none.parquet"], 3, "none.parquet"),
        (["--instrument", "GOLD"], 3, "GOLD"),
        (["--speed", "0"], 2, "speed is 0"),
        (["--cash", "-1"], 2, "cash is -1"),
        (["--partial-fills", "1.5"], 2, "partial_fill_probability"),
        (["--clock-start", "noon"], 2, "noon"),
        (["--port", "70000"], 2, "--port is 70000"),
        (["--seed", "-1"], 2, "--seed is -1"),
        (["--faults", "{"], 2, "--faults is no JSON"),
        (["--faults", '{"kind": "explode"}'], 2, "explode"),
        (["--faults", "@none.json"], 2, "@none.json"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(arguments, code, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["sandbox", *arguments]) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    assert words in said.err
