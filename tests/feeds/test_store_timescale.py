"""What only the store in PostgreSQL promises: transactions, rights, versions, words without a password."""

from __future__ import annotations

import shutil
import sys
import threading

import pandas as pd
import pytest

from feeds.bars import aggregate
from feeds.calendar import TradingCalendar
from feeds.errors import DataError, SettingsError
from feeds.settings import DataSettings
from feeds.sources.chosen import load_chosen
from feeds.store import timescale
from feeds.store.binary import unpacked_bars
from feeds.store.chosen import open_store
from feeds.store.database import connected, read_address
from feeds.store.parquet import ParquetStore
from feeds.store.timescale import TimescaleStore
from tests.feeds.frames import day_frame, frame_of
from tests.feeds.postgres import OWNER, ROLE, need_postgres, stored_in_postgres
from tests.feeds.test_store import span


@pytest.fixture
def own_postgres():
    """A server of this test's own, which it may kill."""
    with stored_in_postgres(need_postgres()) as both:
        yield both


# -- the same bars from either store -----------------------------------------------------------------------


def test_both_stores_give_the_same_bars_to_the_last_bit(timescale_store, postgres, tmp_path, monkeypatch):
    frame = frame_of("2015-12-31", "2016-01-01", bars=375)
    frame.iloc[7:9, frame.columns.get_loc("open_interest")] = float("nan")
    frame.iloc[3, frame.columns.get_loc("complete")] = False
    timescale_store.append("NIFTY", 1, frame)
    ParquetStore(tmp_path / "bars").append("NIFTY", 1, frame)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIMESCALE_DSN", postgres.dsn())
    calendar = TradingCalendar()
    loaded = [
        load_chosen(DataSettings(source="store", store=store), "NIFTY", calendar)
        for store in ("bars", "timescale")
    ]
    pd.testing.assert_frame_equal(loaded[0].frame, loaded[1].frame, check_exact=True)
    assert loaded[0].sha256 == loaded[1].sha256
    assert loaded[1].source == "store timescale"


def test_longer_bars_for_people_are_those_of_aggregate(timescale_store, postgres):
    minutes = day_frame("2016-01-04", 375)
    timescale_store.append("NIFTY", 1, minutes)
    timescale_store.append("NIFTY", 3, day_frame("2016-01-04", 5, bar_minutes=3))
    for length in (3, 15):
        columns = "start, open, high, low, close, volume, open_interest"
        query = f"SELECT {columns} FROM muhurat.bars_{length}minute ORDER BY start"  # noqa: S608
        rows = postgres.execute(query, "market")
        expected = aggregate(minutes, length, TradingCalendar()).drop(columns="complete")
        found = pd.DataFrame(rows, columns=["datetime", *expected.columns]).set_index("datetime")
        found.index = pd.DatetimeIndex(found.index).tz_convert("Asia/Kolkata").as_unit("us")
        pd.testing.assert_frame_equal(found, expected, check_freq=False)


@pytest.mark.parametrize("packed", [(bytes(15), bytes(8)), (bytes(16), bytes(8)), (None, bytes(8))])
def test_a_cut_answer_is_no_bars(packed):
    with pytest.raises(DataError, match=r"expected . bars of 8 bytes a number"):
        unpacked_bars(packed, ["close"])


# -- writers, and what becomes of them ---------------------------------------------------------------------


def test_a_second_writer_of_a_series_waits_and_nothing_is_lost(timescale_store, postgres):
    address = read_address(postgres.dsn())
    with connected(address) as first:
        timescale._writable_series(first, "NIFTY", 1)
        done = threading.Event()

        def append() -> None:
            timescale_store.append("NIFTY", 1, frame_of("2016-01-04"))
            done.set()

        second = threading.Thread(target=append)
        second.start()
        wait_for_a_lock(postgres)
        assert not done.is_set()
        # Another series is nobody's business.
        timescale_store.append("BANKNIFTY", 1, frame_of("2016-01-04"))
    second.join(30)
    assert done.is_set()
    assert timescale_store.coverage("NIFTY", 1).bars == 5


