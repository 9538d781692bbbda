"""What is wrong before a live day begins is one line with its remedy and exit code, and nothing is sent."""

from __future__ import annotations

import datetime as dt
import gzip
import re
import shutil
import socket
import sqlite3
from contextlib import closing

import pytest

from brokers.sandbox.faults import Fault
from brokers.token_store import StoredToken
from feeds.clock import IST, WallClock
from run_backtest import main as run_backtest
from run_live import main
from tests.brokers.kite.servers import Answer, HttpServer, data, error, html
from tests.brokers.kite.tokens import save_token
from tests.live_market import DAY, HOLD, TOKEN, Market, at, day_config

QUICK = ["--set", "broker.kite.read_attempts=2", "--set", "broker.kite.timeout_seconds=2"]


@pytest.fixture(autouse=True)
def environment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KITE_API_KEY", "sandbox")
    monkeypatch.setenv("KITE_ACCESS_TOKEN", TOKEN)
    monkeypatch.delenv("KITE_API_SECRET", raising=False)


@pytest.fixture(scope="module")
def market():
    """One sandbox for all: none of these runs is to change anything in it."""
    with Market(day_config(start="manual")) as market:
        yield market


@pytest.fixture(autouse=True)
def restored(market):
    yield
    market.faults.clear()


@pytest.fixture
def refuse(tmp_path, capsys):
    """Run against a sandbox, and return the one line of the refusal."""

    def run(exit_code, market, *more, mode="live", clock="feed", out=None, hold=HOLD):
        day = market.arguments(out or tmp_path / "run", mode=mode, clock=clock)
        # --quiet is the hard case: there the console shares the standard error with the line
        arguments = [*day, *QUICK, *hold, "--quiet", *more]
        before = len(market.account().orders)
        counter = market.faults.add(Fault(kind="delay", seconds=0.0, count=None, route="* /orders/*"))[0]
        assert main([str(argument) for argument in arguments]) == exit_code
        line = one_line(capsys)
        assert market.faults.happened(counter) == 0
        assert len(market.account().orders) == before
        assert TOKEN not in line
        assert ";" in line, "no remedy"
        return line

    return run


def one_line(capsys):
    told = capsys.readouterr()
    assert re.fullmatch(r"error: [^\n]+\n", told.err), f"expected one line, found: {told.err}"
    assert told.out == ""
    return told.err.removeprefix("error: ").strip()


def run_at(address, *more, mode="live", out="run"):
    """Run against something else than a sandbox."""
    agreed = ["--yes"] if mode == "live" else []
    return main(
        ["--mode", mode, "--now", "--clock", "feed", *agreed, "--out", str(out), "--quiet", *QUICK, *HOLD,
         "--set", f"broker.kite.api_root={address}", *more]
    )  # fmt: skip


# -- the login ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["live", "paper"])
def test_no_key(market, refuse, monkeypatch, mode):
    monkeypatch.delenv("KITE_API_KEY")
    line = refuse(4, market, mode=mode)
    assert line.startswith("KITE_API_KEY is not set, expected it in the environment or in secrets.env")


@pytest.mark.parametrize("mode", ["live", "paper"])
def test_no_token(market, refuse, monkeypatch, mode):
    monkeypatch.delenv("KITE_ACCESS_TOKEN")
    line = refuse(4, market, mode=mode)
    assert "found no access token at" in line
    assert line.endswith("log in with: python -m brokers login")


@pytest.mark.parametrize("mode", ["live", "paper"])
def test_a_dead_token(market, refuse, monkeypatch, mode):
    monkeypatch.setenv("KITE_ACCESS_TOKEN", "tokenOfYesterday")
    line = refuse(4, market, mode=mode)
    assert line.startswith("Kite no longer accepts our access token: TokenException")
    assert line.endswith("log in again with: python -m brokers login")


