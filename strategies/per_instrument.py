"""The settings of one of several instruments that are traded side by side."""

from __future__ import annotations

from pathlib import Path

from feeds.errors import SettingsError
from feeds.section import Section
from strategies.settings import Settings

__all__ = ["check_one_instrument", "for_instrument"]


def for_instrument(settings: Settings, instrument: str) -> Settings:
    """Return the settings by which one instrument is traded.

    Parameters
    ----------
    settings : Settings
        Of a run of ``settings.market.traded``.
    instrument : str
        One of them.

    Returns
    -------
    Settings
        With it as ``market.instrument`` and its own entry of ``data.sources`` as ``data.source``. Where several
        are traded, its models are in a folder of its name within ``ml.registry``, as each has a champion of
        its own. The same settings where only this one is traded and ``data.sources`` is empty.

    Raises
    ------
    SettingsError
        ``data.sources`` does not name what is traded, and nothing else.
    """
    market, data = settings.market, settings.data
    if data.sources and set(data.sources) != set(market.traded):
        raise SettingsError(
            f"data.sources names {', '.join(data.sources)}, expected what is traded: {', '.join(market.traded)}; "
            "give each one a file, or leave data.sources empty"
        )
    sections: dict[str, Section] = {}
    if market.instruments:
        sections["market"] = market.model_copy(update={"instrument": instrument, "instruments": ()})
        registry = Path(settings.ml.registry) / instrument
        sections["ml"] = settings.ml.model_copy(update={"registry": str(registry)})
    if data.sources:
        sections["data"] = data.model_copy(update={"source": data.sources[instrument], "sources": {}})
    return settings.model_copy(update=sections)


def check_one_instrument(settings: Settings, what: str) -> None:
    """Refuse settings of several instruments where one at a time is worked on.

    Parameters
    ----------
    settings : Settings
        Of the run.
    what : str
        Who refuses, for the message.

    Raises
    ------
    SettingsError
        ``market.instruments`` holds any.
    """
    names = settings.market.instruments
    if names:
        raise SettingsError(
            f"{what} takes one instrument at a time, market.instruments holds {', '.join(names)}; "
            f"--set market.instruments=[] --set market.instrument={names[0]}"
        )
