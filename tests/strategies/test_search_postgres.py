"""One study on PostgreSQL, two processes."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ml.registry import ModelRegistry
from strategies.search.storage import open_study
from tests.feeds.postgres import need_postgres, running_postgres
from tests.strategies.search_example import write_search_file

ROOT = Path(__file__).resolve().parents[2]
TRIALS = 24


@pytest.fixture
def socket_folder():
    with running_postgres(need_postgres()) as server:
        yield server.folder


@pytest.mark.slow
def test_two_processes_share_the_trials_of_a_study(tmp_path, socket_folder):
    settings_file = write_search_file(tmp_path)
    address = f"postgresql+psycopg://postgres:geheim12@/postgres?host={socket_folder}"
    command = [
        sys.executable, "-m", "ml", "search", "--settings", str(settings_file), "--trials", str(TRIALS),
        "--workers", "1", "--study", "shared",
    ]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MUHURAT_STUDY_STORAGE": address}
    processes = [
        subprocess.Popen(
            command, cwd=tmp_path, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]
    ended = [(process, *process.communicate(timeout=280)) for process in processes]
    for process, said, complaint in ended:
        assert process.returncode == 0, complaint
        assert "geheim12" not in said + complaint
    study = open_study("shared", address)
    states = [trial.state.name for trial in study.get_trials(deepcopy=False)]
    assert states.count("COMPLETE") == TRIALS
    assert set(states) <= {"COMPLETE", "FAIL"}  # both may have asked for the last one
    worked = {trial.user_attrs["owner"][1] for trial in study.get_trials(deepcopy=False)}
    assert worked == {process.pid for process in processes}
    assert any(f"best of {TRIALS} trials" in said for _, said, _ in ended)
    lines = [line for line in ModelRegistry(tmp_path / "models").trials() if line["what"] == "search"]
    assert len(lines) == len({line["id"] for line in lines}) == TRIALS
    study._storage.remove_session()
    study._storage._backend.engine.dispose()


@pytest.mark.slow
def test_many_may_begin_a_study_at_the_same_time(socket_folder):
    """Each would make the tables, and PostgreSQL lets one only."""
    address = f"postgresql+psycopg://postgres@/postgres?host={socket_folder}"
    together = threading.Barrier(6)

    def begin(_):
        together.wait(60)
        study = open_study("shared", address)
        study._storage.remove_session()
        study._storage._backend.engine.dispose()
        return study._study_id

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(begin, range(6)))) == 1
