"""A finished run on disk, whole or not at all."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analyzers.report.build import write_report
from analyzers.result import RunResult
from analyzers.settings import ReportSettings
from analyzers.tearsheet import write_tearsheet
from analyzers.window_money import with_money
from brokers.journal import OrderEvent
from feeds.errors import SettingsError

__all__ = ["check_output_folder", "orders_frame", "summary", "write_run"]


def check_output_folder(out_dir: Path) -> None:
    """Raise SettingsError when a run could not be written there; call it before the work begins.

    Creates the folder above ``out_dir`` if it is missing.
    """
    if out_dir.exists() and not out_dir.is_dir():
        raise SettingsError(
            f"--out {out_dir} is a file, expected a folder that is new or empty: choose another name"
        )
    if out_dir.is_dir() and any(out_dir.iterdir()):
        raise SettingsError(
            f"--out {out_dir} is not empty, expected a new or empty folder: choose another name or remove it"
        )
    try:
        out_dir.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out_dir.parent, prefix=f".{out_dir.name}."):
            pass
    except OSError as error:
        raise SettingsError(
            f"--out {out_dir} cannot be written ({error.strerror} at {out_dir.parent}), expected a folder "
            "with write permission: choose another one"
        ) from error


def write_run(result: RunResult, out_dir: Path, settings: ReportSettings | None = None) -> Path:
    """Write summary.json, trades.csv, orders.csv, equity.csv, tearsheet.html and report.html.

    Of several instruments these are of the whole account; those of each are in a folder of its name.

    Everything is written into a hidden folder beside ``out_dir``, which is renamed at the end: whoever finds
    ``out_dir`` finds a whole run.

    Parameters
    ----------
    result : RunResult
        The run.
    out_dir : pathlib.Path
        A folder that does not exist or is empty.
    settings : ReportSettings, optional
        What to write; the defaults when left out.

    Returns
    -------
    pathlib.Path
        ``out_dir``.

    Raises
    ------
    SettingsError
        When ``out_dir`` is a file, is not empty, or cannot be written.
    """
    chosen = settings or ReportSettings()
    check_output_folder(out_dir)
    working = Path(tempfile.mkdtemp(dir=out_dir.parent, prefix=f".{out_dir.name}.unfinished-"))
    try:
        _write_files(result, working, chosen)
        working.chmod(0o755)  # mkdtemp makes folders private; a report is to be read
        if out_dir.is_dir():
            out_dir.rmdir()  # a folder cannot be renamed onto another one on Windows
        working.rename(out_dir)
    except OSError as error:
        raise SettingsError(
            f"--out {out_dir} cannot be written ({error.strerror}), expected room and write permission in "
            f"{out_dir.parent}: make room or choose another folder"
        ) from error
    finally:
        shutil.rmtree(working, ignore_errors=True)  # gone already when the rename went well
    return out_dir


def summary(result: RunResult) -> dict[str, Any]:
    """Return the contents of ``summary.json``: plain numbers, texts, lists and mappings; no NaN."""
    return {
        "fingerprint": result.fingerprint,
        "instrument": result.instrument,
        "strategy": result.strategy,
        "bar_minutes": result.bar_minutes,
        "verdict": result.verdict._asdict(),
        "arms": None if result.arms is None else result.arms.as_dict(),
        "data": dict(result.data),
        "settings": dict(result.settings),
        "metrics": dict(result.metrics),
        "metrics_at_todays_charges": {
            "rates_of": result.today_rates_date.isoformat(),
            **result.metrics_today,
        },
        "model": {**result.model, "windows": with_money(result.windows, result.trades)}
        if result.model is not None
        else None,
        "risk": [{"rule": name, "limit": limit} for name, limit in result.risk_rules],
        "assumptions": list(result.assumptions),
        "warnings": list(result.warnings),
        "timing": dict(result.timing),
        **({"instruments": _instruments(result)} if result.parts else {}),
    }


def _instruments(result: RunResult) -> dict[str, Any]:
    return {
        name: {
            "fingerprint": part.fingerprint,
            "metrics": dict(part.metrics),
            "metrics_at_todays_charges": dict(part.metrics_today),
        }
        for name, part in result.parts.items()
    }


def _write_files(result: RunResult, folder: Path, settings: ReportSettings) -> None:
    text = json.dumps(summary(result), indent=2, ensure_ascii=False, allow_nan=False)
    (folder / "summary.json").write_text(text + "\n", encoding="utf-8")
    _write_csv(result.trades, folder / "trades.csv")
    _write_csv(_orders(result), folder / "orders.csv")
    _write_csv(result.equity.reset_index(), folder / "equity.csv")
    if result.rejects is not None and len(result.rejects):
        _write_csv(result.rejects.reset_index(), folder / "rejects.csv")
    if result.shares is not None:
        _write_csv(result.shares.reset_index(), folder / "shares.csv")
    for name, part in result.parts.items():
        (folder / name).mkdir()
        _write_files(part, folder / name, settings.model_copy(update={"tearsheet": False}))
    if settings.tearsheet:
        write_tearsheet(result, folder / "tearsheet.html")
    write_report(result, folder / "report.html", embedded_bars=settings.embedded_bars)


def _orders(result: RunResult) -> pd.DataFrame:
    """Return the order events of all instruments in the order of time, each with its instrument."""
    if not result.parts:
        return orders_frame(result.events)
    parts = []
    for name, part in result.parts.items():
        frame = orders_frame(part.events)
        frame.insert(1, "instrument", name)
        parts.append(frame)
    held = [frame for frame in parts if len(frame)] or parts[:1]
    return pd.concat(held, ignore_index=True).sort_values("time", kind="stable", ignore_index=True)


def orders_frame(events: Sequence[OrderEvent]) -> pd.DataFrame:
    """Return the order events as a frame with one column per field; times are tz-aware Asia/Kolkata."""
    frame = pd.DataFrame(events, columns=list(OrderEvent._fields))
    frame["time"] = pd.to_datetime(frame["time"]).dt.tz_localize("Asia/Kolkata")
    return frame


# pandas writes floats with repr, which reads back to the same bits. Times are made text here, because
# pandas formats tz-aware times one by one.
def _write_csv(frame: pd.DataFrame, path: Path) -> None:
    text = frame.copy()
    for name in text.columns:
        if isinstance(text[name].dtype, pd.DatetimeTZDtype):
            wall_clock = text[name].dt.tz_localize(None).to_numpy("datetime64[s]")
            stamps = np.datetime_as_string(wall_clock).astype(object)
            text[name] = [f"{stamp[:10]} {stamp[11:]}+05:30" for stamp in stamps]
    text.to_csv(path, index=False, lineterminator="\n", encoding="utf-8")
