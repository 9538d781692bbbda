from __future__ import annotations

import pytest

from analyzers.__main__ import main
from analyzers.settings import ReportSettings
from analyzers.writer import write_run
from tests.analyzers.examples import make_result


def test_a_finished_run_is_told(tmp_path, capsys):
    result = make_result()
    out = write_run(result, tmp_path / "run", ReportSettings(tearsheet=False))
    assert main(["report", str(out)]) == 0
    told = capsys.readouterr().out
    assert "SYNTHETIC DATA" in told
    assert result.verdict.reason in told
    figures = [line.split() for line in told.splitlines()]
    charged, today = (f"−₹{-metrics['net_pnl']:,.0f}" for metrics in (result.metrics, result.metrics_today))
    assert ["Net", "profit", charged, today] in figures
    assert result.fingerprint in told


@pytest.mark.parametrize(
    ("contents", "words"),
    [(None, "no summary.json"), ("{", "is not JSON"), ("{}", "lacks data, fingerprint")],
)
def test_what_is_no_run_is_one_line_and_exit_code_3(tmp_path, capsys, contents, words):
    if contents is not None:
        (tmp_path / "summary.json").write_text(contents)
    assert main(["report", str(tmp_path)]) == 3
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_wrong_arguments_leave_with_2():
    with pytest.raises(SystemExit) as left:
        main(["nothing"])
    assert left.value.code == 2
