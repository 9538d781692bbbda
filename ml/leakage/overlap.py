"""Splits in which a training label knows a bar of the test."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ml.labels import Labels
from ml.leakage.finding import Finding
from ml.splits import Splitter

__all__ = ["check_overlap"]


def check_overlap(
    name: str, splitter: Splitter, frame: pd.DataFrame, labels: Labels, embargo_bars: int
) -> list[Finding]:
    """Find training rows whose label reaches into a test window and its embargo; the worst of each split.

    Parameters
    ----------
    name : str
        What the splitter is called.
    splitter : Splitter
        Given the labels' ``end_index`` as groups.
    frame : pandas.DataFrame
        A bar frame.
    labels : Labels
        Of the same bars.
    embargo_bars : int
        Bars that must lie between.
    """
    findings = []
    ends = labels.end_index
    for number, (train, test) in enumerate(splitter.split(frame, groups=ends)):
        cuts = np.flatnonzero(np.diff(test) > 1)
        firsts = test[np.append(0, cuts + 1)]
        lasts = test[np.append(cuts, len(test) - 1)]
        for first, last in zip(firsts, lasts, strict=True):
            reach = int(ends[first : last + 1].max())
            before, after = train[train < first], train[train > last]
            overlap = max(
                int((ends[before] + embargo_bars - first + 1).max(initial=0)),
                int((reach + embargo_bars - after + 1).max(initial=0)),
                len(np.intersect1d(train, test)),
            )
            if overlap > 0:
                findings.append(
                    Finding(
                        "overlap", f"{name}, split {number + 1}", frame.index[first].to_pydatetime(),
                        float(overlap),
                        f"training labels reach {overlap} bars into the test window and its embargo of "
                        f"{embargo_bars}, expected none; give the labels' end_index as groups",
                    )
                )  # fmt: skip
                break
    return findings
