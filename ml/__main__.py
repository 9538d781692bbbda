"""Command line of the models: ``python -m ml train | evaluate | search | list | show | promote | ...``."""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feeds.clock import WallClock
from feeds.command_line import run_command
from feeds.errors import DataError, SettingsError
from feeds.settings import check_one_instrument, make_calendar
from feeds.show import print_line, print_table
from ml.command_settings import CommandSettings, read_settings
from ml.parallel import on_cluster

if TYPE_CHECKING:
    from feeds.sources.files import LoadedBars
    from strategies.trade_cost import TradeCost

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the program's name; those of the process by default.

    Returns
    -------
    int
        Exit code: 0 done, 2 arguments or settings, 3 data or a damaged model, 130 interrupted, 1 a drift
        alarm, a promotion refused, and anything else; `leakage` answers 1 where it found something.
    """
    options = _parser().parse_args(arguments)

    def work() -> int:
        with on_cluster(getattr(options, "cluster", None)):
            return int(options.command(options, read_settings(options.settings)) or 0)

    return run_command(work)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ml", description="Train, judge and keep models.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Any, explanation: str) -> argparse.ArgumentParser:  # noqa: ANN401 # a function
        added = commands.add_parser(name, help=explanation, description=explanation)
        added.add_argument("--settings", type=Path, metavar="FILE", help="YAML settings; defaults without it")
        added.set_defaults(command=command)
        return added

    train = add("train", _train, "Train on the older part of the bars, judge on the newer, store the model.")
    evaluate = add(
        "evaluate", _evaluate, "Judge the settings out of sample, or a stored model on bars new to it."
    )
    evaluate.add_argument(
        "--split",
        choices=("walkforward", "kfold", "cpcv"),
        default="walkforward",
        help="walkforward: train on the past of each window; kfold: on all other blocks; cpcv: on every "
        "choice of blocks, and trade each whole history that these make",
    )
    evaluate.add_argument("--folds", type=int, default=5, metavar="N", help="blocks of kfold")
    evaluate.add_argument("--blocks", type=int, default=6, metavar="N", help="blocks of cpcv")
    evaluate.add_argument("--test-blocks", type=int, default=2, metavar="K", help="tested at a time by cpcv")
    for with_data in (train, evaluate):
        with_data.add_argument(
            "--data", metavar="FILE|DIR|store|synthetic", help="bars; data.source without it"
        )
    train.add_argument("--promote", action="store_true", help="put the new model into use")
    evaluate.add_argument("--model", metavar="VERSION", help="a stored version, or champion")
    leakage = add("leakage", _leakage, "Look for knowledge of the future, from features to fills.")
    leakage.add_argument("--data", metavar="FILE|DIR|store|synthetic", help="bars; data.source without it")
    leakage.add_argument(
        "--features",
        action="append",
        metavar="NAME|package.module:function",
        help="check this feature alone, and nothing after it; may be given again",
    )
    search = add("search", _search, "Try settings, keep count, and show the best to bars that no trial saw.")
    search.add_argument("--data", metavar="FILE|DIR|store|synthetic", help="bars; data.source without it")
    search.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", dest="overrides")
    search.add_argument("--trials", type=int, metavar="N", help="all runs together; ml.search.trials")
    search.add_argument("--study", metavar="NAME", help="made of bars, space and settings without it")
    search.add_argument("--storage", metavar="URL", help="PostgreSQL, say; SQLite in runs/search without it")
    search.add_argument("--workers", type=int, default=0, metavar="N", help="trials at once; 0: one per core")
    search.add_argument("--out", type=Path, metavar="DIR", help="results; runs/search/STUDY without it")
    for on_workers in (evaluate, search):
        on_workers.add_argument("--cluster", metavar="tcp://HOST:8786", help="a Dask scheduler to work on")
    add("list", _list, "List the stored models.")
    show = add("show", _show, "Show a model's card.")
    show.add_argument("version", nargs="?", default="champion", help="a version; the champion without it")
    promote = add("promote", _promote, "Put a version into use that has beaten the champion on new bars.")
    promote.add_argument("version")
    promote.add_argument("--force", action="store_true", help="do without the test; the log says so")
    rollback = add("rollback", _rollback, "Put the champion before the present one back into use.")
    for moves in (promote, rollback):
        moves.add_argument(
            "--why", required=moves is promote, default="", metavar="TEXT", help="the reason, for the log"
        )
        moves.add_argument("--by", metavar="NAME", help="who does it; your user name without it")
    drift = add("drift", _drift, "Compare the newest sessions with a model's training; 1 on an alarm.")
    drift.add_argument("--model", metavar="VERSION", default="champion", help="the champion without it")
    drift.add_argument("--run", type=Path, metavar="STATE", help="recorded days of this folder, not bars")
    retrain = add("retrain", _retrain, "Train on all bars at hand and store the version; promote nothing.")
    retrain.add_argument("--nice", type=int, default=0, metavar="N", help="give way to others, 0 to 19")
    retrain.add_argument("--json", action="store_true", help="say what came of it as one line of JSON")
    retrain.add_argument("--beside", action="store_true", help="end when the standard input does")
    for with_bars in (promote, drift, retrain):
        with_bars.add_argument("--data", metavar="FILE|DIR|store|synthetic", help="bars to do it on")
    return parser


def _train(options: argparse.Namespace, settings: CommandSettings) -> None:
    from ml.card import training_card
    from ml.factory import train
    from ml.promotion import promote
    from ml.registry import ModelRegistry

    bars = _load(options.data, settings)
    ml = settings.ml
    trained = train(bars.frame, ml, "chronological", cost_bps=_choosing_cost(options, settings, bars))
    report = trained.windows[0]
    registry = ModelRegistry(ml.registry)
    trials = _count(settings, bars, what="train", log_loss=report.evaluation.log_loss)
    card = training_card(
        trained,
        ml,
        bars.frame,
        instrument=settings.market.instrument,
        bar_minutes=bars.bar_minutes,
        source=bars.source,
        sha256=bars.sha256,
        trials=trials,
        created_at=WallClock().now(),
    )
    version = registry.save(trained.models[-1], card)
    if options.promote:
        promote(
            registry, version, why="train --promote", by=getpass.getuser(), at=WallClock().now(), forced=True,
            note="promoted as it was trained, without a test",
        )  # fmt: skip
    _print_windows(trained.windows)
    print_line(f"stored {version} in {registry.root}" + (", now the champion" if options.promote else ""))


def _count(settings: CommandSettings, bars: LoadedBars, **more: object) -> int:
    """Count a training as a trial, because its figures may be chosen by; return how many there are."""
    from ml.registry import ModelRegistry

    shapes = settings.ml.model_dump(mode="json", exclude={"registry", "workers", "retrain", "search"})
    trial = {"data": bars.sha256, "settings": shapes, **more}
    return ModelRegistry(settings.ml.registry).record_trial(trial)


def _evaluate(options: argparse.Namespace, settings: CommandSettings) -> None:
    if options.model is not None and options.split != "walkforward":
        raise SettingsError(
            f"found --model and --split {options.split}, expected one of them: a stored model is trained once"
        )
    if options.split == "cpcv":
        _evaluate_paths(options)
        return
    bars = _load(options.data, settings)
    if options.model is not None:
        _evaluate_stored(options.model, bars, settings)
        return
    from ml.factory import cross_validate, train
    from ml.purged import PurgedKFold

    def progress(done: int, windows: int) -> None:
        sys.stderr.write(f"window {done} of {windows}\n")

    cost_bps = _choosing_cost(options, settings, bars)
    if options.split == "kfold":
        splitter = PurgedKFold(options.folds, settings.ml.split.embargo_bars)
        folds = cross_validate(bars.frame, settings.ml, splitter, progress, cost_bps=cost_bps)
        _count(settings, bars, what="evaluate", split=repr(splitter))
        _print_windows([fold.report for fold in folds])
        return
    trained = train(bars.frame, settings.ml, "walkforward", progress, cost_bps=cost_bps)
    _count(settings, bars, what="evaluate", split="walkforward")
    _print_windows(trained.windows)


def _evaluate_paths(options: argparse.Namespace) -> None:
    from strategies.model_commands import judge_paths

    def progress(done: int, steps: int) -> None:
        sys.stderr.write(f"step {done} of {steps}\n")

    found = judge_paths(options.settings, options.data, options.blocks, options.test_blocks, progress)
    _print_windows(found.windows)
    rows = []
    for label, name, digits in _PATH_FIGURES:
        spread = found.spread(name)
        if spread is not None:
            numbers = [f"{value:,.{digits}f}" for value in spread[:5]]
            rows.append([label, *numbers, f"{spread.below_zero:.0%}"])
    header = ["", ">lowest", ">quartile", ">median", ">quartile", ">highest", ">below zero"]
    print_table(f"{len(found.paths)} paths", header, rows)


def _choosing_cost(
    options: argparse.Namespace, settings: CommandSettings, bars: LoadedBars
) -> TradeCost | None:
    """Return what trades cost, where thresholds are chosen by it; that takes the settings of the account."""
    if settings.ml.thresholds.kind == "none":
        return None
    from strategies.settings import load_settings
    from strategies.trade_cost import choosing_cost

    return choosing_cost(load_settings(options.settings), bars.frame)


def _evaluate_stored(version: str, bars: LoadedBars, settings: CommandSettings) -> None:
    import numpy as np

    from ml.evaluation import evaluate
    from ml.factory import make_labels
    from ml.features import FeatureSet
    from ml.registry import ModelRegistry

    features = FeatureSet(settings.ml.features)
    stored = ModelRegistry(settings.ml.registry).load(version, features)
    if settings.ml.label.model_dump(mode="json") != stored.card.label:
        raise DataError(
            f"model {stored.card.version} was taught {stored.card.label}, the settings say "
            f"{settings.ml.label.model_dump(mode='json')}; set ml.label to the model's"
        )
    probabilities = stored.predictor(features).predict_frame(bars.frame)
    labels = make_labels(bars.frame, settings.ml.label)
    judged = labels.valid & np.isfinite(probabilities).all(axis=1)
    found = evaluate(labels.values[judged], probabilities[judged])
    if found.rows == 0:
        raise DataError(
            f"found no bar that model {stored.card.version} may judge, expected bars from "
            f"{stored.card.valid_from:%Y-%m-%d}; give newer data"
        )
    numbers = [str(found.rows), *(_number(value) for value in _figures(found))]
    print_table(f"model {stored.card.version} on {bars.source}", _FIGURES, [numbers])


def _leakage(options: argparse.Namespace, settings: CommandSettings) -> int:
    """Return 1 where something leaks."""
    from strategies.leakage_run import run_leakage_checks
    from strategies.settings import load_settings

    whole = load_settings(options.settings)
    bars = _load(options.data, settings)

    def progress(words: str) -> None:
        sys.stderr.write(f"{words}\n")

    report = run_leakage_checks(
        whole, bars.frame, make_calendar(settings.market), options.features, on_check=progress
    )
    rows = [[one.feature, str(one.declared), str(one.found)] for one in report.warm_ups]
    print_table("warm-up, bars", ["feature", ">declared", ">found"], rows)
    rows = [[check.name, check.looked_at, str(check.findings or "nothing")] for check in report.checks]
    print_table(f"checks on {bars.source}", ["check", "looked at", ">found"], rows)
    for finding in report.findings:
        print_line(finding.line())
    if not report.findings:
        print_line("nothing that is known at a bar rests on a later one")
    return 1 if report.findings else 0


def _search(options: argparse.Namespace, _: CommandSettings) -> None:
    from strategies.progress import make_progress
    from strategies.search.run import SearchRequest, run_search
    from strategies.settings import load_settings

    source = {} if options.data is None else {"data.source": ("--data", options.data)}
    if (options.trials is not None and options.trials < 1) or options.workers < 0:
        raise SettingsError(
            f"found --trials {options.trials} and --workers {options.workers}, expected 1 or more trials and "
            "0 or more workers"
        )
    request = SearchRequest(
        settings=load_settings(options.settings, options.overrides, source),
        trials=options.trials,
        study=options.study,
        storage=options.storage,
        workers=options.workers,
        out_dir=options.out,
    )
    with make_progress(quiet=False) as progress:
        outcome = run_search(request, progress)
    if outcome is None:
        print_line("no trial is left to begin; the process that ends the last one writes the page")
        return
    for line in outcome.lines():
        print_line(line)


def _list(_: argparse.Namespace, settings: CommandSettings) -> None:
    from ml.registry import ModelRegistry

    registry = ModelRegistry(settings.ml.registry)
    champion = registry.champion
    rows = []
    for version in registry.versions():
        card = registry.show(version)
        rows.append(
            [
                version + (" *" if version == champion else ""),
                card.kind,
                f"{card.trained_until:%Y-%m-%d}",
                _number(card.metrics.get("log_loss")),
                _number(card.metrics.get("accuracy")),
                card.feature_hash[:12],
            ]
        )
    if not rows:
        print_line(f"no models in {registry.root}; train one with `python -m ml train`")
        return
    header = ["version", "kind", "trained until", ">log-loss", ">accuracy", "features"]
    print_table(f"models in {registry.root}, * is the champion", header, rows)


def _show(options: argparse.Namespace, settings: CommandSettings) -> None:
    from ml.registry import ModelRegistry

    print_line(ModelRegistry(settings.ml.registry).show(options.version).model_dump_json(indent=2))


def _promote(options: argparse.Namespace, _: CommandSettings) -> int:
    from strategies.model_commands import Refused, promote_after_test

    found = promote_after_test(
        options.settings,
        options.version,
        source=options.data,
        why=options.why,
        by=options.by or getpass.getuser(),
        at=WallClock().now(),
        is_forced=options.force,
    )
    if isinstance(found, Refused):
        print_line(found.words)
        return 1
    print_line(f"{found.after} is the champion: {found.test.words() if found.test else found.note}")
    return 0


def _rollback(options: argparse.Namespace, settings: CommandSettings) -> None:
    from ml.promotion import roll_back
    from ml.registry import ModelRegistry

    registry = ModelRegistry(settings.ml.registry)
    line = roll_back(registry, why=options.why, by=options.by or getpass.getuser(), at=WallClock().now())
    print_line(f"{line.after} is the champion again")


def _drift(options: argparse.Namespace, _: CommandSettings) -> int:
    from strategies.model_commands import drift_of_bars, drift_of_days

    if options.run is not None:
        found = drift_of_days(options.run)
    else:
        found = drift_of_bars(options.settings, options.data, options.model)
    rows = [
        [name, *(_short(value) for value in one[:-1]), one.move]
        for name, one in sorted(found.series.items(), key=lambda item: -item[1].psi)
    ]
    header = ["series", ">PSI", ">usual", ">KS", ">usual", ">last session: PSI", ">KS", ""]
    print_table(f"drift: {found.level}", header, rows)
    print_line(found.words)
    return 1 if found.level == "alarm" else 0


def _retrain(options: argparse.Namespace, _: CommandSettings) -> None:
    from strategies.model_commands import retrain_now

    os.nice(options.nice)
    if options.beside:
        threading.Thread(target=_end_with_input, daemon=True).start()
    done = retrain_now(options.settings, options.data, WallClock().now())
    rate = done.hit_rate
    if options.json:
        plain = {"version": done.version, "trained_until": done.trained_until.isoformat()}
        trades = {"trades": rate.trades if rate else None, "wins": rate.wins if rate else None}
        print_line(json.dumps(plain | trades | {"log_loss": done.log_loss, "net_pnl": done.net_pnl}))
        return
    traded = f"; {rate.wins} of {rate.trades} trades on newer bars won" if rate else ""
    earned = "" if done.net_pnl is None else f", {done.net_pnl:+,.0f} rupees net"
    print_line(
        f"stored {done.version}, trained until {done.trained_until:%Y-%m-%d}{traded}{earned}; it is in use "
        f"once you say: python -m ml promote {done.version} --why ..."
    )


def _end_with_input() -> None:
    """End this process with the one that holds the pipe; what is half stored is no version."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os._exit(1)


