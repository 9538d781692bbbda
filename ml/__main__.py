"""Command line of the models: ``python -m ml train | evaluate | list | show | promote | rollback``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feeds.clock import WallClock
from feeds.command_line import run_command
from feeds.errors import DataError
from feeds.settings import make_calendar
from feeds.show import print_line, print_table
from ml.command_settings import CommandSettings, read_settings

if TYPE_CHECKING:
    from feeds.sources.files import LoadedBars

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
        Exit code: 0 done, 2 arguments or settings, 3 data or a damaged model, 130 interrupted, 1 anything
        else.
    """
    options = _parser().parse_args(arguments)

    def work() -> int:
        options.command(options, read_settings(options.settings))
        return 0

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
        "evaluate", _evaluate, "Judge the settings walk-forward, or a stored model on bars new to it."
    )
    for with_data in (train, evaluate):
        with_data.add_argument(
            "--data", metavar="FILE|DIR|store|synthetic", help="bars; data.source without it"
        )
    train.add_argument("--promote", action="store_true", help="put the new model into use")
    evaluate.add_argument("--model", metavar="VERSION", help="a stored version, or champion")
    add("list", _list, "List the stored models.")
    show = add("show", _show, "Show a model's card.")
    show.add_argument("version", nargs="?", default="champion", help="a version; the champion without it")
    promote = add("promote", _promote, "Put a version into use.")
    promote.add_argument("version")
    add("rollback", _rollback, "Put the champion before the present one back into use.")
    return parser


def _train(options: argparse.Namespace, settings: CommandSettings) -> None:
    from ml.card import training_card
    from ml.factory import train
    from ml.registry import ModelRegistry

    bars = _load(options.data, settings)
    ml = settings.ml
    trained = train(bars.frame, ml, "chronological")
    report = trained.windows[0]
    registry = ModelRegistry(ml.registry)
    definition = ml.model_dump(mode="json", exclude={"registry", "workers"})
    trials = registry.record_trial(
        {"what": "train", "data": bars.sha256, "settings": definition, "log_loss": report.evaluation.log_loss}
    )
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
        registry.promote(version)
    _print_windows(trained.windows)
    print_line(f"stored {version} in {registry.root}" + (", now the champion" if options.promote else ""))


def _evaluate(options: argparse.Namespace, settings: CommandSettings) -> None:
    bars = _load(options.data, settings)
    if options.model is not None:
        _evaluate_stored(options.model, bars, settings)
        return
    from ml.factory import train

    def progress(done: int, windows: int) -> None:
        sys.stderr.write(f"window {done} of {windows}\n")

    _print_windows(train(bars.frame, settings.ml, "walkforward", progress).windows)


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


def _promote(options: argparse.Namespace, settings: CommandSettings) -> None:
    from ml.registry import ModelRegistry

    ModelRegistry(settings.ml.registry).promote(options.version)
    print_line(f"{options.version} is the champion")


def _rollback(_: argparse.Namespace, settings: CommandSettings) -> None:
    from ml.registry import ModelRegistry

    print_line(f"{ModelRegistry(settings.ml.registry).rollback()} is the champion again")


def _load(source: str | None, settings: CommandSettings) -> LoadedBars:
    from feeds.sources.chosen import in_bar_minutes, load_chosen

    data = settings.data if source is None else settings.data.model_copy(update={"source": source})
    calendar = make_calendar(settings.market)
    loaded = load_chosen(data, settings.market.instrument, calendar)
    frame = in_bar_minutes(loaded.frame, loaded.bar_minutes, data.bar_minutes, loaded.source, calendar)
    return loaded._replace(frame=frame, bar_minutes=data.bar_minutes)


_FIGURES = [">rows", ">accuracy", ">log-loss", ">of base rates", ">Brier"]


def _figures(found: Any) -> tuple[float | None, ...]:  # noqa: ANN401 # ml.evaluation is imported late
    return found.accuracy, found.log_loss, found.base_rate_log_loss, found.brier


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


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


if __name__ == "__main__":
    raise SystemExit(main())
