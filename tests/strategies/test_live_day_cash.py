"""What an account began with, when its day is started anew: the same as before, whatever is free by now."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import pytest

from brokers.desk.facts import DayOpened
from brokers.desk.journal_file import JournalFile
from brokers.paper_book import PaperBook
from brokers.paper_records import BookState
from feeds.clock import IST, ReplayClock
from feeds.errors import BrokerError
from feeds.log import NullLog
from strategies.live_day import LiveDay
from tests.support import settings_of

DAY = dt.date(2026, 11, 20)
NAMES = ("NIFTY", "BANKNIFTY")
CLOCK = ReplayClock(dt.datetime(2026, 11, 20, 9, 0, tzinfo=IST))


def day_of(folder, mode, free):
    settings = settings_of(
        market={"instruments": list(NAMES), "lot_size": "dated", "freeze_quantity": "dated"},
        broker={"starting_cash": free},
    )
    request = SimpleNamespace(settings=settings, mode=mode, secrets=None)
    store = SimpleNamespace(free_margin=lambda: free, access_token="")
    return LiveDay(request, None, CLOCK, store, folder, NullLog())


def leave_behind(folder, name, mode, cash):
    (folder / name).mkdir()
    if mode == "paper":
        book = PaperBook(folder / name / "paper.sqlite")
        book.write([], BookState(name, cash, cash - 100.0, 0, 0, CLOCK.now().replace(tzinfo=None), 1.0))
        book.close()
        return
    journal = JournalFile(folder / name / "journal.sqlite", CLOCK)
    journal.append([DayOpened(DAY, f"{name}26NOVFUT", "MIS", cash, "mutest0000")])
    journal.close()


@pytest.mark.parametrize("mode", ["live", "paper"])
@pytest.mark.parametrize("known", [(), ("NIFTY",), ("BANKNIFTY",), NAMES])
def test_the_day_goes_on_from_what_it_began_with(tmp_path, mode, known):
    for name in known:
        leave_behind(tmp_path, name, mode, 1_000_000.0)
    assert day_of(tmp_path, mode, 400_000.0)._cash() == (1_000_000.0 if known else 400_000.0)


@pytest.mark.parametrize("mode", ["live", "paper"])
def test_instruments_that_began_with_different_amounts_are_on_no_one_account(tmp_path, mode):
    leave_behind(tmp_path, "NIFTY", mode, 1_000_000.0)
    leave_behind(tmp_path, "BANKNIFTY", mode, 2_000_000.0)
    with pytest.raises(BrokerError, match=r"NIFTY with 1,000,000.00, BANKNIFTY with 2,000,000\.00 rupees"):
        day_of(tmp_path, mode, 400_000.0)._cash()
