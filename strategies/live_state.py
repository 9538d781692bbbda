"""What a trader wants to know first: is it trading, and if not, why. Pure."""

from __future__ import annotations

from typing import NamedTuple

from analyzers.status.now import Phase, State
from strategies.live_glance import DayGlance

__all__ = ["Standing", "standing_of"]


class Standing(NamedTuple):
    """The state, and why it is what it is, in words."""

    state: State
    why: str


def standing_of(
    phase: Phase, glance: DayGlance | None, *, paused: str, kill_switch: str, trouble: str, note: str
) -> Standing:
    """Return how the process stands.

    Parameters
    ----------
    phase : Phase
        What it is doing.
    glance : DayGlance or None
        Of the day; None while there is none.
    paused, kill_switch : str
        Why entries are stopped by a person; empty while they are not.
    trouble : str
        What keeps a day from being traded (a no-go, an error); empty while nothing does.
    note : str
        What comes next, in words, for the times in which nothing is wrong.
    """
    if kill_switch:
        return Standing("halted", f"kill switch: {kill_switch}")
    if trouble:
        return Standing("halted", trouble)
    if phase in ("waiting", "post_market", "over"):
        return Standing("closed", f"entries are paused ({paused}); {note}" if paused else note)
    if phase == "preflight" or glance is None:
        return Standing("starting", note)
    if glance.halted:
        return Standing("halted", glance.halted)
    if glance.broker.session == "dead" or glance.broker.obstacle.startswith("halted"):
        return Standing("halted", glance.broker.obstacle)
    if paused:
        return Standing("paused", paused)
    return Standing("trading", glance.broker.obstacle or _blocked(glance) or note)


def _blocked(glance: DayGlance) -> str:
    blocks = [f"{rule.name.replace('_', ' ')}: {rule.blocks}" for rule in glance.rules if rule.blocks]
    return f"no entry now ({blocks[0]})" if blocks else ""
