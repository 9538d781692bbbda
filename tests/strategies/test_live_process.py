"""The process around live days: what its companion is told, and what is told of its end."""

import contextlib
import datetime as dt

import pytest

from analyzers.status.now import read_now
from feeds.clock import IST, ReplayClock
from feeds.errors import BrokerError, HaltedError, MuhuratError
from feeds.live_log import make_log
from feeds.secrets import Secrets
from strategies.live_controls import Command
from strategies.live_process import LiveProcess
from strategies.live_request import LiveRequest
from strategies.settings import Settings
from tests.analyzers.alerts.support import MemoryLog
from tests.telegram_server import CHAT, TOKEN, TelegramServer

CLOCK = ReplayClock(dt.datetime(2026, 9, 24, 16, 0, tzinfo=IST))
KITE = {"KITE_API_KEY": "key", "KITE_API_SECRET": "s3cret-of-kite", "KITE_ACCESS_TOKEN": "t0ken-of-kite"}
NO_PAGE = {"status": {"enabled": False}}
CHAT_SECRETS = {"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_CHAT_ID": CHAT}


def request(secrets=None, **settings):
    status = {"port": 0, **settings.pop("status", {})}
    return LiveRequest(
        settings=Settings.model_validate({"status": status, **settings}), mode="live", clock="feed",
        secrets=Secrets(KITE | (secrets or {})),
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (KeyError("price"), ["KeyError: 'price'"]),
        (BrokerError("no login"), ["BrokerError: no login"]),
        (HaltedError("told as it came"), []),
        (KeyboardInterrupt(), []),
        (None, []),
    ],
    ids=lambda case: type(case).__name__,
)
def test_an_error_that_ends_it_is_logged_while_somebody_still_reads(folder, error, told):
    log = MemoryLog()
    with (
        contextlib.suppress(KeyError, MuhuratError, KeyboardInterrupt),
        LiveProcess(request(**NO_PAGE), folder, CLOCK, log),
    ):
        if error is not None:
            raise error
    assert [record["error"] for record in log.records if record["event"] == "ended_by_error"] == told
    now = read_now(folder)
    assert (now.phase, now.why) == (
        "over",
        "ended in order" if error is None else f"ended by {type(error).__name__}",
    )


def test_the_owner_is_told_of_an_error_that_ends_it_and_of_no_death(folder):
    with TelegramServer() as telegram:
        alerts = {"alerts": {"telegram_api_root": telegram.root}}
        asked = request(CHAT_SECRETS, **NO_PAGE, **alerts)
        log = make_log(folder / "watch.log", CLOCK, asked.secrets)
        with log, pytest.raises(KeyError), LiveProcess(asked, folder, CLOCK, log):
            raise KeyError("price")
        (message,) = telegram.received
    assert message.text.startswith(
        "CRITICAL LIVE: the program has ended with an error\nError: KeyError: 'price'\n"
    )


@pytest.mark.parametrize(
    ("secrets", "settings", "is_wanted"),
    [
        ({}, {}, True),
        ({}, NO_PAGE, False),
        ({"STATUS_TOKEN": "token-of-the-page"}, NO_PAGE, False),
        (CHAT_SECRETS, NO_PAGE, True),
        ({"HEARTBEAT_URL": "https://example.com/beat"}, NO_PAGE, True),
    ],
)
def test_a_companion_is_there_for_a_page_or_a_channel_and_never_sees_what_can_trade(
    folder, secrets, settings, is_wanted
):
    told = LiveProcess(request(secrets, **settings), folder, CLOCK, MemoryLog())._configuration()
    assert (told is not None) == is_wanted
    if told is not None:
        assert told["secrets"] == secrets


class Unreachable:
    """A day that has not begun."""

    turned_at = None

    def __init__(self):
        self.asked = []

    def glance(self):
        return None

    def leave(self, detail):
        self.asked.append(detail)


@pytest.mark.parametrize("command", ["flatten", "kill"])
def test_a_flatten_that_reaches_no_session_says_so_and_is_done_by_the_next_one(folder, command):
    (folder / "journal.sqlite").touch()  # something may be open
    process = LiveProcess(request(**NO_PAGE), folder, CLOCK, MemoryLog())
    process.expect(folder)
    told = process.controls.carry_out(Command(command, "page", "enough"))
    assert told.outcome == "refused"
    assert "NOT closed yet" in told.words
    day = Unreachable()
    process.attach(day, folder, CLOCK)
    assert day.asked == ["page: enough"]


def test_a_flatten_on_a_day_that_never_began_finds_nothing_open(folder):
    process = LiveProcess(request(**NO_PAGE), folder, CLOCK, MemoryLog())
    process.expect(folder)
    assert "nothing is open" in process.controls.carry_out(Command("flatten", "page")).words
