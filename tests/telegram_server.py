"""A stand-in for Telegram's Bot API on a real socket: takes messages, hands out updates, fails on demand.

It answers as Telegram does as far as a bot of ours can see: the same statuses, error texts and limits, long
polling with offsets, and a conflict when two ask for updates at once.
"""

from __future__ import annotations

import email
import email.policy
import json
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self

TOKEN = "700100200:AAHtokenOfTheBot_x-7"
CHAT = "4242"
BOT_NAME = "muhurat_bot"
PNG = b"\x89PNG\r\n\x1a\n"
WAIT = 20.0
"""Seconds that a test waits for what has to happen."""


class Fault(NamedTuple):
    """How a call fails. ``hang`` and ``trickle`` last until the client goes or the server ends.

    ``is_taken``: the message is taken all the same, and only the answer goes wrong.
    """

    kind: Literal["hang", "trickle", "trickle_body", "drop", "garbage", "status"]
    status: int = 500
    description: str = "Internal Server Error"
    retry_after: float | None = None
    is_taken: bool = False


HANG = Fault("hang")
TRICKLE = Fault("trickle")
BROKEN = Fault("status", 500)
BLOCKED = Fault("status", 403, "Forbidden: bot was blocked by the user")


def too_many(retry_after: float) -> Fault:
    return Fault("status", 429, f"Too Many Requests: retry after {retry_after:g}", retry_after)


class Received(NamedTuple):
    """A message as the chat shows it; ``photo`` is empty for a plain text."""

    chat: str
    text: str
    is_silent: bool
    photo: bytes = b""


class LoopbackServer(ThreadingHTTPServer):
    """A server whose threads are joined when it is closed, and that says nothing of clients that leave."""

    daemon_threads = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class TelegramServer:
    """One bot's server. A context manager; every thread has ended when it is left.

    Parameters
    ----------
    is_refusing : bool
        Connections are refused until :meth:`listen`.
    """

    def __init__(self, *, is_refusing: bool = False) -> None:
        self.chats = {CHAT}
        self.received: list[Received] = []
        self.calls: list[str] = []
        self.faults: deque[Fault] = deque()
        self.standing_fault: Fault | None = None
        self.update_faults: deque[Fault] = deque()
        self.changed = threading.Condition()
        self.closing = threading.Event()
        self.hanging = 0
        self._updates: list[dict[str, Any]] = []
        self._next_update = 1000
        self._poll = 0
        self._is_refusing = is_refusing

    @property
    def root(self) -> str:
        host, port = self._http.server_address[:2]
        return f"http://{host!s}:{port}"

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"server_of": self})
        self._http = LoopbackServer(("127.0.0.1", 0), handler, bind_and_activate=False)
        self._http.server_bind()
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), name="telegram-server")
        if not self._is_refusing:
            self.listen()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        with self.changed:
            self.changed.notify_all()
        if self._thread.ident is not None:
            self._http.shutdown()
            self._thread.join()
        self._http.server_close()

    def listen(self) -> None:
        """Take connections from now on."""
        self._http.server_activate()
        self._thread.start()

    def write(
        self,
        text: str,
        *,
        chat_id: str = CHAT,
        age_seconds: float = 0.0,
        username: str | None = "owner",
        **message: Any,
    ) -> None:
        """Have somebody write to the bot."""
        with self.changed:
            sender = {
                "id": int(chat_id),
                "first_name": "Somebody",
                **({"username": username} if username else {}),
            }
            whole = {
                "message_id": self._next_update, "date": int(time.time() - age_seconds), "text": text,
                "chat": {"id": int(chat_id), "type": "private"}, "from": sender, **message,
            }  # fmt: skip
            self._updates.append({"update_id": self._next_update, "message": whole})
            self._next_update += 1
            self.changed.notify_all()

    def wait(self, holds: Callable[[], bool], seconds: float = WAIT) -> bool:
        """Wait until something holds; looked at whenever something has happened here."""
        with self.changed:
            return self.changed.wait_for(holds, timeout=seconds)

    def wait_received(self, count: int) -> list[Received]:
        assert self.wait(lambda: len(self.received) >= count), (
            f"{len(self.received)} of {count} messages came"
        )
        return self.received

    @property
    def texts(self) -> list[str]:
        return [message.text for message in self.received]

    # -- the calls -------------------------------------------------------------------------------

    def answer(self, method: str, fields: dict[str, Any], photo: bytes) -> tuple[int, dict[str, Any]]:
        """Return status and body of a call that nothing goes wrong with."""
        match method:
            case "sendMessage":
                return self._take(
                    fields, str(fields.get("text", "")), 4096, "message text is empty", "message"
                )
            case "sendPhoto":
                if not photo.startswith(PNG):
                    return _refused(400, "Bad Request: IMAGE_PROCESS_FAILED")
                return self._take(fields, str(fields.get("caption", "")), 1024, "", "message caption", photo)
            case "getMe":
                return 200, {"ok": True, "result": {"id": 700100200, "is_bot": True, "username": BOT_NAME}}
            case "getUpdates":
                return self._hand_out(
                    int(fields.get("offset", 0)),
                    float(fields.get("timeout", 0)),
                    int(fields.get("limit", 100)),
                )
        return _refused(404, "Not Found")

    def _take(
        self, fields: dict[str, Any], text: str, longest: int, if_empty: str, what: str, photo: bytes = b""
    ) -> tuple[int, dict[str, Any]]:
        chat = str(fields.get("chat_id"))
        if chat not in self.chats:
            return _refused(400, "Bad Request: chat not found")
        if if_empty and not text.strip():
            return _refused(400, f"Bad Request: {if_empty}")
        if len(text.encode("utf-16-le")) // 2 > longest:
            return _refused(400, f"Bad Request: {what} is too long")
        with self.changed:
            is_silent = fields.get("disable_notification") in (True, "true")
            self.received.append(Received(chat, text, is_silent, photo))
            self.changed.notify_all()
            return 200, {"ok": True, "result": {"message_id": len(self.received), "chat": {"id": chat}}}

    def _hand_out(self, offset: int, wait_seconds: float, most: int) -> tuple[int, dict[str, Any]]:
        with self.changed:
            self._poll += 1
            mine = self._poll
            self.changed.notify_all()
            if offset < 0:
                offset = (self._updates[offset:] or [{"update_id": 0}])[0]["update_id"]
            self._updates = [update for update in self._updates if update["update_id"] >= offset]
            self.changed.wait_for(
                lambda: self._updates or self.closing.is_set() or self._poll != mine, timeout=wait_seconds
            )
            if self._poll != mine:
                return _refused(
                    409,
                    "Conflict: terminated by other getUpdates request; make sure that only one bot instance "
                    "is running",
                )
            return 200, {"ok": True, "result": self._updates[:most]}

    def next_fault(self, method: str) -> Fault | None:
        with self.changed:
            self.calls.append(method)
            self.changed.notify_all()
            faults = self.update_faults if method == "getUpdates" else self.faults
            if faults:
                return faults.popleft()
            return None if method == "getUpdates" else self.standing_fault


