"""``NIFTY-1M,31-12-2015,09:15:59,open,high,low,close,volume,open_interest``.

The time is that of the last trade inside the minute, so any second may be met; single days are stamped
with the whole minute instead. Hours before ten may have one digit.
"""

from __future__ import annotations

from feeds.readers.comma import CommaReader

__all__ = ["COMMA_DATE_DASH"]

COMMA_DATE_DASH = CommaReader(
    name="comma_date_dash",
    pattern=r"[A-Z0-9&_-]+,\d{1,2}-\d{1,2}-\d{4},\d{1,2}:\d{2}:\d{2},",
    stamp_format="%d-%m-%Y %H:%M:%S",
    has_seconds=True,
)
