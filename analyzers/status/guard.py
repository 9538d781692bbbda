"""Checks of a request before it is answered: its host, where it comes from, and who sends it."""

from __future__ import annotations

import hmac
from typing import Literal

from flask import Request
from werkzeug.exceptions import BadRequest, Forbidden, Unauthorized, UnsupportedMediaType

from analyzers.status.auth import Auth, Session
from analyzers.status.hosts import host_of, is_loopback, origin_of
from analyzers.status.settings import StatusSettings

__all__ = ["CSRF_HEADER", "Guard"]

CSRF_HEADER = "X-CSRF-Token"

_PROXY_HEADERS = (
    "Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Server",
    "X-Real-Ip", "CF-Connecting-IP",
)  # fmt: skip


class Guard:
    """Lets requests through, or raises werkzeug's exception of the status to answer.

    Parameters
    ----------
    auth : Auth
        Tokens and sessions.
    settings : StatusSettings
        Say where the page listens and how it is called.

    Notes
    -----
    A page of another site that is open in the same browser may send requests here, and may have its own name
    resolve to 127.0.0.1. The first is what the checks of origin, content type and CSRF token are for, the
    second that of the host.
    """

    def __init__(self, auth: Auth, settings: StatusSettings) -> None:
        self.auth = auth
        public = origin_of(settings.public_url) if settings.public_url else None
        self._public = public
        self._hosts = {host_of(name) for name in (settings.host, *settings.host_names)}
        if public is not None:
            self._hosts.add(public[1])
        self._is_private = not settings.beyond

    def check_host(self, request: Request) -> None:
        """Refuse a name that is none of ours. Raises BadRequest."""
        host = host_of(request.headers.get("Host", ""))
        if not host or not (host in self._hosts or is_loopback(host)):
            raise BadRequest(
                f"found the host {request.headers.get('Host', '')[:80]!r}, expected one of this page; "
                "name it in status.host_names or status.public_url"
            )

    def check_sender(self, request: Request) -> None:
        """Refuse what another site has sent, and what a plain form can send.

        Raises
        ------
        Forbidden
            The request comes from another origin.
        UnsupportedMediaType
            Its body is no JSON.
        """
        site = request.headers.get("Sec-Fetch-Site", "same-origin")
        origin = request.headers.get("Origin")
        if site != "same-origin" or (origin is not None and not self._is_own(origin, request)):
            raise Forbidden("this request comes from another site, expected one of the page itself")
        if request.mimetype != "application/json":
            raise UnsupportedMediaType(f"found {request.mimetype[:80]!r}, expected application/json")

    def may_read(self, request: Request) -> bool:
        """Tell whether somebody may look: anybody on this machine, else who has shown the token.

        Raises
        ------
        TooManyGuessesError
            See :meth:`Auth.is_token`.
        """
        return self._reads_freely(request) or self.credentials(request) is not None

    def credentials(self, request: Request) -> Literal["token"] | Session | None:
        """Return what a request shows for itself: the token, or a browser's session. Raises as above."""
        kind, _, given = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "bearer" and given.strip():
            is_right = self.auth.is_token(given.strip(), request.remote_addr or "")
            return "token" if is_right else None
        return self.session(request)

    def session(self, request: Request) -> Session | None:
        """Return the session that a browser's cookie names."""
        return self.auth.session(request.cookies.get(self.auth.cookie, ""))

    def check_control(self, request: Request) -> None:
        """Let the page itself and scripts with the token through, and nobody else.

        Raises
        ------
        Unauthorized, Forbidden, UnsupportedMediaType, TooManyGuessesError
        """
        self.check_sender(request)
        shown = self.credentials(request)
        if shown is None:
            raise Unauthorized("expected the token of the status page; log in first")
        if shown != "token":
            csrf = request.headers.get(CSRF_HEADER, "")
            if not hmac.compare_digest(csrf.encode("utf-8", errors="replace"), shown.csrf.encode()):
                raise Forbidden(f"expected the header {CSRF_HEADER} of this session; reload the page")

    def _reads_freely(self, request: Request) -> bool:
        """Tell whether a request was made on this machine: a proxy on it asks for somebody else."""
        if not self._is_private or any(name in request.headers for name in _PROXY_HEADERS):
            return False
        return is_loopback(host_of(request.headers.get("Host", "")))

    def _is_own(self, origin: str, request: Request) -> bool:
        found = origin_of(origin)
        own = {origin_of(f"{scheme}://{request.headers.get('Host', '')}") for scheme in ("http", "https")}
        return found in own or (self._public is not None and found == self._public)
