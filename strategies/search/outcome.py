"""What a search found, how far it can be believed, and its files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import yaml

from analyzers.search_report.build import write_search_report
from analyzers.search_report.page import SearchPage, TrialRow
from analyzers.sharpe import expected_maximum_sharpe, probabilistic_sharpe
from feeds.errors import SettingsError
from ml.overfitting import Overfitting, probability_of_overfitting
from ml.registry import ModelRegistry
from strategies.search.objective import BarParts
from strategies.search.study import FinishedTrial
from strategies.settings import Settings

__all__ = ["SearchOutcome", "best_of", "make_outcome", "overfitting_of"]

_MOST_BLOCKS, _SESSIONS_A_BLOCK = 16, 2


class SearchOutcome(NamedTuple):
    """A finished search.

    Attributes
    ----------
    page : SearchPage
        Everything that is shown.
    out_dir : pathlib.Path
        ``search.html``, ``best.yaml``, ``trials.csv``.
    """

    page: SearchPage
    out_dir: Path

    def lines(self) -> list[str]:
        """Return what the command says at its end."""
        page = self.page
        holdout = page.holdout
        return [
            page.words(),
            *([page.overfitting_words()] if page.overfitting else []),
            f"holdout {holdout['first']} to {holdout['last']}: {holdout['trades']} trades, "
            f"{holdout['net_pnl'] or 0.0:+,.0f} rupees net; {holdout['label']}: {holdout['reason']}",
            f"wrote {self.out_dir / 'search.html'}; run the best again with --settings "
            f"{self.out_dir / 'best.yaml'}",
        ]


def best_of(trials: Sequence[FinishedTrial]) -> FinishedTrial | None:
    """Return the trial of the greatest objective, the earliest of several; None where none was judged."""
    judged = [trial for trial in trials if trial.objective is not None]
    return max(judged, key=lambda trial: (trial.objective, -trial.number), default=None)


def overfitting_of(trials: Sequence[FinishedTrial]) -> Overfitting | None:
    """Judge the choice among different trials by their daily returns; None where too little is known."""
    different = {trial.identity: trial.judged.returns for trial in trials if trial.objective is not None}
    sessions = min((len(returns) for returns in different.values()), default=0)
    blocks = min(_MOST_BLOCKS, sessions // _SESSIONS_A_BLOCK // 2 * 2)
    if len(different) < 2 or blocks < 2:
        return None
    matrix = np.array([returns[-sessions:] for returns in different.values()], dtype=np.float64).T
    return probability_of_overfitting(matrix, blocks)


def make_outcome(
    study: str,
    parts: BarParts,
    base: Settings,
    best_settings: Settings,
    trials: Sequence[FinishedTrial],
    holdout: dict[str, Any],
    looks: int,
    out_dir: Path,
) -> SearchOutcome:
    """Put the page together and write the files.

    Raises
    ------
    SettingsError
        The folder cannot be written.
    """
    best = best_of(trials)
    earlier = ModelRegistry(base.ml.registry).sharpes(
        parts.whole.info["sha256"], but=best.identity if best else ""
    )
    sharpes = [*earlier, best.judged.sharpe if best else None]
    returns = np.array(best.judged.returns if best else [], dtype=np.float64)
    luckiest = expected_maximum_sharpe(sharpes, max(1, len(returns)))
    page = SearchPage(
        study=study,
        instrument=base.market.instrument,
        strategy=base.strategy.name,
        bar_minutes=base.data.bar_minutes,
        synthetic=bool(parts.whole.info["synthetic"]),
        source=str(parts.whole.info["source"]),
        seen_first=str(parts.seen.info["first"])[:10],
        seen_last=str(parts.seen.info["last"])[:10],
        judged_sessions=len(returns),
        minimum_trades=base.ml.search.minimum_trades,
        trials=[_row(trial) for trial in trials],
        best=_row(best) if best else None,
        best_yaml=_as_yaml(best_settings),
        counted=len(sharpes),
        luckiest_sharpe=luckiest,
        deflated_sharpe=probabilistic_sharpe(returns, luckiest),
        overfitting=overfitting_of(trials),
        holdout=holdout,
        looks=looks,
    )
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        write_search_report(page, out_dir / "search.html")
        (out_dir / "best.yaml").write_text(page.best_yaml, encoding="utf-8")
        _table(page.trials).to_csv(out_dir / "trials.csv", index=False, lineterminator="\n")
    except OSError as error:
        raise SettingsError(
            f"cannot write the search's results into {out_dir}: {error.strerror}; give another --out"
        ) from error
    return SearchOutcome(page, out_dir)


def _row(trial: FinishedTrial) -> TrialRow:
    judged = trial.judged
    return TrialRow(
        trial.number,
        trial.values,
        trial.objective,
        judged.sharpe,
        judged.trades,
        judged.net_pnl,
        judged.error,
    )


def _as_yaml(settings: Settings) -> str:
    """Return a settings file: what differs from the defaults."""
    tree = settings.model_dump(mode="json", exclude_defaults=True, exclude={"ml": {"search"}})
    tree = {section: values for section, values in tree.items() if values}
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)


def _table(rows: Sequence[TrialRow]) -> pd.DataFrame:
    plain = [row._asdict() | dict(row.values) for row in rows]
    return pd.DataFrame(plain).drop(columns="values")
