"""What a run says while it works."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from strategies import progress
from strategies.progress import LineProgress, QuietProgress, TerminalProgress, make_progress


def test_lines_go_to_standard_output_so_that_standard_error_is_left_to_errors(capsys):
    with make_progress(quiet=False) as shown:
        assert isinstance(shown, LineProgress)
        shown.stage("load")
        shown.advance(1, 2)
    assert capsys.readouterr() == ("load\n", "")


def test_quiet_says_nothing(capsys):
    with make_progress(quiet=True) as shown:
        assert type(shown) is QuietProgress
        shown.stage("load")
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_a_bar_that_is_gone_at_the_end(monkeypatch):
    file = io.StringIO()
    monkeypatch.setattr(progress, "Console", lambda **_: Console(file=file, force_terminal=True, width=60))
    with make_progress(quiet=False) as shown:
        assert isinstance(shown, TerminalProgress)
        shown.stage("train")
        shown.advance(1, 4)
    assert "train" in file.getvalue()


def test_the_bar_stops_when_the_run_fails():
    shown = TerminalProgress(Console(file=io.StringIO(), force_terminal=True))
    with pytest.raises(ValueError, match="wrong"), shown:
        raise ValueError("wrong")
    assert shown._progress.finished or not shown._progress.live.is_started
