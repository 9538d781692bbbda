"""A page with a few words, for a browser that comes or goes by a link."""

from __future__ import annotations

from flask import Response, render_template

__all__ = ["TITLE", "message_page"]

TITLE = "Muhurat"


def message_page(heading: str, words: str, status: int) -> Response:
    """Return the page; what is not well (400 and above) is shown as such. Needs a request."""
    tone = "bad" if status >= 400 else "calm"
    page = render_template("message.html.jinja", title=TITLE, heading=heading, words=words, tone=tone)
    return Response(page, status, mimetype="text/html")
