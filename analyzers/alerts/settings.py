"""The ``alerts`` section of the settings: which channel hears what, and how patient it is."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from feeds.section import Section

__all__ = ["AlertsSettings", "Threshold"]

Threshold = Literal["info", "warning", "critical", "off"]
"""Least severity that a channel is told; ``off``: nothing."""

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class AlertsSettings(Section):
    """Section ``alerts``. The secrets say where alerts go: a channel without its secret is not there."""

    telegram_from: Threshold = Field("info", description="Least severity told on Telegram.")
    email_from: Threshold = Field("warning", description="Least severity told by e-mail.")
    other_from: Threshold = Field("warning", description="Least severity told to the addresses of Apprise.")
    telegram_api_root: str = Field(
        "https://api.telegram.org", description="Server of Telegram's Bot API; http on this machine only."
    )
    telegram_commands: bool = Field(
        True, description="Listen to /status, /pause, /resume and /flatten of the configured chat."
    )
    timeout_seconds: float = Field(
        10.0, gt=0, le=120, description="Time that one try to deliver an alert may take in all."
    )
    queue_size: int = Field(
        100,
        ge=1,
        le=10_000,
        description="Alerts that wait for a channel; beyond, the least severe is dropped.",
    )
    repeat_minutes: float = Field(
        10.0, ge=0, le=1440, description="The same alert is not sent again within that time, but counted."
    )
    give_up_minutes: float = Field(
        15.0, gt=0, le=1440, description="Age at which an alert that cannot be delivered is given up."
    )
    heartbeat_seconds: float = Field(
        60.0, ge=5, le=3600, description="Between two calls of HEARTBEAT_URL, made only while all is well."
    )

    @field_validator("telegram_api_root")
    @classmethod
    def _check_root(cls, value: str) -> str:
        """Refuse an address that would carry the bot's token in the clear through a network."""
        parts = urlsplit(value)
        is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
        if not is_safe or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(
                f"found {value!r}, expected https://HOST, or http://127.0.0.1:PORT for a server on this "
                "machine; correct it"
            )
        return value.rstrip("/")
