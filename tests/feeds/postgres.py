"""A PostgreSQL of the tests' own: on a socket in its own folder, seen by nobody else, gone at the end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from feeds.store.database import connected, read_address
from feeds.store.schema import grants, migrate
from feeds.store.timescale import TimescaleStore

OWNER = "postgres"
ROLE = "muhurat"


def postgres_programs() -> Path | None:
    """The folder of initdb and pg_ctl, or None."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return folders[-1] if folders and (folders[-1] / "pg_ctl").exists() else None


def need_postgres() -> Path:
    """The same folder, or a skip with the reason."""
    programs = postgres_programs()
    if programs is None:
        pytest.skip("needs PostgreSQL's initdb and pg_ctl; install the package postgresql")
    return programs


class PostgresServer:
    """A fresh server that listens on a socket only.

    Attributes
    ----------
    folder : Path
        Where its socket lies; ``host`` of an address.
    """

    def __init__(self, programs: Path, *, flushes: bool = False) -> None:
        # PostgreSQL does not run as root, and its user may not enter the folders of the tests
        self._as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        self._programs = programs
        self.folder = Path(tempfile.mkdtemp(prefix="muhurat-pg-", dir="/tmp"))  # a socket's path is short
        if self._as_user:
            shutil.chown(self.folder, "postgres")
        self._data = self.folder / "data"
        self._pid_file = self._data / "postmaster.pid"
        fsync = "on" if flushes else "off"
        self._options = f"-c listen_addresses='' -c unix_socket_directories={self.folder} -c fsync={fsync}"
        self._run("initdb", "-D", self._data, "-A", "trust", "-U", OWNER, "--no-sync")

    def start(self) -> None:
        """Start, and wait until it answers; after a kill it recovers first."""
        log = self.folder / "log"
        self._run("pg_ctl", "-D", self._data, "-l", log, "-w", "-t", "60", "-o", self._options, "start")

    def stop(self) -> None:
        """Stop without waiting for anybody, if it runs."""
        if self._pid_file.exists():
            self._run("pg_ctl", "-D", self._data, "-m", "immediate", "-w", "stop")

    def kill(self) -> None:
        """Kill all its processes: what was not committed is lost, as when the power goes."""
        postmaster = int(self._pid_file.read_text().split()[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        pids = [postmaster, *map(int, children)]
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        while any(map(_runs, pids)):
            pass
        # A container may never reap the dead, and a lock of a process that is still listed is not taken over
        for lock in (self._pid_file, *self.folder.glob(".s.PGSQL.*")):
            lock.unlink()

    def remove(self) -> None:
        """Remove everything of it."""
        shutil.rmtree(self.folder)

    def dsn(self, role: str = ROLE, database: str = "market", password: str = "geheim12") -> str:  # noqa: S107
        """Address of a database."""
        return f"postgresql://{role}:{password}@/{database}?host={self.folder}"

    def execute(self, statements: str, database: str = "postgres") -> list[tuple]:
        """Execute statements as the owner, each by itself, and return the rows of the last one."""
        address = read_address(self.dsn(OWNER, database))
        with connected(address, autocommit=True) as connection:
            cursor = connection.execute(statements)
            return cursor.fetchall() if cursor.description else []

    def make_tables(self, database: str = "market") -> None:
        """Make a database with our tables, and a role that may add bars."""
        self.execute(f"CREATE DATABASE {database}")
        with connected(read_address(self.dsn(OWNER, database))) as connection:
            migrate(connection, database, "plain")
            for statement in grants(ROLE):
                connection.execute(statement)

    def _run(self, program: str, *arguments: object) -> None:
        command = [*self._as_user, str(self._programs / program), *map(str, arguments)]
        subprocess.run(command, check=True, capture_output=True, cwd=self.folder, timeout=120)


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in ("Z", "X")  # a dead process whose parent has not asked yet is dead


@contextmanager
def running_postgres(programs: Path, *, flushes: bool = False) -> Iterator[PostgresServer]:
    """Yield a fresh server; it forces what it writes to the disk only if asked to."""
    server = PostgresServer(programs, flushes=flushes)
    try:
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        server.remove()


@contextmanager
def stored_in_postgres(
    programs: Path, *, flushes: bool = False
) -> Iterator[tuple[PostgresServer, TimescaleStore]]:
    """Yield a fresh server and a store in it, as a role that may only add bars."""
    with running_postgres(programs, flushes=flushes) as server:
        server.execute(f"CREATE ROLE {ROLE} LOGIN")
        server.make_tables()
        yield server, TimescaleStore(server.dsn())


def empty_tables(server: PostgresServer) -> None:
    """Take every bar out of the tables of the database ``market``."""
    server.execute("DELETE FROM muhurat.bar", "market")
    server.execute("DELETE FROM muhurat.fetched_span", "market")
    server.execute("DELETE FROM muhurat.series", "market")
