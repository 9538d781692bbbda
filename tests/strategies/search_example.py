"""A small search that takes seconds: a strategy without a model on a few synthetic sessions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

SEARCH: dict[str, Any] = {
    "data": {"synthetic": {"sessions": 15, "edge": "momentum", "edge_bps": 30}},
    "strategy": {"name": "ema_cross"},
    "ml": {
        "search": {
            "minimum_trades": 10,
            "space": {
                "strategy.stop_atr": {"low": 1.0, "high": 4.0},
                "strategy.target_atr": {"low": 1.5, "high": 6.0},
                "strategy.parameters.fast_bars": {"low": 3, "high": 15},
                "strategy.parameters.slow_bars": {"low": 16, "high": 60},
            },
        }
    },
}


def write_search_file(folder: Path, **sections: Any) -> Path:
    """Write the settings of the small search, with other sections in the place of its own."""
    path = folder / "search.yaml"
    path.write_text(yaml.safe_dump(SEARCH | sections), encoding="utf-8")
    return path
