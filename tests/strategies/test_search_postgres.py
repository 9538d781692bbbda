"""One study on PostgreSQL, two processes."""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from ml.registry import ModelRegistry
from strategies.search.storage import open_study
from tests.strategies.search_example import write_search_file

ROOT = Path(__file__).resolve().parents[2]
TRIALS = 24


def postgres_programs():
    """The folder of initdb and pg_ctl, or None."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return folders[-1] if folders and (folders[-1] / "pg_ctl").exists() else None


@contextmanager
def running_postgres(programs):
    """Yield the folder of the socket of a fresh server that listens nowhere else."""
    # PostgreSQL does not run as root, and its user may not enter the folders of the tests
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="muhurat-pg-", dir="/tmp"))  # a socket's path is short
    if as_user:
        shutil.chown(folder, "postgres")
    data = folder / "data"

    def run(*command):
        subprocess.run([*as_user, *command], check=True, capture_output=True, cwd=folder, timeout=120)

    run(programs / "initdb", "-D", data, "-A", "trust", "-U", "postgres", "--no-sync")
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    log = folder / "log"
    run(programs / "pg_ctl", "-D", data, "-l", log, "-w", "-t", "60", "-o", options, "start")
    try:
        yield folder
    finally:
        run(programs / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder)


@pytest.fixture
def socket_folder():
    programs = postgres_programs()
    if programs is None:
        pytest.skip("needs PostgreSQL's initdb and pg_ctl; install the package postgresql")
    with running_postgres(programs) as folder:
        yield folder


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
