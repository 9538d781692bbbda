"""Settings that are addresses: encrypted ones anywhere, plain ones on this machine only."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import AfterValidator

__all__ = ["address"]

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def address(*schemes: str) -> AfterValidator:
    """Take an address of these schemes; the first, unencrypted, only on this machine.

    Parameters
    ----------
    *schemes : str
        The plain one and the encrypted one, such as ``"http", "https"``.
    """
    plain, encrypted = schemes

    def check(value: str) -> str:
        parts = urlsplit(value)
        try:
            has_host = bool(parts.hostname) and parts.port != 0
        except ValueError:  # the port is no number
            has_host = False
        if parts.scheme not in schemes or not has_host or parts.query or parts.fragment:
            raise ValueError(f"found {value!r}, expected an address such as {encrypted}://host")
        if parts.scheme == plain and parts.hostname not in _LOOPBACK:
            # The access token travels with every request.
            raise ValueError(
                f"found {value!r}, expected {encrypted}://; {plain}:// is for this machine only, "
                "because it would send the access token in the clear"
            )
        return value.rstrip("/")

    return AfterValidator(check)
