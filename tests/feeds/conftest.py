"""Fixtures of the tests of bars and where they are kept."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from feeds.store.timescale import TimescaleStore
from tests.feeds.postgres import PostgresServer, empty_tables, need_postgres, stored_in_postgres


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
