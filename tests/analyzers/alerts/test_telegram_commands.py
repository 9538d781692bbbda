"""Commands from Telegram: only the configured chat, only fresh ones, each once, and always an answer."""

from __future__ import annotations

import datetime as dt
import threading
import time
from typing import NamedTuple

import pytest

from analyzers.alerts.telegram_api import TelegramApi
from analyzers.alerts.telegram_commands import TelegramCommands, make_telegram_commands
from analyzers.alerts.worker import Pauses
from feeds.clock import IST, ReplayClock
from feeds.errors import BrokerError
from feeds.log import NullLog
from feeds.secrets import Secrets
from tests.analyzers.alerts.support import AT_ONCE, Hand, MemoryLog, settings_of, telegram_secrets
from tests.telegram_server import (
    BLOCKED,
    BROKEN,
    CHAT,
    HANG,
    TOKEN,
    TRICKLE,
    Fault,
    Received,
    TelegramServer,
    too_many,
)


class Outcome(NamedTuple):
    outcome: str
    words: str


class Desk:
    """The trading side: notes commands, and answers as told."""

    def __init__(self) -> None:
        self.commands: list[tuple[str, str, str]] = []
        self.outcome: Outcome | Exception = Outcome("done", "entries are paused")

    def send(self, command: str, by: str, reason: str) -> Outcome:
        self.commands.append((command, by, reason))
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


class Listening:
    """A listener on a server, past its first question."""

    def __init__(self, server: TelegramServer, **options) -> None:
        self.server = server
        self.desk = Desk()
        self.log = MemoryLog()
        self.commands = TelegramCommands(
            TelegramApi(server.root, TOKEN), CHAT, self.desk.send, lambda: "flat, +0 rupees", self.log,
            **{"timeout_seconds": 10.0, "poll_seconds": 5, "pauses": AT_ONCE, **options},
        )  # fmt: skip

    def __enter__(self) -> Listening:
        self.commands.start()
        assert self.server.wait(lambda: self.server.calls.count("getUpdates") >= 2)
        return self

    def __exit__(self, *_: object) -> None:
        self.commands.stop()


@pytest.fixture
def server():
    with TelegramServer() as server:
        yield server


@pytest.mark.parametrize(
    ("text", "command", "reason"),
    [
        ("/pause", "pause", "@owner"),
        ("/resume", "resume", "@owner"),
        ("/flatten", "flatten", "@owner"),
        ("/FLATTEN", "flatten", "@owner"),
        ("/pause@muhurat_bot", "pause", "@owner"),
        ("/Pause@Muhurat_Bot budget", "pause", "@owner: budget"),
        ("/pause@muhurat_bot\nbudget", "pause", "@owner: budget"),
        ("/pause  budget\nspeech ", "pause", "@owner: budget speech"),
        ("/pause " + "x" * 500, "pause", "@owner: " + "x" * 200),
    ],
)
def test_a_command_is_handed_over_at_once_and_answered(server, text, command, reason):
    with Listening(server) as listening:
        server.write(text)
        assert server.wait_received(1) == [Received(CHAT, "Done: entries are paused", False)]
    assert listening.desk.commands == [(command, "telegram", reason)]


def test_what_is_refused_is_answered_with_its_reason(server):
    with Listening(server) as listening:
        listening.desk.outcome = Outcome("refused", "the kill switch is on")
        server.write("/resume")
        server.wait_received(1)
        listening.desk.outcome = BrokerError("no answer within 3 seconds")
        server.write("/resume")
        server.wait_received(2)
    assert server.texts == [
        "Not done: the kill switch is on",
        "Not done: the command could not be handed over (no answer within 3 seconds).",
    ]


@pytest.mark.parametrize("text", ["/help", "/start", "/kill", "/", "/status_"])
def test_anything_else_with_a_slash_gets_the_list(server, text):
    with Listening(server) as listening:
        server.write(text)
        assert "/flatten" in server.wait_received(1)[0].text
    assert listening.desk.commands == []


