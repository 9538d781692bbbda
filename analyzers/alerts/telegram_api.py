"""The part of Telegram's Bot API that is used here: send a text, send a picture, ask for messages.

The bot's token stands in the address of every call, so no address is ever quoted, in no error and no log.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from analyzers.alerts.channel import DeliveryError
from analyzers.alerts.deadline import Deadline
from analyzers.alerts.http_call import HttpAnswer, call
from feeds.errors import SettingsError

__all__ = ["TelegramApi", "TelegramReply"]

_LONGEST_CAPTION = 1024
_LONGEST_TEXT = 4096
"""Of Telegram, counted in UTF-16 units."""

_UPDATES_AT_ONCE = 20
_MOST_BYTES = 1_000_000
_MOST_BYTES_OF_UPDATES = 8_000_000


class TelegramReply(NamedTuple):
    """``result`` of a call that succeeded, and the server's time (aware, None where it does not say it)."""

    result: Any
    date: dt.datetime | None


class TelegramApi:
    """Calls for one bot.

    Parameters
    ----------
    root : str
        Address of the server, without a slash at its end.
    token : str
        As BotFather gave it, ``123456:ABC-DEF``.

    Raises
    ------
    SettingsError
        The token cannot be one.
    """

    def __init__(self, root: str, token: str) -> None:
        if not re.fullmatch(r"\d+:[A-Za-z0-9_-]+", token):
            raise SettingsError(
                "TELEGRAM_BOT_TOKEN is no token of a bot, expected digits, a colon and letters; copy it anew "
                "from @BotFather"
            )
        self._base = f"{root}/bot{token}"

    def send_text(self, chat_id: str, text: str, deadline: Deadline, *, is_silent: bool = False) -> None:
        """Send a plain text; one that is too long is cut.

        Raises
        ------
        DeliveryError
            It was not sent, as far as is known.
        """
        self._call(
            "sendMessage",
            deadline,
            json={
                "chat_id": chat_id,
                "text": _cut(text, _LONGEST_TEXT),
                "disable_notification": is_silent,
                "link_preview_options": {"is_disabled": True},
            },
        )

    def send_picture(
        self, chat_id: str, caption: str, name: str, picture: bytes, deadline: Deadline, *, is_silent: bool
    ) -> None:
        """Send a PNG with a caption, which is cut at 1024 characters.

        Raises
        ------
        DeliveryError
            It was not sent, as far as is known.
        """
        self._call(
            "sendPhoto",
            deadline,
            data={
                "chat_id": chat_id,
                "caption": _cut(caption, _LONGEST_CAPTION),
                "disable_notification": "true" if is_silent else "false",
            },
            files={"photo": (name, picture, "image/png")},
        )

    def name(self, deadline: Deadline) -> str:
        """Ask for the bot's own name, without the @.

        Raises
        ------
        DeliveryError
            There was no usable answer.
        """
        result = self._call("getMe", deadline).result
        name = result.get("username") if isinstance(result, dict) else None
        if not isinstance(name, str) or not name:
            raise DeliveryError("Telegram answered without the bot's name")
        return name

    def updates(
        self, offset: int, wait_seconds: int, deadline: Deadline, *, most: int = _UPDATES_AT_ONCE
    ) -> TelegramReply:
        """Ask for messages from number ``offset`` on (-1: the newest), and wait for one so long.

        Raises
        ------
        DeliveryError
            There was no usable answer.
        """
        return self._call(
            "getUpdates",
            deadline,
            json={
                "offset": offset,
                "timeout": wait_seconds,
                "limit": most,
                "allowed_updates": ["message"],
            },
            most_bytes=_MOST_BYTES_OF_UPDATES,
        )

    def _call(
        self,
        method: str,
        deadline: Deadline,
        *,
        json: Mapping[str, Any] | None = None,
        data: Mapping[str, str] | None = None,
        files: Mapping[str, tuple[str, bytes, str]] | None = None,
        most_bytes: int = _MOST_BYTES,
    ) -> TelegramReply:
        address = f"{self._base}/{method}"
        answer = call("POST", address, deadline, json=json, data=data, files=files, most_bytes=most_bytes)
        return TelegramReply(_result_of(answer), answer.date)


def _result_of(answer: HttpAnswer) -> Any:  # noqa: ANN401 # each method has its own
    """Return the result, or raise what Telegram's answer means."""
    try:
        said = json.loads(answer.body)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        said = {}
    if answer.status == 200 and said.get("ok") is True:
        return said.get("result")
    words = f"Telegram answered {answer.status}"
    if isinstance(said.get("description"), str):
        words += f" ({said['description'][:200]})"
    if answer.status == 429:
        raise DeliveryError(words, retry_after_seconds=_retry_after(said))
    if answer.status >= 500 or answer.status == 200:
        raise DeliveryError(words, may_have_arrived=True)
    raise DeliveryError(words, is_final=True, remedy=_remedy(answer.status, words))


def _retry_after(said: Mapping[str, Any]) -> float:
    asked = said.get("parameters")
    seconds = asked.get("retry_after") if isinstance(asked, dict) else None
    return float(seconds) if isinstance(seconds, (int, float)) and 0 < seconds < 1e6 else 0.0


def _remedy(status: int, words: str) -> str:
    text = words.lower()
    if status in (401, 404):
        return "TELEGRAM_BOT_TOKEN is not that of a bot; copy it anew from @BotFather"
    if "chat not found" in text:
        return "TELEGRAM_CHAT_ID is not known to the bot; write to the bot once, and take your chat's id"
    if status == 403:
        return "the bot may not write there: unblock it, or add it to the group TELEGRAM_CHAT_ID stands for"
    if "upgraded to a supergroup" in text:
        return "the group got a new id: set TELEGRAM_CHAT_ID to it"
    if status == 409:
        return "another program listens with the same bot; end it, or give each its own bot"
    if 300 <= status < 400:
        return "alerts.telegram_api_root points to something else; correct it"
    return "nothing can be done about this message; see the description"


def _cut(text: str, longest: int) -> str:
    """Cut by UTF-16 units, in which Telegram counts, without leaving half a character."""
    if len(text.encode("utf-16-le")) // 2 <= longest:
        return text
    return text.encode("utf-16-le")[: 2 * (longest - 1)].decode("utf-16-le", errors="ignore") + "…"
