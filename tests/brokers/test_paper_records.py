"""What the paper book keeps comes back as it was; what is damaged is refused in one line."""

import datetime as dt
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.journal import Fill, OrderEvent, TradeContext
from brokers.paper_book import PaperBook
from brokers.paper_gate import NotingGate
from brokers.paper_records import BookState, GateFact, KeptFill, record_from_json, record_to_json
from brokers.risk.daily_loss import DailyLoss
from brokers.risk.gate import RiskGate
from feeds.errors import DataError

NOON = dt.datetime(2024, 6, 3, 12, 0)  # noqa: DTZ001 # the exchange's wall clock is kept naive
numbers = st.floats(allow_nan=False, allow_infinity=False)
times = st.integers(0, 10**15).map(lambda microseconds: NOON + dt.timedelta(microseconds=microseconds))
words = st.text(max_size=20)

numbered = st.integers(0, 10**9)

records = st.one_of(
    st.builds(
        KeptFill,
        st.builds(Fill, numbered, numbered, words, times, numbered, words, *[numbers] * 4),
        numbers,
        numbers,
    ),
    st.builds(OrderEvent, times, numbered, numbered, *[words] * 3, *[numbers] * 4, words, words),
    st.builds(
        TradeContext, numbered, times, st.one_of(numbers, st.just(math.nan)), st.sampled_from(["", "new"])
    ),
    st.builds(GateFact, st.just("on_fill"), times, st.tuples(numbers, numbers, numbers)),
)


@given(records)
def test_a_record_comes_back_to_the_last_bit(record):
    assert repr(record_from_json(*record_to_json(record))) == repr(record)


sizes, prices = st.sampled_from([-75.0, 75.0]), st.floats(900, 1100)
facts = st.lists(
    st.one_of(
        st.tuples(st.just("on_entry"), st.just(())),
        st.tuples(st.just("on_fill"), st.tuples(sizes, prices, st.floats(0, 99))),
        st.tuples(st.just("on_trade_closed"), st.tuples(st.floats(-1e4, 1e4))),
        st.tuples(st.just("mark"), st.tuples(prices)),
    ),
    max_size=30,
)


@given(facts, st.integers(1, 2000))
def test_a_gate_that_is_told_the_same_has_the_same_counters(facts, minutes_apart):
    told = NotingGate(RiskGate([DailyLoss(None, 2000.0)], 1e6), 1e6)
    for number, (method, values) in enumerate(facts):
        getattr(told, method)(NOON + number * dt.timedelta(minutes=minutes_apart), *values)
        if method == "mark":
            told.must_flatten()
    again = NotingGate(told, 1e6)
    again.replay(told.facts)
    assert again.state == told.state
    assert again.facts == []


def state_of(**changed):
    return BookState(**{**BookState("NIFTY", 1e6, 1e6, 0, 0, NOON, math.nan)._asdict(), **changed})


def test_a_new_book_is_empty_and_a_written_one_is_what_was_written(tmp_path):
    path = tmp_path / "deep" / "paper.sqlite"
    book = PaperBook(path)
    assert book.load() is None
    order = {"info": {"role": "entry"}, "ref": 1}
    book.write([TradeContext(1, NOON, 0.75)], state_of())
    book.write([TradeContext(2, NOON, 0.5)], state_of(cash=0.1 + 0.2, orders=(order,), working=(1,)))
    book.close()
    book.close()
    book = PaperBook(path)
    state, kept = book.load()
    book.close()
    assert kept == [TradeContext(1, NOON, 0.75), TradeContext(2, NOON, 0.5)]
    assert repr(state) == repr(state_of(cash=0.1 + 0.2, orders=(order,), working=(1,)))


def test_a_book_of_before_there_were_arms_is_read():
    kind, text = record_to_json(TradeContext(1, NOON, 0.75))
    older = {name: value for name, value in json.loads(text).items() if name != "arm"}
    assert record_from_json(kind, json.dumps(older)) == TradeContext(1, NOON, 0.75, "")


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO records (kind, body) VALUES ('Rumour', '{}')",
        "INSERT INTO records (kind, body) VALUES ('OrderEvent', '{\"time\": 3}')",
        "INSERT INTO records (kind, body) VALUES ('KeptFill', '{\"time\": \"2024-06-03T12:00:00\"}')",
        "UPDATE state SET body = '{}'",
        "UPDATE state SET body = 'nothing'",
        "DROP TABLE records",
        "DROP TABLE state",
    ],
)
def test_a_damaged_book_is_refused(tmp_path, statement):
    path = tmp_path / "paper.sqlite"
    book = PaperBook(path)
    book.write([], state_of())
    book._database.execute(statement)
    with pytest.raises(DataError, match=r"paper book.*keep (it|the file) for inspection") as caught:
        book.load()
    assert "\n" not in str(caught.value)
    book.close()


def test_a_file_of_another_kind_is_refused_and_not_touched(tmp_path):
    path = tmp_path / "paper.sqlite"
    path.write_text("date,price\n" * 400, encoding="utf-8")
    with pytest.raises(DataError, match=r"paper\.sqlite cannot be used \(file is not a database\)"):
        PaperBook(path)
    assert path.read_text(encoding="utf-8") == "date,price\n" * 400


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    with pytest.raises(DataError, match=r"cannot be written \(File exists\).*--out"):
        PaperBook(tmp_path / "taken" / "paper.sqlite")


def test_a_write_that_fails_leaves_the_book_as_it_was(tmp_path):
    path = tmp_path / "paper.sqlite"
    book = PaperBook(path)
    book.write([TradeContext(1, NOON, 0.75)], state_of())
    book._database.execute("PRAGMA max_page_count = 1")
    with pytest.raises(DataError, match="could not be written"):
        book.write([OrderEvent(NOON, 1, 1, "entry", "market", "x" * 100_000, 75, 1.0)], state_of(cash=1.0))
    book.close()
    book = PaperBook(path)
    state, kept = book.load()
    book.close()
    assert (state.cash, kept) == (1e6, [TradeContext(1, NOON, 0.75)])
