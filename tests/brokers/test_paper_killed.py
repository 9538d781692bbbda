"""A paper account whose process is killed at each of its writes."""

import itertools
import math
import subprocess
import sys
from pathlib import Path

import pytest

from brokers.paper_book import PaperBook
from tests.brokers.paper_cases import at_ist, contents, play
from tests.brokers.paper_killed import FLATTEN, FRAME, PHASES, SETTINGS
from tests.brokers.test_paper_restart import SECOND, closes_of

ROOT = Path(__file__).resolve().parents[2]
NO_BOOK = ([], [])


class NotingBook(PaperBook):
    """Notes what it holds after each write."""

    noted: list

    def write(self, records, state):
        super().write(records, state)
        self.noted.append(contents(self.path))


@pytest.fixture
def whole(tmp_path):
    """The day without a kill: what it did, and its book after each write."""
    NotingBook.noted = []
    played = play(FRAME, SETTINGS, tmp_path / "whole.sqlite", idle=[FLATTEN], make_book=NotingBook)
    assert "-".join(fill.role for fill in played.journal.fills) == (
        "entry-entry-target-target-entry-entry-stop-stop-entry-entry-daily_loss-signal"
    )
    return played, NotingBook.noted


@pytest.fixture
def killed(tmp_path):
    folder = tmp_path / "killed"
    folder.mkdir()
    subprocess.run(
        [sys.executable, "-m", "tests.brokers.paper_killed", folder], cwd=ROOT, check=True, timeout=300
    )
    return folder


@pytest.mark.slow
def test_a_kill_at_any_write_leaves_the_book_of_before_or_after_it(whole, killed):
    played, noted = whole
    assert len(noted) > 15
    for phase in PHASES:
        check_phase(phase, played, noted, killed)


def check_phase(phase, played, noted, killed):
    for write in itertools.count(1):
        path = killed / f"{phase}-{write}.sqlite"
        if write > len(noted):
            assert contents(path) == noted[-1]  # there was no such write: the day ended well
            break
        expected = (
            NO_BOOK if write == 1 and phase != "after" else noted[write - (1 if phase == "after" else 2)]
        )
        assert contents(path) == expected

        book = PaperBook(path)
        stored = book.load()
        book.close()
        seen = at_ist(stored.state.seen_until) if stored else closes_of(FRAME)[0] - 2 * SECOND
        bars = sum(close <= seen for close in closes_of(FRAME))
        for _ in range(2):  # restarted, and once more, with nothing new
            broker = play(FRAME, SETTINGS, path, start=seen + SECOND, breaks_after=bars).broker
            assert contents(path) == expected
            if stored and stored.state.trip:
                assert broker._state_of(broker._traded) == stored.state

        ended = play(FRAME, SETTINGS, path, start=seen + SECOND, idle=[FLATTEN])
        fills = ended.journal.fills
        paid = math.fsum(fill.size * fill.price + fill.charges for fill in fills)
        bound = ended.broker.held * ended.broker.getposition(ended.strategy.data).price
        assert ended.broker.held == sum(fill.size for fill in fills)
        assert ended.broker.getcash() - bound == pytest.approx(ended.broker.startingcash - paid, abs=1e-6)
        assert len({fill.trade_id for fill in fills}) <= 4
        assert contents(path)[0][: len(expected[0])] == expected[0]
        lost_decision = stored and FRAME.signal.iloc[bars - 1] and not stored.state.trip
        if not lost_decision:
            assert ended.broker.held == 0
            assert fills == played.journal.fills
            assert ended.journal.events == played.journal.events
            assert ended.broker.gate.state == played.broker.gate.state
