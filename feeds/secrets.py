"""Keys, tokens and passwords: from the environment or ``secrets.env``, and never shown.

Whatever leaves the program as text, a log line or an error, goes through :meth:`Secrets.mask` first.
"""

from __future__ import annotations

import os
import re
import stat
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

from feeds.errors import BrokerError, SettingsError
from feeds.suggest import did_you_mean

__all__ = ["MASK", "SECRETS_FILE", "Secrets", "load_secrets", "mask_patterns", "without_secrets"]

MASK = "***"
SECRETS_FILE = "secrets.env"

_SECRET = frozenset(
    {
        "KITE_API_SECRET", "KITE_ACCESS_TOKEN", "UPSTOX_API_SECRET", "UPSTOX_ACCESS_TOKEN",
        "TELEGRAM_BOT_TOKEN", "SMTP_URL", "TIMESCALE_DSN", "TIMESCALE_ADMIN_DSN", "STATUS_TOKEN",
        "APPRISE_URLS", "HEARTBEAT_URL", "MUHURAT_STUDY_STORAGE",
    }
)  # fmt: skip
_NO_SECRET = frozenset({"KITE_API_KEY", "UPSTOX_API_KEY", "TELEGRAM_CHAT_ID", "ALERT_EMAIL_TO"})
"""Names that stand in addresses and settings anyway; masked, they would make a log unreadable."""

_SHORTEST = 6
"""A shorter value is hidden only where it stands alone: within words it would hide half of every line."""

_PATTERNS = (
    (
        re.compile(
            r"(?i)((?:access|request|refresh|public)_token|enctoken|api_secret|checksum|password)"
            r"(=|%3D|[\"']\s*:\s*[\"'])[^\s\"'&,;)}\]]+"
        ),
        rf"\1\2{MASK}",
    ),
    (re.compile(r"(?i)\b(token )\w{4,}:\w{4,}"), rf"\1{MASK}"),
    (re.compile(r"(?i)\b(bearer )[\w.\-]{8,}"), rf"\1{MASK}"),
    (re.compile(r"(://[^\s/:@]*:)[^\s/@]+(@)"), rf"\1{MASK}\2"),
)
"""Where secrets stand that nobody told us: in addresses, headers and bodies."""


class Secrets:
    """What is secret in this process.

    Parameters
    ----------
    values : mapping of str to str, optional
        By name, such as ``KITE_API_SECRET``; those that are no secret are held, but not masked.
    """

    def __init__(self, values: Mapping[str, str] = MappingProxyType({})) -> None:
        self._values = dict(values)
        self._lock = threading.Lock()
        self._hidden: tuple[str, ...] = ()
        self.remember(*(value for name, value in self._values.items() if name not in _NO_SECRET))

    def __repr__(self) -> str:
        return f"Secrets({', '.join(sorted(self._values))})"

    def get(self, name: str) -> str | None:
        """Return the value of a name, None where none was given."""
        return self._values.get(name)

    def require(self, name: str, remedy: str) -> str:
        """Return the value of a name.

        Raises
        ------
        BrokerError
            Neither the environment nor ``secrets.env`` has it; ``remedy`` ends the message.
        """
        value = self.get(name)
        if value is None:
            raise BrokerError(
                f"{name} is not set, expected it in the environment or in {SECRETS_FILE}; {remedy}"
            )
        return value

    def chosen(self, names: Iterable[str]) -> dict[str, str]:
        """Return the values of those names that have one, for another process of ours."""
        return {name: self._values[name] for name in names if name in self._values}

    def adopt(self, others: Secrets) -> None:
        """Take over what others hold and hide."""
        self._values |= others._values
        self.remember(*others._hidden)

    def remember(self, *values: str) -> None:
        """Hide these values from now on, such as a token that was just issued. Callable from any thread."""
        with self._lock:
            in_addresses = (quote(value, safe="", errors="replace") for value in values)
            known = {*self._hidden, *values, *in_addresses} - {""}
            self._hidden = tuple(sorted(known, key=len, reverse=True))

    def mask(self, text: str) -> str:
        """Return the text with every secret in it replaced by ``***``. Callable from any thread."""
        hidden = self._hidden
        if text in hidden:
            return MASK
        for value in hidden:
            if len(value) >= _SHORTEST and value in text:
                text = text.replace(value, MASK)
        return mask_patterns(text)


def mask_patterns(text: str) -> str:
    """Return the text without what looks like a token or a password in an address, a header or a body."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def load_secrets(folder: Path = Path(), environment: Mapping[str, str] | None = None) -> Secrets:
    """Read the secrets of the environment, and of ``secrets.env`` where the environment has none.

    Parameters
    ----------
    folder : pathlib.Path
        Where ``secrets.env`` may lie; the working directory.
    environment : mapping of str to str or None
        None for that of the process.

    Raises
    ------
    SettingsError
        If the file can be read by others, cannot be read at all, or holds a line or name that is not known.
        The message never quotes a line.
    """
    file = folder / SECRETS_FILE
    values = _read(file) if file.exists() else {}
    given = os.environ if environment is None else environment
    values |= {name: given[name] for name in _known() if given.get(name)}
    return Secrets(values)


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without what :func:`load_secrets` would read, for a process that needs less."""
    return {name: value for name, value in environment.items() if name not in _known()}


def _known() -> frozenset[str]:
    return _SECRET | _NO_SECRET


def _read(file: Path) -> dict[str, str]:
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        if os.name == "posix" and mode & 0o077:
            raise SettingsError(
                f"{file} can be read by others (mode {mode:04o}), expected 0600; run: chmod 600 {file}"
            )
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise SettingsError(f"{file} cannot be read ({reason}), expected lines NAME=value") from error
    values: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        text = line.strip().removeprefix("export ").strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals:
            raise SettingsError(f"{file}, line {number}: expected NAME=value; correct it")
        if name not in _known():
            known = did_you_mean(name, _known())
            raise SettingsError(f"{file}, line {number}: unknown name {name!r}{known}")
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        if value:
            values[name] = value
    return values
