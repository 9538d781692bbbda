"""Strategies by name: shipped, by dotted path, or from an installed package's entry point."""

from __future__ import annotations

import importlib
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import ValidationError

from feeds.dotted import load_dotted
from feeds.errors import SettingsError
from feeds.settings_error import settings_error
from feeds.suggest import did_you_mean
from strategies.base import IntradayStrategy, PluginSettings
from strategies.settings_section import StrategySettings

__all__ = [
    "ENTRY_POINT_GROUP", "PLUGIN_BUGS", "SHIPPED", "load_strategy", "models_of", "plugin_of",
    "plugin_settings",
]  # fmt: skip

SHIPPED = ("ml", "ema_cross", "opening_range", "column_signal", "random_entry", "ab")
ENTRY_POINT_GROUP = "muhurat.strategies"

PLUGIN_BUGS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)
"""What a strategy, feature or model of one's own may raise where it must not take others with it."""


def load_strategy(name: str) -> type[IntradayStrategy]:
    """Return the strategy class of a name.

    Parameters
    ----------
    name : str
        A shipped name, ``package.module:Class``, or the name of an entry point in ``muhurat.strategies``.

    Raises
    ------
    SettingsError
        There is no such strategy, or it is not an :class:`IntradayStrategy`.
    """
    if name in SHIPPED:
        strategy: Any = importlib.import_module(f"strategies.{name}").Strategy
    elif ":" in name:
        strategy = load_dotted(name, what="strategy")
    else:
        installed = {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
        if name not in installed:
            form = "; a class of your own is package.module:Class" if "." in name else ""
            known = did_you_mean(name, [*SHIPPED, *installed])
            raise SettingsError(f"unknown strategy {name!r}{known}{form}")
        strategy = _load_entry_point(installed[name])
    if not (isinstance(strategy, type) and issubclass(strategy, IntradayStrategy)):
        raise SettingsError(
            f"strategy {name!r} is {strategy!r}, expected a subclass of strategies.base.IntradayStrategy"
        )
    return strategy


def _load_entry_point(point: EntryPoint) -> Any:  # noqa: ANN401 # checked by the caller
    try:
        return point.load()
    except (ImportError, AttributeError) as error:
        raise SettingsError(
            f"strategy {point.name!r}: its installed package points to {point.value}, which cannot be loaded "
            f"({error}); install it again"
        ) from error


def plugin_of(section: StrategySettings) -> PluginSettings:
    """Return the plugin's own settings; see :func:`plugin_settings`."""
    return plugin_settings(section.name, load_strategy(section.name), section.parameters)


def models_of(section: StrategySettings) -> dict[str, str | None]:
    """Return the models that a strategy asks; see :meth:`strategies.base.IntradayStrategy.models`."""
    return load_strategy(section.name).models(plugin_of(section))


def plugin_settings(
    name: str,
    strategy: type[IntradayStrategy],
    parameters: dict[str, Any],
    prefix: str = "strategy.parameters",
) -> PluginSettings:
    """Check a plugin's own settings, which stand under ``prefix``.

    Raises
    ------
    SettingsError
        A name is unknown, or a value has the wrong type or range.
    """
    try:
        return strategy.Settings.model_validate(parameters)
    except ValidationError as error:
        raise settings_error(error, strategy.Settings, where=f"strategy {name}", prefix=prefix) from None
