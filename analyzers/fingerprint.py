"""One short text that says whether two runs traded the same."""

from __future__ import annotations

import hashlib

import pandas as pd

__all__ = ["trades_fingerprint"]

TIMES = ("signal_time", "entry_time", "exit_time")
NUMBERS = ("size", "entry_price", "exit_price", "gross_pnl", "slippage_cost", "charges", "net_pnl")


def trades_fingerprint(trades: pd.DataFrame) -> str:
    """Return the SHA-256 over a canonical text of the trades.

    Parameters
    ----------
    trades : pandas.DataFrame
        As from :func:`analyzers.trades.trades_frame`.

    Returns
    -------
    str
        64 hexadecimal digits. Each trade is one line: instrument, side, exit reason, the three times in ISO
        form, and sizes, prices and money rounded to 1e-6. Rounding keeps the last bits, which may differ from
        one processor to another, out of it; excursions, the model's probability and ids are left out because
        they describe a trade and do not make it.
    """
    texts = [trades[name].astype(str).tolist() for name in ("instrument", "side", "exit_reason")]
    texts += [[time.isoformat() for time in trades[name]] for name in TIMES]
    texts += [[_number(value) for value in trades[name].tolist()] for name in NUMBERS]
    lines = "\n".join("|".join(row) for row in zip(*texts, strict=True))
    return hashlib.sha256(lines.encode()).hexdigest()


def _number(value: float) -> str:
    text = f"{value:.6f}"
    return "0.000000" if text == "-0.000000" else text
