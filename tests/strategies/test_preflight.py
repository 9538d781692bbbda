"""The checks before the open, against a sandbox exchange over sockets."""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil
import socket
from types import SimpleNamespace

import pandas as pd
import pytest

from brokers.desk.facts import DayOpened, EntryDecided, Filled, Halted, Intent, Sent
from brokers.desk.journal_file import JournalFile
from brokers.paper_book import PaperBook
from brokers.paper_records import BookState
from brokers.sandbox.faults import Fault
from brokers.sandbox.instruments import near_next_far
from brokers.token_store import StoredToken
from feeds.calendar import TradingCalendar
from feeds.clock import IST, ReplayClock, WallClock
from feeds.errors import DataError
from feeds.log import NullLog
from feeds.secrets import MASK, Secrets
from feeds.store.parquet import ParquetStore
from ml.registry import ModelRegistry
from strategies import preflight_here
from strategies.day import plan_day
from strategies.live_request import LiveRequest
from strategies.loading import load_run_bars
from strategies.modelling import prepare_model
from strategies.preflight import PreflightContext, run_preflight
from strategies.settings import load_settings
from tests.brokers.kite.tokens import save_token
from tests.brokers.sandbox_server.support import official_client
from tests.live_market import DAY, PRICE, TOKEN, Market, day_config, history
from tests.support import frame_of

CALENDAR = TradingCalendar()
NEAR = near_next_far("NIFTY", DAY, CALENDAR, PRICE)[0]
LOT = NEAR.lot
ALL = [
    "calendar", "journal", "login", "clock", "contract", "margin", "account", "model", "data_store", "disk",
    "square_off", "entries",
]  # fmt: skip
LOCAL = [name for name in ALL if name not in ("login", "clock", "contract", "margin", "account")]
NAMED = "KITE_API_KEY"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def market():
    with Market(day_config(start="manual")) as server:
        yield server


@pytest.fixture
def context_of(tmp_path):
    """Return a context at a market; ``overrides`` are settings, the rest fields of request and context."""

    def make(market, *overrides, token=TOKEN, secrets=None, day=DAY, **changes):
        request = {name: changes.pop(name) for name in [*changes] if name in LiveRequest.__annotations__}
        settings = load_settings(
            None,
            [
                "strategy.name=random_entry", "broker.kite.read_attempts=1",
                f"broker.kite.token_file={tmp_path / 'token.json'}",
                *(market.addresses[1::2] if market is not None else ()), *overrides,
            ],
        )  # fmt: skip
        given = {NAMED: "sandbox", **({"KITE_ACCESS_TOKEN": token} if token else {})}
        asked = {"mode": "live", "clock": "wall", "secrets": Secrets(given if secrets is None else secrets)}
        calendar = changes.pop("calendar", CALENDAR)
        return PreflightContext(
            **{
                "request": LiveRequest(settings=settings, **(asked | request)),
                "plan": plan_day(calendar, day, settings), "calendar": calendar,
                "clock": ReplayClock(dt.datetime.combine(day, dt.time(8, 45), IST)),
                "folder": tmp_path / "day", "state_folder": tmp_path, "previous_folder": None,
                "log": NullLog(), **changes,
            }
        )  # fmt: skip

    return make


@pytest.fixture
def preflight(market, context_of):
    """Run the checks at the market."""
    return lambda *overrides, **changes: run_preflight(context_of(market, *overrides, **changes))


def of(found, name):
    (check,) = [check for check in found.checks if check.name == name]
    return check


def names(found):
    return [check.name for check in found.checks]


def said_no(found):
    """The checks that say no; the verdict follows them."""
    failing = [check.name for check in found.checks if check.outcome == "no_go"]
    assert found.go is not bool(failing)
    assert all(check.words and check.remedy for check in found.checks if check.outcome != "go")
    assert not any("\n" in check.words + check.remedy for check in found.checks)
    return failing


