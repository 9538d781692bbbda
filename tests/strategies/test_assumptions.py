"""The report's sentences follow the settings."""

from __future__ import annotations

import pytest

from strategies.assumptions import assumptions
from strategies.settings import load_settings


def text(*overrides):
    return "\n".join(assumptions(load_settings(None, overrides)))


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("data.bar_minutes=5", "the close of a 5-minute bar"),
        ("data.detail=1minute", "the 1-minute bars inside it decide"),
        ("broker.slippage.model=none", "worsened not at all"),
        ("broker.slippage.percent=0.07", "worsened by 0.07 % of the price"),
        ("broker.slippage.model=my.own:Model", "worsened as my.own:Model says"),
        ("broker.latency_ms=0", "Market orders arrive at once."),
        ("broker.latency_ms=250", "arrive after 250 ms"),
        ("broker.charges.plan=upstox", "those of Upstox"),
        ("broker.charges.plan=percent", "a plain 0.02 %"),
        ("broker.max_percent_of_volume=5", "at most 5 % of a bar's volume"),
        ("strategy.stop_atr=1.5", "Stop at 1.5 and target at 3 times ATR(14)"),
        ("strategy.last_entry=14:30", "at or after 14:30"),
        ("strategy.trail_atr=1.5", "the stop is moved to 1.5 times ATR(14) from it"),
        (
            "strategy.targets=[{atr: 1, fraction: 0.25}, {atr: 4, fraction: 0.75}]",
            "targets in whole lots, the last for the rest (0.25 at 1, 0.75 at 4), times ATR(14)",
        ),
        ("strategy.entry.kind=limit", "0.25 times ATR(14) better than the signal bar's close"),
        ("strategy.entry.kind=limit", "from the entry's limit."),
        ("strategy.entry.kind=stop_limit", "from the entry's trigger."),
        ("strategy.entry.kind=stop_limit", "What has not filled after 3 bars is taken back."),
    ],
)
def test_a_setting_changes_its_sentence(override, sentence):
    assert sentence in text(override)
    assert sentence not in text()
