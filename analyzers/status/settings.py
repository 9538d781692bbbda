"""The ``status`` section of the settings: where the status page is served, and to whom."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from analyzers.status.hosts import host_of, is_loopback, origin_of
from feeds.section import Section

__all__ = ["StatusSettings"]


def _origin(value: str) -> str:
    """Return an address without the slash at its end; refuse what is none."""
    parts = urlsplit(value)
    try:
        whole = bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        whole = False
    extra = parts.path.strip("/") or parts.query or parts.fragment or parts.username or parts.password
    if parts.scheme not in ("http", "https") or not whole or extra:
        raise ValueError(f"found {value!r}, expected an address such as 'https://trading.example:8443'")
    return value.rstrip("/")


def _name(value: str) -> str:
    """Refuse what cannot be the host in a browser's address bar."""
    if not value or host_of(value) != value.lower().strip("[]"):
        raise ValueError(f"found {value!r}, expected the name of a host without port or path")
    return value


class StatusSettings(Section):
    """Where the page listens, and under which names it is reached."""

    enabled: bool = Field(True, description="Serve the status page beside a live, paper or demo day.")
    host: Annotated[str, AfterValidator(_name)] = Field(
        "127.0.0.1",
        description="Address that is listened on; one beyond this machine needs STATUS_TOKEN.",
    )
    port: int = Field(8000, ge=0, le=65535, description="Port that is listened on, 0 = any free one.")
    public_url: Annotated[str, AfterValidator(_origin)] | None = Field(
        None,
        description="Address under which you reach the page, for the links in alerts; "
        "null = that of this machine.",
    )
    host_names: tuple[Annotated[str, AfterValidator(_name)], ...] = Field(
        (),
        description="Further names under which the page may be asked for; every other name is refused.",
    )

    @property
    def beyond(self) -> str:
        """The setting by which the page is reached from beyond this machine, in words; empty for none."""
        if not is_loopback(self.host):
            return f"status.host is {self.host!r}"
        if self.public_url and not is_loopback(origin_of(self.public_url)[1]):
            return f"status.public_url is {self.public_url!r}"
        names = [name for name in self.host_names if not is_loopback(name)]
        return f"status.host_names has {names[0]!r}" if names else ""
