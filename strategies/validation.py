"""One clear line out of pydantic's account of wrong settings."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from feeds.errors import SettingsError
from feeds.suggest import did_you_mean

__all__ = ["settings_error"]


def settings_error(
    error: ValidationError, model: type[BaseModel], *, where: str, prefix: str = ""
) -> SettingsError:
    """Translate the first problem of a validation error.

    Parameters
    ----------
    error : pydantic.ValidationError
        What pydantic found.
    model : type of pydantic.BaseModel
        The section that was checked, for names to suggest.
    where : str
        File or argument the settings came from.
    prefix : str
        Path of the section within the settings.
    """
    problem = error.errors(include_url=False)[0]
    path = [str(part) for part in problem["loc"] if not str(part).startswith("function-")]
    name = ".".join([*([prefix] if prefix else []), *path])
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if problem["type"] == "extra_forbidden":
        known = _fields_at(model, path[:-1])
        return SettingsError(f"{where}: unknown setting {name!r}{did_you_mean(path[-1], known)}{more}")
    found = "" if problem["type"] == "missing" else f", found {problem['input']!r}"
    message = problem["msg"].removeprefix("Value error, ")
    return SettingsError(f"{where}: {name or 'settings'}: {message[:1].lower()}{message[1:]}{found}{more}")


def _fields_at(model: type[BaseModel], path: list[str]) -> list[str]:
    """Return the field names of the section at a path."""
    for part in path:
        field = model.model_fields.get(part)
        nested = next((kind for kind in _types_of(field.annotation if field else None)), None)
        if nested is None:
            return []
        model = nested
    return list(model.model_fields)


def _types_of(annotation: Any) -> list[type[BaseModel]]:  # noqa: ANN401 # any annotation
    candidates = [annotation, *get_args(annotation)]
    return [kind for kind in candidates if isinstance(kind, type) and issubclass(kind, BaseModel)]