def _refused(status: int, description: str) -> tuple[int, dict[str, Any]]:
    return status, {"ok": False, "error_code": status, "description": description}


class _Handler(BaseHTTPRequestHandler):
    server_of: TelegramServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        server = self.server_of
        self.close_connection = True
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        _, bot, method = self.path.split("/", 2)
        if bot != f"bot{TOKEN}":
            self._say(*_refused(401 if ":" in bot else 404, "Unauthorized" if ":" in bot else "Not Found"))
            return
        fields, photo = self._fields(body)
        fault = server.next_fault(method)
        if fault is None:
            self._say(*server.answer(method, fields, photo))
            return
        if fault.is_taken:
            server.answer(method, fields, photo)
        self._fail(fault)

    do_GET = do_POST  # noqa: N815 # Telegram takes either

    def _fields(self, body: bytes) -> tuple[dict[str, Any], bytes]:
        kind = self.headers.get("Content-Type", "")
        if kind.startswith("application/json"):
            return json.loads(body), b""
        head = f"Content-Type: {kind}\r\n\r\n".encode()
        parsed = email.message_from_bytes(head + body, policy=email.policy.HTTP)
        fields, photo = {}, b""
        for part in parsed.iter_parts():
            name = part.get_param("name", header="content-disposition")
            if name == "photo":
                photo = part.get_payload(decode=True)
            else:
                fields[name] = part.get_payload(decode=True).decode()
        return fields, photo

    def _say(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        try:
            self.wfile.write(content)
        except OSError:  # who asked has gone
            return

    def _fail(self, fault: Fault) -> None:
        match fault.kind:
            case "status":
                status, body = _refused(fault.status, fault.description)
                if fault.retry_after is not None:
                    body["parameters"] = {"retry_after": fault.retry_after}
                self._say(status, body)
            case "garbage":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<html>...")
            case "hang":
                self._linger(lambda: None)
            case "trickle":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                self._linger(lambda: self.wfile.write(b"."))
            case "trickle_body":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n")
                self._linger(lambda: self.wfile.write(b" "))

    def _linger(self, each_time: Callable[[], Any]) -> None:
        """Keep the connection until the client or the server ends it."""
        server = self.server_of
        self.connection.settimeout(0.02)
        with server.changed:
            server.hanging += 1
            server.changed.notify_all()
        try:
            while not server.closing.is_set():
                each_time()
                try:
                    if not self.connection.recv(1):
                        break
                except TimeoutError:
                    continue
        except OSError:  # who asked has gone
            pass
        finally:
            with server.changed:
                server.hanging -= 1
                server.changed.notify_all()
