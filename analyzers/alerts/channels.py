"""Which channels there are: those whose secrets are given and that are not switched off."""

from __future__ import annotations

import re
from collections import Counter
from urllib.parse import quote, urlsplit

from analyzers.alerts.apprise_channel import AppriseChannel
from analyzers.alerts.channel import Channel
from analyzers.alerts.mail import EmailChannel, is_plain_address, smtp_address
from analyzers.alerts.settings import AlertsSettings
from analyzers.alerts.telegram import TelegramChannel
from analyzers.alerts.telegram_api import TelegramApi
from feeds.errors import SettingsError
from feeds.log import Log
from feeds.secrets import Secrets

__all__ = ["make_channels", "telegram_of"]


def make_channels(settings: AlertsSettings, secrets: Secrets, log: Log) -> list[Channel]:
    """Return the channels, and have the secrets within their addresses hidden as well. Connects to nothing.

    Raises
    ------
    SettingsError
        A secret or an address is malformed, or one of a pair is missing.
    """
    channels: list[Channel] = []
    if settings.telegram_from != "off" and (telegram := telegram_of(settings, secrets)):
        api, chat_id = telegram
        channels.append(TelegramChannel(api, chat_id, settings.telegram_from))
    if settings.email_from != "off" and (pair := _pair(secrets, "SMTP_URL", "ALERT_EMAIL_TO")):
        url, recipients = pair[0], _recipients(pair[1])
        address = smtp_address(url, recipients)
        if address.password:
            secrets.remember(address.password, quote(address.password))
        channels.append(EmailChannel(address, recipients, settings.email_from))
    if settings.other_from != "off":
        addresses = (secrets.get("APPRISE_URLS") or "").split()
        secrets.remember(*addresses)
        kinds: Counter[str] = Counter()
        for address_text in addresses:
            kind = urlsplit(address_text).scheme or "unknown"
            kinds[kind] += 1
            name = kind if kinds[kind] == 1 else f"{kind}-{kinds[kind]}"
            channels.append(AppriseChannel(name, address_text, settings.other_from))
    log.info("alert_channels", channels=[f"{channel.name} from {channel.least}" for channel in channels])
    return channels


def telegram_of(settings: AlertsSettings, secrets: Secrets) -> tuple[TelegramApi, str] | None:
    """Return bot and chat, None where neither is given.

    Raises
    ------
    SettingsError
        One is malformed, or missing.
    """
    pair = _pair(secrets, "TELEGRAM_BOT_TOKEN", "TELEGRAM_CHAT_ID")
    if pair is None:
        return None
    token, chat_id = pair
    if not re.fullmatch(r"-?\d+|@\w+", chat_id):
        raise SettingsError(
            f"TELEGRAM_CHAT_ID is {chat_id!r}, expected a number such as 123456789 (a group's begins with "
            "-) or @channel; write to the bot and look for chat.id in its getUpdates"
        )
    return TelegramApi(settings.telegram_api_root, token), chat_id


def _pair(secrets: Secrets, first: str, second: str) -> tuple[str, str] | None:
    values = secrets.get(first), secrets.get(second)
    if values[0] and values[1]:
        return values[0], values[1]
    if not any(values):
        return None
    given, missing = (first, second) if values[0] else (second, first)
    raise SettingsError(
        f"{given} is set and {missing} is not, expected both or neither; set it, or take the other away"
    )


def _recipients(text: str) -> list[str]:
    """Return the addresses of ``ALERT_EMAIL_TO``, which commas or blanks separate."""
    found = [part for part in re.split(r"[,;\s]+", text) if part]
    wrong = [part for part in found if not is_plain_address(part)]
    if wrong or not found:
        raise SettingsError(
            f"ALERT_EMAIL_TO holds {(wrong or [text])[0]!r}, expected plain ASCII addresses such as "
            "me@example.com with commas between them; correct it"
        )
    return found
