"""What a live day leaves behind for its replay: every bar, and what the strategy made of it.

Rows are appended and flushed one by one, so that a crash loses none. After a restart the recording goes on
behind its last row.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

from analyzers.bar_record import BarRecord
from analyzers.parity.files import BARS_COLUMNS, BARS_FILE, DECISION_COLUMNS, DECISIONS_FILE
from feeds.appended_csv import AppendedCsv
from feeds.clock import IST
from feeds.errors import SettingsError
from feeds.live_bars import LiveBar

__all__ = ["DayRecorder"]


class DayRecorder:
    """Writes ``bars.csv`` and ``decisions.csv`` into the folder of a day. For one thread.

    Parameters
    ----------
    folder : pathlib.Path
        Of the day; created where it is missing.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._bars = AppendedCsv(folder / BARS_FILE)
        try:
            self._decisions = AppendedCsv(folder / DECISIONS_FILE)
        except BaseException:
            self._bars.close()
            raise

    def bar(self, live_bar: LiveBar) -> None:
        """Write a bar down, unless one as new is there already: a restart delivers the past again."""
        bar = live_bar.bar
        self._bars.write(
            BARS_COLUMNS,
            bar.start.astimezone(IST),
            [
                bar.end.astimezone(IST), bar.open, bar.high, bar.low, bar.close, bar.volume,
                bar.open_interest, int(bar.complete), live_bar.origin,
            ],
        )  # fmt: skip

    def record(self, record: BarRecord) -> None:
        """Write down what the strategy saw and answered; to be handed to it as ``on_bar``.

        Raises
        ------
        SettingsError
            An input has the name of one of the other columns.
        DataError
            The inputs have other names than those in the file.
        """
        taken = set(record.inputs) & set(DECISION_COLUMNS)
        if taken:
            raise SettingsError(
                f"inputs() of the strategy names {', '.join(sorted(taken))}, which the recording itself "
                "uses; choose another name"
            )
        self._decisions.write(
            (*DECISION_COLUMNS, *record.inputs),
            record.start.replace(tzinfo=IST),
            [
                float(record.position), int(record.working), int(record.asked), record.side,
                float(record.probability), float(record.units), record.leaves,
                *map(float, record.inputs.values()),
            ],
        )  # fmt: skip

    def close(self) -> None:
        """Close both files."""
        self._bars.close()
        self._decisions.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
