"""Bars in PostgreSQL, with TimescaleDB or without, through psycopg 3.

A frame is copied into a table of the transaction's own; bars that were stored before are compared with it,
one that differs takes the whole transaction back, and the rest is inserted. So all of an append is there,
with the span it answers to, or nothing, wherever the writer or the server dies. The role of the address need
not be allowed to change or delete anything; see docs/storage.md.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from feeds.bars import BAR_COLUMNS, TIME_ZONE, check_frame, check_index
from feeds.errors import DataError
from feeds.store.base import Appended, Coverage, DateSpan, FetchedSpan, Series
from feeds.store.binary import copied_bars, packed_columns, unpacked_bars
from feeds.store.database import connected, read_address
from feeds.store.rules import (
    check_columns,
    check_dates,
    check_series,
    no_bars_between,
    no_such_series,
    other_values,
    storable,
)
from feeds.store.schema import check_schema
from feeds.store.spans import merged

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.sql import Composable

__all__ = ["TimescaleStore"]

_WRITER_WAIT = "60s"
_FEW = 3

_COLUMNS = ", ".join(BAR_COLUMNS)

_PENDING = """
CREATE TEMPORARY TABLE pending (
    start timestamptz NOT NULL, open float8 NOT NULL, high float8 NOT NULL, low float8 NOT NULL,
    close float8 NOT NULL, volume float8 NOT NULL, open_interest float8 NOT NULL, complete boolean NOT NULL
) ON COMMIT DROP
"""

# Only what is not there is inserted, and a bar that appears meanwhile is an error of the unique key. ON
# CONFLICT DO NOTHING would be shorter, but TimescaleDB 2.17.2 dropped rows with it in silence (its issue
# 7672). The first and the last stamp stand in the statements, so that only the years concerned are looked at.
_STORED = "series_id = {series_id} AND bar.start BETWEEN {first} AND {last}"
_INSERT = f"""
INSERT INTO muhurat.bar (series_id, start, {_COLUMNS})
SELECT {{series_id}}, start, {_COLUMNS} FROM pending
WHERE NOT EXISTS (SELECT 1 FROM muhurat.bar WHERE {_STORED} AND bar.start = pending.start)
ORDER BY start
"""  # noqa: S608 # nothing but names of columns

_DIFFERENT = f"""
SELECT (extract(epoch FROM start) * 1000000)::bigint, count(*) OVER (),
    {", ".join(f"bar.{name}, pending.{name}" for name in BAR_COLUMNS)}
FROM pending JOIN muhurat.bar USING (start)
WHERE {_STORED}
    AND ({", ".join(f"bar.{name}" for name in BAR_COLUMNS)})
        IS DISTINCT FROM ({", ".join(f"pending.{name}" for name in BAR_COLUMNS)})
ORDER BY start LIMIT {_FEW}
"""  # noqa: S608 # nothing but names of columns

_KNOWN = f"SELECT count(*) FROM pending JOIN muhurat.bar USING (start) WHERE {_STORED}"  # noqa: S608

_COVERAGE = """
SELECT (extract(epoch FROM min(start)) * 1000000)::bigint, (extract(epoch FROM max(start)) * 1000000)::bigint,
    count(*), count(DISTINCT (start AT TIME ZONE 'Asia/Kolkata')::date)
