"""Alerts on Telegram, against a stand-in of its server: once each, in order, whatever goes wrong."""

from __future__ import annotations

import time

import pytest

from analyzers.alerts.alert import Alert
from analyzers.alerts.channels import make_channels
from analyzers.alerts.deadline import Deadline
from analyzers.alerts.desk import AlertDesk, make_alert_desk
from analyzers.alerts.worker import Pauses
from feeds.errors import SettingsError
from feeds.log import NullLog
from feeds.secrets import Secrets
from tests.analyzers.alerts.support import AT_ONCE, MemoryLog, alert_of, settings_of, telegram_secrets
from tests.telegram_server import (
    BLOCKED,
    BROKEN,
    CHAT,
    HANG,
    PNG,
    TOKEN,
    TRICKLE,
    WAIT,
    Fault,
    Received,
    TelegramServer,
    too_many,
)

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # Apprise's own

TRICKLE_BODY = Fault("trickle_body")


class Served:
    """A desk on a server; what it logged is at hand."""

    def __init__(self, server: TelegramServer, *, pauses: Pauses = AT_ONCE, secrets=None, **settings) -> None:
        self.log = MemoryLog()
        self.secrets = secrets or telegram_secrets()
        chosen = settings_of(telegram_api_root=server.root, **settings)
        self.desk = AlertDesk(
            make_channels(chosen, self.secrets, self.log), chosen, self.secrets, self.log, pauses=pauses
        )

    def __enter__(self) -> Served:
        self.desk.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.desk.close()

    @property
    def counters(self):
        return self.desk.counters()[0]


@pytest.fixture
def server():
    with TelegramServer() as server:
        yield server


def test_alerts_arrive_once_each_in_order_and_plain(server):
    with Served(server) as served:
        for number in range(30):
            served.desk.put(alert_of(f"{number} <b>*_[x](y)_*", text="line & line"))
        assert served.desk.flush(WAIT)
        assert served.counters.sent == 30
    assert server.texts == [f"{number} <b>*_[x](y)_*\nline & line" for number in range(30)]


@pytest.mark.parametrize(("severity", "is_silent"), [("info", True), ("warning", False), ("critical", False)])
def test_only_what_is_as_it_should_be_comes_without_a_sound(server, severity, is_silent):
    with Served(server) as served:
        served.desk.put(alert_of("x", severity))
        assert served.desk.flush(WAIT)
    assert server.received == [Received(CHAT, "x", is_silent)]


def test_a_picture_comes_with_its_caption(server, tmp_path):
    chart = tmp_path / "chart.png"
    chart.write_bytes(PNG + b"picture")
    with Served(server) as served:
        served.desk.put(alert_of("the day", text="y" * 2000, attachments=(chart,)))
        assert served.desk.flush(WAIT)
    (received,) = server.received
    assert received.photo == PNG + b"picture"
    assert received.text.startswith("the day\nyyy")
    assert (len(received.text), received.text[-1]) == (1024, "…")


@pytest.mark.parametrize("content", [None, b"", b"no picture", PNG + bytes(10_000_000)])
def test_a_picture_that_cannot_be_sent_does_not_take_the_words_with_it(server, tmp_path, content):
    chart = tmp_path / "chart.png"
    if content is not None:
        chart.write_bytes(content)
    with Served(server) as served:
        served.desk.put(alert_of("the day", attachments=(chart,)))
        assert served.desk.flush(WAIT)
        assert (served.counters.sent, served.counters.failed) == (1, 0)
    assert server.received == [Received(CHAT, "the day", True)]


@pytest.mark.parametrize("text", ["😀" * 3500, "x" * 10_000, "a\x00b\ud800\r\nc"])
def test_any_text_can_be_sent(server, text):
    with Served(server) as served:
        served.desk.put(alert_of("t" * 5000, text=text))
        assert served.desk.flush(WAIT)
        assert served.counters.sent == 1
    assert len(server.texts[0].encode("utf-16-le")) // 2 <= 4096


