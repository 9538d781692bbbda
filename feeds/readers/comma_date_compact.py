"""``NIFTY_F1,20161230,09:16,open,high,low,close,volume[,open_interest]``.

The time is a whole minute: the END of the bar as a rule, its START in some months.
"""

from __future__ import annotations

from feeds.readers.comma import CommaReader

__all__ = ["COMMA_DATE_COMPACT"]

COMMA_DATE_COMPACT = CommaReader(
    name="comma_date_compact",
    pattern=r"[A-Z0-9&_-]+,\d{8},\d{1,2}:\d{2},",
    stamp_format="%Y%m%d %H:%M",
    has_seconds=False,
)