def warned(found):
    return [check.name for check in found.checks if check.outcome == "warning"]


# -- all is well -------------------------------------------------------------------------------------------


def test_a_good_morning(market, preflight):
    found = preflight()
    assert found.go
    assert not found.login_needed
    assert names(found) == ALL
    assert {check.outcome for check in found.checks} == {"go"}
    words = {check.name: check.words for check in found.checks}
    assert words["calendar"] == "Thursday 2026-09-24, regular session 09:15-15:40"
    assert words["login"] == "user SB0001, login from KITE_ACCESS_TOKEN"
    assert words["contract"] == f"{NEAR.symbol}, lot 65, expires on 2026-09-29, in 5 days"
    assert words["margin"].startswith("1,000,000 rupees are free, a lot of NIFTY26SEPFUT needs ")
    assert words["account"] == "nothing is held or working in NIFTY26SEPFUT"
    assert words["journal"] == "no day before, today's begins new"
    assert words["model"] == "strategy random_entry asks no model"
    assert words["square_off"] == "flat from 15:21 on, the session closes at 15:40"
    assert market.placed == 0


def test_paper_asks_nothing_of_the_account(preflight):
    found = preflight(mode="paper")
    assert found.go
    assert names(found) == [name for name in ALL if name not in ("margin", "account")]


def test_by_the_feed_no_clock_is_compared(preflight):
    found = preflight(clock="feed")
    assert found.go
    assert names(found) == [name for name in ALL if name != "clock"]


def test_it_writes_nothing_into_the_day(folder, preflight):
    preflight()
    assert sorted(path.name for path in folder.iterdir()) == []


# -- login -------------------------------------------------------------------------------------------------


def test_a_dead_token(market, preflight):
    market.kill_token()
    found = preflight()
    assert said_no(found) == ["login"]
    assert found.login_needed
    assert names(found) == [*LOCAL[:2], "login", *LOCAL[2:]]
    assert "no longer accepts our access token" in of(found, "login").words
    # A stored login would not even be looked at
    assert "KITE_ACCESS_TOKEN goes before a stored login" in of(found, "login").remedy


def stored(folder, token, ends):
    login = ends - dt.timedelta(hours=20)
    save_token(folder / "token.json", StoredToken("sandbox", token, "SB0001", login, ends))


def test_a_stored_login(folder, market, preflight):
    stored(folder, TOKEN, dt.datetime(2027, 1, 1, 6, tzinfo=IST))
    found = preflight(token=None, machine_clock=WallClock())
    assert found.go
    assert of(found, "login").words == f"user SB0001, login from {folder / 'token.json'}"
    market.kill_token()
    found = preflight(token=None)
    assert found.login_needed
    assert "python -m brokers login" in of(found, "login").remedy


def test_no_login_at_all(preflight):
    found = preflight(token=None)
    assert said_no(found) == ["login"]
    assert found.login_needed
    assert "found no access token" in of(found, "login").words
    assert of(found, "login").remedy == "log in with: python -m brokers login"
    assert names(found) == [*LOCAL[:2], "login", *LOCAL[2:]]


def test_without_a_key_no_login_helps(preflight):
    found = preflight(secrets={})
    assert said_no(found) == ["login"]
    assert not found.login_needed
    assert "KITE_API_KEY is not set" in of(found, "login").words


@pytest.mark.parametrize(("seconds", "is_good"), [(-1, False), (0, False), (1, True)])
def test_a_login_that_ends_before_the_close(folder, preflight, seconds, is_good):
    ends = dt.datetime(2026, 9, 24, 15, 40, tzinfo=IST) + dt.timedelta(seconds=seconds)
    stored(folder, TOKEN, ends)
    early = ReplayClock(dt.datetime(2026, 9, 24, 5, 30, tzinfo=IST))
    found = preflight(token=None, clock="feed", machine_clock=early)
    assert found.login_needed is not is_good
    assert said_no(found) == ([] if is_good else ["login"])
    if not is_good:
        assert "before the close" in of(found, "login").words