def stored_token(tmp_path, **changes):
    login = WallClock().now()
    fields = {
        "api_key": "sandbox", "access_token": TOKEN, "user_id": "SB0001", "login_time": login,
        "ends": login + dt.timedelta(hours=1), **changes,
    }  # fmt: skip
    file = tmp_path / "token.json"
    save_token(file, StoredToken(**fields))
    return file


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda file: file.chmod(0o644), "can be read by others (mode 0644), expected 0600"),
        (lambda file: file.chmod(0o640), "can be read by others (mode 0640), expected 0600"),
        (lambda file: file.write_text("{"), "is damaged (JSONDecodeError)"),
        (lambda file: file.write_bytes(b"\xff\xfe"), "cannot be read (not UTF-8 text)"),
        (lambda file: (file.unlink(), file.mkdir(mode=0o700)), "cannot be read (Is a directory)"),
    ],
)
def test_a_token_file_that_cannot_be_trusted(market, refuse, monkeypatch, tmp_path, prepare, words):
    monkeypatch.delenv("KITE_ACCESS_TOKEN")
    file = stored_token(tmp_path)
    prepare(file)
    line = refuse(4, market, "--set", f"broker.kite.token_file={file}")
    assert words in line
    assert str(file) in line


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ends": dt.datetime(2026, 1, 5, 6, 0, tzinfo=IST)}, "ended on 2026-01-05 at 06:00"),
        ({"api_key": "another"}, "belongs to another app"),
    ],
)
def test_a_token_that_is_not_of_today_and_this_app(market, refuse, monkeypatch, tmp_path, changes, words):
    monkeypatch.delenv("KITE_ACCESS_TOKEN")
    file = stored_token(tmp_path, **changes)
    assert words in refuse(4, market, "--set", f"broker.kite.token_file={file}")


def test_a_stored_token_that_kite_has_ended(market, refuse, monkeypatch, tmp_path):
    monkeypatch.delenv("KITE_ACCESS_TOKEN")
    file = stored_token(tmp_path, access_token="endedByAnotherLogin")
    line = refuse(4, market, "--set", f"broker.kite.token_file={file}")
    assert line.startswith("Kite no longer accepts our access token")
    assert "endedByAnotherLogin" not in line


# -- the address -------------------------------------------------------------------------------------------


def test_a_port_where_nobody_listens(capsys):
    with closing(socket.create_server(("127.0.0.1", 0))) as held:
        port = held.getsockname()[1]
    assert run_at(f"http://127.0.0.1:{port}") == 4
    line = one_line(capsys)
    assert line.startswith("Kite could not be asked: ConnectionError")
    assert "Connection refused" in line
    assert "broker.kite.api_root" in line, "the line has to say which setting leads there"


@pytest.mark.parametrize(
    "answer",
    [
        html(200),
        html(404),
        html(502),
        Answer(b"", 200),
        Answer(b"[]"),
        Answer(b"null"),
        Answer(b'"hello"'),
        Answer(b"{}"),
        Answer(b'{"data": null}'),
        Answer(b'{"name": "a service", "version": 3}'),
        Answer(b'{"error": "no such path"}', 404),
        data([]),
        data("hello"),
        data({"user": "somebody"}),
        error(500, "GeneralException", "We are not Kite"),
        Answer(None),
    ],
    ids=lambda answer: f"{answer.status}-{answer.body!r:.40}",
)
def test_a_server_that_is_not_kite(capsys, answer):
    with HttpServer() as server:
        server.on("GET /user/profile", answer)
        assert run_at(server.root) == 4
        assert {request.method for request in server.requests} == {"GET"}
    line = one_line(capsys)
    assert "Kite" in line
    assert "api_root" in line


def test_a_path_that_kite_does_not_have(market, refuse):
    line = refuse(4, market, "--set", f"broker.kite.api_root={market.api_root}/v9")
    assert "api_root" in line


@pytest.mark.parametrize(
    "address",
    ["kite.zerodha.com", "http://api.kite.trade", "ftp://127.0.0.1", "https://", "http://127.0.0.1:http"],
)
def test_an_address_that_is_none(capsys, address):
    assert run_at(address) == 2
    assert "api_root" in one_line(capsys)


