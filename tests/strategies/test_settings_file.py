"""settings.yaml at the root: complete, equal to the code's defaults, and truthful about ranges."""

from __future__ import annotations

import datetime as dt
import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from strategies.plugins import SHIPPED, load_strategy
from strategies.settings import Settings, load_settings

FILE = Path(__file__).resolve().parents[2] / "settings.yaml"


def section_of(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def leaves(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        nested = section_of(field)
        if nested is None:
            yield prefix + name, field
        else:
            yield from leaves(nested, f"{prefix}{name}.")


def names_in(tree: dict[str, Any], model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, value in tree.items():
        field = model.model_fields.get(name)
        nested = section_of(field) if field else None
        if nested is None:
            yield prefix + name
        else:
            yield from names_in(value, nested, f"{prefix}{name}.")


def comments(text: str) -> dict[str, str]:
    """The comment lines right above each key, joined, by dotted name."""
    found: dict[str, str] = {}
    path: list[tuple[int, str]] = []
    pending: list[str] = []
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("#"):
            pending.append(stripped.lstrip("# "))
        elif match := re.match(r"( *)([a-z_0-9]+):", line):
            indent = len(match[1])
            path = [*((depth, key) for depth, key in path if depth < indent), (indent, match[2])]
            found[".".join(key for _, key in path)] = " ".join(pending)
            pending = []
        else:
            pending = []
    return found


def bounds(metadata: list[Any]) -> str:
    limits = {
        key: getattr(item, key) for item in metadata for key in ("ge", "gt", "le", "lt") if hasattr(item, key)
    }
    words = {key: f"{value:.15g}" for key, value in limits.items()}
    match sorted(words):
        case ["ge", "le"]:
            return f"{words['ge']} to {words['le']}"
        case ["gt", "le"]:
            return f"above {words['gt']}, at most {words['le']}"
        case ["gt", "lt"]:
            return f"above {words['gt']}, below {words['lt']}"
        case ["ge"]:
            return f"{words['ge']} or more"
        case ["gt"]:
            return f"above {words['gt']}"
    return ""


def range_of(annotation: Any, metadata: list[Any]) -> list[str]:
    """The alternatives that the words after "Range:" must name."""
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return range_of(inner, [*metadata, *flat(more)])
    if get_origin(annotation) in (Union, types.UnionType):
        return [word for kind in get_args(annotation) for word in range_of(kind, metadata)]
    if get_origin(annotation) is Literal:
        return [str(value) for value in get_args(annotation)]
    words = {
        bool: ["true", "false"],
        type(None): ["null"],
        dt.time: ["time"],
        dt.date: ["day"],
        str: ["text"],
    }
    if annotation in words:
        return words[annotation]
    if annotation in (int, float):
        return [bounds(metadata)]
    return []  # lists and mappings: the wording is free


def flat(metadata: list[Any]) -> list[Any]:
    return [part for item in metadata for part in getattr(item, "metadata", [item])]


@pytest.fixture(scope="module")
def text():
    return FILE.read_text(encoding="utf-8")


def test_the_file_names_every_setting_once_and_no_other(text):
    assert list(names_in(yaml.safe_load(text), Settings)) == [name for name, _ in leaves(Settings)]


def test_the_file_says_what_the_code_says():
    assert load_settings(FILE) == Settings() == load_settings(None)


def test_values_are_written_as_the_type_they_are(text):
    tree = yaml.safe_load(text)
    plain = Settings().model_dump()
    for name, field in leaves(Settings):
        written, value = tree, plain
        for part in name.split("."):
            written, value = written[part], value[part]
        if isinstance(value, dt.time):
            assert written == f"{value:%H:%M}", name
            assert f'{name.rpartition(".")[2]}: "{written}"' in text, f"{name} needs quotes"
        elif isinstance(value, dict):
            assert list(written) == list(value), name  # what a range leaves out has its default
        else:
            assert written == (list(value) if isinstance(value, tuple) else value), name
            assert type(written) in (type(value), list) or field.annotation is float, name


@pytest.mark.parametrize(("name", "field"), [pytest.param(*leaf, id=leaf[0]) for leaf in leaves(Settings)])
def test_every_setting_is_explained_with_its_range(text, name, field):
    comment = comments(text)[name]
    assert len(comment.split()) >= 6, f"{name}: explain it"
    alternatives = range_of(field.annotation, flat(field.metadata))
    stated = re.search(r"Range: (.*)", comment)
    assert stated, f"{name}: no range"
    rest = stated[1]
    for position, words in enumerate(alternatives):
        assert rest.startswith(words), f"{name}: expected 'Range: {' | '.join(alternatives)}'"
        rest = rest[len(words) :]
        if position + 1 < len(alternatives):
            assert rest.startswith(" | "), name
            rest = rest[3:]
    assert rest[0] in ".,:" or not alternatives, f"{name}: the range says more than the code"


@pytest.mark.parametrize("name", SHIPPED)
def test_the_parameters_of_every_shipped_strategy_stand_in_the_comment(text, name):
    defaults = load_strategy(name).Settings().model_dump()
    if not defaults:
        return
    written = ", ".join(
        f"{key}: {'...' if isinstance(value, tuple) else value}" for key, value in defaults.items()
    )
    assert re.search(rf"{name} +{{{re.escape(written)}}}", comments(text)["strategy.parameters"])


def test_the_check_of_ranges_can_fail():
    assert range_of(*_annotation("data", "bar_minutes")) == ["1 to 375"]
    assert range_of(*_annotation("market", "lot_size")) == ["dated", "1 or more"]
    assert range_of(*_annotation("risk", "max_atr_percent")) == ["above 0, at most 100", "null"]
    assert range_of(*_annotation("risk", "entries_from")) == ["time", "null"]


def _annotation(section: str, name: str) -> tuple[Any, list[Any]]:
    field = section_of(Settings.model_fields[section]).model_fields[name]
    return field.annotation, flat(field.metadata)
