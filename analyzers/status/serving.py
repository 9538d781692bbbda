"""The status page of a folder, to look at only."""

from __future__ import annotations

import secrets as random_secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from analyzers.status.app import make_app
from analyzers.status.board import Board
from analyzers.status.server import StatusServer
from analyzers.status.settings import StatusSettings
from feeds.errors import SettingsError
from feeds.secrets import Secrets

__all__ = ["serve_folder"]


@contextmanager
def serve_folder(folder: Path, port: int, secrets: Secrets) -> Iterator[str]:
    """Serve the page of a process's or a day's folder on 127.0.0.1 within the block; give its address.

    Parameters
    ----------
    folder : pathlib.Path
        Nothing is written to it.
    port : int
        0 for any free one.
    secrets : Secrets
        Hidden in every answer.

    Raises
    ------
    SettingsError
        There is no such folder, or the port is taken.
    """
    if not folder.is_dir():
        raise SettingsError(f"found no folder {folder}, expected that of a live day; correct --run")
    settings = StatusSettings(port=port)
    board = Board(
        folder,
        mask=secrets.mask,
        read_only="this page only shows a folder; order on the page that run_live.py names at its start",
    )
    app = make_app(
        board,
        token=random_secrets.token_urlsafe(24),
        settings=settings,
        send_command=None,
        secrets=secrets,
    )
    with board, StatusServer(app, settings.host, settings.port) as server:
        yield server.url