def test_status_is_asked_of_who_knows(server):
    with Listening(server):
        server.write("/status")
        assert server.wait_received(1)[0].text == "flat, +0 rupees"


def test_what_is_meant_for_another_bot_is_passed_over(server):
    with Listening(server) as listening:
        for text in ("/resume@some_other_bot", "/flatten@muhurat_bot2", "/status@", "/help@x@muhurat_bot"):
            server.write(text)
        server.write("/flatten@other_bot", age_seconds=4000)
        server.write("/status@muhurat_bot")
        server.wait_received(1)
        server.write("/status@muhurat_bot")
        server.wait_received(2)
    assert server.texts == ["flat, +0 rupees"] * 2
    assert listening.desk.commands == []
    assert server.calls.count("getMe") == 1


def test_a_command_with_a_name_is_not_obeyed_while_ours_is_not_known(server):
    server.faults.append(BROKEN)  # for getMe
    with Listening(server) as listening:
        server.write("/flatten@muhurat_bot")
        assert server.wait_received(1)[0].text == (
            "Not done: /flatten@muhurat_bot: my own name could not be asked for (Telegram answered 500 "
            "(Internal Server Error)). Send it again, or without the name."
        )
        assert listening.desk.commands == []
        server.write("/pause")
        server.wait_received(2)
        server.write("/flatten@muhurat_bot")
        server.wait_received(3)
    assert [command for command, *_ in listening.desk.commands] == ["pause", "flatten"]


def test_strangers_are_logged_once_and_never_answered(server):
    server.chats.add("666")
    with Listening(server) as listening:
        server.write("/flatten", chat_id="666")
        server.write("/flatten", chat_id="666")
        server.write("/status", chat_id="-4242")
        server.write("/status")
        server.wait_received(1)
        told = listening.log.of("telegram_stranger")
    assert [message.chat for message in server.received] == [CHAT]
    assert [record["chat"] for record in told] == ["666", "-4242"]
    assert listening.desk.commands == []


@pytest.mark.parametrize(
    "message",
    [
        {"text": "just talk"},
        {"text": None},
        {"text": "/flatten", "date": "yesterday"},
        {"text": "/flatten", "chat": None},
        {"text": "/flatten", "chat": {"id": True}},
    ],
)
def test_what_is_no_command_is_passed_over(server, message):
    with Listening(server) as listening:
        server.write(**message)
        server.write("/status", **{"from": None})
        server.wait_received(1)
    assert server.texts == ["flat, +0 rupees"]
    assert listening.desk.commands == []


def test_what_was_written_before_the_start_is_not_obeyed(server):
    for text in ("/flatten", "/pause", "/flatten"):
        server.write(text)
    with Listening(server) as listening:
        server.write("/status")
        server.wait_received(2)
    assert server.texts == [
        "Not done: /flatten was sent before I listened. Send it again if it still holds.",
        "flat, +0 rupees",
    ]
    assert listening.desk.commands == []


@pytest.mark.parametrize(
    ("age_seconds", "is_obeyed"), [(0, True), (50, True), (58, True), (62, False), (4000, False)]
)
def test_an_old_command_is_not_obeyed_by_telegrams_own_clock(server, age_seconds, is_obeyed):
    wrong = ReplayClock(dt.datetime(2010, 1, 1, tzinfo=IST))
    with Listening(server, clock=wrong) as listening:
        server.write("/flatten", age_seconds=age_seconds)
        (answer,) = server.wait_received(1)
    assert bool(listening.desk.commands) is is_obeyed
    assert answer.text.startswith("Done" if is_obeyed else "Not done: /flatten came")


@pytest.mark.parametrize(("seconds", "is_obeyed"), [(50.0, True), (62.0, False)])
def test_a_command_grows_old_while_those_before_it_are_answered(server, seconds, is_obeyed):
    hand = Hand()
    with Listening(server, stopwatch=hand) as listening:
        send = listening.desk.send

        def slowly(command: str, by: str, reason: str) -> Outcome:
            hand.seconds += seconds
            return send(command, by, reason)

        listening.commands._send_command = slowly
        with server.changed:  # both come in one answer
            server.write("/pause")
            server.write("/flatten")
        server.wait_received(2)
    assert len(listening.desk.commands) == (2 if is_obeyed else 1)
    assert server.texts[1].startswith("Done" if is_obeyed else f"Not done: /flatten came {seconds:.0f}"[:-1])


