"""The official fixtures as the unmodified official client reads them."""

from __future__ import annotations

import io
from pathlib import Path

import requests
from kiteconnect import KiteConnect
from requests.adapters import BaseAdapter

SETS = {
    "net": "dotnetkiteconnect-mit/KiteConnectTest/responses",
    "go": "gokiteconnect-mit/mock_responses",
    "python": "pykiteconnect-mit/tests/mock_responses",
}


class _FileAdapter(BaseAdapter):
    """Answers every request with one file."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def send(self, request, **options):
        response = requests.Response()
        response.status_code = 200
        text = self._path.read_text(encoding="utf-8-sig")
        response.raw = io.BytesIO(text.encode())
        kind = "text/csv" if self._path.suffix == ".csv" else "application/json"
        response.headers["content-type"] = kind
        response.encoding = "utf-8"
        response.url, response.request = request.url, request
        return response

    def close(self):
        pass


def fixture_client(folder: Path, name: str) -> KiteConnect:
    """Return an official client that gets the fixture ``set/file`` for an answer to everything."""
    set_name, _, file = name.partition("/")
    client = KiteConnect("key", access_token="token", root="http://fixture")
    client.reqsession.mount("http://fixture", _FileAdapter(folder / SETS[set_name] / file))
    return client
