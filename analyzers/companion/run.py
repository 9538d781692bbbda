"""The companion, put together: it starts with its first line, and ends when the trading process does."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import IO, Any

from analyzers.alerts.channel import Channel
from analyzers.alerts.channels import make_channels
from analyzers.alerts.desk import AlertDesk
from analyzers.alerts.heartbeat import make_heartbeat
from analyzers.alerts.rules import AlertRules
from analyzers.alerts.telegram_commands import make_telegram_commands
from analyzers.companion.alert_feed import AlertFeed
from analyzers.companion.configuration import Configuration, parse_configuration
from analyzers.companion.page import Page
from analyzers.companion.parent import Parent
from analyzers.companion.status_words import status_words
from analyzers.status.app import make_app
from analyzers.status.auth import find_token
from analyzers.status.board import Board
from analyzers.status.controls import CommandSender, Outcome
from feeds.clock import WallClock
from feeds.errors import MuhuratError
from feeds.live_log import LiveLog, make_log
from feeds.secrets import Secrets

__all__ = ["run_companion"]

_NICE = 10
_FLUSH_SECONDS = 15.0
_LOG_FILE = "companion.log"
_CHANNEL_SECRETS = (
    ("TELEGRAM_BOT_TOKEN", "TELEGRAM_CHAT_ID"), ("SMTP_URL", "ALERT_EMAIL_TO"), ("APPRISE_URLS",),
)  # fmt: skip
"""By kind of channel: what is wrong with one does not silence the others."""


def run_companion(says: IO[str], hears: IO[str]) -> int:
    """Serve the page, send alerts and hear commands until the trading process ends.

    Parameters
    ----------
    says, hears : file
        The pipes from and to the trading process.

    Returns
    -------
    int
        0: it has ended, in order or not.

    Raises
    ------
    SettingsError
        The first line is no configuration.
    """
    os.nice(_NICE)  # where both want the processor, trading gets it
    configuration = parse_configuration(says.readline())
    parent = Parent(hears, says)
    secrets = Secrets(configuration.secrets)
    with ExitStack() as stack:
        log = stack.enter_context(
            make_log(configuration.state / _LOG_FILE, WallClock(), secrets, megabytes=5.0, files=3)
        )
        desk = _open_desk(configuration, secrets, parent, log)
        stack.callback(desk.close)
        stack.callback(desk.flush, _FLUSH_SECONDS)
        board = Board(
            configuration.state,
            alert_counters=lambda: [dict(counters._asdict()) for counters in desk.counters()],
            mask=secrets.mask,
        )
        stack.enter_context(board)
        send = CommandSender(parent.write_line, board.wait_for_outcome)
        rules = AlertRules(configuration.mode, _public_url(configuration))
        feed = AlertFeed(configuration.state, rules, desk, lambda: _outage(board), log)
        stack.enter_context(feed)
        _listen(configuration, secrets, board, send, parent, log, stack)
        _serve(configuration, secrets, board, send, parent, stack)
        if parent.wait_for_the_end() == "died":
            log.error("trading_process_died")
            feed.hear(_death(board))
    return 0


def _open_desk(configuration: Configuration, secrets: Secrets, parent: Parent, log: LiveLog) -> AlertDesk:
    """Return a desk with the channels whose secrets are right, started; say of the others what is wrong."""
    channels: list[Channel] = []
    for names in _CHANNEL_SECRETS:
        given = secrets.chosen(names)
        if not given:
            continue
        own = Secrets(given)
        try:
            channels += make_channels(configuration.alerts, own, log)
        except MuhuratError as error:
            parent.tell("alerts_off", error=str(error))
        secrets.adopt(own)  # it has learnt what is secret within addresses
    desk = AlertDesk(channels, configuration.alerts, secrets, log)
    desk.start()
    return desk


def _listen(
    configuration: Configuration,
    secrets: Secrets,
    board: Board,
    send: CommandSender,
    parent: Parent,
    log: LiveLog,
    stack: ExitStack,
) -> None:
    """Begin hearing Telegram, and calling the heartbeat's address."""

    def order(command: str, by: str, reason: str) -> Outcome:
        return send(command, by=by, reason=reason)

    def words() -> str:
        view = board.ask()
        return status_words(view.now, view.stale_seconds or 0.0)

    makers: list[Callable[[], Any]] = [
        lambda: make_telegram_commands(configuration.alerts, secrets, order, words, log),
        lambda: make_heartbeat(configuration.alerts, secrets, lambda: not board.outage, log),
    ]
    for make in makers:
        try:
            made = make()
        except MuhuratError as error:
            parent.tell("alerts_off", error=str(error))
            continue
        if made is not None:
            made.start()
            stack.callback(made.stop)


def _serve(
    configuration: Configuration,
    secrets: Secrets,
    board: Board,
    send: CommandSender,
    parent: Parent,
    stack: ExitStack,
) -> None:
    """Serve the page; where that cannot be, everything else goes on."""
    settings = configuration.status
    if not settings.enabled:
        return
    try:
        token = find_token(settings, secrets, configuration.state)
    except (MuhuratError, OSError) as error:
        parent.tell("no_status_page", error=str(error))
        return
    app = make_app(board, token=token.value, settings=settings, send_command=send, secrets=secrets)
    stack.enter_context(Page(app, settings, str(token.file or ""), parent.tell))


def _outage(board: Board) -> str:
    """Return why the trading process cannot be relied upon; its end in order is no reason."""
    view = board.view
    return "" if view.now is None or view.now.phase == "over" else board.outage


def _public_url(configuration: Configuration) -> str | None:
    """Return how the user reaches the page, for a link; None where there is none, or none that lasts."""
    settings = configuration.status
    if not settings.enabled or not (settings.public_url or settings.port):
        return None
    return settings.public_url or f"http://127.0.0.1:{settings.port}"


def _death(board: Board) -> dict[str, str]:
    """Return the record of a death, which nobody else can write any more."""
    now = board.poll().now
    account = now.account if now is not None else None
    held = account.open_words if account is not None else ""
    return {
        "event": "trading_died",
        "level": "error",
        "time": "" if now is None else now.market_time.isoformat(),
        "words": "it is gone without a word",
        "open": held or "nothing, when last heard of",
        "remedy": "start it again, it takes up the day where it was; a stop at the exchange goes on working",
    }