def test_a_token_that_dies_on_the_way(market, preflight):
    market.faults.add(Fault(kind="kill_token", route="GET /user/margins*"))
    found = preflight()
    assert set(said_no(found)) == {"margin", "account"}
    assert found.login_needed


def test_no_secret_is_shown(market, preflight):
    secret = "tellNobody99"
    market.faults.add(
        Fault(
            kind="refuse", route="GET /user/profile*", status=400, error_type="InputException", count=None,
            message=f"access_token={TOKEN} and {secret} are wrong",
        )
    )  # fmt: skip
    found = preflight(secrets={NAMED: "sandbox", "KITE_ACCESS_TOKEN": TOKEN, "KITE_API_SECRET": secret})
    assert said_no(found) == ["login"]
    text = "".join(check.model_dump_json() for check in found.checks)
    assert MASK in text
    assert TOKEN not in text
    assert secret not in text


# -- the broker cannot be asked, or says something odd -----------------------------------------------------


def test_the_server_is_down(context_of):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens here
        root = f"broker.kite.api_root=http://127.0.0.1:{taken.getsockname()[1]}"
        found = run_preflight(context_of(None, root))
    assert said_no(found) == ["login"]
    assert not found.login_needed
    assert names(found) == [*LOCAL[:2], "login", *LOCAL[2:]]
    assert "could not be asked" in of(found, "login").words
    assert "network" in of(found, "login").remedy


@pytest.mark.parametrize(
    ("route", "failing", "left_out"),
    [
        ("GET /user/profile*", ["login"], ["clock", "contract", "margin", "account"]),
        ("GET /instruments*", ["contract"], ["margin", "account"]),
        ("GET /user/margins*", ["margin"], []),
        ("POST /margins/*", ["margin"], []),
        ("GET /orders", ["account"], []),
        ("GET /portfolio/positions", ["account"], []),
    ],
)
@pytest.mark.parametrize("kind", ["unreadable", "lost_answer", "bad_gateway", "too_many_requests"])
def test_what_could_not_be_asked_is_a_no(market, preflight, kind, route, failing, left_out):
    (number,) = market.faults.add(Fault(kind=kind, route=route, count=None))
    found = preflight()
    assert market.faults.happened(number) >= 1
    assert said_no(found) == failing
    assert names(found) == [name for name in ALL if name not in left_out]
    assert not found.login_needed
    assert "could not" in of(found, failing[0]).words


def test_a_read_that_fails_once_is_tried_again(market, preflight):
    market.faults.add(Fault(kind="bad_gateway", route="GET /portfolio/positions"))
    assert preflight("broker.kite.read_attempts=2").go


@pytest.mark.parametrize(
    ("call", "answer", "failing"),
    [
        ("profile", {"user": 1}, "login"),
        ("margins", {"equity": {"enabled": False}}, "margin"),
        ("margins", {}, "margin"),
        ("order_margins", [{"total": "nan"}], "margin"),
        ("order_margins", [], "margin"),
        ("orders", [{"order_id": "1"}], "account"),
        ("orders", None, "account"),
        ("positions", {"net": [{"tradingsymbol": "X"}]}, "account"),
        ("instruments", [{"tradingsymbol": "X"}], "contract"),
    ],
)
def test_an_answer_of_another_form_is_a_no(monkeypatch, preflight, call, answer, failing):
    monkeypatch.setattr(f"kiteconnect.KiteConnect.{call}", lambda *_, **__: answer)
    found = preflight()
    assert said_no(found) == [failing]
    assert not found.login_needed


@pytest.mark.parametrize(
    ("seconds", "is_good"), [(-3600, False), (-30, False), (0, True), (30, False), (3600, False)]
)
def test_a_wrong_clock(market, preflight, seconds, is_good):
    market.faults.add(Fault(kind="clock_skew", seconds=seconds, count=None))
    found = preflight()
    assert said_no(found) == ([] if is_good else ["clock"])
    if not is_good:
        assert "this machine's clock is" in of(found, "clock").words
        assert "timedatectl" in of(found, "clock").remedy
    assert "contract" in names(found)


