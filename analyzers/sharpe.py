"""How sure a Sharpe ratio is, and how large the best of many worthless ones would have looked.

Bailey, D. H. and López de Prado, M. (2014): The Deflated Sharpe Ratio: Correcting for Selection Bias,
Backtest Overfitting and Non-Normality. Journal of Portfolio Management 40 (5), 94-107.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr, ndtri

__all__ = ["SESSIONS_PER_YEAR", "annual_sharpe", "expected_maximum_sharpe", "probabilistic_sharpe"]

SESSIONS_PER_YEAR = 252
"""Sessions that make a year in every annualised figure; the Indian market holds 244 to 251."""


def annual_sharpe(returns: np.ndarray) -> float | None:
    """Return mean over standard deviation (ddof 1) of daily returns, times √252; risk-free rate 0.

    None for fewer than two returns, or when they do not vary.
    """
    if len(returns) < 2:
        return None
    deviation = float(np.std(returns, ddof=1))
    if deviation <= 1e-12:
        return None
    return float(np.mean(returns)) / deviation * math.sqrt(SESSIONS_PER_YEAR)


def probabilistic_sharpe(returns: np.ndarray, benchmark_sharpe: float = 0.0) -> float | None:
    """Return the probability that the true Sharpe ratio lies above a benchmark.

    Φ((s - s*) √(n - 1) / √(1 - skew s + (kurtosis - 1) / 4 s²)) with s per session (paper, equation 9).

    Parameters
    ----------
    returns : numpy.ndarray
        Daily returns as fractions, shape (n,).
    benchmark_sharpe : float
        Annualised Sharpe ratio to beat.

    Returns
    -------
    float or None
        From 0 to 1; None for fewer than three returns, or when they do not vary.
    """
    sharpe = annual_sharpe(returns)
    if sharpe is None or len(returns) < 3:
        return None
    per_session = sharpe / math.sqrt(SESSIONS_PER_YEAR)
    standard = (returns - np.mean(returns)) / np.std(returns)
    skew, kurtosis = float(np.mean(standard**3)), float(np.mean(standard**4))
    spread = 1.0 - skew * per_session + (kurtosis - 1.0) / 4.0 * per_session**2
    if spread <= 0.0:
        return None
    excess = per_session - benchmark_sharpe / math.sqrt(SESSIONS_PER_YEAR)
    return float(ndtr(excess * math.sqrt(len(returns) - 1) / math.sqrt(spread)))


def expected_maximum_sharpe(sharpes: Sequence[float | None], sessions: int) -> float:
    """Return the Sharpe ratio that the luckiest of several trials without any edge is expected to show.

    √V ((1 - γ) Φ⁻¹(1 - 1/N) + γ Φ⁻¹(1 - 1/(N e))), with γ Euler's constant (paper, equation 1).

    Parameters
    ----------
    sharpes : sequence of float or None
        Annualised Sharpe ratios of all N trials. None where nobody knows it, as of a training that was never
        traded: it counts, and is taken to vary as the others do.
    sessions : int
        Daily returns behind each. Where fewer than two Sharpe ratios are known, V is what chance alone gives
        that of a worthless trial, 252 / sessions (Lo 2002, The Statistics of Sharpe Ratios).

    Returns
    -------
    float
        Annualised; 0.0 for a single trial.
    """
    count = len(sharpes)
    if count < 2:
        return 0.0
    known = np.array([sharpe for sharpe in sharpes if sharpe is not None], dtype=np.float64)
    variance = float(np.var(known, ddof=1)) if len(known) > 1 else SESSIONS_PER_YEAR / sessions
    deviation = math.sqrt(variance)
    first, second = ndtri(1.0 - 1.0 / count), ndtri(1.0 - 1.0 / (count * math.e))
    return deviation * float((1.0 - np.euler_gamma) * first + np.euler_gamma * second)
