"""Fixtures of the tests of bars and where they are kept."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from feeds.store.timescale import TimescaleStore
from tests.feeds.postgres import PostgresServer, empty_tables, need_postgres, stored_in_postgres


@pytest.fixture
def tiny_disk() -> Iterator[Path]:
    """A disk of half a megabyte that is empty; a skip where this user may mount none."""
    folder = Path(tempfile.mkdtemp(prefix="muhurat-disk-", dir="/tmp"))
    folder.chmod(0o755)
    mounted = subprocess.run(
        ["/bin/mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    try:
        if mounted.returncode:
            pytest.skip("needs the right to mount a small disk")
        yield folder
    finally:
        if not mounted.returncode:
            subprocess.run(["/bin/umount", "--lazy", str(folder)], check=True, capture_output=True)
        folder.rmdir()


@pytest.fixture(scope="session")
def postgres_and_store() -> Iterator[tuple[PostgresServer, TimescaleStore]]:
    """One server and one database for all tests of a worker."""
    with stored_in_postgres(need_postgres()) as both:
        yield both


@pytest.fixture
def postgres(postgres_and_store) -> PostgresServer:
    """The server of the worker, its tables empty."""
    empty_tables(postgres_and_store[0])
    return postgres_and_store[0]


@pytest.fixture
def timescale_store(postgres, postgres_and_store) -> TimescaleStore:
    """An empty store in a database, as a role that may only add bars."""
    return postgres_and_store[1]