def test_a_server_that_does_not_tell_the_time(monkeypatch, preflight):
    monkeypatch.setattr("brokers.kite.client.KiteClient.server_time", lambda _: None)
    found = preflight()
    assert found.go
    assert warned(found) == ["clock"]
    assert "was not compared" in of(found, "clock").words


# -- contract and margin -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "symbol", "words"),
    [
        ("2026-09-28", "NIFTY26SEPFUT", "expires on 2026-09-29, in 1 day"),
        ("2026-09-29", "NIFTY26SEPFUT", "expires today: tomorrow the next month is traded"),
        ("2026-09-30", "NIFTY26OCTFUT", "expires on 2026-10-27, in 27 days"),
    ],
)
def test_the_roll(context_of, day, symbol, words):
    date = dt.date.fromisoformat(day)
    listed = near_next_far("NIFTY", date, CALENDAR, PRICE)
    config = day_config(start="manual", exchange={"instruments": listed}, trades={}, histories={})
    with Market(config) as market:
        found = run_preflight(context_of(market, day=date))
    assert found.go
    assert of(found, "contract").outcome == "go"
    assert of(found, "contract").words == f"{symbol}, lot 65, {words}"


def test_a_list_of_an_earlier_day(context_of):
    # The day after the expiry, with the list of the expiry itself
    day, before = dt.date(2026, 9, 30), dt.date(2026, 9, 29)
    old = near_next_far("NIFTY", before, CALENDAR, PRICE)
    with Market(day_config(start="manual", exchange={"instruments": old})) as market:
        found = run_preflight(context_of(market, day=day))
    assert found.go
    assert warned(found) == ["contract"]
    words = of(found, "contract").words
    assert words.startswith("NIFTY26OCTFUT")
    assert "still holds NIFTY26SEPFUT, which expired on 2026-09-29" in words


def test_a_lot_that_the_tables_do_not_know(context_of):
    other = (NEAR._replace(lot=50),)
    with Market(day_config(start="manual", exchange={"instruments": other})) as market:
        found = run_preflight(context_of(market))
    assert found.go
    assert warned(found) == ["contract"]
    assert "lot 50" in of(found, "contract").words
    assert "expect lot 65" in of(found, "contract").words


def test_no_such_contract(preflight):
    found = preflight("market.instrument=SENSEX")
    assert said_no(found) == ["contract"]
    assert "found no future of SENSEX" in of(found, "contract").words
    assert "margin" not in names(found)
    assert "account" not in names(found)


def test_too_little_cash_for_a_lot(context_of):
    needed = 0.12 * LOT * PRICE
    with Market(day_config(start="manual", exchange={"cash": 0.99 * needed})) as market:
        found = run_preflight(context_of(market))
        on_paper = run_preflight(context_of(market, mode="paper"))
    assert said_no(found) == ["margin"]
    assert of(found, "margin").remedy == "add funds, or trade on paper"
    assert on_paper.go


@pytest.mark.parametrize(("capital", "is_told"), [(999_999, False), (1_000_000, False), (1_000_001, True)])
def test_more_capital_than_is_free(preflight, capital, is_told):
    found = preflight(f"live.capital_rupees={capital}")
    assert found.go
    assert warned(found) == (["margin"] if is_told else [])


# -- what the account holds --------------------------------------------------------------------------------


def buy(market, **changes):
    """Have somebody else buy a lot."""
    client = official_client(market)
    order = {
        "variety": "regular", "exchange": "NFO", "tradingsymbol": NEAR.symbol, "transaction_type": "BUY",
        "quantity": LOT, "product": "MIS", "order_type": "MARKET", "market_protection": -1,
    }  # fmt: skip
    with contextlib.closing(client.reqsession):
        order_id = client.place_order(**{**order, **changes})
    market.advance(30)
    return order_id


