"""The status page of a companion: served as soon as its port is free, while everything else goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from flask import Flask

from analyzers.status.server import StatusServer
from analyzers.status.settings import StatusSettings
from feeds.errors import SettingsError

__all__ = ["Page"]

_PATIENCE_SECONDS = 45.0
"""A companion whose trading process has died sends its last alerts for some seconds, and holds the port."""


class Page:
    """Serves the page within its block, and tells the trading process where.

    Parameters
    ----------
    app : Flask
        See :func:`analyzers.status.app.make_app`.
    settings : StatusSettings
        Say where to listen.
    token_file : str
        Where a person finds the token; empty where it was given.
    tell : callable
        :meth:`analyzers.companion.parent.Parent.tell`: told where the page is, or why there is none.
    patience_seconds : float
        How long a taken port is tried again.
    """

    def __init__(
        self,
        app: Flask,
        settings: StatusSettings,
        token_file: str,
        tell: Callable[..., None],
        patience_seconds: float = _PATIENCE_SECONDS,
    ) -> None:
        self._server = StatusServer(app, settings.host, settings.port)
        self._public_url = settings.public_url
        self._token_file = token_file
        self._tell = tell
        self._patience_seconds = patience_seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._start, name="status-page", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._server.stop()
        self._thread.join()
        self._server.stop()  # where it began to listen at the last moment

    def _start(self) -> None:
        try:
            url = self._server.start(patience_seconds=self._patience_seconds)
        except SettingsError as error:
            if not self._over.is_set():
                self._tell("no_status_page", error=str(error))
            return
        self._tell("status_page", url=self._public_url or _reachable(url), token_file=self._token_file)


def _reachable(url: str) -> str:
    """Return an address that a browser on this machine takes, where all addresses are listened on."""
    return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
