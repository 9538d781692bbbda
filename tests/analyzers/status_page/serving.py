"""A small server for tests of the page: its files, a given state, and controls that keep what is sent."""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader

import analyzers.status

FOLDER = Path(analyzers.status.__file__).parent
TOKEN = "token-of-the-page"
CSRF = "csrf-of-the-session"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
TYPES = {".js": "text/javascript", ".css": "text/css"}


class PageServer:
    """Serves the page on a free port of this machine. A context manager.

    Attributes
    ----------
    status : dict or None
        What ``/api/status`` answers; None for an error 503.
    answer : tuple
        Code and JSON with which controls are answered.
    commands : list
        Name and JSON of each control that was let through.
    polls : list of int
        The codes with which ``/api/status`` was answered.
    """

    def __init__(self, status: dict[str, Any] | None) -> None:
        self.status = status
        self.answer: tuple[int, dict[str, Any]] = (200, {"outcome": "done", "words": "as you say"})
        self.commands: list[tuple[str, Any]] = []
        self.polls: list[int] = []
        self.has_session = False
        self.needs_token = False
        self.controls = True
        self.csrf = CSRF
        handler = type("Handler", (_Handler,), {"page": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> PageServer:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._thread.is_alive():
            self.stop()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    page: PageServer

    def log_message(self, format: str, *args: object) -> None:  # the base class names it
        pass

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if path == "/":
            environment = Environment(loader=FileSystemLoader(FOLDER / "templates"), autoescape=True)
            html = environment.get_template("page.html.jinja").render(title="Muhurat", version="0.4.0")
            self._send(200, html.encode(), "text/html; charset=utf-8")
        elif path.startswith("/static/"):
            file = FOLDER / "static" / path.removeprefix("/static/")
            self._send(200, file.read_bytes(), TYPES[file.suffix])
        elif path == "/api/status":
            self._status()
        elif path == "/api/session":
            self._session()
        elif path == "/kite/login":
            self._send(200, b"the login of Kite", "text/plain")
        else:
            self._json(404, {"error": "not here"})

    def do_POST(self) -> None:
        page = self.page
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/session":
            page.has_session = body["token"] == TOKEN
            self._session() if page.has_session else self._json(401, {"error": "this is not the token"})
        elif self.path == "/session/end":
            page.has_session = False
            self._session()
        elif not page.has_session or self.headers["X-CSRF-Token"] != page.csrf:
            self._json(401, {"error": "expected the token of the status page; log in first"})
        else:
            page.commands.append((self.path.removeprefix("/api/control/"), body))
            self._json(*page.answer)

    def _status(self) -> None:
        page = self.page
        if page.needs_token and not page.has_session:
            self._json(401, {"error": "expected the token"})
        elif page.status is None:
            self._json(503, {"error": "the page's own reading of the files hangs for 20 s"})
        else:
            body = json.dumps(page.status).encode()
            etag = f'W/"{hashlib.sha256(body).hexdigest()}"'
            is_known = self.headers["If-None-Match"] == etag
            page.polls.append(304 if is_known else 200)
            self._send(page.polls[-1], b"" if is_known else body, "application/json", ETag=etag)

    def _session(self) -> None:
        page = self.page
        csrf = page.csrf if page.has_session else ""
        self._json(200, {"logged_in": bool(csrf), "csrf": csrf, "controls": page.controls})

    def _json(self, code: int, answer: dict[str, Any]) -> None:
        self._send(code, json.dumps(answer).encode(), "application/json")

    def _send(self, code: int, body: bytes, kind: str, **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)