def test_a_ticker_address_that_refuses(market, refuse, monkeypatch):
    monkeypatch.setattr("strategies.live_day._FIRST_TICK_SECONDS", 1.0)
    with closing(socket.create_server(("127.0.0.1", 0))) as held:
        port = held.getsockname()[1]
    # Ticks tell the day here, and none can come
    line = refuse(4, market, "--set", f"broker.kite.ticker_root=ws://127.0.0.1:{port}")
    assert "broker.kite.ticker_root" in line
    assert "refused" in line.lower()


# -- the day and the contract ------------------------------------------------------------------------------


@pytest.fixture
def wall(monkeypatch):
    def set_to(text, day=DAY):
        monkeypatch.setattr(WallClock, "now", lambda _: at(text, day))

    return set_to


@pytest.mark.parametrize("mode", ["live", "paper"])
@pytest.mark.parametrize(
    ("day", "time", "words"),
    [
        (dt.date(2026, 9, 27), "11:00", "the exchange is closed today, Sunday 2026-09-27"),
        (dt.date(2026, 9, 26), "11:00", "the exchange is closed today, Saturday 2026-09-26"),
        (dt.date(2026, 10, 2), "11:00", "the exchange is closed today, Friday 2026-10-02"),
        (DAY, "15:40", "today's session closed at 15:40, it is 15:40"),
        (DAY, "23:59", "today's session closed at 15:40, it is 23:59"),
    ],
)
def test_the_market_is_closed(market, refuse, wall, mode, day, time, words):
    wall(time, day)
    assert words in refuse(4, market, mode=mode, clock="wall")


def test_a_day_beyond_the_calendar(market, refuse, wall):
    wall("11:00", dt.date(2099, 1, 5))
    assert "calendar" in refuse(3, market, clock="wall")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(10.0, "behind Kite's, expected at most 2 s"), (-10.0, "ahead of Kite's, expected at most 2 s")],
)
@pytest.mark.parametrize("mode", ["live", "paper"])
def test_a_clock_that_is_off(market, refuse, wall, mode, seconds, words):
    wall("14:30")
    # The sandbox stamps its answers by the same clock, off by this
    market.faults.add(Fault(kind="clock_skew", seconds=seconds, count=None))
    line = refuse(4, market, mode=mode, clock="wall")
    assert words in line
    assert "timedatectl" in line


@pytest.mark.parametrize("seconds", [1.0, -1.0])
def test_a_clock_that_is_off_by_less_goes(market, refuse, wall, seconds):
    wall("14:30")
    market.faults.add(Fault(kind="clock_skew", seconds=seconds, count=None))
    assert "found no future of" in refuse(4, market, "--set", "market.instrument=BANKNIFTY", clock="wall")


@pytest.mark.parametrize("mode", ["live", "paper"])
def test_an_instrument_that_is_not_listed(market, refuse, mode):
    line = refuse(4, market, "--set", "market.instrument=BANKNIFTY", mode=mode)
    assert line.startswith("found no future of BANKNIFTY")
    assert "NIFTY26SEPFUT" not in line or "futures are of: NIFTY" in line
    assert "check market.instrument" in line


# -- the account -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cash", [100_000.0, 1.0])
def test_too_little_for_one_lot(refuse, cash):
    with Market(day_config(exchange={"cash": cash})) as poor:
        line = refuse(4, poor)
    assert "one lot of NIFTY26SEPFUT (65 units) needs" in line
    assert f"{cash:,.0f} are free" in line


def test_an_empty_account(refuse):
    with Market(day_config(exchange={"cash": 0.0})) as empty:
        assert "add funds" in refuse(4, empty)


# -- the journal -------------------------------------------------------------------------------------------


@pytest.fixture
def journal(tmp_path, market):
    """A folder with the journal of a day that was begun."""
    from brokers.desk.facts import DayOpened
    from brokers.desk.journal_file import JournalFile

    def make(day=DAY, symbol="NIFTY26SEPFUT", product="MIS"):
        folder = tmp_path / "run"
        file = JournalFile(folder / "journal.sqlite", WallClock())
        file.append([DayOpened(day, symbol, product, 1e6, "mark")])
        file.close()
        return folder

    return make


@pytest.fixture
def running():
    """A sandbox whose ticks come, so that a day can begin."""
    with Market(day_config(speed=60.0)) as sandbox:
        yield sandbox


