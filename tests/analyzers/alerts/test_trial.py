"""``python -m analyzers alerts``: what a person sees who tries the channels before a morning."""

import pytest

from analyzers.__main__ import main
from tests.telegram_server import CHAT, TOKEN, TelegramServer

NAMES = (
    "TELEGRAM_BOT_TOKEN",
    "TELEGRAM_CHAT_ID",
    "SMTP_URL",
    "ALERT_EMAIL_TO",
    "APPRISE_URLS",
    "HEARTBEAT_URL",
)


@pytest.fixture(autouse=True)
def bare(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def bot(monkeypatch):
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", TOKEN)
    monkeypatch.setenv("TELEGRAM_CHAT_ID", CHAT)


def test_without_a_channel_it_says_what_is_needed(capsys):
    assert main(["alerts"]) == 2
    assert "no channel is set up, expected TELEGRAM_BOT_TOKEN" in capsys.readouterr().err


def test_a_channel_that_works_is_told_so(bot, capsys):
    with TelegramServer() as server:
        assert main(["alerts", "--set", f"alerts.telegram_api_root={server.root}"]) == 0
        assert len(server.wait_received(1)) == 1
        assert "a test alert" in server.texts[0]
    assert capsys.readouterr().out == "telegram: sent\n"


def test_a_wrong_chat_is_named_with_its_remedy_and_without_the_token(bot, capsys, monkeypatch):
    monkeypatch.setenv("TELEGRAM_CHAT_ID", "999999")
    with TelegramServer() as server:
        assert main(["alerts", "--set", f"alerts.telegram_api_root={server.root}"]) == 1
    told = capsys.readouterr()
    assert told.out == "telegram: Telegram answered 400 (Bad Request: chat not found)\n"
    assert "TELEGRAM_CHAT_ID" in told.err
    assert TOKEN not in told.out + told.err