def test_a_foreign_position(market, preflight):
    buy(market)
    found = preflight()
    assert said_no(found) == ["account"]
    assert f"the account has +{LOT} {NEAR.symbol} MIS, which is none of ours" in of(found, "account").words
    assert "--accept-foreign" in of(found, "account").remedy
    accepted = preflight(accept_foreign=True)
    assert accepted.go
    assert warned(accepted) == ["account"]
    assert preflight(mode="paper").go


def test_a_foreign_order(market, preflight):
    order_id = buy(market, order_type="LIMIT", price=PRICE - 200, market_protection=None)
    found = preflight()
    assert said_no(found) == ["account"]
    assert f"order {order_id} over +{LOT} {NEAR.symbol}" in of(found, "account").words


def test_a_position_in_another_product_is_left_alone(market, preflight):
    buy(market, product="NRML")
    found = preflight()
    assert found.go
    assert warned(found) == ["account"]
    assert f"+{LOT} {NEAR.symbol} NRML" in of(found, "account").words


def test_an_account_that_was_left_flat(market, preflight):
    buy(market)
    buy(market, transaction_type="SELL")
    assert of(preflight(), "account").outcome == "go"


# -- journals ----------------------------------------------------------------------------------------------

BEFORE = DAY - dt.timedelta(days=1)


def facts(day, symbol=NEAR.symbol):
    signal = dt.datetime.combine(day, dt.time(10))
    opened = DayOpened(day, symbol, "MIS", 1_000_000.0, "ab12")
    decided = EntryDecided(1, LOT, PRICE, PRICE - 50, PRICE + 75, signal, 0.6)
    entry = Intent("ab12e1", 1, "entry", LOT, "market", 0.0, PRICE)
    fill = Filled("ab12e1", "t1", LOT, PRICE, signal.replace(tzinfo=IST), 40.0)
    return SimpleNamespace(opened=opened, decided=decided, entry=entry, sent=Sent("ab12e1"), fill=fill)


def write_journal(folder, *rows):
    file = JournalFile(folder / "journal.sqlite", ReplayClock(dt.datetime.combine(DAY, dt.time(9), IST)))
    file.append(rows)
    file.close()


def test_a_last_day_that_ended_flat(folder, preflight):
    write_journal(folder / "before", facts(BEFORE).opened)
    found = preflight(previous_folder=folder / "before")
    assert found.go
    assert of(found, "journal").words == "the last day ended flat, today's begins new"


def test_a_last_day_that_left_a_position(folder, preflight):
    past = facts(BEFORE)
    write_journal(folder / "before", past.opened, past.decided, past.entry, past.sent, past.fill)
    found = preflight(previous_folder=folder / "before")
    # The account holds nothing: somebody has closed it
    assert found.go
    assert warned(found) == ["journal"]
    assert f"ended with +{LOT} {NEAR.symbol}" in of(found, "journal").words


def test_a_last_day_that_left_an_order_of_unknown_outcome(folder, preflight):
    past = facts(BEFORE)
    write_journal(folder / "before", past.opened, past.decided, past.entry, past.sent)
    found = preflight(previous_folder=folder / "before")
    assert warned(found) == ["journal"]
    assert "orders that are not settled" in of(found, "journal").words


def test_what_the_last_day_left_is_found_in_its_own_contract(folder, market, preflight):
    old = near_next_far("NIFTY", DAY, CALENDAR, PRICE)[1]
    past = facts(BEFORE, old.symbol)
    write_journal(folder / "before", past.opened)
    buy(market, tradingsymbol=old.symbol, order_type="LIMIT", price=PRICE - 200, market_protection=None)
    assert preflight().go
    found = preflight(previous_folder=folder / "before")
    assert said_no(found) == ["account"]
    assert old.symbol in of(found, "account").words