FAULTS = {
    "500": BROKEN,
    "502 without JSON": Fault("garbage"),
    "429": too_many(0.05),
    "the connection breaks": Fault("drop"),
    "hangs": HANG,
    "trickles in its headers": TRICKLE,
    "trickles in its body": TRICKLE_BODY,
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_after_a_fault_everything_arrives_once_and_in_order(server, fault):
    is_slow = fault in (HANG, TRICKLE, TRICKLE_BODY)
    server.faults.extend([fault] if is_slow else [fault, fault])
    # Long enough for what is well on a busy machine: a message that is well and late would be sent twice.
    with Served(server, timeout_seconds=1.5 if is_slow else 30.0) as served:
        for number in range(5):
            served.desk.put(alert_of(str(number)))
        assert served.desk.flush(WAIT)
        assert (served.counters.sent, served.counters.failed) == (5, 0)
        assert len(served.log.of("alert_channel_down")) >= 1
        assert len(served.log.of("alert_channel_up")) == 1
    assert [text.split("\n")[0] for text in server.texts] == ["0", "1", "2", "3", "4"]


def test_a_server_that_refuses_connections_gets_all_when_it_is_back():
    with TelegramServer(is_refusing=True) as server, Served(server) as served:
        for number in range(3):
            served.desk.put(alert_of(str(number)))
        served.log.wait("alert_channel_down")
        assert "refused" in served.counters.last_error
        assert served.counters.queued == 3
        server.listen()
        assert served.desk.flush(WAIT)
        assert server.texts == ["0", "1", "2"]


def test_an_answer_that_was_lost_is_told_with_the_second_message(server):
    server.faults.append(Fault("status", 502, is_taken=True))
    with Served(server) as served:
        served.desk.put(alert_of("x"))
        assert served.desk.flush(WAIT)
    assert server.texts == ["x", "x\n(Sent again: the answer to the first try was lost.)"]


def test_the_wait_that_telegram_asks_for_is_kept(server):
    server.faults.append(too_many(0.4))
    with Served(server) as served:
        begun = time.monotonic()
        served.desk.put(alert_of("x"))
        assert served.desk.flush(WAIT)
    assert time.monotonic() - begun >= 0.4
    assert len(server.calls) == 2


def test_a_wait_beyond_patience_gives_up_and_holds_nobody(server):
    server.faults.append(too_many(3600))
    with Served(server) as served:
        served.desk.put(alert_of("x"))
        served.log.wait("alert_given_up")
        assert served.counters.failed == 1
        assert "429" in served.counters.last_error


@pytest.mark.parametrize("fault", [HANG, TRICKLE, TRICKLE_BODY])
def test_a_hanging_server_is_bounded_as_a_whole_drops_are_counted_and_putting_stays_quick(server, fault):
    server.standing_fault = fault
    with Served(server, timeout_seconds=0.5, queue_size=10, give_up_minutes=0.001) as served:
        served.desk.put(alert_of("first", "critical"))
        assert server.wait(lambda: server.hanging == 1)
        begun = time.perf_counter()
        for number in range(5000):
            served.desk.put(alert_of(str(number)))
        # 5,000 in under 2 s: less than a thousandth of the time-out each, on a busy machine as well.
        assert time.perf_counter() - begun < 2.0
        assert served.counters.queued <= 10
        served.log.wait("alert_given_up")
        assert served.counters.failed >= 1
        assert "within 0.5 seconds" in served.counters.last_error
    counters = served.counters
    assert counters.queued == 0
    assert counters.failed + counters.dropped == 5001


def test_closing_cuts_a_try_that_hangs(server):
    server.standing_fault = HANG
    with Served(server, timeout_seconds=100) as served:
        served.desk.put(alert_of("x"))
        assert server.wait(lambda: server.hanging == 1)
        begun = time.monotonic()
    assert time.monotonic() - begun < 10
    assert served.counters.dropped == 1


@pytest.mark.parametrize(
    ("secrets", "fault", "words", "remedy"),
    [
        ({"TELEGRAM_CHAT_ID": "99"}, None, "chat not found", "TELEGRAM_CHAT_ID is not known"),
        ({"TELEGRAM_BOT_TOKEN": "1:wrongToken"}, None, "401", "TELEGRAM_BOT_TOKEN"),
        ({}, BLOCKED, "403", "unblock"),
    ],
)
def test_what_the_user_has_to_correct_fails_at_once_with_the_remedy(server, secrets, fault, words, remedy):
    server.standing_fault = fault
    with Served(server, secrets=telegram_secrets(**secrets), pauses=Pauses(1000, 1000)) as served:
        served.desk.put(alert_of("a"))
        served.desk.put(alert_of("b"))
        assert served.desk.flush(WAIT)
        assert served.counters.failed == 2
        (told,) = served.log.of("alert_channel_down")
    assert words in told["error"]
    assert remedy in told["remedy"]


@pytest.mark.parametrize("fault", [*FAULTS.values(), BLOCKED, Fault("status", 500, f"about {TOKEN}")])
def test_the_token_is_told_nowhere(server, fault):
    server.standing_fault = fault
    with Served(server, timeout_seconds=0.2, give_up_minutes=0.001) as served:
        served.desk.put(alert_of("x"))
        assert served.desk.flush(WAIT)
        told = f"{served.log.records}{served.counters}"
    assert served.counters.failed == 1
    assert TOKEN not in told
    assert TOKEN.split(":")[1] not in told


def test_a_deadline_ends_what_it_watches_and_leaves_no_thread():
    with Deadline(0.05) as deadline:
        assert not deadline.is_over
        deadline.cut()
        assert deadline.is_over
    assert not deadline._timer.is_alive()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"TELEGRAM_BOT_TOKEN": TOKEN}, "TELEGRAM_CHAT_ID is not"),
        ({"TELEGRAM_CHAT_ID": CHAT}, "TELEGRAM_BOT_TOKEN is not"),
        ({"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_CHAT_ID": "my chat"}, "expected a number"),
        ({"TELEGRAM_BOT_TOKEN": "no/token", "TELEGRAM_CHAT_ID": CHAT}, "BotFather"),
        ({"SMTP_URL": "smtp://127.0.0.1"}, "ALERT_EMAIL_TO is not"),
        ({"SMTP_URL": "http://127.0.0.1", "ALERT_EMAIL_TO": "a@b"}, "SMTP_URL cannot be read"),
        ({"SMTP_URL": "smtp://h:port", "ALERT_EMAIL_TO": "a@b"}, "SMTP_URL cannot be read"),
        ({"SMTP_URL": "smtp://u:p/w@h", "ALERT_EMAIL_TO": "a@b"}, "%40"),
        ({"SMTP_URL": "smtp://h", "ALERT_EMAIL_TO": "me"}, "'me'"),
        ({"SMTP_URL": "smtp://h", "ALERT_EMAIL_TO": ","}, "','"),
        ({"APPRISE_URLS": "nosuchservice://x"}, "nosuchservice://***"),
    ],
)
def test_wrong_secrets_are_told_at_the_start_without_being_quoted(values, words):
    with pytest.raises(SettingsError, match=r"expected|set it|correct") as caught:
        make_alert_desk(settings_of(), Secrets(values), NullLog())
    assert words in str(caught.value)
    assert "no/token" not in str(caught.value)
    assert "p/w" not in str(caught.value)


