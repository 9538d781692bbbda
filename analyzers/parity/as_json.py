"""The comparison of a day for machines: ``parity.json``."""

from __future__ import annotations

import datetime as dt
import json
import math
from pathlib import Path
from typing import Any

from analyzers.bar_record import BarRecord
from analyzers.parity.calibrate import latency_figures
from analyzers.parity.compare import DecisionComparison, ParityResult
from analyzers.parity.trips import Trip

__all__ = ["parity_dict", "write_parity_json"]


def write_parity_json(result: ParityResult, failures: list[str], path: Path) -> None:
    """Write a comparison and the reasons for which it does not pass."""
    text = json.dumps(parity_dict(result, failures), indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def parity_dict(result: ParityResult, failures: list[str]) -> dict[str, Any]:
    """Return a comparison as plain numbers, texts, lists and mappings; what is no number is None.

    Times are ISO texts of the exchange's wall clock, money is in rupees, differences are live minus backtest.
    """
    latency = latency_figures(result.day.fills)
    return _plain(
        {
            "day": result.day.title,
            "passes": not failures,
            "failures": failures,
            "unexplained": dict(result.unexplained),
            "rupees": {
                "live_net": result.live_net,
                "backtest_net": result.backtest_net,
                "difference": result.difference,
                "by_cause": result.by_cause,
                "unexplained": result.unexplained_rupees,
            },
            "bars": {
                "compared": result.bars.compared,
                "equal": result.bars.compared - len({found.start for found in result.bars.differing}),
                "differing": [found._asdict() for found in result.bars.differing],
                "missing": result.bars.missing,
                "extra": result.bars.extra,
            },
            "inputs": [found._asdict() for found in result.inputs],
            "decisions": {
                "compared": len(result.decisions),
                "equal": sum(found.reason is None for found in result.decisions),
                "notable": [_decision(found) for found in result.decisions if found.is_notable],
            },
            "trades": [
                {
                    "live": _trip(pair.live),
                    "backtest": _trip(pair.backtest),
                    "difference": pair.rupees,
                    "parts": [part._asdict() for part in pair.parts],
                }
                for pair in result.trades
            ],
            "latency": None if latency is None else latency._asdict(),
        }
    )


def _decision(found: DecisionComparison) -> dict[str, Any]:
    reason = None if found.reason is None else found.reason._asdict()
    return {
        "bar": found.start,
        "live": _record(found.live),
        "backtest": _record(found.backtest),
        "reason": reason,
    }


def _record(record: BarRecord | None) -> dict[str, Any] | None:
    if record is None:
        return None
    kept = record._asdict()
    del kept["start"], kept["inputs"]
    return kept


def _trip(trip: Trip | None) -> dict[str, Any] | None:
    return None if trip is None else {**trip._asdict(), "net": trip.net}


def _plain(value: Any) -> Any:  # noqa: ANN401 # whatever JSON may hold
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
