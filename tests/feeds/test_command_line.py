from __future__ import annotations

import pytest

from feeds.command_line import run_command
from feeds.errors import DataError, SettingsError


def raising(error):
    def work():
        raise error

    return work


def test_a_command_that_ends_gives_its_own_code(capsys):
    assert run_command(lambda: 3) == 3
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (SettingsError("found a,\nexpected b"), 2, "error: found a, expected b\n"),
        (DataError("no bars"), 3, "error: no bars\n"),
        (KeyboardInterrupt(), 130, "error: interrupted before the end\n"),
        (
            PermissionError(13, "Permission denied", "models"),
            1,
            "error: Permission denied at models; make room there, or mend its permissions\n",
        ),
    ],
)
def test_what_goes_wrong_is_one_line_and_a_code(capsys, error, code, line):
    assert run_command(raising(error)) == code
    assert capsys.readouterr().err == line


def test_a_bug_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        run_command(raising(ZeroDivisionError()))
