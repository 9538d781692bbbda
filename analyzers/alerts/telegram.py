"""Alerts on Telegram: plain text to one chat, with the picture where there is one."""

from __future__ import annotations

from pathlib import Path

from analyzers.alerts.alert import Alert, Severity
from analyzers.alerts.channel import DeliveryError
from analyzers.alerts.deadline import Deadline
from analyzers.alerts.telegram_api import TelegramApi

__all__ = ["TelegramChannel"]

_LARGEST_PICTURE = 10_000_000
"""Bytes that Telegram takes as a photo."""


class TelegramChannel:
    """Sends alerts to a chat; those of severity ``info`` come without a sound.

    Parameters
    ----------
    api : TelegramApi
        Of the bot.
    chat_id : str
        Number of the chat, or ``@name`` of a channel.
    least : {'info', 'warning', 'critical'}
        Least severity sent.
    """

    name = "telegram"

    def __init__(self, api: TelegramApi, chat_id: str, least: Severity) -> None:
        self.least = least
        self._api = api
        self._chat_id = chat_id

    def deliver(self, alert: Alert, deadline: Deadline) -> None:
        """See :class:`analyzers.alerts.channel.Channel`. A picture that is not taken is left out."""
        is_silent = alert.severity == "info"
        picture = _picture(alert.attachments)
        if picture is not None:
            try:
                self._api.send_picture(
                    self._chat_id, alert.words, *picture, deadline=deadline, is_silent=is_silent
                )
            except DeliveryError as error:
                if not error.is_final:
                    raise  # else it may be the picture that is refused: the text must not be lost with it
            else:
                return
        self._api.send_text(self._chat_id, alert.words, deadline, is_silent=is_silent)


def _picture(files: tuple[Path, ...]) -> tuple[str, bytes] | None:
    """Return the first file that can be sent."""
    for file in files:
        try:
            content = file.read_bytes()
        except OSError:
            continue
        if 0 < len(content) <= _LARGEST_PICTURE:
            return file.name, content
    return None