def test_a_day_that_goes_on_leaves_the_account_to_its_start(folder, market, preflight):
    write_journal(folder / "day", facts(DAY).opened)
    buy(market)
    found = preflight()
    assert found.go
    assert names(found) == [name for name in ALL if name not in ("margin", "account")]
    assert of(found, "journal").words == "no day before, today's goes on"


def test_a_halted_day(folder, preflight):
    write_journal(folder / "day", facts(DAY).opened, Halted("the account holds +65"))
    found = preflight()
    assert warned(found) == ["journal"]
    assert "the account holds +65" in of(found, "journal").words


def test_the_journal_of_another_day(folder, preflight):
    write_journal(folder / "day", facts(BEFORE).opened)
    found = preflight()
    assert said_no(found) == ["journal"]
    assert f"holds the journal of {BEFORE}, expected that of {DAY}" in of(found, "journal").words


@pytest.mark.parametrize("which", ["day", "before"])
@pytest.mark.parametrize("file", ["journal.sqlite", "paper.sqlite"])
def test_a_damaged_journal(folder, preflight, which, file):
    (folder / which).mkdir()
    (folder / which / file).write_bytes(b"SQLite format 3\0" + b"torn" * 300)
    found = preflight(previous_folder=folder / "before")
    assert said_no(found) == ["journal"]
    assert str(folder / which / file) in of(found, "journal").words


def book_state(trip):
    return BookState("NIFTY", 1e6, 1e6, 1, trip, dt.datetime.combine(BEFORE, dt.time(15, 30)), PRICE, trip)


@pytest.mark.parametrize("trip", [0, 1])
def test_a_paper_account_that_held_something_overnight(folder, preflight, trip):
    book = PaperBook(folder / "before" / "paper.sqlite")
    book.write([], book_state(trip))
    book.close()
    found = preflight(mode="paper", previous_folder=folder / "before")
    assert found.go
    assert warned(found) == (["journal"] if trip else [])


def test_a_paper_account_in_use(folder, preflight):
    book = PaperBook(folder / "day" / "paper.sqlite")
    try:
        found = preflight(mode="paper")
    finally:
        book.close()
    assert said_no(found) == ["journal"]
    assert "in use by another process" in of(found, "journal").words
    # The lock is given back: a second look finds it free
    assert preflight(mode="paper").go
    assert of(preflight(mode="paper"), "journal").words == "no day before, today's goes on"


# -- the model ---------------------------------------------------------------------------------------------

