"""What the exchange has laid down, as dated tables with a source and a confidence on every row.

====================  =====================================================================
``regular_hours``     trading hours of an ordinary day, by date
``special_sessions``  days whose hours differ: Muhurat, weekend sessions, outages, halts
``expiry_rules``      weekday on which a monthly future expires, by contract month
``lot_sizes``         units per lot, by contract month
``tick_size``         smallest price step, by date and, from 2025, by index level
``freeze_quantity``   largest order in units, by date and index level
``margins``           margin of an overnight-capable position, percent of value, by date
====================  =====================================================================

Confidence is ``confirmed`` (two independent sources), ``one source`` or ``unconfirmed``. A correction
is a new row or a changed row here; no module holds a market fact of its own.
"""
