"""The newest sessions, which no trial has seen: the best settings trade them once."""

from __future__ import annotations

import hashlib
from typing import Any

from ml.registry import ModelRegistry
from strategies.search.objective import BarParts, trade_bars
from strategies.settings import Settings

__all__ = ["look_at_holdout", "looks_at_holdout"]

_WHAT = "holdout"


def looks_at_holdout(settings: Settings, parts: BarParts) -> int:
    """Return how many trials were ever shown a holdout of these bars, by whichever study on this machine."""
    data = parts.whole.info["sha256"]
    trials = ModelRegistry(settings.ml.registry).trials()
    return len({one["id"] for one in trials if one.get("what") == _WHAT and one.get("data") == data})


def look_at_holdout(settings: Settings, parts: BarParts, identity: str) -> dict[str, Any]:
    """Trade the holdout as a backtest would, with models trained window by window, and count it as a trial.

    Parameters
    ----------
    settings : Settings
        The best of the search.
    parts : BarParts
        The bars; models train on whatever lies before each of their windows.
    identity : str
        Of the best trial.

    Returns
    -------
    dict
        JSON values: ``first`` and ``last`` (dates), ``trades``, ``gross_pnl`` and ``net_pnl`` (rupees),
        ``sharpe``, ``sharpe_low``, ``sharpe_high`` (annualised or None), ``label`` and ``reason`` (the
        verdict), ``fingerprint``.
    """
    registry = ModelRegistry(settings.ml.registry)
    own = hashlib.sha256(f"holdout {identity}".encode()).hexdigest()
    data = parts.whole.info["sha256"]
    earlier = registry.sharpes(data, but=own)
    analysis = trade_bars(settings, parts.whole, counts_from=parts.holdout_from, trials=earlier)
    metrics = analysis.metrics
    registry.record_trial(
        {
            "what": _WHAT,
            "id": own,
            "data": data,
            "strategy": settings.strategy.name,
            "sharpe": metrics["sharpe"],
        }
    )
    return {
        "first": f"{analysis.equity.index[0]:%Y-%m-%d}",
        "last": f"{analysis.equity.index[-1]:%Y-%m-%d}",
        "trades": len(analysis.trades),
        **{name: metrics[name] for name in ("gross_pnl", "net_pnl", "sharpe", "sharpe_low", "sharpe_high")},
        "label": analysis.verdict.label,
        "reason": analysis.verdict.reason,
        "fingerprint": analysis.fingerprint,
    }
