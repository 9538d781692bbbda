"""A run that is stopped, or that cannot write, leaves no folder that looks whole."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from run_backtest import main

if sys.platform == "win32":
    pytest.skip("signals and limits of Unix", allow_module_level=True)
import resource

ROOT = Path(__file__).resolve().parents[1]
STAGES = ("load", "train", "run", "analyse", "write")
FILES = {"summary.json", "trades.csv", "orders.csv", "equity.csv", "tearsheet.html", "report.html"}
RUN = [
    "--set", "data.synthetic.sessions=60", "--set", "ml.split.train_months=1",
    "--set", "ml.split.test_months=1", "--set", "ml.model.rounds=20",
]  # fmt: skip
SHORT = [
    "--set", "data.synthetic.sessions=3", "--set", "report.tearsheet=false", "--strategy", "random_entry",
]  # fmt: skip


def arguments(folder):
    return ["--out", str(folder / "run"), "--set", f"ml.registry={folder / 'models'}"]


def started(folder, *more):
    command = [sys.executable, str(ROOT / "run_backtest.py"), *RUN, *arguments(folder), *more]
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )


def wait_for_stage(process, stage):
    for line in process.stdout:
        if line.strip() == stage:
            return
    raise AssertionError(f"the run ended before it came to {stage}: {process.stderr.read()}")


def wait_for_file(process, folder, name):
    """Wait until a file appears in the unfinished folder, or the run has ended all the same."""
    while process.poll() is None and not any(folder.glob(f".run.unfinished-*/{name}")):
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.002)


def whole_folders(folder):
    return [path for path in folder.iterdir() if not path.name.startswith(".") and path.name != "models"]


def stop(process, number):
    process.send_signal(number)
    _, told = process.communicate(timeout=60)
    return told


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["SIGINT", "SIGKILL"])
@pytest.mark.parametrize("stage", STAGES)
def test_a_stopped_run_leaves_nothing_that_looks_whole(tmp_path, stage, number):
    with started(tmp_path) as process:
        wait_for_stage(process, stage)
        told = stop(process, number)
    if (tmp_path / "run").exists():  # the signal came when all was done
        assert {path.name for path in (tmp_path / "run").iterdir()} == FILES
        return
    assert whole_folders(tmp_path) == []
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert told == "error: interrupted before the run was finished; its results were not written\n"
        assert not list(tmp_path.glob(".run*")), "an interrupted run cleans up"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["summary.json", "report.html"])
def test_a_run_killed_while_writing_leaves_nothing_and_can_be_repeated(tmp_path, name):
    with started(tmp_path) as process:
        wait_for_stage(process, "write")
        wait_for_file(process, tmp_path, name)
        stop(process, signal.SIGKILL)
    if not (tmp_path / "run").exists():  # else the rename was faster than the signal, and all is there
        assert whole_folders(tmp_path) == []
        assert main([*SHORT, "--quiet", *arguments(tmp_path), "--set", "report.tearsheet=true"]) == 0
    assert {path.name for path in (tmp_path / "run").iterdir()} == FILES


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["train", "write"])
def test_a_stopped_training_leaves_no_half_model(tmp_path, stage):
    with started(tmp_path, "--model", "train") as process:
        wait_for_stage(process, stage)
        stop(process, signal.SIGKILL)
    versions = [path for path in (tmp_path / "models").glob("*") if not path.name.startswith(".")]
    for version in versions:
        if version.is_dir():
            assert {path.name for path in version.iterdir()} == {"card.json", "model.ubj", "scaler.json"}


@pytest.mark.slow
def test_a_disk_that_is_full_is_one_line_and_no_folder(tmp_path):
    limit = 100_000  # bytes of one file: the trades fit, the equity curve does not
    command = [sys.executable, str(ROOT / "run_backtest.py"), *RUN, *arguments(tmp_path), "--quiet"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=tmp_path,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "cannot be written (File too large)" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["models"]


@pytest.mark.parametrize(
    "broken",
    [
        "json.dumps",
        *(f"analyzers.writer.{name}" for name in ("_write_csv", "write_tearsheet", "write_report")),
    ],
)
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_fault_while_writing_leaves_nothing(tmp_path, monkeypatch, capsys, broken, error):
    def fail(*_, **__):
        if list(tmp_path.glob(".run.unfinished-*")):
            raise error
        return "{}"

    monkeypatch.setattr(broken, fail)
    assert main([*SHORT, "--quiet", *arguments(tmp_path), "--set", "report.tearsheet=true"]) in (2, 130)
    assert capsys.readouterr().err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["models"]


def test_a_reader_that_leaves_early_does_not_end_the_run(tmp_path):
    command = [sys.executable, str(ROOT / "run_backtest.py"), *SHORT, *arguments(tmp_path)]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    assert process.stderr.read() == ""
    process.stderr.close()
    assert (tmp_path / "run" / "report.html").exists()
