"""Several strategies or models on one account, to see which trades better on the same bars.

Each arm has its own lots. The account holds one position at a time, so while one arm is in the market the
others wait. Of the arms that want the same bar, a draw decides; see :meth:`Strategy.decide`.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from feeds.clock import IST
from feeds.errors import SettingsError
from strategies.arm_predictors import ArmPredictors
from strategies.arm_settings import ArmsSettings
from strategies.base import Decision, IntradayStrategy, PluginSettings
from strategies.plugins import load_strategy
from strategies.random_entry import uniform
from strategies.sizers import LotSizer, Sizer

__all__ = ["Strategy"]

_DRAW = 0x6162_0000  # far from the small seeds of random_entry, whose coin must not be the arm's luck as well
_EPOCH = np.datetime64(0, "us")


class _Arm(NamedTuple):
    name: str
    answers: IntradayStrategy
    sizer: Sizer


class Strategy(IntradayStrategy):
    """Asks its arms, and enters for one of them at a time.

    Notes
    -----
    An arm's class only answers :meth:`decide`, :meth:`wants_exit` and :meth:`inputs`; it sends no order.
    Its indicators are computed with this strategy's, so nothing is asked before the longest warm-up of all
    is over: each arm gets the same bars.

    Stop and target distances, times, account and risk rules are common. Who holds the position is read from
    the journal, and so is known after a restart.
    """

    Settings = ArmsSettings

    def __init__(self) -> None:
        super().__init__()
        settings: ArmsSettings = self.p.plugin
        models: ArmPredictors | None = self.p.predictor
        self._begins = None if models is None else _naive(models.judges_from)
        self._arms = [self._make_arm(settings, place, models) for place in range(len(settings.arms))]

    @classmethod
    def models(cls, plugin: PluginSettings) -> dict[str, str | None]:
        """Return the stored version of the model of each arm that asks one; None for the model of the run."""
        settings = cast(ArmsSettings, plugin)
        return {
            arm.name: arm.model
            for place, arm in enumerate(settings.arms)
            if load_strategy(arm.strategy).models(settings.plugin(place))
        }

    def _make_arm(self, settings: ArmsSettings, place: int, models: ArmPredictors | None) -> _Arm:
        arm = settings.arms[place]
        make: Any = load_strategy(arm.strategy)  # backtrader's metaclass takes the feed and the parameters
        answers = make(
            self.data,
            settings=self._settings,
            windows=self._windows,
            sizer=self._sizer_units,
            plugin=settings.plugin(place),
            predictor=None if models is None else models.by_arm.get(arm.name),
            terms=self.p.terms,
        )
        if len(answers.lines) != len(self.lines) or answers.lines.size() != self.lines.size():
            raise SettingsError(
                f"strategy.parameters.arms.{place}.strategy is {arm.strategy!r}, which declares lines of its "
                "own, expected none; put them into an indicator"
            )
        for indicator in answers.getindicators():
            self.addindicator(indicator)
        # The engine moves only its own strategy's lines on, and an arm may ask how many bars there are
        answers.lines = self.lines
        return _Arm(arm.name, answers, LotSizer(arm.lots, self.p.terms))

    def decide(self) -> Decision | None:
        """Ask every arm; where several want the bar, the least of their draws goes.

        The draw of an arm is a hash of the bar's time and the arm's place: the same in a backtest, live and
        after a restart, independent of what the market does, and as likely for one arm as for another.
        """
        if self._begins is not None and self.data.opened_at() < self._begins:
            return None
        wanted = [
            (self._draw(place), place, decision)
            for place, arm in enumerate(self._arms)
            if (decision := arm.answers.decide()) is not None
        ]
        if not wanted:
            return None
        _, place, decision = min(wanted, key=lambda one: one[:2])
        arm = self._arms[place]
        atr = float(arm.answers.atr[0]) if decision.atr is None else decision.atr
        return decision._replace(atr=atr, sizer=arm.sizer, arm=arm.name)

    def wants_exit(self) -> bool:
        """Ask the arm that holds the position; where there is none of that name any more, nobody."""
        contexts = self.broker.journal.contexts
        holder = contexts[-1].arm if contexts else ""
        return any(arm.answers.wants_exit() for arm in self._arms if arm.name == holder)

    def inputs(self) -> dict[str, float]:
        """Name the inputs of every arm, each behind the arm's name."""
        named = {
            f"{arm.name}.{name}": value for arm in self._arms for name, value in arm.answers.inputs().items()
        }
        return super().inputs() | named

    def entry_bars(self) -> npt.NDArray[np.bool_] | None:
        """Return the bars on which any arm may enter."""
        bars = _any_of([arm.answers.entry_bars() for arm in self._arms])
        if bars is None or self._begins is None:
            return bars
        begins = int((np.datetime64(self._begins, "us") - _EPOCH).astype(np.int64))
        return bars & (self.data.opened(0, self.data.buflen()) >= begins)

    def exit_bars(self) -> npt.NDArray[np.bool_] | None:
        """Return the bars on which any arm may leave."""
        return _any_of([arm.answers.exit_bars() for arm in self._arms])

    def _draw(self, place: int) -> float:
        return float(uniform(np.array([self.data.datetime[0]]), _DRAW + place)[0])


def _naive(time: dt.datetime) -> dt.datetime:
    return time.astimezone(IST).replace(tzinfo=None)


def _any_of(flags: list[npt.NDArray[np.bool_] | None]) -> npt.NDArray[np.bool_] | None:
    """Return where any is true; None, which stands for everywhere, where one of them is that."""
    known = [flag for flag in flags if flag is not None]
    return np.logical_or.reduce(known) if len(known) == len(flags) else None
