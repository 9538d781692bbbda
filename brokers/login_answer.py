"""The address to which a login page sends the browser back, and what it has added to it."""

from __future__ import annotations

import secrets as random_secrets
from urllib.parse import parse_qs, urlsplit

from feeds.errors import BrokerError

__all__ = ["belongs_to", "login_answer"]


def login_answer(broker: str, field: str, address: str, state: str) -> str:
    """Return what the login page has added to the address.

    Parameters
    ----------
    broker : str
        Its name, for messages.
    field : str
        The name of what is added: ``request_token``, ``code``.
    address : str
        As the browser was sent to.
    state : str
        The word that was handed over, and has to come back.

    Raises
    ------
    BrokerError
        If the login failed, or this is not the one that was asked for. The message leaves the address out.
    """
    if not belongs_to(address, state):
        raise BrokerError(
            "the address does not belong to this login, expected the one that its page leads to; start again"
        )
    fields = _fields(address)
    status = fields.get("status", "success")
    if status != "success" or "error" in fields:
        shown = fields.get("error", status)[:40]
        raise BrokerError(
            f"{broker} reports that the login ended with status {shown!r}, expected success; start again"
        )
    answer = fields.get(field, "")
    if not answer:
        raise BrokerError(f"the address holds no {field}, expected one; start again")
    return answer


def belongs_to(address: str, state: str) -> bool:
    """Whether an address carries the word of this login: other pages cannot slip in one of theirs."""
    return random_secrets.compare_digest(_fields(address).get("state", "").encode(), state.encode())


def _fields(address: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(urlsplit(address.strip()).query).items()}