FROM muhurat.bar WHERE series_id = %s
"""


class TimescaleStore:
    """A :class:`feeds.store.base.BarStore` in a database.

    Parameters
    ----------
    dsn : str
        Address of a database whose tables were made by ``python -m feeds database create``.

    Raises
    ------
    SettingsError
        If the address is none, or the driver is not installed. The database is not asked yet.
    """

    def __init__(self, dsn: str) -> None:
        self._address = read_address(dsn)

    def __repr__(self) -> str:
        return f"TimescaleStore({str(self._address)!r})"

    def append(
        self,
        instrument: str,
        bar_minutes: int,
        frame: pd.DataFrame,
        *,
        fetched: FetchedSpan | None = None,
    ) -> Appended:
        """Add the bars of a frame; see :meth:`feeds.store.base.BarStore.append`."""
        check_series(instrument, bar_minutes)
        frame = storable(frame, fetched)
        if frame.empty:
            return Appended(0, 0)
        with connected(self._address) as connection:
            check_schema(connection, self._address)
            series_id = _writable_series(connection, instrument, bar_minutes)
            added = self._add_bars(connection, series_id, frame)
            if fetched is not None:
                self._record(connection, series_id, fetched)
        return Appended(added, len(frame) - added)

    def load(
        self,
        instrument: str,
        bar_minutes: int,
        first: dt.date | None = None,
        last: dt.date | None = None,
        *,
        columns: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """Return the stored bars of a range of dates; see :meth:`feeds.store.base.BarStore.load`."""
        check_dates(first, last)
        wanted = check_columns(columns)
        check_series(instrument, bar_minutes)
        with connected(self._address) as connection:
            check_schema(connection, self._address)
            series_id = _series_id(connection, instrument, bar_minutes)
            frame = _loaded(connection, series_id, wanted, first, last)
        if not len(frame):
            held = self.coverage(instrument, bar_minutes)
            if held is None:
                raise no_such_series(instrument, bar_minutes, self._address, self.instruments())
            series = Series(instrument, bar_minutes)
            raise no_bars_between(series, self._address, (first, last), (held.first, held.last))
        check_index(frame) if columns is not None else check_frame(frame)
        return frame

    def coverage(self, instrument: str, bar_minutes: int) -> Coverage | None:
        """Return what a series holds, or None if there is no such series."""
        check_series(instrument, bar_minutes)
        with connected(self._address) as connection:
            check_schema(connection, self._address)
            series_id = _series_id(connection, instrument, bar_minutes)
            ((first, last, bars, days),) = connection.execute(_COVERAGE, [series_id]).fetchall()
        if not bars:
            return None
        return Coverage(_stamp(first), _stamp(last), bars, days)

    def instruments(self) -> list[Series]:
        """Return the stored series, sorted by name and bar length."""
        with connected(self._address) as connection:
            check_schema(connection, self._address)
            rows = connection.execute(
                "SELECT instrument, bar_minutes FROM muhurat.series "
                "WHERE EXISTS (SELECT 1 FROM muhurat.bar WHERE series_id = series.id)"
            ).fetchall()
        return sorted(Series(*row) for row in rows)

    def fetched(self, instrument: str, bar_minutes: int, source: str) -> list[DateSpan]:
        """Return the dates that were fetched whole; see :meth:`feeds.store.base.BarStore.fetched`."""
        check_series(instrument, bar_minutes)
        with connected(self._address) as connection:
            check_schema(connection, self._address)
            rows = connection.execute(
                "SELECT first_day, last_day FROM muhurat.fetched_span WHERE series_id = %s AND source = %s",
                [_series_id(connection, instrument, bar_minutes), source],
            ).fetchall()
        return merged(DateSpan(*row) for row in rows)

    def _add_bars(self, connection: Connection[Any], series_id: int, frame: pd.DataFrame) -> int:
        from psycopg import sql

        connection.execute(_PENDING)
        # The server knows nothing yet of how many rows these tables have; loops over both would take minutes.
        connection.execute("SET LOCAL enable_nestloop = off")
        with connection.cursor().copy(f"COPY pending (start, {_COLUMNS}) FROM STDIN (FORMAT binary)") as copy:
            for chunk in copied_bars(frame):
                copy.write(chunk)
        where = {
            "series_id": sql.Literal(series_id),
            "first": _literal(frame.index[0]),
            "last": _literal(frame.index[-1]),
        }
        self._refuse_other_values(connection.execute(sql.SQL(_DIFFERENT).format(**where)).fetchall())
        added = connection.execute(sql.SQL(_INSERT).format(**where)).rowcount
        ((stored,),) = connection.execute(sql.SQL(_KNOWN).format(**where)).fetchall()
        if stored != len(frame):
            raise DataError(
                f"the database {self._address} has {stored} of {len(frame)} bars after they were inserted, "
                "expected all; nothing was stored, see whether its version has a known fault"
            )
        return added

    def _record(self, connection: Connection[Any], series_id: int, fetched: FetchedSpan) -> None:
        connection.execute(
            "INSERT INTO muhurat.fetched_span (series_id, source, first_day, last_day) "
            "VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
            [series_id, *fetched],
        )

    def _refuse_other_values(self, rows: list[tuple[Any, ...]]) -> None:
        if not rows:
            return
        pairs = zip(rows[0][2::2], rows[0][3::2], strict=True)
        column, values = next(
            (name, pair)
            for name, pair in zip(BAR_COLUMNS, pairs, strict=True)
            # NaN is not itself here, and is the same value there.
            if pair[0] != pair[1] and not (pair[0] != pair[0] and pair[1] != pair[1])
        )
        raise other_values(
            rows[0][1],
            self._address,
            [_stamp(row[0]) for row in rows],
            column,
            values,
            "delete it from muhurat.bar and its dates from muhurat.fetched_span, as the owner of the tables, "
            "if it is the new one",
        )


def _writable_series(connection: Connection[Any], instrument: str, bar_minutes: int) -> int:
    """Wait until nobody else writes the series, and return its number; a new one is made."""
    connection.execute(f"SET LOCAL lock_timeout = '{_WRITER_WAIT}'")
    connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"muhurat {instrument} {bar_minutes}"]
    )
    connection.execute(
        "INSERT INTO muhurat.series (instrument, bar_minutes) "
        "SELECT %(instrument)s, %(minutes)s WHERE NOT EXISTS (SELECT 1 FROM muhurat.series "
        "WHERE instrument = %(instrument)s AND bar_minutes = %(minutes)s)",
        {"instrument": instrument, "minutes": bar_minutes},
    )
    return _series_id(connection, instrument, bar_minutes)


def _series_id(connection: Connection[Any], instrument: str, bar_minutes: int) -> int:
    row = connection.execute(
        "SELECT id FROM muhurat.series WHERE instrument = %s AND bar_minutes = %s", [instrument, bar_minutes]
    ).fetchone()
    return 0 if row is None else int(row[0])  # numbers begin at 1: no bar is of series 0


def _loaded(
    connection: Connection[Any],
    series_id: int,
    columns: Sequence[str],
    first: dt.date | None,
    last: dt.date | None,
) -> pd.DataFrame:
    from psycopg import sql

    query = sql.SQL(
        f"SELECT {packed_columns(columns)} FROM "  # noqa: S608 # nothing but names of columns
        "(SELECT * FROM muhurat.bar WHERE series_id = {series_id}{begin}{end} ORDER BY start) AS sorted"
    ).format(
        series_id=sql.Literal(series_id),
        begin=sql.SQL("" if first is None else " AND start >= ") + _midnight(first),
        end=sql.SQL("" if last is None else " AND start < ")
        + _midnight(None if last is None else last + dt.timedelta(days=1)),
    )
    (packed,) = connection.execute(query, binary=True).fetchall()
    return unpacked_bars(packed, columns)


def _midnight(day: dt.date | None) -> Composable:
    from psycopg import sql

    return sql.SQL("") if day is None else _literal(pd.Timestamp(day, tz=TIME_ZONE))


def _literal(stamp: pd.Timestamp) -> Composable:
    from psycopg import sql

    # Written out with its zone, so that the server knows while it plans which years are meant.
    return sql.SQL("TIMESTAMPTZ ") + sql.Literal(stamp.isoformat())


def _stamp(microseconds: int) -> pd.Timestamp:
    return pd.Timestamp(microseconds, unit="us", tz="UTC").tz_convert(TIME_ZONE)
