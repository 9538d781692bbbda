"""One live process for a login and an instrument: two would trade against each other in one account."""

from __future__ import annotations

from brokers.instance_lock import InstanceLock
from brokers.token_store import TokenStore
from feeds.errors import BrokerError

__all__ = ["LoginLock"]


class LoginLock:
    """The right to trade an instrument with the login of a token file, until released or the process dies.

    The lock is a file beside the token file, ``live-<instrument>.lock``. It holds on this machine only.

    Parameters
    ----------
    tokens : TokenStore
        Says where the token is stored.
    instrument : str
        The underlying, as in the settings.

    Raises
    ------
    BrokerError
        Another process trades it, or the lock's file cannot be made.
    """

    def __init__(self, tokens: TokenStore, instrument: str) -> None:
        token = tokens.path
        path = token.parent / f"live-{instrument}.lock"
        try:
            token.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = InstanceLock(path, "the lock")
        except BrokerError as error:
            raise BrokerError(
                f"{instrument} is traded live by another process with the login of {token}, expected one "
                f"(it holds {path}); stop that one, or set {tokens.setting} to a folder of its own for "
                "another account"
            ) from error
        except OSError as error:
            raise BrokerError(
                f"{path} cannot be made ({error.strerror}), expected a folder that can be written; set "
                f"{tokens.setting}"
            ) from error

    def release(self) -> None:
        """Let another process trade."""
        self._lock.release()