def wait_for_a_lock(server) -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory'"
    for _ in range(2_000):
        if server.execute(waiting) != [(0,)]:
            return
    raise AssertionError("nobody waits for the lock")


def test_a_writer_that_waits_too_long_says_so(timescale_store, postgres, monkeypatch):
    monkeypatch.setattr(timescale, "_WRITER_WAIT", "50ms")
    with connected(read_address(postgres.dsn())) as first:
        timescale._writable_series(first, "NIFTY", 1)
        with pytest.raises(DataError, match=r"is written by another process .* nothing of this was stored"):
            timescale_store.append("NIFTY", 1, frame_of("2016-01-04"))
    assert timescale_store.instruments() == []


def test_many_writers_at_once_lose_nothing(timescale_store):
    frames = [frame_of(f"2016-01-{day:02d}", f"2016-01-{day + 1:02d}") for day in range(4, 12)]
    threads = [threading.Thread(target=timescale_store.append, args=("NIFTY", 1, frame)) for frame in frames]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert timescale_store.coverage("NIFTY", 1).days == 9


@pytest.mark.parametrize("when", ["bars are there", "span is there"])
def test_a_server_killed_in_mid_write_has_nothing_half_written(own_postgres, monkeypatch, when):
    server, store = own_postgres
    stored = frame_of("2016-01-04")
    store.append("NIFTY", 1, stored, fetched=span("2016-01-04", "2016-01-04"))
    new = frame_of("2016-01-05", "2017-01-02")

    record = TimescaleStore._record

    def record_and_die(*args: object) -> None:
        if when == "span is there":
            record(*args)
        server.kill()

    monkeypatch.setattr(TimescaleStore, "_record", record_and_die)
    with pytest.raises(DataError, match=r"broke off .* give the same command again") as broken:
        store.append("NIFTY", 1, new, fetched=span("2016-01-05", "2017-01-02"))
    assert "geheim12" not in str(broken.value)
    with pytest.raises(DataError, match="does not answer"):
        store.coverage("NIFTY", 1)
    monkeypatch.undo()

    server.start()
    pd.testing.assert_frame_equal(store.load("NIFTY", 1), stored, check_freq=False)
    assert store.fetched("NIFTY", 1, "kite") == [span("2016-01-04", "2016-01-04")[1:]]
    assert store.append("NIFTY", 1, new, fetched=span("2016-01-05", "2017-01-02")).added == 10
    assert store.fetched("NIFTY", 1, "kite") == [span("2016-01-04", "2017-01-02")[1:]]


def test_a_server_that_drops_bars_in_silence_is_not_believed(timescale_store, postgres, monkeypatch):
    # As TimescaleDB 2.17.2 does with ON CONFLICT DO NOTHING.
    forgetful = timescale._INSERT.replace("ORDER BY start", "ORDER BY start LIMIT 3")
    monkeypatch.setattr(timescale, "_INSERT", forgetful)
    with pytest.raises(DataError, match="has 3 of 5 bars after they were inserted"):
        timescale_store.append("NIFTY", 1, frame_of("2016-01-04"))
    assert timescale_store.instruments() == []


def test_a_full_disk_takes_nothing_and_loses_nothing(own_postgres, tiny_disk):
    server, store = own_postgres
    shutil.chown(tiny_disk, "postgres")
    server.execute(f"CREATE TABLESPACE small LOCATION '{tiny_disk}'")
    server.execute("ALTER TABLE muhurat.bar_2016 SET TABLESPACE small", "market")
    frame = day_frame("2016-01-04", 375)
    store.append("NIFTY", 1, frame)
    more = pd.concat([frame.set_axis(frame.index + pd.Timedelta(days=day), axis=0) for day in range(30)])
    with pytest.raises(DataError, match=r"has no room left .* make room and give the command again"):
        store.append("NIFTY", 1, more, fetched=span("2016-01-01", "2016-02-04"))
    pd.testing.assert_frame_equal(store.load("NIFTY", 1), frame, check_freq=False)
    assert store.fetched("NIFTY", 1, "kite") == []


