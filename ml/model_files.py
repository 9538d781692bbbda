"""Reading a stored model by the kind that its card names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from feeds.errors import ModelError
from ml.calibration import CALIBRATED, CalibratedModel
from ml.models import LightGBMModel, Model, SoftVotingModel, XGBoostModel
from ml.regimes import RegimeModel
from ml.stacking import StackingModel

__all__ = ["load_model"]

_CLASSES: tuple[Any, ...] = (XGBoostModel, LightGBMModel, SoftVotingModel, StackingModel, RegimeModel)


def load_model(kind: str, folder: Path) -> Model:
    """Read a stored model.

    Parameters
    ----------
    kind : str
        As the model card says: ``xgboost``, ``lightgbm``, ``ensemble``, ``stacking`` or ``regime``, with
        ``+logistic`` behind it where it is calibrated.
    folder : Path
        Where :meth:`ml.models.Model.save` wrote it.

    Raises
    ------
    ModelError
        If the kind is unknown, or a file is missing or unreadable.
    """
    classes: dict[str, Callable[[Path], Model]] = {cls.kind: cls.load for cls in _CLASSES}
    plain = kind.removesuffix(CALIBRATED)
    if plain not in classes:
        raise ModelError(
            f"found a model of kind {kind!r} in {folder}, expected one of {', '.join(classes)}, or one of "
            f"these with {CALIBRATED} behind it"
        )
    load = classes[plain]
    try:
        return CalibratedModel.load(folder, load) if plain != kind else load(folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"cannot read the model in {folder}: {error}; train again or roll back") from error
