"""What a live, paper or demo day is asked to be."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from feeds.secrets import Secrets
from strategies.settings import Settings

__all__ = ["ClockKind", "LiveRequest", "Mode"]

Mode = Literal["demo", "paper", "live"]
ClockKind = Literal["wall", "feed"]


@dataclass(frozen=True, kw_only=True)
class LiveRequest:
    """One day to trade, or many.

    Attributes
    ----------
    settings : Settings
        Everything that has a name in the settings; ``data.source`` is what ``--data`` said.
    mode : {'demo', 'paper', 'live'}
        ``demo``: real orders to a sandbox exchange of our own; ``paper``: real ticks and simulated orders.
    clock : {'wall', 'feed'}
        What time it is by: this machine, or the ticks. A demo always goes by the feed.
    model : str or None
        ``champion`` or a stored version; None where nothing was said.
    out_dir : pathlib.Path or None
        Folder of the day, continued where it holds one; None for ``runs/<time>-<mode>`` of the day.
    ticks : pathlib.Path or None
        Demo: recorded ticks to replay; None for a synthetic day.
    day : datetime.date or None
        Demo: the session to replay; None for that of the ticks, or one that the sandbox chooses.
    until : datetime.date or None
        The last day to run; None for ever, in a demo for a week.
    speed : float
        Demo: market seconds in a real one.
    data_given : bool
        Whether ``--data`` was given, so that bars to warm up from are the user's choice.
    confirmed : bool
        Whether a person (or ``--yes``) agreed to real orders; without it, mode ``live`` must not start.
    accept_foreign : bool
        Take positions and orders in the contract that are none of ours for known, and end a halt.
    synthetic : bool
        The replayed ticks are made up.
    model_is_synthetic : bool
        The model was trained on bars that were made up.
    quiet : bool
        Nothing is shown but errors.
    debug : bool
        The log also holds what only a developer asks for.
    secrets : Secrets
        Keys and tokens; empty for a demo, which needs none and must not see any.
    """

    settings: Settings
    mode: Mode
    clock: ClockKind
    model: str | None = None
    out_dir: Path | None = None
    ticks: Path | None = None
    day: dt.date | None = None
    until: dt.date | None = None
    speed: float = 200.0
    data_given: bool = False
    confirmed: bool = False
    accept_foreign: bool = False
    synthetic: bool = False
    model_is_synthetic: bool = False
    quiet: bool = False
    debug: bool = False
    secrets: Secrets = field(default_factory=Secrets, compare=False)