@pytest.mark.parametrize(("megabytes", "is_split"), [(1, False), (4, True)])
def test_a_batch_that_is_too_large_is_asked_for_one_by_one(server, megabytes, is_split):
    with Listening(server) as listening:
        with server.changed:
            for _ in range(3):
                server.write("/pause", caption="x" * megabytes * 1_000_000)
        server.wait_received(3)
        assert bool(listening.log.of("telegram_commands_down")) is is_split
    assert [command for command, *_ in listening.desk.commands] == ["pause"] * 3


def test_a_command_is_obeyed_once_even_if_it_is_handed_out_again(server):
    with Listening(server, timeout_seconds=1.0, poll_seconds=1) as listening:
        for _ in range(3):
            server.write("/pause")
        server.wait_received(3)
        server.update_faults.extend([BROKEN, HANG, Fault("garbage"), Fault("drop")])
        server.write("/resume")
        server.wait_received(4)
        server.write("/status")
        server.wait_received(5)
    assert [command for command, *_ in listening.desk.commands] == ["pause", "pause", "pause", "resume"]


@pytest.mark.parametrize(
    "fault",
    [
        BROKEN,
        too_many(0.05),
        Fault("garbage"),
        Fault("drop"),
        HANG,
        TRICKLE,
        Fault("status", 409, "Conflict: x"),
    ],
)
def test_it_goes_on_listening_after_a_fault_and_says_so_once(server, fault):
    server.update_faults.extend([fault] if fault in (HANG, TRICKLE) else [fault, fault])
    with Listening(server, timeout_seconds=1.0, poll_seconds=1) as listening:
        listening.log.wait("telegram_commands_up")
        server.write("/status")
        server.wait_received(1)
        assert len(listening.log.of("telegram_commands_down")) == 1


def test_a_wrong_token_is_told_with_the_remedy_and_not_asked_for_all_the_time(server):
    log = MemoryLog()
    commands = TelegramCommands(
        TelegramApi(server.root, "1:wrong"), CHAT, Desk().send, str, log, pauses=Pauses(0.001, 1000.0)
    )
    commands.start()
    assert "BotFather" in log.wait("telegram_commands_down")[0]["remedy"]
    commands.stop()
    assert len(log.records) == 1


def test_an_answer_that_cannot_be_sent_is_logged_and_the_command_is_done(server):
    server.standing_fault = BLOCKED
    with Listening(server) as listening:
        server.write("/flatten")
        listening.log.wait("telegram_answer_lost")
    assert len(listening.desk.commands) == 1


@pytest.mark.parametrize("fault", [None, HANG, TRICKLE])
def test_a_stop_does_not_wait_for_the_server(server, fault):
    with Listening(server, timeout_seconds=60, poll_seconds=50):
        if fault is not None:
            server.update_faults.append(fault)
            server.write("hello")  # ends the question that is on
            assert server.wait(lambda: server.hanging == 1)
        begun = time.monotonic()
    assert time.monotonic() - begun < 10
    assert not any(thread.name == "telegram-commands" for thread in threading.enumerate())


@pytest.mark.parametrize(
    ("secrets", "settings", "is_made"),
    [
        (telegram_secrets(), {}, True),
        (telegram_secrets(), {"telegram_from": "off"}, True),
        (telegram_secrets(), {"telegram_commands": False}, False),
        (telegram_secrets(TELEGRAM_CHAT_ID="@my_channel"), {}, False),
        (Secrets(), {}, False),
    ],
)
def test_there_is_a_listener_where_there_is_a_bot_and_a_single_chat(secrets, settings, is_made):
    made = make_telegram_commands(settings_of(**settings), secrets, Desk().send, str, NullLog())
    assert (made is not None) is is_made
