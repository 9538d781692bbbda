-- Bars by name, for people and dashboards.
CREATE VIEW muhurat.bars AS
SELECT instrument, bar_minutes, start, open, high, low, close, volume, open_interest, complete
FROM muhurat.bar JOIN muhurat.series ON series.id = bar.series_id;
