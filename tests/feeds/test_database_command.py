"""``python -m feeds database``: a role that may only add bars, a database, its tables, and how they stand."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from feeds.__main__ import main
from feeds.store.migrations import migrations
from feeds.store.schema import grants, statements_of
from feeds.store.timescale import TimescaleStore
from tests.feeds.frames import day_frame, frame_of
from tests.feeds.postgres import OWNER

PASSWORD = "Gehe im/12'x"
ESCAPED = "Gehe%20im%2F12%27x"


@pytest.fixture
def run(capfd, tmp_path, monkeypatch):
    """Run a command in a folder of its own; gives exit code, output and error text."""
    monkeypatch.chdir(tmp_path)
    for name in ("TIMESCALE_DSN", "TIMESCALE_ADMIN_DSN"):
        monkeypatch.delenv(name, raising=False)

    def run_it(*arguments: str):
        code = main(list(arguments))
        printed = capfd.readouterr()
        assert "Gehe" not in printed.out + printed.err
        return code, printed.out, printed.err

    return run_it


@pytest.fixture
def addresses(postgres, monkeypatch, run):
    """Set both addresses; their database and role are new."""
    monkeypatch.setenv("TIMESCALE_DSN", postgres.dsn("trader", "new-bars", ESCAPED))
    monkeypatch.setenv("TIMESCALE_ADMIN_DSN", postgres.dsn(OWNER, "postgres", ESCAPED))
    yield
    postgres.execute('DROP DATABASE IF EXISTS "new-bars"')
    postgres.execute("DROP ROLE IF EXISTS trader")


def test_from_nothing_to_a_store(run, addresses, postgres, tmp_path):
    code, out, _ = run("database", "create")
    assert code == 0
    assert out.splitlines()[:3] == ["made the role trader", "made the database new-bars", "step 1: series"]
    store = TimescaleStore(postgres.dsn("trader", "new-bars", ESCAPED))
    assert store.append("NIFTY", 1, frame_of("2016-01-04")).added == 5

    code, out, _ = run("database", "status")
    assert code == 0
    assert "version 4, without TimescaleDB" in out
    assert "reads and adds bars" in out

    code, out, _ = run("database", "create")
    assert code == 0
    assert "the role trader is there" in out
    assert "nothing to do" in out
    assert store.coverage("NIFTY", 1).bars == 5
    hashed = postgres.execute("SELECT rolpassword FROM pg_authid WHERE rolname = 'trader'")
    assert hashed[0][0].startswith("SCRAM-SHA-256$")
    others = "SELECT has_database_privilege('muhurat', 'new-bars', 'CONNECT')"
    assert postgres.execute(others) == [(False,)]


def test_the_other_commands_take_the_database_as_a_store(run, addresses, tmp_path):
    run("database", "create")
    file = tmp_path / "bars.csv"
    day_frame("2016-01-04").to_csv(file)
    assert run("import", str(file), "--instrument", "NIFTY", "--store", "timescale")[0] == 0
    assert "NIFTY 1minute  2016-01-04" in run("stored", "--store", "timescale")[1]
    code, out, _ = run("export", "out.csv", "--bar-minutes", "3", "--store", "timescale")
    assert (code, out) == (0, "125 3-minute bars of NIFTY written to out.csv\n")
    assert run("check", "--store", "timescale")[0] == 0


def test_the_printed_statements_do_the_same(run, addresses, postgres):
    program = shutil.which("psql")
    if program is None:
        pytest.skip("needs psql; install the package postgresql-client")
    code, out, _ = run("database", "create", "--print")
    assert code == 0
    assert '\\password "trader"' in out
    script = out.replace('\\password "trader"\n', "")
    psql = [
        program, "-v", "ON_ERROR_STOP=1", "-Xq", "-h", str(postgres.folder), "-U", OWNER, "-d", "postgres"
    ]  # fmt: skip
    done = subprocess.run(psql, input=script, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    store = TimescaleStore(postgres.dsn("trader", "new-bars", ESCAPED))
    assert store.append("NIFTY", 1, frame_of("2016-01-04")).added == 5
    assert run("database", "migrate")[1].endswith("nothing to do\n")


def test_one_role_may_own_and_use_the_tables(run, postgres, monkeypatch):
    # As the container of compose.yaml has it.
    postgres.execute("CREATE DATABASE single")
    monkeypatch.setenv("TIMESCALE_DSN", postgres.dsn(OWNER, "single"))
    try:
        assert run("database", "migrate")[0] == 0
        assert "may change and delete bars" in run("database", "status")[1]
        assert TimescaleStore(postgres.dsn(OWNER, "single")).instruments() == []
    finally:
        postgres.execute("DROP DATABASE single")


def test_a_role_without_the_right_to_is_told_who_has_it(run, addresses, monkeypatch):
    run("database", "create")
    monkeypatch.delenv("TIMESCALE_ADMIN_DSN")
    code, _, said = run("database", "create")
    assert code == 2
    assert "TIMESCALE_ADMIN_DSN is not set" in said


def test_both_addresses_with_one_role_are_refused(run, addresses, postgres, monkeypatch):
    monkeypatch.setenv("TIMESCALE_DSN", postgres.dsn(OWNER, "new-bars"))
    code, _, said = run("database", "create")
    assert code == 2
    assert "both name the role postgres" in said


def test_a_step_that_fails_leaves_no_table(run, addresses, postgres):
    # This server has no TimescaleDB to make.
    code, _, said = run("database", "create", "--tables", "timescale")
    assert code == 3
    assert "timescaledb" in said
    assert postgres.execute("SELECT to_regnamespace('muhurat')", "new-bars") == [(None,)]
    assert run("database", "status")[0] == 3
    assert run("database", "migrate")[0] == 0


@pytest.mark.parametrize("arguments", [("stored", "--store", "timescale"), ("database", "status")])
def test_no_address_is_one_line(run, arguments):
    code, _, said = run(*arguments)
    assert code == 2
    assert said.startswith(
        "error: TIMESCALE_DSN is not set, expected postgresql://USER:PASSWORD@HOST/DATABASE"
    )
    assert said.count("\n") == 1


def test_a_database_that_is_away_is_one_line(run, monkeypatch, tmp_path):
    monkeypatch.setenv("TIMESCALE_DSN", f"postgresql://trader:{ESCAPED}@/bars?host={tmp_path}")
    code, _, said = run("stored", "--store", "timescale")
    assert code == 3
    assert "does not answer" in said
    assert said.count("\n") == 1


def test_an_empty_store_is_no_folder(run):
    code, _, said = run("stored", "--store", "")
    assert code == 2
    assert "--store is empty, expected a folder or timescale" in said


# -- steps -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flavour", ["plain", "timescale"])
def test_steps_are_numbered_without_a_gap(flavour):
    assert [step.version for step in migrations(flavour)] == [1, 2, 3, 4]


def test_with_timescaledb_there_are_a_hypertable_compression_and_aggregates():
    # What the extension makes of it was not tried: no server with it was at hand.
    said = "\n".join(text for step in migrations("timescale") for text in statements_of(step, "timescale"))
    for wanted in (
        "CREATE EXTENSION IF NOT EXISTS timescaledb", "create_hypertable('muhurat.bar', 'start'",
        "add_compression_policy('muhurat.bar'", "timescaledb.continuous", "add_continuous_aggregate_policy(",
    ):  # fmt: skip
        assert wanted in said
    assert "PARTITION" not in said
    assert (
        "INSERT INTO muhurat.migration (version, name, flavour, sha256) VALUES (2, 'bar', 'timescale',"
        in said
    )


def test_grants_hold_no_right_to_change_or_delete():
    assert not {"UPDATE", "DELETE", "TRUNCATE", "ALL PRIVILEGES"} & set(" ".join(grants("x")).split())


def test_psycopg_is_loaded_only_where_a_database_is_asked_for():
    script = "import sys, feeds.store.chosen, feeds.sources.chosen; sys.exit('psycopg' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
