"""How the cash is shared out among several instruments, from sessions that are over."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd

from feeds.errors import DataError, SettingsError
from strategies.allocation_settings import AllocationSettings

__all__ = ["Allocation", "shares_of"]

_BY_RETURNS = ("inverse_volatility", "risk_parity", "mean_variance")


class Allocation:
    """The part of the cash that entries in each instrument are sized by, by day.

    A share rests on the sessions before the first day of its period, so that the same day has the same shares
    in a backtest of any length and live.

    Parameters
    ----------
    settings : AllocationSettings
        Kind, sessions and periods.
    returns : pandas.DataFrame
        As from :func:`strategies.session_returns.session_returns`, one column for each instrument.
    """

    def __init__(self, settings: AllocationSettings, returns: pd.DataFrame) -> None:
        self._settings = settings
        self._returns = returns.dropna()
        self._names = list(returns.columns)
        self._periods: dict[dt.date, tuple[npt.NDArray[np.float64], int]] = {}

    def share(self, instrument: str, day: dt.date) -> float:
        """Return the share of an instrument on a day, from 0 to 1; 1 of each where nothing is shared out."""
        if self._settings.kind == "none":
            return 1.0
        shares, _ = self._of_period(_first_day(day, self._settings.renewed))
        return float(shares[self._names.index(instrument)])

    def of(self, instrument: str) -> Callable[[int], float]:
        """Return the share of one instrument as a function of the day's proleptic Gregorian ordinal."""
        return lambda day: self.share(instrument, dt.date.fromordinal(day))

    def table(self) -> pd.DataFrame:
        """Return the shares that were asked for: a row for each period.

        Returns
        -------
        pandas.DataFrame
            Index ``from``, the first day of the period; one column for each instrument; ``sessions``, from
            how many sessions they were worked out, 0 where there were too few and the parts are equal.
        """
        rows = {first: [*shares.tolist(), used] for first, (shares, used) in sorted(self._periods.items())}
        frame = pd.DataFrame.from_dict(rows, orient="index", columns=[*self._names, "sessions"])
        frame.index.name = "from"
        return frame

    @property
    def periods_without_past(self) -> int:
        """Periods that were asked for and had too few sessions before them."""
        by_returns = self._settings.kind in _BY_RETURNS
        return sum(used == 0 for _, used in self._periods.values()) if by_returns else 0

    def _of_period(self, first: dt.date) -> tuple[npt.NDArray[np.float64], int]:
        known = self._periods.get(first)
        if known is None:
            past = self._returns[self._returns.index < pd.Timestamp(first)].iloc[-self._settings.sessions :]
            is_enough = self._settings.kind in _BY_RETURNS and len(past) == self._settings.sessions
            equal = np.full(len(self._names), 1.0 / len(self._names))
            known = (shares_of(self._settings, past), len(past)) if is_enough else (equal, 0)
            self._periods[first] = known
        return known


def shares_of(settings: AllocationSettings, returns: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Return the shares that follow from returns, in the order of their columns; they add up to 1.

    Parameters
    ----------
    settings : AllocationSettings
        ``kind`` is one that looks at returns.
    returns : pandas.DataFrame
        Of past sessions, without gaps.

    Raises
    ------
    DataError
        An instrument did not move in any of the sessions.
    SettingsError
        The kind asks for the extra ``portfolio``, which is not installed.
    """
    deviation = returns.std().to_numpy(dtype=np.float64)
    if not (deviation > 0.0).all():
        still = returns.columns[int(np.argmin(deviation > 0.0))]
        raise DataError(
            f"allocation {settings.kind}: {still} had the same return in each of {len(returns)} sessions up "
            f"to {returns.index[-1]:%Y-%m-%d}, expected returns that vary; look at its bars"
        )
    if settings.kind == "inverse_volatility":
        weights: npt.NDArray[np.float64] = 1.0 / deviation
    else:
        weights = np.asarray(_fitted(settings, returns), dtype=np.float64)
    return weights / weights.sum()


def _fitted(settings: AllocationSettings, returns: pd.DataFrame) -> npt.NDArray[np.float64]:
    try:
        from skfolio import RiskMeasure
        from skfolio.optimization import MeanRisk, ObjectiveFunction, RiskBudgeting
    except ImportError as error:
        raise SettingsError(
            f"strategy.allocation.kind {settings.kind} asks for skfolio, which is not installed; "
            "pip install 'muhurat[portfolio]', or choose inverse_volatility"
        ) from error
    if settings.kind == "risk_parity":
        model = RiskBudgeting(risk_measure=RiskMeasure.VARIANCE)
    else:
        model = MeanRisk(
            objective_function=ObjectiveFunction.MAXIMIZE_UTILITY, risk_aversion=settings.risk_aversion
        )
    weights: npt.NDArray[np.float64] = model.fit(returns).weights_
    return np.maximum(weights, 0.0)  # a solver leaves dust below a bound


def _first_day(day: dt.date, renewed: str) -> dt.date:
    if renewed == "weekly":
        return day - dt.timedelta(days=day.weekday())
    return day.replace(day=1) if renewed == "monthly" else day
