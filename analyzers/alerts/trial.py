"""A test alert through every channel, so that their set-up is tried before a morning depends on it."""

from __future__ import annotations

from analyzers.alerts.alert import Alert
from analyzers.alerts.desk import make_alert_desk
from analyzers.alerts.settings import AlertsSettings
from analyzers.alerts.worker import ChannelCounters
from feeds.errors import SettingsError
from feeds.log import Log
from feeds.secrets import Secrets

__all__ = ["try_alerts"]

_PATIENCE_TIMES = 2.0


def try_alerts(settings: AlertsSettings, secrets: Secrets, log: Log) -> list[ChannelCounters]:
    """Send one critical alert on each channel that is set up, and return what became of it.

    Parameters
    ----------
    settings : AlertsSettings
        Each channel has twice ``timeout_seconds``; ``off`` holds here too.
    secrets : Secrets
        Say where the channels lead.
    log : Log
        Told what fails, with its remedy.

    Raises
    ------
    SettingsError
        No channel is set up, or a secret of one is malformed.
    """
    desk = make_alert_desk(settings, secrets, log)
    try:
        if not desk.counters():
            raise SettingsError(
                "no channel is set up, expected TELEGRAM_BOT_TOKEN with TELEGRAM_CHAT_ID, SMTP_URL with "
                "ALERT_EMAIL_TO, or APPRISE_URLS; set one in the environment or in secrets.env"
            )
        desk.put(
            Alert(
                severity="critical",
                title="Muhurat: a test alert",
                text="If you can read this, the channel works. Nothing has happened.",
            )
        )
        desk.flush(_PATIENCE_TIMES * settings.timeout_seconds)
        return desk.counters()
    finally:
        desk.close()
