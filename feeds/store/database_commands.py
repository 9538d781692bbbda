"""What ``python -m feeds database`` does: make role, database and tables, and tell how they stand.

Two roles: the one of ``TIMESCALE_DSN`` reads and adds bars and can do nothing else; the one of
``TIMESCALE_ADMIN_DSN`` owns the tables and is needed here only. The statements can be printed instead, for
somebody else to execute.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from feeds.errors import SettingsError
from feeds.show import print_line, print_table
from feeds.store.database import Address, connected, read_address
from feeds.store.migrations import Flavour, migrations
from feeds.store.schema import check_schema, grants, migrate, offered_flavour, read_schema, statements_of

if TYPE_CHECKING:
    from psycopg import Connection

__all__ = ["create_database", "migrate_database", "print_statements", "show_database"]


def create_database(store: str, admin: str, flavour: Flavour | None) -> int:
    """Make the role and the database of ``store`` where they are missing, then its tables; returns 0.

    Parameters
    ----------
    store, admin : str
        Addresses of ``TIMESCALE_DSN`` and ``TIMESCALE_ADMIN_DSN``.
    flavour : str or None
        With TimescaleDB or without; None for what the server offers.

    Raises
    ------
    SettingsError
        If an address is none, or both name one role.
    DataError
        If the server does not answer or refuses.
    """
    wanted, owner = read_address(store), read_address(admin, "TIMESCALE_ADMIN_DSN")
    if wanted.role == owner.role:
        raise SettingsError(
            f"TIMESCALE_DSN and TIMESCALE_ADMIN_DSN both name the role {wanted.role}, expected one of its "
            "own that may only add bars; change the user of TIMESCALE_DSN"
        )
    with connected(owner, autocommit=True) as connection:
        _make_role(connection, wanted)
        _make_database(connection, wanted)
    return migrate_database(store, admin, flavour)


def migrate_database(store: str, admin: str, flavour: Flavour | None) -> int:
    """Bring the tables of the database of ``store`` to this version, all steps or none; returns 0.

    Parameters and errors are those of :func:`create_database`.
    """
    wanted = read_address(store)
    owner = read_address(admin, "TIMESCALE_ADMIN_DSN").in_database(wanted.database)
    with connected(owner) as connection:
        taken = migrate(connection, owner, flavour or offered_flavour(connection))
        if wanted.role != owner.role:
            _execute(connection, grants(_quoted(wanted.role)))
    for step in taken:
        print_line(f"step {step.version}: {step.name}")
    print_line(f"{wanted}: {'tables are up to date' if taken else 'nothing to do'}")
    return 0


def print_statements(store: str, flavour: Flavour) -> int:
    """Print what :func:`create_database` executes where neither role nor database is there; returns 0."""
    wanted = read_address(store)
    role, database = _quoted(wanted.role), _quoted(wanted.database)
    print_line(f"-- for psql, as a superuser; it asks for the password of {wanted.role}")
    print_line(f"CREATE ROLE {role} LOGIN;\n\\password {role}")
    print_line(f"CREATE DATABASE {database};\n\\connect {database}\nBEGIN;")
    print_line("\n".join(_database_rights(role, database)))
    for step in migrations(flavour):
        print_line("\n".join(statements_of(step, flavour)))
    print_line("\n".join(grants(role)) + "\nCOMMIT;")
    return 0


def show_database(store: str) -> int:
    """Print how the database of ``store`` stands; returns 0. Raises as a store that cannot be used."""
    address = read_address(store)
    with connected(address) as connection:
        check_schema(connection, address)
        state = read_schema(connection)
        ((server, size),) = connection.execute(
            "SELECT current_setting('server_version'), pg_size_pretty(pg_database_size(current_database()))"
        ).fetchall()
        ((changes,),) = connection.execute(
            "SELECT has_table_privilege('muhurat.bar', 'UPDATE, DELETE, TRUNCATE')"
        ).fetchall()
        ((series,),) = connection.execute("SELECT count(*) FROM muhurat.series").fetchall()
    version = state.applied[-1][0]
    tables = "with TimescaleDB" if state.flavour == "timescale" else "without TimescaleDB"
    rows = [
        ["server", f"PostgreSQL {server}"],
        ["tables", f"version {version}, {tables}"],
        ["series", f"{series:,}"],
        ["size", size],
        [
            "rights",
            "may change and delete bars; a role of its own is safer" if changes else "reads and adds bars",
        ],
    ]
    print_table(str(address), ["what", "how"], rows)
    return 0


def _make_role(connection: Connection[Any], wanted: Address) -> None:
    from psycopg import sql

    if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [wanted.role]).fetchone():
        print_line(f"the role {wanted.role} is there, its password is left as it is")
        return
    if wanted.password is None:
        raise SettingsError(
            f"TIMESCALE_DSN has no password, expected the one that the new role {wanted.role} gets; add it"
        )
    # Hashed here, so that the server's log does not show it.
    hashed = connection.pgconn.encrypt_password(
        wanted.password.encode(), wanted.role.encode(), b"scram-sha-256"
    )
    connection.execute(
        sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
            sql.Identifier(wanted.role), sql.Literal(hashed.decode())
        )
    )
    print_line(f"made the role {wanted.role}")


def _make_database(connection: Connection[Any], wanted: Address) -> None:
    from psycopg import sql

    if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [wanted.database]).fetchone():
        print_line(f"the database {wanted.database} is there")
        return
    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(wanted.database)))
    _execute(connection, _database_rights(_quoted(wanted.role), _quoted(wanted.database)))
    print_line(f"made the database {wanted.database}")


def _database_rights(role: str, database: str) -> list[str]:
    return [
        f"REVOKE ALL ON DATABASE {database} FROM PUBLIC;",
        f"GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {role};",
    ]


def _execute(connection: Connection[Any], statements: list[str]) -> None:
    for statement in statements:
        connection.execute(statement.encode())


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
