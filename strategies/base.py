"""The intraday strategy that every plugin extends: one position, bracketed, flat by the evening.

A plugin says when to enter and how sure it is; this class does the rest. It never asks where it runs.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import backtrader as bt
import numpy as np
import numpy.typing as npt

from analyzers.bar_record import BarRecord
from brokers.matching import first_bar_reaching
from brokers.scaling import target_parts
from feeds.errors import MuhuratError
from feeds.section import Section
from strategies.entry_plan import plan_entry
from strategies.indicators import AverageTrueRange
from strategies.peers import PeerBars
from strategies.settings_section import StrategySettings
from strategies.sizers import Sizer
from strategies.windows import DayWindows

__all__ = ["BarRecord", "Decision", "IntradayStrategy", "PluginSettings", "whole_line"]


class PluginSettings(Section):
    """Settings of one plugin, under ``strategy.parameters``; plugins without any use this."""

    @property
    def arm_names(self) -> tuple[str, ...]:
        """The arms that share the account, none for an ordinary strategy."""
        return ()


class Decision(NamedTuple):
    """An entry that a plugin wants.

    Attributes
    ----------
    side : int
        +1 long, -1 short.
    probability : float
        The model's probability of that side, NaN without a model.
    model_age_days : float
        Days from the last bar the model was trained on to this bar, NaN without a model.
    atr : float or None
        What stop, target and size are measured in, index points; None for the strategy's own.
    sizer : Sizer or None
        Sizes this entry; None for the one of the settings.
    arm : str
        Which of several arms on one account wants it.
    """

    side: int
    probability: float = math.nan
    model_age_days: float = math.nan
    atr: float | None = None
    sizer: Sizer | None = None
    arm: str = ""


class _Answer(NamedTuple):
    # The part of a BarRecord that only the strategy itself knows.
    asked: bool = False
    side: int = 0
    probability: float = math.nan
    units: float = 0.0
    leaves: str = ""
    arm: str = ""


_DUST = 1e-6  # points; looking at a bar too many changes nothing
_NOT_ASKED = _Answer()
_NO_ENTRY = _Answer(asked=True)


class IntradayStrategy(bt.Strategy):
    """Base of all strategies.

    Parameters
    ----------
    settings : StrategySettings
        Times, stop and target distances.
    windows : DayWindows
        When entries end and positions are squared off, by day.
    sizer : Sizer
        Units of an entry.
    plugin : PluginSettings
        The plugin's own settings, an instance of its ``Settings``.
    predictor : ml.predict.Predictor, strategies.arm_models.ArmPredictors or None
        For plugins that ask a model.
    terms : callable or None
        ``terms(day)`` gives the contract's lot, for plugins that count in lots.
    on_bar : callable or None
        Given a :class:`analyzers.bar_record.BarRecord` on every bar, after its orders were sent.
    peers : mapping or None
        Feeds of the other instruments that are traded beside this one, by name; see :meth:`peer`.
    share : callable or None
        ``share(day)`` gives the part of the cash that entries are sized by on the day of that ordinal; the
        whole of it without.

    Notes
    -----
    A plugin overrides :meth:`decide`, and :meth:`wants_exit` if it leaves before stop, target or
    square-off; :meth:`inputs` names what these two look at. For speed it may declare with
    :meth:`entry_bars` and :meth:`exit_bars` on which bars these two can answer anything; without a
    declaration every bar is visited.
    """

    Settings: ClassVar[type[PluginSettings]] = PluginSettings
    needs_model: ClassVar[bool] = False

    params: ClassVar[Any] = (
        ("settings", None),
        ("windows", None),
        ("sizer", None),
        ("plugin", None),
        ("predictor", None),
        ("terms", None),
        ("on_bar", None),
        ("peers", None),
        ("share", None),
    )

    def __init__(self) -> None:
        settings: StrategySettings = self.p.settings
        windows: DayWindows = self.p.windows
        self._settings = settings
        self._windows = windows
        self._sizer_units: Sizer = self.p.sizer
        self._entry: Any = None  # an order of the broker in use, None unless it is working
        self._exit_ref = 0
        self._bars_seen = 0
        self._entry_bar = 0
        self._held_since = 0  # ordinal of the day
        self._protection: list[Any] = []
        self._stop_order: Any = None  # an order of the broker in use
        self._trail_points = math.inf
        self._next_flat = self._next_holding = self._next_square_off = np.zeros(0, dtype=np.int64)
        self._on_bar: Callable[[BarRecord], None] | None = self.p.on_bar
        self.atr = self.make_atr()

    # -- what a plugin overrides -----------------------------------------------------------------

    @classmethod
    def models(cls, plugin: PluginSettings) -> dict[str, str | None]:
        """Return the stored version of each model it asks, by arm; None for the model of the run."""
        return {"": None} if cls.needs_model else {}

    def make_atr(self) -> Any:  # noqa: ANN401 # a backtrader line
        """Return the line with the ATR (index points) that stops, targets and sizes are measured in."""
        return AverageTrueRange(self.data, period=self._settings.atr_period_bars).atr

    def decide(self) -> Decision | None:
        """Answer whether to enter at the close of the current bar; only asked when flat."""
        raise NotImplementedError

    def wants_exit(self) -> bool:
        """Answer whether to leave the open position at the close of the current bar."""
        return False

    def inputs(self) -> dict[str, float]:
        """Return what the answers on the current bar rest on, by name; only asked where bars are recorded."""
        return {"atr": float(self.atr[0])}

    def entry_bars(self) -> npt.NDArray[np.bool_] | None:
        """Return on which bars :meth:`decide` may answer an entry, None when it may on any.

        Asked once, after all indicators were computed over the whole history; shape (n,).
        """
        return None

    def exit_bars(self) -> npt.NDArray[np.bool_] | None:
        """Return on which bars :meth:`wants_exit` may be true, None when it may on any."""
        overridden = type(self).wants_exit is not IntradayStrategy.wants_exit
        return None if overridden else np.zeros(self.data.buflen(), dtype=bool)

    def peer(self, name: str) -> PeerBars:
        """Return the bars of another instrument that is traded beside this one, those closed by now.

        A plugin that looks at it declares no :meth:`entry_bars` unless these account for it.

        Raises
        ------
        MuhuratError
            It is not traded beside this one.
        """
        peers = self.p.peers or {}
        if name not in peers:
            raise MuhuratError(
                f"strategy {type(self).__name__}: {name} is not traded beside {self.data._name}, expected "
                f"{' or '.join(peers) or 'none: market.instruments is empty'}; add it to market.instruments"
            )
        return PeerBars(peers[name])

    # -- the loop --------------------------------------------------------------------------------

    def _next(self) -> None:
        # Bars of other feeds come before the first of its own, and backtrader asks a strategy without any
        if len(self.data):
            super()._next()

    def next(self) -> None:
        """Manage the open position, or look for an entry."""
        if len(self.data) == self._bars_seen:
            return  # a bar of another feed
        self._bars_seen = len(self.data)
        if self._on_bar is None:
            self._manage()
            return
        position = float(self.broker.getposition(self.data).size)
        working = self._entry is not None or bool(self._exit_ref)
        answer = self._manage()
        asked, side, probability, units, leaves, arm = answer
        self._on_bar(
            BarRecord(
                self.data.opened_at(), position, working, asked, side, probability, units, leaves,
                self.inputs(), arm,
            )
        )  # fmt: skip

    def _manage(self) -> _Answer:
        day = int(self.data.datetime[0])
        minute = round((self.data.datetime[0] - day) * 86_400) / 60
        window = self._windows.of(day)
        position = self.broker.getposition(self.data).size
        if position:
            self._held_since = self._held_since or day
            if self._exit_ref:
                return _NOT_ASKED
            # Held from an earlier day only where that day's bars ended before the square-off
            if minute >= window.square_off or day != self._held_since:
                return self._leave("square_off", position)
            if self.wants_exit():
                return self._leave("signal", position)
            if self._entry is not None and self._is_late(self._entry):
                self.cancel(self._entry)
            self._trail(position)
            return _NOT_ASKED
        self._held_since = 0
        if self._entry is not None:
            if minute >= window.square_off or self._is_late(self._entry):
                self.cancel(self._entry)
            return _NOT_ASKED
        if minute >= window.last_entry or not self.data.complete[0]:
            return _NOT_ASKED
        decision = self.decide()
        return _NO_ENTRY if decision is None else self._enter(decision)

    def notify_order(self, order: Any) -> None:  # noqa: ANN401 # an order of the broker in use
        """Keep track of which of our orders are still working."""
        if order.info.get("restored"):
            self._adopt(order)
        elif order.alive():
            if order.leaves_at_market:  # ours, or a limit of the broker closes the position
                self._exit_ref = order.ref
        elif self._entry is not None and order.ref == self._entry.ref:
            self._entry = None
        elif order.ref == self._exit_ref:
            self._exit_ref = 0
            if order.status != order.Completed:
                self._protection = []

    def _adopt(self, order: Any) -> None:  # noqa: ANN401 # an order of the broker in use
        """Go on with an order that this strategy sent before the process was restarted."""
        if order.role == "entry":
            self._held_since = int(order.created.dt)
            self._entry = order if order.alive() else None
            self._trail_points = self._distance(self._settings.trail_atr, order.info.get("volatility"))
        elif order.alive() and order.leaves_at_market:
            self._exit_ref = order.ref
        elif order.alive():
            self._protection.append(order)
            if order.role == "stop":
                self._stop_order = order

    def _is_late(self, entry: Any) -> bool:  # noqa: ANN401 # an order of the broker in use
        """Whether an entry that waits for its price has waited for as many bars as it may."""
        bars = self._settings.entry.valid_bars
        if entry.exectype == entry.Market or len(self.data) < bars:
            return False
        return bool(self.data.datetime[1 - bars] > entry.created.dt)

    def _trail(self, position: float) -> None:
        """Have the stop follow the close; what is no tighter than before the broker leaves as it is."""
        if self._trail_points < math.inf and self._stop_order is not None:
            self.broker.move_stop(
                self._stop_order, self.data.close[0] - math.copysign(self._trail_points, position)
            )

    @staticmethod
    def _distance(atrs: float | None, atr: float | None) -> float:
        return math.inf if atrs is None or atr is None else atrs * atr

    def _enter(self, decision: Decision) -> _Answer:
        atr = self.atr[0] if decision.atr is None else decision.atr
        if not 0 < atr < math.inf:  # NaN during warm-up
            return _Answer(True, int(decision.side), float(decision.probability))
        side = decision.side
        if side not in (1, -1):
            raise MuhuratError(
                f"strategy {type(self).__name__}: decide() answered side {side!r}, expected +1 or -1; "
                "answer None for no entry"
            )
        plan = plan_entry(self._settings, side, self.data.close[0], atr)
        units = (decision.sizer or self._sizer_units).units(
            day=int(self.data.datetime[0]),
            price=plan.price,
            stop_points=plan.risk_points,
            cash=self._cash(),
        )
        answer = _Answer(True, int(side), float(decision.probability), float(units), arm=decision.arm)
        if not units:
            return answer
        facts = {
            "volatility": atr,
            "bar_complete": bool(self.data.complete[0]),
            "probability": decision.probability,
            "model_age_days": decision.model_age_days,
            "arm": decision.arm,
        }
        place, protect = (self.buy, self.sell) if side > 0 else (self.sell, self.buy)
        entry = place(size=units, transmit=False, role="entry", **plan.order, **facts)
        self._entry, self._entry_bar = entry, len(self.data) - 1
        self._trail_points = self._distance(self._settings.trail_atr, atr)
        self._stop_order = protect(
            size=units, exectype=bt.Order.Stop, price=plan.stop, parent=entry, transmit=False, role="stop"
        )
        targets = [
            protect(
                size=part, exectype=bt.Order.Limit, price=price, parent=entry,
                transmit=price == plan.targets[-1], role="target", fraction=fraction,
            )
            for price, fraction, part in zip(
                plan.targets, plan.fractions, self._parts(units, plan.fractions), strict=True
            )
            if part
        ]  # fmt: skip
        self._protection = [self._stop_order, *targets]
        return answer

    def _parts(self, units: float, fractions: tuple[float, ...]) -> list[float]:
        if len(fractions) == 1:
            return [units]
        day = dt.date.fromordinal(int(self.data.datetime[0]))
        return target_parts(units, fractions, self.p.terms(day).lot)

    def _cash(self) -> float:
        """Return the rupees that entries are sized by."""
        cash = float(self.broker.getcash())
        return cash if self.p.share is None else cash * float(self.p.share(int(self.data.datetime[0])))

    def _leave(self, reason: str, position: float) -> _Answer:
        """Cancel the protection, then leave at market: never two exits that could both fill."""
        for order in self._protection:
            self.cancel(order)
        self._protection = []
        place = self.sell if position > 0 else self.buy
        self._exit_ref = place(size=abs(position), exectype=bt.Order.Market, role=reason).ref
        return _Answer(leaves=reason)

    # -- what the engine asks --------------------------------------------------------------------

    def declare_acting_bars(self) -> None:
        """Work out on which bars :meth:`next` can do anything, once all indicators are computed."""
        times = whole_line(self.data.lines.datetime)
        complete = whole_line(self.data.lines.complete) != 0
        entry_allowed, square_off = self._windows.flags(times)
        entries, exits = self.entry_bars(), self.exit_bars()
        everywhere = np.ones(len(times), dtype=bool)
        flat = everywhere if entries is None else entries & entry_allowed & complete
        another_day = np.append(False, np.diff(np.floor(times)) != 0)
        holding = everywhere if exits is None else exits | square_off | another_day
        self._next_flat, self._next_holding = _next_true(flat), _next_true(holding)
        self._next_square_off = _next_true(square_off)

    def next_acting_bar(self, bar: int) -> int:
        """Return the first bar after ``bar`` on which :meth:`next` can do anything."""
        position = self.broker.getposition(self.data).size
        table = self._next_holding if position else self._next_flat
        ahead = int(table[bar + 1])
        if position and self._trail_points < math.inf:
            ahead = min(ahead, self._next_tighter_stop(bar + 1, position))
        if self._entry is not None and self._entry.exectype != self._entry.Market:
            late = max(bar + 1, self._entry_bar + self._settings.entry.valid_bars)
            ahead = min(ahead, late, int(self._next_square_off[bar + 1]))
        return ahead

    def _next_tighter_stop(self, bar: int, position: float) -> int:
        """Return the first bar from ``bar`` on whose close the stop may be moved, n where there is none."""
        closes = self.data.p.columns["close"]
        level = self._stop_order.created.price + math.copysign(self._trail_points - _DUST, position)
        levels = (-math.inf, level) if position > 0 else (level, math.inf)
        return first_bar_reaching(closes, closes, bar, *levels)


def _next_true(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return for each position the first true one at or after it, n where there is none; shape (n + 1,)."""
    bars = len(mask)
    positions = np.where(mask, np.arange(bars), bars)
    following = np.minimum.accumulate(positions[::-1])[::-1]
    return np.append(following, bars)


def whole_line(line: Any) -> npt.NDArray[np.float64]:  # noqa: ANN401 # a backtrader line
    """Return a copy of a line's whole history, shape (n,)."""
    return np.array(line.array, dtype=np.float64)