def test_a_channel_without_secret_or_switched_off_is_not_there():
    def names(secrets, **settings):
        return [channel.name for channel in make_channels(settings_of(**settings), secrets, NullLog())]

    every = telegram_secrets(
        SMTP_URL="smtp://127.0.0.1", ALERT_EMAIL_TO="a@b.c", APPRISE_URLS="json://a json://b xml://c"
    )
    assert names(Secrets()) == []
    assert names(every) == ["telegram", "email", "json", "json-2", "xml"]
    assert names(every, telegram_from="off", email_from="off") == ["json", "json-2", "xml"]
    assert names(every, other_from="off") == ["telegram", "email"]
    assert names(Secrets({"TELEGRAM_BOT_TOKEN": TOKEN}), telegram_from="off") == []


@pytest.mark.parametrize(
    ("root", "is_taken"),
    [
        ("https://api.telegram.org", True),
        ("https://my.server:8443/", True),
        ("http://127.0.0.1:8081", True),
        ("http://localhost:8081", True),
        ("http://api.telegram.org", False),
        ("http://127.0.0.1.example.com", False),
        ("https://host/?a=b", False),
        ("ftp://127.0.0.1", False),
        ("https://", False),
    ],
)
def test_the_token_goes_in_the_clear_to_this_machine_only(root, is_taken):
    if is_taken:
        assert settings_of(telegram_api_root=root).telegram_api_root == root.rstrip("/")
    else:
        with pytest.raises(ValueError, match="expected https"):
            settings_of(telegram_api_root=root)


def test_an_alert_is_one_line_and_some_text_of_bounded_length():
    alert = Alert(severity="info", title=" a\nb\x1b[0m ", text="x\r\ny\x07" + "z" * 9000)
    assert alert.title == "a b [0m"
    assert alert.text.startswith("x\ny z")
    assert len(alert.text) == 3500
    assert len(alert.with_note("note").text) == 3500
    assert alert.with_note("note").text.endswith("\nnote")