@pytest.mark.parametrize(("mode", "name"), [("live", "journal"), ("paper", "paper book")])
def test_another_instance_holds_the_file(running, refuse, tmp_path, mode, name):
    from brokers.instance_lock import InstanceLock

    folder = tmp_path / "run"
    folder.mkdir()
    file = folder / ("journal.sqlite" if mode == "live" else "paper.sqlite")
    held = InstanceLock(file, name)
    line = refuse(4, running, mode=mode)
    held.release()
    assert line.startswith(f"{name} {file} is in use by another process, expected to be its only writer")


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"day": DAY - dt.timedelta(days=1)}, "belongs to NIFTY26SEPFUT MIS on 2026-09-23"),
        ({"symbol": "BANKNIFTY26SEPFUT"}, "belongs to BANKNIFTY26SEPFUT MIS on 2026-09-24"),
        ({"product": "NRML"}, "belongs to NIFTY26SEPFUT NRML on 2026-09-24, expected NIFTY26SEPFUT MIS"),
    ],
)
def test_the_journal_of_something_else(running, refuse, journal, other, words):
    folder = journal(**other)
    kept = (folder / "journal.sqlite").read_bytes()
    line = refuse(4, running)
    assert words in line
    assert "give this day its own --out folder" in line
    assert (folder / "journal.sqlite").read_bytes() == kept


def spoil_header(file):
    file.write_bytes(b"no database" * 100)


def spoil_table(file):
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("DROP TABLE facts")
        database.execute("CREATE TABLE facts (sequence INTEGER PRIMARY KEY, other TEXT)")


def change_row(column, value):
    def spoil(file):
        with closing(sqlite3.connect(file)) as database, database:
            database.execute(f"UPDATE facts SET {column} = ?", (value,))  # noqa: S608 # of this file

    return spoil


def truncate(file):
    file.write_bytes(file.read_bytes()[:5000])


@pytest.mark.parametrize(
    "spoil",
    [
        spoil_header, spoil_table, truncate, change_row("body", "{"), change_row("body", "[]"),
        change_row("body", "{}"), change_row("kind", "NoSuchFact"), change_row("time", "yesterday"),
    ],
    ids=["header", "table", "torn", "json", "list", "fields", "kind", "time"],
)  # fmt: skip
def test_a_damaged_journal(running, refuse, journal, spoil):
    folder = journal()
    spoil(folder / "journal.sqlite")
    line = refuse(3, running)
    assert str(folder / "journal.sqlite") in line


def empty_state(file):
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("CREATE TABLE state (one INTEGER PRIMARY KEY, body TEXT)")
        database.execute("INSERT INTO state VALUES (1, '{}')")


@pytest.mark.parametrize("spoil", [spoil_header, empty_state])
def test_a_damaged_paper_book(running, refuse, tmp_path, spoil):
    folder = tmp_path / "run"
    folder.mkdir()
    file = folder / "paper.sqlite"
    spoil(file)
    line = refuse(3, running, mode="paper")
    assert str(file) in line


# -- the model ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A registry with one small model of NIFTY."""
    folder = tmp_path_factory.mktemp("models")
    arguments = [
        "--quiet", "--model", "train", "--out", str(folder / "run"),
        "--set", f"ml.registry={folder / 'models'}", "--set", "data.synthetic.sessions=30",
        "--set", "report.tearsheet=false", "--set", "ml.model.rounds=3", "--set", "ml.model.leaf_rows=20",
    ]  # fmt: skip
    assert run_backtest(arguments) == 0
    return folder / "models"


ML = ("--strategy", "ml")


@pytest.mark.parametrize("model", [(), ("--model", "champion"), ("--model", "v0007")])
def test_no_such_model(market, refuse, tmp_path, model):
    line = refuse(2, market, *model, "--set", f"ml.registry={tmp_path / 'models'}", hold=ML)
    assert "model" in line


def test_no_champion_yet(market, refuse, trained):
    line = refuse(2, market, "--set", f"ml.registry={trained}", hold=ML)
    assert "champion" in line