ML = ("strategy.name=ml", "ml.features=[return_zscore, volume_ratio_20]")
SMALL = (
    *ML, "data.synthetic.sessions=46", "data.synthetic.first_date=2026-06-01", "ml.model.rounds=3",
    "ml.model.leaf_rows=20", "ml.model.kind=lightgbm",
)  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A registry with a champion, trained on synthetic bars of the summer, and the time of its last bar."""
    registry = tmp_path_factory.mktemp("models")
    settings = load_settings(None, [*SMALL, f"ml.registry={registry}"])
    now = dt.datetime(2026, 8, 10, tzinfo=IST)
    prepare_model(settings, load_run_bars(settings, CALENDAR), "train", now=now)
    ModelRegistry(registry).promote("v0001")
    return registry


@pytest.mark.parametrize("model", [None, "champion", "v0007"])
def test_no_model(folder, preflight, model):
    found = preflight(*ML, f"ml.registry={folder / 'models'}", model=model)
    assert said_no(found) == ["model"]
    assert names(found) == ALL


def test_a_damaged_model(folder, trained, preflight):
    shutil.copytree(trained, folder / "models")
    (model,) = (folder / "models" / "v0001").glob("model*")
    model.write_text("torn")
    found = preflight(*ML, f"ml.registry={folder / 'models'}")
    assert said_no(found) == ["model"]
    assert "v0001" in of(found, "model").words


@pytest.mark.parametrize("override", ["data.bar_minutes=5", "ml.features=[rsi_14]"])
def test_a_model_that_does_not_fit(trained, preflight, override):
    found = preflight(*ML, f"ml.registry={trained}", override)
    assert said_no(found) == ["model"]


def test_a_model_of_age(trained, preflight):
    close = dt.datetime(2026, 9, 24, 15, 40, tzinfo=IST)
    until = ModelRegistry(trained).show("v0001").trained_until
    age = (close - until) / dt.timedelta(days=1)

    def at_most(days):
        return preflight(*ML, f"ml.registry={trained}", f"risk.max_model_age_days={days}", mode="demo")

    old = at_most(age - 0.001)
    assert said_no(old) == ["model"]
    assert f"trained {age:.0f} days ago" in of(old, "model").words
    assert of(old, "model").remedy == "train a new one (python -m ml train) and promote it"
    assert warned(at_most(age + 0.001)) == ["model"]
    assert warned(at_most(age + 6.999)) == ["model"]
    young = at_most(age + 7.001)
    assert warned(young) == []
    assert of(young, "model").words == f"model v0001, trained {age:.0f} days ago"
    assert preflight(*ML, f"ml.registry={trained}", "risk.max_model_age_days=null").go


@pytest.mark.parametrize(
    "strategy",
    [
        ["strategy.parameters={thresholds: trained}"],
        ["strategy.name=ab", "strategy.parameters={arms: [{name: a, model: v0001, parameters: "
         "{thresholds: trained}}]}"],
    ],
)  # fmt: skip
def test_a_model_without_the_thresholds_that_are_asked(trained, preflight, strategy):
    """The strategy would refuse it as well, but only when the account is open."""
    found = preflight(*ML, *strategy, f"ml.registry={trained}", mode="demo")
    assert said_no(found) == ["model"]
    assert "stored without any" in of(found, "model").words


def test_the_model_of_every_arm(trained, preflight):
    def arms(*versions):
        given = ", ".join(f"{{name: a{number}, model: {one}}}" for number, one in enumerate(versions))
        return [f"strategy.parameters={{arms: [{given}]}}", "strategy.name=ab", f"ml.registry={trained}"]

    chance = "strategy.parameters={arms: [{name: a, strategy: random_entry}]}"
    assert of(preflight("strategy.name=ab", chance), "model").words == "strategy ab asks no model"
    assert of(preflight(*ML, *arms("v0001", "null"), mode="demo"), "model").outcome == "go"
    missing = preflight(*ML, *arms("v0001", "v0009"), mode="demo")
    assert said_no(missing) == ["model"]
    assert "v0009" in of(missing, "model").words


def test_a_model_of_made_up_bars_is_told_where_the_market_is_real(trained, preflight):
    found = preflight(*ML, f"ml.registry={trained}")
    assert found.go
    assert warned(found) == ["model"]
    assert "made-up bars: synthetic" in of(found, "model").words


def test_a_model_that_may_not_judge_yet(trained, context_of, market):
    found = run_preflight(context_of(market, *ML, f"ml.registry={trained}", day=dt.date(2026, 6, 15)))
    assert said_no(found) == ["model"]
    assert "may not judge before" in of(found, "model").words


def test_no_such_strategy(preflight):
    found = preflight("strategy.name=no_such")
    assert said_no(found) == ["model"]
    assert "unknown strategy 'no_such'" in of(found, "model").words


# -- stored bars, disk, times, switches --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "outcome"), [("2026-09-22", "warning"), ("2026-09-23", "go"), ("2026-09-24", "go")]
)
def test_stored_bars(folder, preflight, last, outcome):
    frame = frame_of([(1.0, 1.0, 1.0, 1.0)], day=dt.date.fromisoformat(last), bar_minutes=1)
    ParquetStore(folder / "bars").append("NIFTY", 1, frame)
    check = of(preflight("data.source=store"), "data_store")
    assert check.outcome == outcome
    assert f"up to {last} 09:15" in check.words


def test_no_stored_bars(preflight):
    found = preflight("data.source=store")
    assert found.go
    assert "no bars of NIFTY are stored in bars" in of(found, "data_store").words


def test_damaged_stored_bars(folder, preflight):
    ParquetStore(folder / "bars").append("NIFTY", 1, history())
    (file,) = (folder / "bars").rglob("*.parquet")
    file.write_bytes(b"torn")
    assert said_no(preflight("data.source=store")) == ["data_store"]


def test_bars_after_a_day_of_unknown_hours(folder, context_of, market):
    # The calendar itself refuses to name the session before 2026-11-09
    stamps = pd.Timestamp("2026-11-06 09:15", tz="Asia/Kolkata")
    frame = frame_of([(1.0, 1.0, 1.0, 1.0)], day=stamps.date(), bar_minutes=1)
    ParquetStore(folder / "bars").append("NIFTY", 1, frame)
    with pytest.raises(DataError):
        CALENDAR.previous_session(dt.date(2026, 11, 9))
    found = run_preflight(context_of(market, "data.source=store", day=dt.date(2026, 11, 9)))
    assert of(found, "data_store").outcome == "go"


@pytest.mark.parametrize(("free", "is_good"), [(499.999999, False), (500.0, True), (500.000001, True)])
def test_a_disk_that_fills_up(monkeypatch, preflight, free, is_good):
    usage = SimpleNamespace(free=round(free * 1_000_000))
    monkeypatch.setattr(preflight_here.shutil, "disk_usage", lambda _: usage)
    found = preflight()
    assert said_no(found) == ([] if is_good else ["disk"])


def test_a_folder_that_cannot_be_written(folder, preflight):
    found = preflight(state_folder=folder / "nowhere")
    assert said_no(found) == ["disk"]
    assert "cannot be written (No such file or directory)" in of(found, "disk").words


@pytest.mark.parametrize(("mode", "is_told"), [("live", True), ("paper", False), ("demo", False)])
def test_a_square_off_after_the_brokers(preflight, mode, is_told):
    found = preflight("strategy.square_off='15:26'", "data.bar_minutes=1", mode=mode)
    assert found.go
    assert warned(found) == (["square_off"] if is_told else [])
    assert of(found, "calendar").outcome == "go"


@pytest.mark.parametrize(
    ("file", "reason", "words"),
    [
        ("KILL_SWITCH", "", "kill switch: KILL_SWITCH exists"),
        ("PAUSED", "budget speech\n", "pause: budget speech"),
    ],
)
def test_a_day_without_entries_goes(folder, preflight, file, reason, words):
    (folder / file).write_text(reason)
    found = preflight()
    assert found.go
    assert warned(found) == ["entries"]
    assert words in of(found, "entries").words
    assert of(preflight("risk.kill_switch_file=null", "risk.pause_file=null"), "entries").outcome == "go"


@pytest.mark.parametrize(
    ("day", "outcome", "words"),
    [
        ("2026-11-08", "go", "extra session 18:00-19:00"),
        ("2026-09-29", "go", "expires today"),
        ("2025-10-21", "go", "muhurat session 13:45-14:45"),
        ("2023-11-12", "go", "Muhurat trading"),
        ("2019-10-27", "warning", "known from one source"),
    ],
)
def test_the_calendar(market, context_of, day, outcome, words):
    date = dt.date.fromisoformat(day)
    calendar = TradingCalendar({dt.date(2026, 11, 8): "18:00-19:00"})
    check = of(run_preflight(context_of(market, day=date, calendar=calendar)), "calendar")
    assert check.outcome == outcome
    assert words in check.words


# -- bugs --------------------------------------------------------------------------------------------------


def test_what_nobody_expected_is_not_swallowed(monkeypatch, preflight):
    def broken(*_):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("brokers.kite.client.KiteClient.margins", broken)
    with pytest.raises(ZeroDivisionError):
        preflight()
