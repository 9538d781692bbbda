"""One request as the routes see it: what was asked, with which fields."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from brokers.sandbox.exchange_error import input_error

__all__ = ["Call", "read_call"]

_TRUE = ("true", "1")


@dataclass(frozen=True)
class Call:
    """A request.

    Attributes
    ----------
    route : str
        ``METHOD /path``.
    path : mapping of str to str
        Variable parts of the path.
    fields : mapping of str to str
        Form, query, and plain values of a JSON object, as text; of a repeated one the first.
    keys : sequence of str
        All values of the query's ``i``.
    body : object
        The JSON of the body; None where there is none.
    host : str
        ``host:port`` that was asked.
    """

    route: str
    path: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    keys: Sequence[str] = ()
    body: Any = None
    host: str = ""

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a field that is true or false; clients write it as ``True``, ``true`` or ``1``."""
        value = self.fields.get(name)
        return default if value is None else value.lower() in _TRUE

    def needed(self, name: str) -> str:
        """Return a field. Raises ExchangeError (400) where it is missing."""
        value = self.fields.get(name)
        if not value:
            raise input_error(f"Missing or empty field `{name}`")
        return value

    def rows(self) -> list[Mapping[str, Any]]:
        """Return the body as a list of objects. Raises ExchangeError (400) where it is none."""
        if not isinstance(self.body, list) or not all(isinstance(row, Mapping) for row in self.body):
            raise input_error("Invalid JSON: expected a list of orders.")
        return self.body


async def read_call(request: web.Request) -> Call:
    """Read a request.

    Raises
    ------
    ExchangeError
        400, for a JSON body that cannot be read.
    """
    body: Any = None
    form: Mapping[str, Any] = {}
    if request.content_type == "application/json":
        try:
            body = json.loads(await request.text() or "null")
        except ValueError:
            raise input_error("Invalid JSON in the request's body.") from None
    elif request.method in ("POST", "PUT"):
        form = await request.post()
    fields = dict((*request.query.items(), *form.items(), *_scalars(body)))
    return Call(
        route=f"{request.method} {request.path}",
        path=dict(request.match_info),
        fields={name: value for name, value in fields.items() if isinstance(value, str)},
        keys=request.query.getall("i", []),
        body=body,
        host=request.host,
    )


def _scalars(body: object) -> list[tuple[str, str]]:
    if not isinstance(body, Mapping):
        return []
    return [(name, str(value)) for name, value in body.items() if isinstance(value, (str, int, float))]
