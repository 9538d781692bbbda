"""The settings of arms that share one account."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from feeds.errors import SettingsError
from feeds.section import Section
from strategies.base import IntradayStrategy, PluginSettings
from strategies.plugins import load_strategy, plugin_settings

__all__ = ["ArmSettings", "ArmsSettings"]

_OF_THE_ACCOUNT = ("next", "notify_order", "declare_acting_bars", "next_acting_bar")


class ArmSettings(Section):
    """One arm: a strategy, its model, and the lots it trades with."""

    name: str = Field(
        pattern=r"^[a-z][a-z0-9_]{0,19}$", description="What the arm is called in trades and report."
    )
    strategy: str = Field("ml", min_length=1, description="Its strategy, as in strategy.name; not ab.")
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="Settings of its strategy, as in strategy.parameters."
    )
    model: str | None = Field(
        None,
        pattern=r"^(champion|v\d+)$",
        description="Stored version of its model; null: the model of the run (--model).",
    )
    lots: int = Field(1, ge=1, le=1000, description="Lots of each of its entries.")


class ArmsSettings(PluginSettings):
    """Settings of the ``ab`` strategy."""

    arms: tuple[ArmSettings, ...] = Field(
        (ArmSettings(name="model"), ArmSettings(name="random", strategy="random_entry")),
        min_length=1,
        max_length=9,
        description="What shares the account.",
    )

    @property
    def arm_names(self) -> tuple[str, ...]:
        """The names of the arms, in their order."""
        return tuple(arm.name for arm in self.arms)

    @model_validator(mode="after")
    def _arms_can_be_made(self) -> ArmsSettings:
        for place, arm in enumerate(self.arms):
            if arm.name in self.arm_names[:place]:
                raise ValueError(f"two arms are called {arm.name!r}, expected different names; rename one")
            strategy = load_strategy(arm.strategy)
            _check_strategy(arm, strategy, place)
            models = strategy.models(self.plugin(place))
            if arm.model is not None and not models:
                raise ValueError(
                    f"arm {arm.name}: strategy {arm.strategy} asks no model, found model {arm.model}; "
                    "leave model out, or choose strategy ml"
                )
        return self

    def plugin(self, place: int) -> PluginSettings:
        """Return the settings of an arm's strategy.

        Raises
        ------
        SettingsError
            A name is unknown, or a value has the wrong type or range.
        """
        arm = self.arms[place]
        prefix = f"strategy.parameters.arms.{place}.parameters"
        return plugin_settings(arm.strategy, load_strategy(arm.strategy), arm.parameters, prefix)


def _check_strategy(arm: ArmSettings, strategy: type[IntradayStrategy], place: int) -> None:
    """Refuse a strategy that does more than answer: orders, and the walk over bars, are the account's."""
    setting = f"strategy.parameters.arms.{place}.strategy"
    if issubclass(strategy.Settings, ArmsSettings):
        raise SettingsError(
            f"{setting} is {arm.strategy!r}, which has arms itself, expected a strategy without; put its "
            "arms beside the others"
        )
    own = [name for name in _OF_THE_ACCOUNT if getattr(strategy, name) is not getattr(IntradayStrategy, name)]
    if own:
        raise SettingsError(
            f"{setting} is {arm.strategy!r}, which has a {own[0]}() of its own, expected decide(), "
            "wants_exit() and inputs() only; run it alone, or write it with these"
        )
