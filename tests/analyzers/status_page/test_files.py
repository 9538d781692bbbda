"""The files of the page as they lie there: nothing inline, nothing from outside, no text made HTML."""

import re

import pytest
from jinja2 import Environment, FileSystemLoader

from tests.analyzers.status_page.serving import FOLDER

FILES = [*sorted((FOLDER / "static").iterdir()), *sorted((FOLDER / "templates").iterdir())]
SVG = "http://www.w3.org/2000/svg"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_nothing_comes_from_outside(file):
    assert not re.search(r"(https?:)?//[\w.-]+\.\w", file.read_text("utf-8").replace(SVG, ""))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_nothing_is_inline_and_no_text_becomes_html(file):
    text = file.read_text("utf-8")
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function"
    assert not re.search(forbidden, text)
    assert not re.search(r"""setAttribute\(["'](style|on)""", text)
    if file.suffix == ".jinja":
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text)
        assert "|safe" not in text.replace(" ", "")


def test_a_message_is_shown_as_text():
    environment = Environment(loader=FileSystemLoader(FOLDER / "templates"), autoescape=True)
    html = environment.get_template("message.html.jinja").render(
        title="Muhurat", heading="Not logged in", words="<script>hurt()</script>", tone="bad"
    )
    assert "&lt;script&gt;" in html
    assert "<script" not in html