# -- rights ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE muhurat.bar SET close = 1",
        "DELETE FROM muhurat.bar",
        "DELETE FROM muhurat.fetched_span",
        "TRUNCATE muhurat.bar",
        "DROP TABLE muhurat.bar",
        "INSERT INTO muhurat.migration VALUES (99, 'x', 'plain', 'x')",
        "CREATE TABLE muhurat.mine (a int)",
    ],
)
def test_the_role_of_the_store_can_only_add(timescale_store, postgres, statement):
    timescale_store.append("NIFTY", 1, frame_of("2016-01-04"))
    address = read_address(postgres.dsn())
    refused = pytest.raises(DataError, match=r"does not let muhurat do this .* feeds database migrate")
    with refused, connected(address) as connection:
        connection.execute(statement)
    assert timescale_store.coverage("NIFTY", 1).bars == 5


# -- addresses and versions --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dsn", "found"),
    [
        ("postgresql+psycopg://muhurat:geheim12@localhost/market", "is no address"),
        ("postgresql://muhurat:geheim12@local host/market", "is no address"),
        ("geheim12", "is no address"),
        ("postgresql://localhost/market", "names no user"),
        ("postgresql://muhurat:geheim12@localhost", "names no dbname"),
    ],
)
def test_what_is_no_address_is_told_without_quoting_it(dsn, found):
    with pytest.raises(SettingsError, match=f"TIMESCALE_DSN {found}.*; correct it") as refused:
        TimescaleStore(dsn)
    assert "geheim12" not in str(refused.value)


def test_a_server_that_is_not_there_is_told_without_the_password(tmp_path):
    store = TimescaleStore(f"postgresql://muhurat:geheim12@/market?host={tmp_path}")
    with pytest.raises(DataError, match=r"muhurat@.*/market does not answer .* TIMESCALE_DSN") as refused:
        store.instruments()
    assert "geheim12" not in str(refused.value) + repr(store) + repr(store._address)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("role", "database", "found"),
    [("nobody", "market", 'role "nobody" does not exist'), (ROLE, "mars", 'database "mars" does not exist')],
)
def test_a_wrong_role_or_database_is_named(postgres, role, database, found):
    with pytest.raises(DataError, match=f"does not answer .*{found}"):
        TimescaleStore(postgres.dsn(role, database)).instruments()


def test_a_database_without_tables_is_told_from_one_without_bars(postgres):
    with pytest.raises(DataError, match=r"has no tables for bars; .* feeds database create"):
        TimescaleStore(postgres.dsn(OWNER, "postgres")).coverage("NIFTY", 1)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("INSERT INTO muhurat.migration VALUES (99, 'later', 'plain', 'x')", r"newer version \(99\)"),
        ("UPDATE muhurat.migration SET sha256 = 'x' WHERE version = 2", r"other version \(4\)"),
        ("DELETE FROM muhurat.migration WHERE version = 4", r"version 3, expected version 4; .* migrate"),
    ],
)
def test_tables_of_another_version_are_not_touched(postgres, change, found):
    postgres.make_tables("other")
    try:
        postgres.execute(change, "other")
        store = TimescaleStore(postgres.dsn(database="other"))
        for ask in (store.instruments, lambda: store.append("NIFTY", 1, frame_of("2016-01-04"))):
            with pytest.raises(DataError, match=f"are of .*{found}"):
                ask()
    finally:
        postgres.execute("DROP DATABASE other")


def test_open_store_says_where_the_address_belongs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TIMESCALE_DSN", raising=False)
    with pytest.raises(
        SettingsError, match=r"TIMESCALE_DSN is not set, expected postgresql://USER:PASSWORD@"
    ):
        open_store(DataSettings(store="timescale"))
    assert isinstance(open_store(DataSettings(store="bars")), ParquetStore)


def test_a_missing_driver_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(SettingsError, match=r"pip install 'muhurat\[timescale\]'"):
        TimescaleStore("postgresql://a:b@c/d")