def test_a_model_of_another_instrument(refuse, trained):
    with Market(day_config(underlying="BANKNIFTY", start="manual")) as market:
        line = refuse(
            3, market, "--model", "v0001", "--set", f"ml.registry={trained}",
            "--set", "market.instrument=BANKNIFTY", hold=ML,
        )  # fmt: skip
    assert "was trained on NIFTY, the run trades BANKNIFTY" in line


def test_a_model_of_other_features(market, refuse, trained):
    line = refuse(
        3, market, "--model", "v0001", "--set", f"ml.registry={trained}",
        "--set", "ml.features=[rsi_14]", hold=ML,
    )  # fmt: skip
    assert "feature" in line


def test_a_model_of_other_bars(market, refuse, trained):
    line = refuse(
        3, market, "--model", "v0001", "--set", f"ml.registry={trained}", "--set", "data.bar_minutes=5",
        hold=ML,
    )  # fmt: skip
    assert "3-minute bars, the run uses 5" in line


def test_a_damaged_model(market, refuse, trained, tmp_path):
    shutil.copytree(trained, tmp_path / "models")
    (tmp_path / "models" / "v0001" / "model.ubj").write_bytes(b"torn")
    line = refuse(3, market, "--model", "v0001", "--set", f"ml.registry={tmp_path / 'models'}", hold=ML)
    assert "v0001" in line


# -- settings, strategy, folders ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--set", "live.on_stopp=keep"), "did you mean 'on_stop'?"),
        (("--set", "broker.kite.api_rot=http://127.0.0.1:1"), "did you mean 'api_root'?"),
        (("--set", "live.capital_rupees=-5"), "expected above 0"),
        (("--set", "strategy.parameters.entry_chance=1"), "entry_chance"),
        (("--strategy", "random"), "did you mean 'random_entry'?"),
        (("--strategy", "no.such.module:Class"), "no.such"),
        (("--settings", "none.yaml"), "settings file none.yaml: not found"),
    ],
)
def test_unknown_settings(market, refuse, arguments, words):
    assert words in refuse(2, market, *arguments)


def test_a_setting_that_does_not_go_with_the_day(market, refuse):
    line = refuse(2, market, "--set", "risk.rules=[no.such:Rule]")
    assert "risk" in line


@pytest.mark.parametrize("mode", ["live", "paper"])
def test_out_is_a_file(market, refuse, tmp_path, mode):
    (tmp_path / "run").write_text("something")
    line = refuse(2, market, mode=mode)
    assert f"--out {tmp_path / 'run'}" in line
    assert (tmp_path / "run").read_text() == "something"


@pytest.mark.parametrize("mode", ["live", "paper"])
def test_out_lies_below_a_file(market, refuse, tmp_path, mode):
    (tmp_path / "file").write_text("something")
    line = refuse(2, market, mode=mode, out=tmp_path / "file" / "run")
    assert "--out" in line
    assert "Not a directory" in line


def test_a_folder_that_cannot_be_made(market, refuse, monkeypatch, tmp_path):
    def deny(path, *_, **__):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("pathlib.Path.mkdir", deny)
    line = refuse(2, market)
    assert f"--out {tmp_path / 'run'}" in line
    assert "Permission denied" in line


@pytest.mark.parametrize(
    ("name", "code", "mode"),
    [
        ("live.log", 1, "live"), ("journal.sqlite", 3, "live"), ("journal.lock", 3, "live"),
        ("bars.csv", 1, "live"), ("decisions.csv", 1, "paper"), ("paper.sqlite", 3, "paper"),
        ("paper.lock", 3, "paper"),
    ],
)  # fmt: skip
def test_a_folder_stands_where_a_file_belongs(running, refuse, tmp_path, name, code, mode):
    (tmp_path / "run" / name).mkdir(parents=True)
    assert str(tmp_path / "run" / name.replace("lock", "")) in refuse(code, running, mode=mode)


def test_a_backtest_is_not_written_over(market, refuse, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "summary.json").write_text("{}")
    assert "holds another kind of run" in refuse(2, market)
    assert [file.name for file in folder.iterdir()] == ["summary.json"]


