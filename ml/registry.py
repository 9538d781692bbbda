"""Stored models: numbered versions that never change, and a pointer to the one in use.

::

    models/
    ├── v0001/           card.json, scaler.json, model.ubj
    ├── v0002/
    ├── champion.json    the version in use and those before it, replaced atomically
    ├── promotions.jsonl who put which version into use, when and why (see :mod:`ml.promotion`)
    └── trials.jsonl     one line per different trial ever made, for the deflated Sharpe ratio

A version appears under its number only when all of it is written; what an interruption leaves behind starts
with a dot and is never read.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
from pathlib import Path
from typing import Any, NamedTuple

from feeds.errors import ModelError, ModelNotFoundError, SettingsError
from ml.card import CARD_FILE, ModelCard, check_features, read_card
from ml.features import FeatureSet
from ml.model_files import load_model
from ml.models import Model
from ml.predict import ModelWindow, Predictor
from ml.thresholds import Thresholds

__all__ = ["CHAMPION", "ModelRegistry", "StoredModel"]

CHAMPION = "champion"
"""The name by which the promoted version is asked for."""

_VERSION = re.compile(r"v\d{4,}")
_POINTER_FILE = "champion.json"
_TRIALS_FILE = "trials.jsonl"


class StoredModel(NamedTuple):
    """A model out of the registry.

    Attributes
    ----------
    model : Model
        Fitted.
    card : ModelCard
        What is known of it.
    """

    model: Model
    card: ModelCard

    def predictor(self, features: FeatureSet) -> Predictor:
        """Return a predictor that judges no bar the model was trained on: NaN before ``valid_from``."""
        card = self.card
        thresholds = None if card.thresholds is None else Thresholds.from_plain(card.thresholds)
        window = ModelWindow(self.model, card.valid_from, None, card.trained_until, thresholds)
        return Predictor(features, [window])


class ModelRegistry:
    """A folder of models.

    Parameters
    ----------
    root : Path or str
        The folder; created by the first write.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def save(self, model: Model, card: ModelCard) -> str:
        """Store a fitted model under the next version.

        Parameters
        ----------
        model : Model
            Fitted.
        card : ModelCard
            Its ``version`` and ``files`` are filled in here.

        Returns
        -------
        str
            ``v0001`` for the first.
        """
        self._make_root()
        unfinished = self.root / f".unfinished-{secrets.token_hex(8)}"
        unfinished.mkdir()
        try:
            model.save(unfinished)
            files = {
                path.relative_to(unfinished).as_posix(): _sha256(path)
                for path in sorted(unfinished.rglob("*"))
                if path.is_file()
            }
            while True:
                version = f"v{self._newest_number() + 1:04d}"
                filled = card.model_copy(update={"version": version, "files": files})
                _write(unfinished / CARD_FILE, filled.model_dump_json(indent=1) + "\n")
                try:
                    # Fails where another process took the number meanwhile: a version is never empty.
                    unfinished.rename(self.root / version)
                except OSError:
                    if not (self.root / version).exists():
                        raise
                else:
                    return version
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def load(self, version: str, expected_features: FeatureSet) -> StoredModel:
        """Load a version, or ``"champion"``, for the features it will be given.

        Raises
        ------
        ModelNotFoundError
            If there is no such version, or no champion.
        ModelError
            If a file is damaged, or the model was trained on other features; the difference is named.
        """
        card = self.show(version)
        check_features(card, expected_features)
        folder = self.root / card.version
        self._check_files(card, folder)
        return StoredModel(load_model(card.kind, folder), card)

    def show(self, version: str) -> ModelCard:
        """Return the card of a version or of the ``"champion"``."""
        folder = self.root / self._resolve(version)
        card = read_card(folder)
        if card.version != folder.name:
            raise ModelError(
                f"damaged model card {folder / CARD_FILE}: it names {card.version!r}, expected "
                f"{folder.name!r}; roll back or train again"
            )
        return card

    def versions(self) -> tuple[str, ...]:
        """Return all versions, oldest first."""
        if not self.root.is_dir():
            return ()
        found = [path.name for path in self.root.iterdir() if _VERSION.fullmatch(path.name) and path.is_dir()]
        return tuple(sorted(found, key=_number))

    @property
    def champion(self) -> str | None:
        """The version in use, or None before the first promotion."""
        return self._pointer()[0]

    def promote(self, version: str) -> None:
        """Put a version into use, after checking that it is whole.

        Raises
        ------
        ModelNotFoundError, ModelError
            If it does not exist or is damaged; the pointer then stays.
        """
        card = self.check(version)
        champion, history = self._pointer()
        if champion == card.version:
            return
        self._point(card.version, [*history, champion] if champion else history)

    def rollback(self) -> str:
        """Put the champion before the present one back into use and return its version.

        Raises
        ------
        SettingsError
            If there was none before.
        ModelError
            If it is damaged or gone; the pointer then stays.
        """
        card = self.check(self.previous())
        _, history = self._pointer()
        self._point(card.version, history[:-1])
        return card.version

    def previous(self) -> str:
        """Return the champion before the present one.

        Raises
        ------
        SettingsError
            If there was none.
        """
        _, history = self._pointer()
        if not history:
            raise SettingsError(
                f"no champion before the present one in {self.root}; promote a version instead"
            )
        return history[-1]

    def check(self, version: str) -> ModelCard:
        """Return the card of a version, after checking that every file of it is as it was stored.

        Raises
        ------
        ModelNotFoundError, ModelError
            If it does not exist or is damaged.
        """
        card = self.show(version)
        self._check_files(card, self.root / card.version)
        return card

    def record_trial(self, trial: dict[str, Any]) -> int:
        """Append one trial to the list, unless the same is in it already, and return how many there are now.

        Parameters
        ----------
        trial : dict
            JSON values: what was tried and how it did, for instance its daily Sharpe ratio. Leave out what
            differs when the same is done twice, such as the time: repeating is not trying something new.
        """
        self._make_root()
        known = self.trials()
        if trial in known:
            return len(known)
        line = json.dumps(trial, sort_keys=True, allow_nan=False) + "\n"
        # One write in append mode, so that lines of two processes do not mix.
        with (self.root / _TRIALS_FILE).open("ab", buffering=0) as file:
            file.write(line.encode())
            os.fsync(file.fileno())
        return len(known) + 1

    def trials(self) -> tuple[dict[str, Any], ...]:
        """Return every different trial, oldest first.

        Raises
        ------
        ModelError
            If a line is not a JSON object.
        """
        path = self.root / _TRIALS_FILE
        if not path.exists():
            return ()
        trials: list[dict[str, Any]] = []
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                trial = json.loads(line)
            except json.JSONDecodeError:
                trial = None
            if not isinstance(trial, dict):
                raise ModelError(
                    f"found {line[:40]!r} in line {number} of {path}, expected a JSON object; remove the line"
                )
            trials.append(trial)
        return tuple(trials)

    def sharpes(self, data: str, *, but: str) -> list[float | None]:
        """Return the annualised Sharpe ratio of every trial on the same data, one for each.

        Parameters
        ----------
        data : str
            SHA-256 of the bars.
        but : str
            ``id`` of the trial that is being judged.

        Returns
        -------
        list of float or None
            None for a trial that was trained and not traded, or made too few trades. Of a trial that was
            made again, by its ``id``, the newest counts.
        """
        latest = {
            trial.get("id") or json.dumps(trial, sort_keys=True): trial
            for trial in self.trials()
            if trial.get("data") == data
        }
        latest.pop(but, None)
        return [None if trial.get("sharpe") is None else float(trial["sharpe"]) for trial in latest.values()]

    def _resolve(self, version: str) -> str:
        name = self.champion if version == CHAMPION else version
        if name is None:
            raise ModelNotFoundError(
                f"no champion in {self.root}, expected a promoted version; {self._known()}"
            )
        if name not in self.versions():
            raise ModelNotFoundError(f"no model {name!r} in {self.root}; {self._known()}")
        return name

    def _known(self) -> str:
        versions = self.versions()
        return f"known: {', '.join(versions)}" if versions else "train one with `python -m ml train`"

    def _newest_number(self) -> int:
        # Anything of that name is taken, also what is no version: a stray file must not stop the search.
        return max(
            (_number(path.name) for path in self.root.iterdir() if _VERSION.fullmatch(path.name)), default=0
        )

    def _check_files(self, card: ModelCard, folder: Path) -> None:
        if not card.files:
            raise ModelError(f"damaged model {folder}: its card names no files; roll back or train again")
        for name, expected in card.files.items():
            path = folder / name
            found = _sha256(path) if path.is_file() else "no file"
            if found != expected:
                raise ModelError(
                    f"damaged model file {path}: found {found[:12]}, expected SHA-256 {expected[:12]}; "
                    "restore it, roll back, or train again"
                )

    def _pointer(self) -> tuple[str | None, list[str]]:
        path = self.root / _POINTER_FILE
        if not path.exists():
            return None, []
        try:
            pointer = json.loads(path.read_text(encoding="utf-8"))
            champion, history = pointer["champion"], pointer["history"]
        except (ValueError, KeyError, TypeError) as error:
            raise ModelError(
                f"damaged champion pointer {path}; promote a version again after removing it"
            ) from error
        return str(champion), [str(version) for version in history]

    def _point(self, champion: str, history: list[str]) -> None:
        text = json.dumps({"champion": champion, "history": history}, indent=1) + "\n"
        unfinished = self.root / f".unfinished-{secrets.token_hex(8)}"
        _write(unfinished, text)
        unfinished.replace(self.root / _POINTER_FILE)

    def _make_root(self) -> None:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(
                f"cannot create the model folder {self.root}: {error.strerror}; set ml.registry"
            ) from error


def _number(version: str) -> int:
    return int(version[1:])


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
