"""Who may look and who may order: the token, sessions of browsers, and a pause after wrong guesses."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets as random_secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from analyzers.status.hosts import is_loopback
from analyzers.status.settings import StatusSettings
from feeds.errors import SettingsError
from feeds.secrets import Secrets

__all__ = ["SESSION_SECONDS", "TOKEN_FILE", "Auth", "Session", "Token", "TooManyGuessesError", "find_token"]

TOKEN_FILE = "status_token"  # noqa: S105 # the file's name
SESSION_SECONDS = 12 * 3600.0

_GUESSES = 5
_PAUSE_SECONDS = 30.0
_SESSIONS_KEPT = 64
_ADDRESSES_KEPT = 1024
_SHORTEST_TOKEN = 16


class TooManyGuessesError(Exception):
    """Too many wrong tokens came from one address; ``retry_seconds`` is how long only the right one helps."""

    def __init__(self, retry_seconds: float) -> None:
        super().__init__(f"too many wrong tokens, expected a pause of {retry_seconds:.0f} s; then try again")
        self.retry_seconds = retry_seconds


class Session(NamedTuple):
    """A browser that has shown the token."""

    session_id: str
    csrf: str
    ends_at: float


class Token(NamedTuple):
    """The token of the page, and the file that keeps it; no file where ``STATUS_TOKEN`` gives it."""

    value: str
    file: Path | None


class _Guesses(NamedTuple):
    wrong: int
    paused_until: float


class Auth:
    """Checks tokens and keeps sessions, in memory only. Callable from any thread.

    Parameters
    ----------
    token : str
        The one that is right.
    monotonic : callable
        Seconds that only grow.

    Attributes
    ----------
    cookie : str
        Name of the cookie of a session: browsers tell ports of a host apart by nothing else.
    """

    def __init__(self, token: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._token = token.encode()
        self.cookie = f"muhurat_session_{hashlib.blake2b(self._token, digest_size=4).hexdigest()}"
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._guesses: OrderedDict[str, _Guesses] = OrderedDict()

    def is_token(self, given: str, address: str) -> bool:
        """Tell whether a token is the right one.

        Raises
        ------
        TooManyGuessesError
            It is wrong, and the address gave five wrong ones within 30 seconds of pause.
        """
        now = self._monotonic()
        with self._lock:
            # The right one first: behind a proxy, whoever guesses has the address of everybody else
            if hmac.compare_digest(given.encode("utf-8", errors="replace"), self._token):
                self._guesses.pop(address, None)
                return True
            guesses = self._guesses.get(address, _Guesses(0, 0.0))
            if guesses.paused_until > now:
                raise TooManyGuessesError(guesses.paused_until - now)
            wrong = guesses.wrong + 1
            is_last = wrong >= _GUESSES
            self._guesses[address] = _Guesses(
                0 if is_last else wrong, now + _PAUSE_SECONDS if is_last else 0.0
            )
            self._guesses.move_to_end(address)
            if len(self._guesses) > _ADDRESSES_KEPT:
                self._guesses.popitem(last=False)
            return False

    def begin_session(self) -> Session:
        """Return a new session, good for twelve hours; the oldest of too many ends."""
        session = Session(
            random_secrets.token_urlsafe(32),
            random_secrets.token_urlsafe(32),
            self._monotonic() + SESSION_SECONDS,
        )
        with self._lock:
            self._sessions[session.session_id] = session
            if len(self._sessions) > _SESSIONS_KEPT:
                self._sessions.popitem(last=False)
        return session

    def session(self, session_id: str) -> Session | None:
        """Return the session of a cookie, None where it is over or never was."""
        with self._lock:
            session = self._sessions.get(session_id)
            if session is not None and session.ends_at <= self._monotonic():
                del self._sessions[session_id]
                return None
            return session

    def end_session(self, session_id: str) -> None:
        """End a session, if there is one."""
        with self._lock:
            self._sessions.pop(session_id, None)


def find_token(settings: StatusSettings, secrets: Secrets, state_folder: Path) -> Token:
    """Return the token of the page: ``STATUS_TOKEN``, else one made up and kept in the state folder.

    It is hidden in logs from then on.

    Parameters
    ----------
    settings : StatusSettings
        Say where the page listens.
    secrets : Secrets
        Learns the token.
    state_folder : pathlib.Path
        Holds ``status_token``, mode 0600; a new token is written there where there is none.

    Raises
    ------
    SettingsError
        ``status.host`` is beyond this machine and there is no ``STATUS_TOKEN``, or the page is reached from
        there by whatever way and it is a short one.
    OSError
        The file cannot be read or written.
    """
    given = secrets.get("STATUS_TOKEN")
    needs_one = bool(given) or not is_loopback(settings.host)
    if needs_one and settings.beyond and len(given or "") < _SHORTEST_TOKEN:
        found = f"a STATUS_TOKEN of {len(given)} characters" if given else "no STATUS_TOKEN"
        raise SettingsError(
            f"{settings.beyond}, which others can reach, and found {found}, expected one of "
            f"{_SHORTEST_TOKEN} or more; set it in the environment or in secrets.env, or use 127.0.0.1"
        )
    file = None if given else state_folder / TOKEN_FILE
    token = Token(given or "", None) if file is None else Token(_kept_token(file), file)
    secrets.remember(token.value)
    return token


def _kept_token(file: Path) -> str:
    """Return the token in a file, or put a new one there that only its owner can read."""
    try:
        kept = file.read_text(encoding="ascii").strip()
        if len(kept) >= _SHORTEST_TOKEN:
            file.chmod(0o600)
            return kept
    except (FileNotFoundError, UnicodeDecodeError):
        pass
    token = random_secrets.token_urlsafe(24)
    temporary = file.with_name(f".{file.name}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as handle:
        handle.write(f"{token}\n")
    temporary.replace(file)
    return token
