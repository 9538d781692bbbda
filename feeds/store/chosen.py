"""The store that the settings choose: a folder of Parquet files, or a database."""

from __future__ import annotations

from pathlib import Path

from feeds.errors import SettingsError
from feeds.secrets import load_secrets
from feeds.settings import DataSettings
from feeds.store.base import BarStore
from feeds.store.parquet import ParquetStore

__all__ = ["ADMIN_DSN_SECRET", "DATABASE", "DSN_SECRET", "database_address", "open_store"]

DATABASE = "timescale"
"""What ``data.store`` says for PostgreSQL, with TimescaleDB or without."""

DSN_SECRET = "TIMESCALE_DSN"  # noqa: S105 # the name of it

ADMIN_DSN_SECRET = "TIMESCALE_ADMIN_DSN"  # noqa: S105 # the name of it


def open_store(data: DataSettings) -> BarStore:
    """Open the store of ``data.store``.

    Parameters
    ----------
    data : DataSettings
        ``store`` is a folder, or ``timescale`` for the database of ``TIMESCALE_DSN``.

    Raises
    ------
    SettingsError
        If the database's address is not given or is none, or its driver is not installed.
    """
    if data.store != DATABASE:
        return ParquetStore(Path(data.store))
    from feeds.store.timescale import TimescaleStore

    return TimescaleStore(database_address())


def database_address(name: str = DSN_SECRET, otherwise: str | None = None) -> str:
    """Return an address of the database, from the environment or ``secrets.env``.

    Parameters
    ----------
    name : str
        ``TIMESCALE_DSN``, or ``TIMESCALE_ADMIN_DSN`` for the owner of its tables.
    otherwise : str, optional
        The address where there is none.

    Raises
    ------
    SettingsError
        If there is none at all.
    """
    address = load_secrets().get(name) or otherwise
    if address is None:
        raise SettingsError(
            f"{name} is not set, expected postgresql://USER:PASSWORD@HOST/DATABASE in the environment or in "
            "secrets.env; set it there"
        )
    return address
