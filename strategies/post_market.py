"""After the market: the day compared, drawn, backed up and summed up.

Each part stands alone. One that fails is told in words, and the others go on; doing it all again replaces
what the first time wrote.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from analyzers.challengers import CHALLENGERS_DAYS_FILE, write_challenger_days
from analyzers.day_chart import write_day_chart
from analyzers.parity.as_json import write_parity_json
from analyzers.parity.compare import compare_days
from analyzers.parity.files import read_day
from analyzers.status.now import DriftNow, HitRateNow
from feeds.calendar import TradingCalendar
from feeds.candle_check import CandleCheck
from feeds.errors import MuhuratError
from feeds.log import Log
from feeds.market_events import MinuteHistory
from feeds.terms import DatedTerms
from strategies.candle_comparison import compare_candles
from strategies.challenger_process import judge_again
from strategies.day_backup import back_up_day
from strategies.day_summary import DaySummary, summarise_day
from strategies.days_file import DAYS_FILE, DayRow, read_days, write_day_row
from strategies.drift_standing import DriftStanding, write_standing
from strategies.recorded_drift import recorded_drift
from strategies.recorded_hit_rate import recorded_hit_rate
from strategies.recorded_model import recorded_model
from strategies.replay import recorded_settings, replay_day
from strategies.settings import Settings

__all__ = ["ParityOutcome", "PostMarket", "run_post_market"]

ParityOutcome = Literal["passed", "differs", "not_run"]

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class PostMarket:
    """What came of a day's last steps.

    Attributes
    ----------
    candles : CandleCheck or None
        Our bars against the broker's; None where they could not be compared.
    parity : {'passed', 'differs', 'not_run'}
        The day against its backtest.
    parity_words : str
        The two results, or why it does not pass, or was not run.
    drift : DriftNow
        As of this day, for the status page.
    hit_rate : HitRateNow
        Of the last trades up to this day, likewise.
    backups : tuple of pathlib.Path
        Copies of the day's databases.
    chart, report : pathlib.Path or None
        The picture and the page of the day.
    summary : DaySummary or None
        None where the day's files cannot be read.
    troubles : tuple of str
        What failed, a sentence for each part.
    """

    candles: CandleCheck | None
    parity: ParityOutcome
    parity_words: str
    drift: DriftNow
    hit_rate: HitRateNow
    backups: tuple[Path, ...]
    chart: Path | None
    report: Path | None
    summary: DaySummary | None
    troubles: tuple[str, ...]


def run_post_market(
    folder: Path,
    state_folder: Path,
    settings: Settings,
    calendar: TradingCalendar,
    history: MinuteHistory | None,
    log: Log,
    *,
    day: dt.date,
    mode: str,
    outcome: str = "done",
) -> PostMarket:
    """Do everything that is to be done with a day that is over, and tell it.

    Parameters
    ----------
    folder : pathlib.Path
        Of the day; its journal is closed.
    state_folder : pathlib.Path
        Of what outlives the day: ``days.csv`` and the backups.
    settings : Settings
        Those of the process.
    calendar : TradingCalendar
        Sessions.
    history : MinuteHistory or None
        Of the contract that was traded; None where there is none to ask.
    log : Log
        Told ``post_market`` and ``summary``.
    day : datetime.date
        The session's.
    mode : str
        ``demo``, ``paper`` or ``live``.
    outcome : str
        A word or a few for the list of days; ``left open`` takes its place where something is.
    """
    work = _Work(folder, state_folder, settings, day)
    candles = None if history is None else work.part("candles", lambda: work.candles(calendar, history))
    parity = work.part("parity", work.parity)
    drift = work.part("drift", work.drift)
    hit_rate = work.part("hit rate", work.hit_rate)
    work.part("challengers", work.challengers)
    backups = work.part("backup", work.back_up) or ()
    summary = work.part("summary", lambda: summarise_day(folder, day, mode))
    has_report = summary is not None and summary.has_report
    chart = work.part("chart", lambda: write_day_chart(folder)) if has_report else None
    if summary is not None:
        row = _row(summary, outcome, os.path.relpath(folder, state_folder))
        work.part("list of days", lambda: write_day_row(state_folder / DAYS_FILE, row))
    report = folder / "report.html"
    done = PostMarket(
        candles=candles,
        parity=parity[0] if parity else "not_run",
        parity_words=parity[1] if parity else work.failed["parity"],
        drift=drift or DriftNow(day=day, level="unknown", words=work.failed.get("drift", "")),
        hit_rate=hit_rate or HitRateNow(day=day, level="unknown", words=work.failed.get("hit rate", "")),
        backups=backups,
        chart=chart,
        report=report if has_report and report.is_file() else None,
        summary=summary,
        troubles=tuple(f"{name}: {words}" for name, words in work.failed.items()),
    )
    _tell(done, log)
    return done


class _Work:
    """The parts of one day, and what failed of them, by name."""

    def __init__(self, folder: Path, state_folder: Path, settings: Settings, day: dt.date) -> None:
        self._folder = folder
        self._state_folder = state_folder
        self._settings = settings
        self._day = day
        self.failed: dict[str, str] = {}

    def part(self, name: str, work: Callable[[], T]) -> T | None:
        try:
            return work()
        except (MuhuratError, OSError) as error:
            self.failed[name] = " ".join(str(error).split())
            return None

    def candles(self, calendar: TradingCalendar, history: MinuteHistory) -> CandleCheck:
        return compare_candles(
            self._folder,
            self._day,
            calendar,
            history,
            bar_minutes=self._settings.data.bar_minutes,
            tick_size=DatedTerms(self._settings.market, calendar)(self._day).tick,
        )

    def parity(self) -> tuple[ParityOutcome, str]:
        recorded = read_day(self._folder)
        replay = replay_day(recorded)
        result = compare_days(recorded, replay.run, replay.tick)
        failures = result.failures()
        write_parity_json(result, failures, self._folder / "parity.json")
        if failures:
            return "differs", "; ".join(failures)
        return "passed", f"live {result.live_net:+,.0f} rupees, its backtest {result.backtest_net:+,.0f}"

    def drift(self) -> DriftNow:
        found = recorded_drift(self._folder, self._earlier())
        model = recorded_model(self._folder)
        standing = DriftStanding(
            day=self._day, model=model.version if model else "", level=found.level, words=found.words
        )
        write_standing(standing, self._state_folder)
        ks = {name: one.ks for name, one in found.series.items() if one.ks is not None}
        return DriftNow(day=self._day, level=found.level, words=found.words, psi=found.psi, ks=ks)

    def hit_rate(self) -> HitRateNow:
        found = recorded_hit_rate(self._folder, self._earlier(), self._settings.live.hit_rate_trades)
        return HitRateNow.model_validate({"day": self._day, **found._asdict()})

    def challengers(self) -> None:
        if not self._settings.live.challengers:
            return
        recorded = read_day(self._folder)
        # The recorded settings name the models that they had on the day
        judged = judge_again(recorded_settings(recorded), self._folder, recorded.starting_cash)
        write_challenger_days(self._state_folder / CHALLENGERS_DAYS_FILE, self._day, judged)
        self.failed |= {f"challenger {one.name}": one.error for one in judged.challengers if one.error}

    def _earlier(self) -> list[Path]:
        days = read_days(self._state_folder / DAYS_FILE)
        return [self._state_folder / row.folder for row in days if row.day < self._day]

    def back_up(self) -> tuple[Path, ...]:
        live = self._settings.live
        backups = self._state_folder / live.backup_dir
        return tuple(back_up_day(self._folder, backups, self._day, keep=live.keep_backups))


def _row(summary: DaySummary, outcome: str, folder: str) -> DayRow:
    return DayRow(
        summary.day, summary.mode, summary.trades, summary.wins, round(summary.net_pnl, 2),
        round(summary.charges, 2), None if summary.cash is None else round(summary.cash, 2),
        "left open" if summary.left_open else outcome, folder,
    )  # fmt: skip


def _tell(done: PostMarket, log: Log) -> None:
    wants_a_look = done.troubles or done.parity == "differs" or done.drift.level in ("warning", "alarm")
    wants_a_look = wants_a_look or done.hit_rate.level == "low"
    (log.warning if wants_a_look else log.info)(
        "post_market",
        candle_bars=done.candles.bars if done.candles else None,
        candle_equal=done.candles.equal if done.candles else None,
        parity=done.parity,
        parity_words=done.parity_words,
        drift=done.drift.level,
        drift_words=done.drift.words,
        hit_rate=done.hit_rate.level,
        hit_rate_words=done.hit_rate.words,
        backup=str(done.backups[0]) if done.backups else None,
        troubles=list(done.troubles),
    )
    if done.summary is None:
        return
    summary = done.summary
    log.info(
        "summary",
        day=summary.day,
        mode=summary.mode,
        trades=summary.trades,
        wins=summary.wins,
        net_pnl=round(summary.net_pnl, 2),
        charges=round(summary.charges, 2),
        max_drawdown=None if summary.max_drawdown is None else round(summary.max_drawdown, 2),
        entries_denied=summary.entries_denied,
        # The companion, which sends it, works in another folder
        chart=None if done.chart is None else str(done.chart.resolve()),
        report=None if done.report is None else str(done.report.resolve()),
    )
