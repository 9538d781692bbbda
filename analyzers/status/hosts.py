"""Names of hosts: in addresses, in the Host header, and whether they mean this machine alone."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

__all__ = ["host_of", "is_loopback", "origin_of"]


def host_of(authority: str) -> str:
    """Return the host of ``host:port`` or ``[address]:port`` in small letters; empty if it is none."""
    try:
        if ":" in authority and ipaddress.IPv6Address(authority):
            return authority.lower()
    except ValueError:
        pass
    try:
        parts = urlsplit(f"//{authority}")
        _ = parts.port
    except ValueError:
        return ""
    if parts.path or parts.query or parts.fragment or "@" in authority or "\\" in authority:
        return ""
    host = (parts.hostname or "").rstrip(".")
    return host if host and not any(character.isspace() for character in authority) else ""


def is_loopback(host: str) -> bool:
    """Tell whether a host can only be reached from this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def origin_of(address: str) -> tuple[str, str, int]:
    """Return scheme, host and port of an address, as a browser compares them; empty parts if it has none."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return "", "", 0
    default = {"http": 80, "https": 443}.get(parts.scheme, 0)
    return parts.scheme, (parts.hostname or "").rstrip("."), default if port is None else port
