"""What the README shows is what the repository holds."""

import re
from pathlib import Path

from strategies.backtest import BacktestRequest, run_backtest
from strategies.progress import QuietProgress
from strategies.settings import load_settings

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_example_is_the_file():
    block = re.search(r"`(examples/fade\.py)`, complete:\n\n```python\n(.*?)```", README, re.DOTALL)
    assert block is not None
    assert block[2] == (ROOT / block[1]).read_text(encoding="utf-8")


def test_the_example_runs(tmp_path):
    settings = load_settings(
        None,
        [
            "strategy.name=examples.fade:Fade",
            "data.synthetic.sessions=60",
            f"ml.registry={tmp_path / 'models'}",
            "report.tearsheet=false",
        ],
    )
    outcome = run_backtest(BacktestRequest(settings=settings, out_dir=tmp_path / "run"), QuietProgress())
    assert outcome.result.metrics["trades"] > 0


def test_every_link_leads_somewhere():
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name}: {target}"
