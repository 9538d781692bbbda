"""The access token of the day, in a file that only its owner can read."""

from __future__ import annotations

import datetime as dt
import json
import os
import stat
import tempfile
from pathlib import Path
from typing import NamedTuple

from feeds.clock import IST
from feeds.errors import BrokerError

__all__ = ["StoredToken", "TokenStore"]

_LOGIN = "log in with: python -m brokers login"
_OTHERS = 0o077


class StoredToken(NamedTuple):
    """A login; ``login_time`` and ``ends`` are aware, ``api_key`` names the app it was made for."""

    api_key: str
    access_token: str
    user_id: str
    login_time: dt.datetime
    ends: dt.datetime

    def __repr__(self) -> str:
        """Leave the token out: what is shown ends up in a log."""
        return f"StoredToken(user_id={self.user_id!r}, ends={self.ends})"


class TokenStore(NamedTuple):
    """Where the token of a broker is kept, and how it ends there.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    setting : str
        The setting that names it, such as ``broker.kite.token_file``.
    key_name : str
        The secret that holds the app's key, such as ``KITE_API_KEY``.
    ends_at : datetime.time
        When tokens die, Asia/Kolkata.
    """

    path: Path
    setting: str
    key_name: str
    ends_at: dt.time

    def end_of(self, login_time: dt.datetime) -> dt.datetime:
        """Return when a token of this login dies: the next ``ends_at``."""
        local = login_time.astimezone(IST)
        end = dt.datetime.combine(local.date(), self.ends_at, tzinfo=IST)
        return end if local < end else end + dt.timedelta(days=1)

    def save(self, token: StoredToken) -> None:
        """Write a token so that the file is whole or not there, and readable by its owner only.

        Raises
        ------
        BrokerError
            If it cannot be written.
        """
        try:
            _write_whole(self.path, token)
        except OSError as error:
            raise BrokerError(
                f"the access token cannot be kept in {self.path} ({error.strerror}), expected a file that "
                f"can be written; set {self.setting}"
            ) from error

    def load(self, *, api_key: str, now: dt.datetime) -> StoredToken:
        """Read the token of the day.

        Parameters
        ----------
        api_key : str
            The app that it is to be used with.
        now : datetime
            Aware.

        Raises
        ------
        BrokerError
            If there is none, others can read it, it is damaged, of another app, or has ended.
        """
        path = self.path
        token = _parse(_read(path), path)
        if token.api_key != api_key:
            raise BrokerError(
                f"the access token in {path} belongs to another app, expected that of {self.key_name}; "
                f"{_LOGIN}"
            )
        if now >= token.ends:
            raise BrokerError(
                f"the access token in {path} ended on {token.ends:%Y-%m-%d at %H:%M}, expected one of "
                f"today; {_LOGIN}"
            )
        return token


def _write_whole(path: Path, token: StoredToken) -> None:
    content = {
        "api_key": token.api_key,
        "access_token": token.access_token,
        "user_id": token.user_id,
        "login_time": token.login_time.isoformat(),
        "ends": token.ends.isoformat(),
    }
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # mkstemp makes files of mode 0600: there is no moment at which others could read.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _read(path: Path) -> str:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if os.name == "posix" and mode & _OTHERS:
            raise BrokerError(
                f"{path} can be read by others (mode {mode:04o}), expected 0600; take the access token for "
                f"known, delete the file and {_LOGIN}"
            )
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BrokerError(f"found no access token at {path}, expected that of today; {_LOGIN}") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise BrokerError(f"{path} cannot be read ({reason}), expected an access token; {_LOGIN}") from error


def _parse(text: str, path: Path) -> StoredToken:
    try:
        content = json.loads(text)
        words = [content[name] for name in ("api_key", "access_token", "user_id")]
        times = [dt.datetime.fromisoformat(content[name]) for name in ("login_time", "ends")]
        if not all(isinstance(word, str) for word in words) or not words[1]:
            raise TypeError("not text")
        if any(time.tzinfo is None for time in times):
            raise ValueError("a time without a zone")
    except (ValueError, KeyError, TypeError) as error:
        # The text itself is not shown: it may hold the token.
        raise BrokerError(
            f"{path} is damaged ({type(error).__name__}), expected what the login writes; {_LOGIN}"
        ) from None
    return StoredToken(*words, *times)
