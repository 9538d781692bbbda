"""A settings file as nested keys and values, before any section judges them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from feeds.errors import SettingsError

__all__ = ["parse_value", "read_settings_file"]


def read_settings_file(path: Path) -> dict[str, Any]:
    """Read a YAML file of settings; an empty one has none.

    Raises
    ------
    SettingsError
        If it cannot be read, is not YAML, holds no keys, or names a key twice.
    """
    try:
        tree = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 # a SafeLoader
    except FileNotFoundError:
        raise SettingsError(
            f"settings file {path}: not found, expected a YAML file; give its path with --settings"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise SettingsError(
            f"settings file {path}: cannot be read ({reason}), expected a YAML file; "
            "give another with --settings"
        ) from error
    except (yaml.YAMLError, ValueError) as error:  # a day that does not exist is a plain ValueError
        place = getattr(error, "problem_mark", None)
        line = f", line {place.line + 1}" if place else ""
        problem = getattr(error, "problem", None) or (str(error).splitlines() or ["not valid YAML"])[0]
        raise SettingsError(
            f"settings file {path}{line}: {problem}; expected YAML such as the settings.yaml of the project"
        ) from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise SettingsError(
            f"settings file {path}: found {type(tree).__name__}, expected sections with keys; "
            "see the settings.yaml of the project"
        )
    return tree


def parse_value(text: str, argument: str) -> Any:  # noqa: ANN401 # whatever YAML knows
    """Read one value from a command line, as YAML; a time of day stays text.

    Parameters
    ----------
    text : str
        The value.
    argument : str
        The words it stands in, for the error.

    Raises
    ------
    SettingsError
        If it is not YAML.
    """
    if _is_time(text):
        return text.strip()
    try:
        return yaml.load(text, _Loader)  # noqa: S506 # a SafeLoader
    except (yaml.YAMLError, ValueError) as error:
        raise SettingsError(
            f"{argument}: the value is not valid YAML, expected one value; put it in quotes if it is text"
        ) from error


def _is_time(text: str) -> bool:
    """Whether the text is a time of day, which YAML would read as a number to the base of 60."""
    hour, colon, minute = text.strip().partition(":")
    return bool(colon) and hour.isdigit() and minute.replace(":", "").isdigit()


class _Loader(yaml.SafeLoader):
    """YAML's safe loader, but a key that stands twice is an error: it would win in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"{key.value!r} stands twice, expected it once", problem_mark=key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)
