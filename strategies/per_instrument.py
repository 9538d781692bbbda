"""The settings of one of several instruments that are traded side by side."""

from __future__ import annotations

from pathlib import Path

from feeds.errors import SettingsError
from feeds.section import Section
from strategies.settings import Settings

__all__ = ["for_instrument"]


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
        With it as ``market.instrument`` and its own entry of ``data.sources`` as ``data.source``. Where
        several are traded, its models are in a folder of its name within ``ml.registry``, as each has a
        champion of its own, and synthetic bars have a seed of their own: the first instrument the one of the
        settings, the second the next. Where it is alone and ``data.sources`` is empty: the settings as given.

    Raises
    ------
    SettingsError
        ``data.sources`` does not name what is traded, and nothing else.
    """
    market, data = settings.market, settings.data
    if data.sources and set(data.sources) != set(market.traded):
        raise SettingsError(
            f"data.sources names {', '.join(data.sources)}, expected what is traded: "
            f"{', '.join(market.traded)}; give each one a file, or leave data.sources empty"
        )
    sections: dict[str, Section] = {}
    if market.instruments:
        sections["market"] = market.model_copy(update={"instrument": instrument, "instruments": ()})
        registry = Path(settings.ml.registry) / instrument
        sections["ml"] = settings.ml.model_copy(update={"registry": str(registry)})
    if data.sources:
        sections["data"] = data.model_copy(update={"source": data.source_of(instrument), "sources": {}})
    elif market.instruments:
        place = market.instruments.index(instrument)
        made = data.synthetic.model_copy(update={"seed": data.synthetic.seed + place})
        sections["data"] = data.model_copy(update={"synthetic": made})
    return settings.model_copy(update=sections)
