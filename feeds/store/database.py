"""A connection to the database of bars: where it leads, told without a password, and what its faults mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from feeds.errors import DataError, SettingsError
from feeds.secrets import mask_patterns

if TYPE_CHECKING:
    from psycopg import Connection

__all__ = ["Address", "connected", "read_address"]

_CONNECT_SECONDS = 10
_LONGEST_REASON = 200


class Address(NamedTuple):
    """Where a database is, and as whom.

    Attributes
    ----------
    role, host, port, database : str
        As the address says, or as libpq fills in what it leaves out; may be shown.
    password : str or None
        Never shown.
    conninfo : str
        All of it as libpq takes it; never shown.
    """

    role: str
    host: str
    port: str
    database: str
    password: str | None
    conninfo: str

    def in_database(self, name: str) -> Address:
        """Return the same address with another database."""
        from psycopg.conninfo import make_conninfo

        return self._replace(database=name, conninfo=make_conninfo(self.conninfo, dbname=name))

    def __str__(self) -> str:
        return f"{self.role}@{self.host}:{self.port}/{self.database}"

    def __repr__(self) -> str:
        return f"Address({self})"


def read_address(dsn: str, name: str = "TIMESCALE_DSN") -> Address:
    """Read the address of a database.

    Parameters
    ----------
    dsn : str
        ``postgresql://USER:PASSWORD@HOST/DATABASE`` or ``host=... dbname=...``.
    name : str
        What the message calls it.

    Raises
    ------
    SettingsError
        If the text is no address, or the driver is not installed. The message never quotes the text.
    """
    psycopg = _driver()
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    try:
        parts: dict[str, Any] = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        # Its own message may quote what stands where a name was expected, and that may be the password.
        raise SettingsError(
            f"{name} is no address of a database, expected postgresql://USER:PASSWORD@HOST/DATABASE with "
            "special characters of the password written as %XX; correct it"
        ) from None
    unknown = [key for key in ("user", "dbname") if not parts.get(key)]
    if unknown:
        raise SettingsError(
            f"{name} names no {unknown[0]}, expected postgresql://USER:PASSWORD@HOST/DATABASE; correct it"
        )
    defaults: dict[str, Any] = {
        "connect_timeout": _CONNECT_SECONDS,
        "fallback_application_name": "muhurat",
    }
    parts = defaults | parts
    return Address(
        role=parts["user"],
        host=str(parts.get("host") or parts.get("hostaddr") or "localhost"),
        port=str(parts.get("port") or 5432),
        database=parts["dbname"],
        password=parts.get("password"),
        conninfo=make_conninfo(**parts),
    )


@contextmanager
def connected(address: Address, *, autocommit: bool = False) -> Iterator[Connection[Any]]:
    """Yield a connection; what is done in the block is committed at its end, or never happened.

    A connection lives as long as one operation: a store has no end, processes fork, and a server that was
    started again is found without a word.

    Parameters
    ----------
    address : Address
        Where.
    autocommit : bool
        Each statement by itself, as making a database needs it.

    Raises
    ------
    DataError
        If the database does not answer, refuses, is full, or breaks off.
    """
    psycopg = _driver()
    try:
        # PgBouncer knows nothing of prepared statements.
        connection = psycopg.connect(address.conninfo, autocommit=autocommit, prepare_threshold=None)
    except psycopg.OperationalError as error:
        raise DataError(
            f"the database {address} does not answer ({_reason(error, address)}); start it, or correct "
            "TIMESCALE_DSN"
        ) from None
    try:
        with connection:
            yield connection
    except psycopg.Error as error:
        raise DataError(f"the database {address} {_meaning(error, address)}") from error


def _meaning(error: Exception, address: Address) -> str:
    errors = _driver().errors
    reason = _reason(error, address)
    if isinstance(error, errors.DiskFull):
        return (
            f"has no room left ({reason}); nothing of this was stored, make room and give the command again"
        )
    if isinstance(error, errors.LockNotAvailable):
        return f"is written by another process ({reason}); nothing of this was stored, wait for that one"
    if isinstance(error, errors.InsufficientPrivilege):
        return (
            f"does not let {address.role} do this ({reason}); give it the right with "
            "`python -m feeds database migrate`, as the owner of the tables"
        )
    if isinstance(error, _driver().OperationalError):
        return (
            f"broke off ({reason}); what was being stored is there as a whole or not at all, give the same "
            "command again"
        )
    return f"refused ({reason}); nothing of this was stored"


def _reason(error: Exception, address: Address) -> str:
    text = " ".join(str(error).split())
    if address.password:
        text = text.replace(address.password, "***")
    return mask_patterns(text)[:_LONGEST_REASON].rstrip() or type(error).__name__


def _driver() -> ModuleType:
    try:
        import psycopg
    except ImportError as error:
        raise SettingsError(
            f"the store timescale needs psycopg, which is not installed ({error}); "
            "run: pip install 'muhurat[timescale]'"
        ) from None
    return psycopg
