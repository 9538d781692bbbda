"""The tables of bars in a database: which version they are of, how they become ours, and who may do what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

from feeds.errors import DataError
from feeds.store.migrations import Flavour, Migration, migrations

if TYPE_CHECKING:
    from psycopg import Connection

__all__ = [
    "SchemaState",
    "check_schema",
    "grants",
    "migrate",
    "offered_flavour",
    "read_schema",
    "statements_of",
]

_MIGRATION_LOCK = 6_872_811_175  # any number that nobody else takes in the same database


class SchemaState(NamedTuple):
    """What tables a database has.

    Attributes
    ----------
    flavour : str or None
        ``plain`` or ``timescale``; None without tables.
    applied : list of tuple
        Version and fingerprint of each step that was taken, in order.
    """

    flavour: Flavour | None
    applied: list[tuple[int, str]]

    @property
    def missing(self) -> list[Migration]:
        """Steps that were not taken."""
        return migrations(self.flavour or "plain")[len(self.applied) :]

    @property
    def is_ours(self) -> bool:
        """Whether every step that was taken is one of ours."""
        ours = [(step.version, step.sha256) for step in migrations(self.flavour or "plain")]
        return self.applied == ours[: len(self.applied)]


def read_schema(connection: Connection[Any]) -> SchemaState:
    """Return what tables there are; the role must be allowed to see them."""
    found = connection.execute("SELECT to_regclass('muhurat.migration') IS NOT NULL").fetchone()
    if found != (True,):
        return SchemaState(None, [])
    rows = connection.execute(
        "SELECT version, sha256, flavour FROM muhurat.migration ORDER BY version"
    ).fetchall()
    flavour = cast("Flavour", rows[-1][2]) if rows else None
    return SchemaState(flavour, [(version, sha256) for version, sha256, _ in rows])


def check_schema(connection: Connection[Any], place: object) -> None:
    """Raise DataError unless the tables are those of this version."""
    state = read_schema(connection)
    if not state.applied:
        raise DataError(
            f"the database {place} has no tables for bars; make them with `python -m feeds database create`"
        )
    newest, last = state.applied[-1][0], migrations(state.flavour or "plain")[-1].version
    if not state.is_ours:
        relation = "newer" if newest > last else "other"
        raise DataError(
            f"the tables in the database {place} are of a {relation} version ({newest}), expected version "
            f"{last}; update this project, or use another database"
        )
    if state.missing:
        raise DataError(
            f"the tables in the database {place} are of version {newest}, expected version {last}; "
            "run `python -m feeds database migrate`"
        )


def offered_flavour(connection: Connection[Any]) -> Flavour:
    """Return ``timescale`` where the server offers the extension, else ``plain``."""
    row = connection.execute(
        "SELECT count(*) FROM pg_available_extensions WHERE name = 'timescaledb'"
    ).fetchone()
    return "timescale" if row == (1,) else "plain"


def migrate(connection: Connection[Any], place: object, flavour: Flavour) -> list[Migration]:
    """Take the steps that are missing, all or none.

    Parameters
    ----------
    connection : Connection
        As the owner of the tables; the caller commits.
    place : object
        What a message calls the database.
    flavour : str
        For tables that are not there yet; those that are keep theirs.

    Returns
    -------
    list of Migration
        The steps that were taken.

    Raises
    ------
    DataError
        If there are tables of another or a newer version.
    """
    # Two at once would both see that a table is missing.
    connection.execute("SELECT pg_advisory_xact_lock(%s)", [_MIGRATION_LOCK])
    state = read_schema(connection)
    if not state.is_ours:
        check_schema(connection, place)
    chosen = state.flavour or flavour
    taken = state._replace(flavour=chosen).missing
    for step in taken:
        for statement in statements_of(step, chosen):
            connection.execute(statement.encode())
    return taken


def statements_of(step: Migration, flavour: Flavour) -> list[str]:
    """Return what takes a step and notes that it was taken."""
    values = f"{step.version}, '{step.name}', '{flavour}', '{step.sha256}'"
    columns = "version, name, flavour, sha256"
    return [step.sql, f"INSERT INTO muhurat.migration ({columns}) VALUES ({values});"]  # noqa: S608 # of our own


def grants(role: str) -> list[str]:
    """Return what lets a role read everything and add bars; it can change none and drop nothing.

    Parameters
    ----------
    role : str
        Its name in SQL, quoted.
    """
    return [
        f"GRANT USAGE ON SCHEMA muhurat TO {role};",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA muhurat TO {role};",
        f"GRANT INSERT ON muhurat.series, muhurat.bar, muhurat.fetched_span TO {role};",
    ]
