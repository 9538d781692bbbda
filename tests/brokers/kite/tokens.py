"""Kite's tokens in a file of a test's own."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from brokers.kite.session import token_store
from brokers.kite.settings import KiteSettings
from brokers.token_store import StoredToken, TokenStore

__all__ = ["load_token", "save_token", "token_end"]


def save_token(path: Path, token: StoredToken) -> None:
    _store(path).save(token)


def load_token(path: Path, *, api_key: str, now: dt.datetime) -> StoredToken:
    return _store(path).load(api_key=api_key, now=now)


def token_end(login_time: dt.datetime) -> dt.datetime:
    return _store(Path("unused")).end_of(login_time)


def _store(path: Path) -> TokenStore:
    return token_store(KiteSettings(token_file=str(path)))
