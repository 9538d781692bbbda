"""Objects by dotted path, the way settings name a user's own strategies, features and models."""

from __future__ import annotations

import importlib
from typing import Any

from feeds.errors import SettingsError

__all__ = ["load_dotted"]


def load_dotted(path: str, *, what: str) -> Any:  # noqa: ANN401 # whatever the user wrote
    """Import ``package.module:name``.

    Parameters
    ----------
    path : str
        Module and name, separated by a colon.
    what : str
        What is being looked for, for the error's sentence ("strategy", "feature").

    Raises
    ------
    SettingsError
        The path has another form, or the module or the name does not exist.
    """
    module_name, separator, name = path.partition(":")
    if not separator or not module_name or not name:
        raise SettingsError(f"{what} {path!r}: expected package.module:name")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise SettingsError(
            f"{what} {path!r}: cannot import {module_name!r} ({error}); is its folder on PYTHONPATH?"
        ) from error
    if not hasattr(module, name):
        raise SettingsError(f"{what} {path!r}: module {module_name!r} has no {name!r}")
    return getattr(module, name)