def _short(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _load(source: str | None, settings: CommandSettings) -> LoadedBars:
    from feeds.sources.chosen import in_bar_minutes, load_chosen

    check_one_instrument(settings.market, "this command")
    data, instrument = settings.data, settings.market.instrument
    given = data.source_of(instrument) if source is None else source
    calendar = make_calendar(settings.market)
    loaded = load_chosen(data.model_copy(update={"source": given}), instrument, calendar)
    frame = in_bar_minutes(loaded.frame, loaded.bar_minutes, data.bar_minutes, loaded.source, calendar)
    return loaded._replace(frame=frame, bar_minutes=data.bar_minutes)


_PATH_FIGURES = (
    ("net, rupees", "net_pnl", 0),
    ("net a trade, bps", "net_edge_bps", 2),
    ("gross a trade, bps", "gross_edge_bps", 2),
    ("Sharpe ratio, net", "sharpe", 2),
    ("trades", "trades", 0),
)
_FIGURES = [">rows", ">accuracy", ">log-loss", ">of base rates", ">Brier", ">AUC", ">calibration error"]


def _figures(found: Any) -> tuple[float | None, ...]:  # noqa: ANN401 # ml.evaluation is imported late
    return (
        found.accuracy, found.log_loss, found.base_rate_log_loss, found.brier, found.auc_macro,
        found.calibration_error,
    )  # fmt: skip


def _print_windows(windows: Sequence[Any]) -> None:
    rows = [
        [
            f"{window.train_first:%Y-%m-%d} … {window.train_last:%Y-%m-%d}",
            f"{window.test_first:%Y-%m-%d} … {window.test_last:%Y-%m-%d}",
            str(window.rows_train),
            str(window.best_iteration),
            str(window.rows_test),
            *(_number(value) for value in _figures(window.evaluation)),
        ]
        for window in windows
    ]
    print_table("windows", ["trained on", "judged on", ">trained rows", ">rounds", *_FIGURES], rows)
    for window in windows:
        if window.thresholds is not None:
            words = ", ".join(f"{side} {choice.words()}" for side, choice in window.thresholds.items())
            print_line(f"thresholds from {window.test_first:%Y-%m-%d} on: {words}")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


if __name__ == "__main__":
    raise SystemExit(main())