def test_the_rest_of_a_run_with_another_strategy(running, tmp_path, capsys):
    folder = tmp_path / "run"
    folder.mkdir()
    header = "bar_start,position,working,asked,side,probability,units,leaves,ema_fast\n"
    (folder / "decisions.csv").write_text(header)
    # It is known with the first bar only, when the day has begun: the console has told of it, too
    assert main([*running.arguments(folder), *HOLD, "--quiet"]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: the day was ended by DataError")
    assert "begun with another strategy or model; use a new --out folder" in last
    assert last.endswith("nothing is open")
    assert running.placed == 0


# -- a demo's ticks ----------------------------------------------------------------------------------------


@pytest.fixture
def refuse_demo(tmp_path, capsys):
    def run(exit_code, *arguments, shown=False):
        quiet = [] if shown else ["--quiet"]
        out = ["--out", tmp_path / "run"]
        code = main([str(part) for part in ["--mode", "demo", "--now", *quiet, *out, *HOLD, *arguments]])
        assert code == exit_code
        told = capsys.readouterr().err
        assert re.fullmatch(r"error: [^\n]+\n", told), f"expected one line, found: {told}"
        return told.removeprefix("error: ").strip()

    return run


ROWS = "20260924,09:15:00,25000.00,65,1000000\n20260924,09:15:05,25001.00,65,1000000\n"


def plain(text):
    def make(folder):
        file = folder / "ticks.csv"
        file.write_text(text)
        return file

    return make


def zipped(content):
    def make(folder):
        file = folder / "ticks.csv.gz"
        file.write_bytes(content)
        return file

    return make


@pytest.mark.parametrize("day", [(), ("--day", "2026-09-24")], ids=["any-day", "day"])
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (plain(""), "holds no t"),
        (plain("20260924,09:15:00,25000.00,0,1000000\n"), "holds no t"),
        (plain("time,price\n1,2\n"), "cannot read"),
        (plain(ROWS + "20260924,09:15:03,25001.00,65,1000000\n"), "goes back in time at line 3"),
        (plain(ROWS + "20260924,09:15:09,-1,65,1000000\n"), "line 3"),
        (zipped(b"no gzip"), "cannot read ticks"),
        (zipped(gzip.compress(ROWS.encode() * 100)[:60]), "cannot read ticks"),
    ],
    ids=["empty", "no-trade", "other-form", "unsorted", "negative", "no-gzip", "torn-gzip"],
)
def test_ticks_that_are_wrong(refuse_demo, tmp_path, make, words, day):
    file = make(tmp_path)
    line = refuse_demo(3, "--ticks", file, *day)
    assert words in line
    assert str(file) in line


@pytest.mark.parametrize("shown", [False, True])
def test_ticks_of_another_day(refuse_demo, tmp_path, shown):
    file = plain(ROWS)(tmp_path)
    line = refuse_demo(3, "--ticks", file, "--day", "2026-09-23", shown=shown)
    assert "2026-09-24" in line
    assert "2026-09-23" in line


def test_ticks_of_several_days(refuse_demo, tmp_path):
    file = plain(ROWS + "20260925,09:15:00,25000.00,65,1000000\n")(tmp_path)
    assert "choose one with --day" in refuse_demo(3, "--ticks", file)


@pytest.mark.parametrize("day", ["2026-09-26", "2026-10-02"])
def test_a_demo_of_a_day_without_a_session(refuse_demo, day):
    assert f"--day {day} has no session" in refuse_demo(2, "--day", day)


def test_ticks_outside_the_contract_tables(refuse_demo, tmp_path):
    file = plain(ROWS.replace("20260924", "19990104"))(tmp_path)
    line = refuse_demo(3, "--ticks", file)
    assert "calendar" in line


@pytest.mark.parametrize(
    ("write", "words"),
    [(None, "no.csv"), ("a,b\n1,2\n", "history.csv")],
)
def test_bars_to_warm_up_from_that_are_wrong(refuse_demo, tmp_path, write, words):
    ticks = plain(ROWS)(tmp_path)
    file = tmp_path / ("no.csv" if write is None else "history.csv")
    if write is not None:
        file.write_text(write)
    assert words in refuse_demo(3, "--ticks", ticks, "--data", file)
