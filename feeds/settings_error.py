"""One clear line out of pydantic's account of wrong settings."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from feeds.errors import SettingsError
from feeds.suggest import did_you_mean

__all__ = ["settings_error"]

_LONGEST_FOUND = 80

# pydantic's kinds of problem in the words of somebody who writes settings; {name} is filled from its context.
_EXPECTED: Mapping[str, str] = {
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "text",
    "string_too_short": "text that is not empty",
    "string_pattern_mismatch": "text of the form {pattern}",
    "literal_error": "{expected}",
    "greater_than": "above {gt:g}",
    "greater_than_equal": "{ge:g} or more",
    "less_than": "below {lt:g}",
    "less_than_equal": "{le:g} or less",
    "time_parsing": "a time of the exchange's clock in quotes, such as '15:00'",
    "time_type": "a time of the exchange's clock in quotes, such as '15:00'",
    "date_from_datetime_parsing": "a day such as 2016-01-31",
    "date_type": "a day such as 2016-01-31",
    "model_type": "a section with keys",
    "dict_type": "keys with values",
    "invalid_key": "a name",
    "tuple_type": "a list such as [a, b]",
}


def settings_error(
    error: ValidationError,
    model: type[BaseModel],
    *,
    where: str | Callable[[Sequence[str]], str],
    prefix: str = "",
) -> SettingsError:
    """Translate the first problem of a validation error.

    Parameters
    ----------
    error : pydantic.ValidationError
        What pydantic found.
    model : type of pydantic.BaseModel
        The section that was checked, for names to suggest and what they mean.
    where : str or callable
        File or argument the settings came from; or a function that answers it for the path of a setting.
    prefix : str
        Path of the section within the settings.
    """
    problems = [(_path_of(problem["loc"], model), problem) for problem in error.errors(include_url=False)]
    path, first = problems[0]
    others = len({other for other, _ in problems}) - 1
    more = f" (and {others} more)" if others else ""
    place = where if isinstance(where, str) else where(path)
    name = ".".join([*([prefix] if prefix else []), *path]) or "settings"
    if first["type"] == "extra_forbidden":
        known = _fields_at(model, path[:-1])
        kind = "setting" if len(path) > 1 or prefix else "section"
        return SettingsError(f"{place}: unknown {kind} {name!r}{did_you_mean(path[-1], known)}{more}")
    if first["type"] == "missing":
        return SettingsError(f"{place}: {name} is missing, expected a value; add it{more}")
    if first["type"] == "value_error":
        sentence = str(first["ctx"]["error"])
        remedy = "" if ";" in sentence else "; correct it"
        return SettingsError(f"{place}: {name}: {sentence}{remedy}{more}")
    expected = [_expected(problem) for other, problem in problems if other == path]
    field = _field_at(model, path)
    meaning = f" ({field.description.rstrip('.')})" if field and field.description else ""
    return SettingsError(
        f"{place}: {name} is {_shown(first['input'])}, expected {' or '.join(dict.fromkeys(expected))}"
        f"{meaning}; correct it{more}"
    )


def _shown(value: object) -> str:
    if value is None:
        return "empty"
    text = repr(value)
    return text if len(text) <= _LONGEST_FOUND else f"{text[:_LONGEST_FOUND]}…"


def _expected(problem: Any) -> str:  # noqa: ANN401 # one entry of ValidationError.errors()
    words = _EXPECTED.get(problem["type"])
    return problem["msg"] if words is None else words.format(**problem.get("ctx", {}))


def _path_of(location: Sequence[int | str], model: type[BaseModel]) -> tuple[str, ...]:
    """Return the path of a setting without what pydantic adds for the members of a union."""
    current: type[BaseModel] | None = model
    for depth, part in enumerate(location):
        if current is None:
            return tuple(str(part) for part in location[:depth])
        field = current.model_fields.get(str(part))
        if field is None or get_origin(field.annotation) not in (None, Union, types.UnionType):
            return tuple(str(part) for part in location)
        current = _section_in(field.annotation)
    return tuple(str(part) for part in location)


def _field_at(model: type[BaseModel], path: Sequence[str]) -> FieldInfo | None:
    """Return the field of a path, of the outermost one for a place inside a list or mapping."""
    field = None
    current: type[BaseModel] | None = model
    for part in path:
        if current is None or part not in current.model_fields:
            break
        field = current.model_fields[part]
        current = _section_in(field.annotation)
    return field


def _fields_at(model: type[BaseModel], path: Sequence[str]) -> list[str]:
    """Return the field names of the section at a path."""
    field = _field_at(model, path)
    section = model if field is None else _section_in(field.annotation)
    return [] if section is None else list(section.model_fields)


def _section_in(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401 # any annotation
    candidates = [annotation, *get_args(annotation)]
    return next((kind for kind in candidates if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
