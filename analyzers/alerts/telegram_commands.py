"""Commands from Telegram: one chat may ask how it goes, pause, resume and flatten; no other is answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from analyzers.alerts.channel import DeliveryError
from analyzers.alerts.channels import telegram_of
from analyzers.alerts.deadline import Deadline
from analyzers.alerts.settings import AlertsSettings
from analyzers.alerts.telegram_api import TelegramApi, TelegramReply
from analyzers.alerts.worker import Pauses
from feeds.clock import Clock, WallClock
from feeds.errors import MuhuratError
from feeds.log import Log
from feeds.secrets import Secrets

__all__ = ["CommandOutcome", "SendCommand", "TelegramCommands", "make_telegram_commands"]

_Result = TypeVar("_Result")

_POLL_SECONDS = 25
_OLDEST_SECONDS = 60.0
_ORDERS = ("pause", "resume", "flatten")
_HELP = """\
/status  how it goes
/pause  no new entries until /resume; a position is kept with its stop and target
/resume  entries are allowed again
/flatten  closes the position at once, and pauses; there is no further question
/help  this text
Words after a command are noted as its reason."""


class CommandOutcome(Protocol):
    """What became of a command: ``done`` or ``refused``, and a sentence."""

    @property
    def outcome(self) -> str:
        """``done`` or ``refused``."""

    @property
    def words(self) -> str:
        """What was done, or why it was not."""


SendCommand = Callable[[str, str, str], CommandOutcome]
"""Given the command, who gives it (``telegram``), and the reason. May raise MuhuratError or OSError."""


class TelegramCommands:
    """Listens to a bot's messages in a thread of its own.

    What was sent before listening began, or is older than 60 seconds, is not obeyed, and its sender is told
    so: a /flatten that comes out of a tunnel must not close another position. The age is measured between
    Telegram's own clock readings where it gives them, so that this machine's clock does not matter; what
    passes while earlier messages are answered counts. Commands with another bot's name are passed over.

    Parameters
    ----------
    api : TelegramApi
        Of the bot.
    chat_id : str
        Number of the only chat that is heard.
    send_command : callable
        See :data:`SendCommand`; called in the listener's thread.
    status_text : callable
        Returns the answer to /status.
    log : Log
        Told of commands, of strangers, and of failures.
    timeout_seconds : float
        For one answer in all; asking for messages takes up to 25 seconds more.
    poll_seconds : int
        How long the server holds a question that it has no message for.
    pauses : Pauses
        Waits after failures.
    clock : feeds.clock.Clock or None
        None for this machine's.
    stopwatch : callable
        Monotonic seconds.
    """

    def __init__(
        self,
        api: TelegramApi,
        chat_id: str,
        send_command: SendCommand,
        status_text: Callable[[], str],
        log: Log,
        *,
        timeout_seconds: float = 10.0,
        poll_seconds: int = _POLL_SECONDS,
        pauses: Pauses | None = None,
        clock: Clock | None = None,
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._chat_id = chat_id
        self._send_command = send_command
        self._status_text = status_text
        self._log = log
        self._timeout_seconds = timeout_seconds
        self._poll_seconds = poll_seconds
        self._pauses = pauses or Pauses()
        self._clock = clock or WallClock()
        self._stopwatch = stopwatch
        self._name = ""
        self._offset = -1
        self._is_first = True
        self._failures = 0
        self._strangers: set[str] = set()
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._deadline: Deadline | None = None
        self._thread = threading.Thread(target=self._run, name="telegram-commands", daemon=True)

    def start(self) -> None:
        """Begin listening."""
        self._thread.start()

    def stop(self) -> None:
        """End, also a question that is on."""
        self._over.set()
        with self._lock:
            if self._deadline is not None:
                self._deadline.cut()
        if self._thread.ident is not None:
            self._thread.join()

    # -- listening -------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                reply = self._ask()
            except DeliveryError as error:
                self._note_failure(error)
                continue
            if self._failures:
                self._log.info("telegram_commands_up", failures=self._failures)
            self._failures = 0
            self._take(reply)

    def _ask(self) -> TelegramReply:
        wait_seconds = 0 if self._is_first else self._poll_seconds
        # What cannot be read as a whole, because it is too large or the line too slow, may be read in parts.
        options = {"most": 1} if self._failures else {}
        return self._within(
            wait_seconds + self._timeout_seconds,
            lambda deadline: self._api.updates(self._offset, wait_seconds, deadline, **options),
        )

    def _note_failure(self, error: DeliveryError) -> None:
        if self._over.is_set():
            return
        self._failures += 1
        if self._failures == 1:
            self._log.warning("telegram_commands_down", error=error.words, remedy=error.remedy)
        # What somebody has to correct is looked at again rarely; it may be corrected without a restart.
        least = self._pauses.longest_seconds if error.is_final else self._pauses.after(self._failures)
        self._over.wait(max(least, error.retry_after_seconds))

    def _take(self, reply: TelegramReply) -> None:
        arrived, date = self._stopwatch(), reply.date or self._clock.now()
        is_first, self._is_first = self._is_first, False
        self._offset = max(self._offset, 0)
        for update in reply.result if isinstance(reply.result, list) else []:
            if not isinstance(update, dict) or not isinstance(update.get("update_id"), int):
                continue
            if update["update_id"] < self._offset:
                continue
            self._offset = update["update_id"] + 1
            message = update.get("message")
            if isinstance(message, dict):
                self._hear(message, date.timestamp() - arrived, is_from_before=is_first)
            if self._over.is_set():
                return

    def _hear(self, message: Mapping[str, Any], epoch: float, *, is_from_before: bool) -> None:
        """Take a message in; the time, in seconds since 1970, is ``epoch`` and the stopwatch together."""
        chat, text, sent = message.get("chat"), message.get("text"), message.get("date")
        if not isinstance(text, str) or not text.startswith("/") or not isinstance(sent, int):
            return
        chat_id = str(chat.get("id")) if isinstance(chat, dict) else "?"
        if chat_id != self._chat_id:
            if chat_id not in self._strangers and len(self._strangers) < 100:
                self._strangers.add(chat_id)
                self._log.warning(
                    "telegram_stranger", chat=chat_id, remedy="none is needed: it is not answered"
                )
            return
        word, *rest = text.split()
        command, at, name = word[1:].lower().partition("@")
        if at:
            try:
                own = self._own_name()
            except DeliveryError as error:
                self._answer(
                    f"Not done: {word[:80]}: my own name could not be asked for ({error.words}). Send it "
                    "again, or without the name."
                )
                return
            if name != own:
                return
        age = epoch + self._stopwatch() - sent
        if is_from_before or age > _OLDEST_SECONDS:
            self._log.warning("telegram_command_late", command=command[:20], age_seconds=round(age))
            why = "was sent before I listened" if is_from_before else f"came {age:.0f} seconds late"
            self._answer(f"Not done: {word[:20]} {why}. Send it again if it still holds.")
            return
        self._answer(self._obey(command, _who(message), " ".join(rest)[:200]))

    def _own_name(self) -> str:
        """Return the bot's name in small letters, asked for when it is needed first."""
        if not self._name:
            self._name = self._within(self._timeout_seconds, self._api.name).lower()
        return self._name

    def _obey(self, command: str, who: str, reason: str) -> str:
        if command == "status":
            return self._status_text()
        if command not in _ORDERS:
            return _HELP
        self._log.info("telegram_command", command=command, who=who, reason=reason)
        try:
            done = self._send_command(command, "telegram", f"{who}: {reason}" if reason else who)
        except (MuhuratError, OSError) as error:
            return f"Not done: the command could not be handed over ({error})."
        return f"Done: {done.words}" if done.outcome == "done" else f"Not done: {done.words}"

    def _answer(self, text: str) -> None:
        try:
            self._within(
                self._timeout_seconds, lambda deadline: self._api.send_text(self._chat_id, text, deadline)
            )
        except DeliveryError as error:
            self._log.warning("telegram_answer_lost", error=error.words, remedy=error.remedy)

    def _within(self, seconds: float, do: Callable[[Deadline], _Result]) -> _Result:
        """Do something within a deadline that :meth:`stop` can cut."""
        with Deadline(seconds) as deadline:
            with self._lock:
                self._deadline = deadline
            if self._over.is_set():
                deadline.cut()
            try:
                return do(deadline)
            finally:
                with self._lock:
                    self._deadline = None


def make_telegram_commands(
    settings: AlertsSettings,
    secrets: Secrets,
    send_command: SendCommand,
    status_text: Callable[[], str],
    log: Log,
) -> TelegramCommands | None:
    """Return a listener, not started; None where there is no bot, no single chat, or no wish for it.

    Raises
    ------
    SettingsError
        A secret is malformed, or one of the pair is missing.
    """
    if not settings.telegram_commands:
        return None
    telegram = telegram_of(settings, secrets)
    if telegram is None or telegram[1].startswith("@"):
        return None
    return TelegramCommands(
        *telegram, send_command, status_text, log, timeout_seconds=settings.timeout_seconds
    )


def _who(message: Mapping[str, Any]) -> str:
    """Return the sender's name, as far as it is given, in one line."""
    sender = message.get("from")
    if not isinstance(sender, dict):
        return "somebody"
    name = f"@{sender['username']}" if sender.get("username") else str(sender.get("first_name", "somebody"))
    return " ".join(name.split())[:64]
