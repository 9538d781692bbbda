"""Where a study is kept: a SQLite file on this machine, or PostgreSQL for several."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feeds.errors import DataError, SettingsError
from feeds.secrets import load_secrets, mask_patterns

if TYPE_CHECKING:
    from optuna import Study
    from sqlalchemy.engine import URL

__all__ = ["STORAGE_SECRET", "open_study", "storage_address", "storage_faults_told"]

STORAGE_SECRET = "MUHURAT_STUDY_STORAGE"  # noqa: S105 # the name of it
"""Address with a password, in the environment or in ``secrets.env``."""

_SQLITE_WAIT_SECONDS = 60
_TABLES_LOCK = 6_872_811_174  # any number that nobody else takes in the same database
_LONGEST_REASON = 200


def storage_address(argument: str | None, setting: str | None, sqlite_file: Path) -> str:
    """Return the SQLAlchemy address: of the command line, else of the secrets, else of the settings."""
    address = argument or load_secrets().get(STORAGE_SECRET) or setting
    return address or f"sqlite:///{sqlite_file}"


def open_study(name: str, address: str) -> Study:
    """Open a study, or begin it; several processes may do so at the same time.

    Raises
    ------
    SettingsError
        Optuna or the driver is missing, or the address is none.
    DataError
        The storage does not answer.
    """
    try:
        import optuna
        from optuna.storages import RDBStorage
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError, IntegrityError, NoSuchModuleError, ProgrammingError
    except ImportError as error:
        raise SettingsError(
            f"a search needs optuna, which is not installed ({error}); run: pip install 'muhurat[search]'"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    shown = mask_patterns(address)
    try:
        url = make_url(address)
        if url.get_backend_name() == "sqlite":
            if url.database:
                Path(url.database).parent.mkdir(parents=True, exist_ok=True)
            engine: dict[str, Any] = {"connect_args": {"timeout": _SQLITE_WAIT_SECONDS}}
        else:
            engine = {"pool_pre_ping": True}
        with storage_faults_told(address), _alone_on_postgresql(url):
            try:
                storage = RDBStorage(address, engine_kwargs=engine)
            except (IntegrityError, ProgrammingError):  # another process made the tables at the same time
                storage = RDBStorage(address, engine_kwargs=engine)
            return optuna.create_study(
                study_name=name, storage=storage, direction="maximize", load_if_exists=True
            )
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise SettingsError(
            f"study storage {shown}: found no address that can be opened ({type(error).__name__}), expected "
            "sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE; correct it"
        ) from None


@contextmanager
def _alone_on_postgresql(url: URL) -> Iterator[None]:
    """Keep other processes from making the same tables as long as the block lasts."""
    from sqlalchemy import create_engine, text

    if url.get_backend_name() != "postgresql":
        yield
        return
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            # Held by the connection: it goes with it, also where this process is killed
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _TABLES_LOCK})
            yield
    finally:
        engine.dispose()


@contextmanager
def storage_faults_told(address: str) -> Iterator[None]:
    """Turn what a storage raises into one line without the password."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        from sqlalchemy.exc import ArgumentError, NoSuchModuleError

        if isinstance(error, (ArgumentError, NoSuchModuleError)):
            raise
        cause = error.__cause__ or error
        reason = " ".join(str(getattr(cause, "orig", None) or cause).split())[:_LONGEST_REASON]
        raise DataError(
            f"study storage {mask_patterns(address)}: {mask_patterns(reason)}; finished trials are kept, "
            "give the same command again when it answers"
        ) from error
