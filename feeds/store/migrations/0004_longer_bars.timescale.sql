-- Bars of 3 and of 15 minutes, built from 1-minute bars: kept up to date where the edition has that, else built
-- when they are asked for.
DO $$
DECLARE
    minutes integer;
    has_aggregates boolean := current_setting('timescaledb.license', true) = 'timescale';
BEGIN
    FOREACH minutes IN ARRAY ARRAY[3, 15] LOOP
        EXECUTE format(
            'CREATE %2$s muhurat.bar_%1$sminute %3$s AS
            SELECT
                series_id,
                time_bucket(INTERVAL ''%1$s minutes'', start) AS start,
                first(open, start) AS open,
                max(high) AS high,
                min(low) AS low,
                last(close, start) AS close,
                sum(volume) AS volume,
                last(open_interest, start) AS open_interest,
                count(*) AS minutes
            FROM muhurat.bar
            GROUP BY 1, 2 %4$s',
            minutes,
            CASE WHEN has_aggregates THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END,
            CASE WHEN has_aggregates
                THEN 'WITH (timescaledb.continuous, timescaledb.materialized_only = false)' ELSE '' END,
            CASE WHEN has_aggregates THEN 'WITH NO DATA' ELSE '' END
        );
        EXECUTE format(
            'CREATE VIEW muhurat.bars_%1$sminute AS
            SELECT instrument, start, open, high, low, close, volume, open_interest, minutes
            FROM muhurat.bar_%1$sminute JOIN muhurat.series ON series.id = series_id
            WHERE bar_minutes = 1',
            minutes
        );
        IF has_aggregates THEN
            PERFORM add_continuous_aggregate_policy(
                format('muhurat.bar_%sminute', minutes)::regclass,
                start_offset => NULL,
                end_offset => INTERVAL '1 day',
                schedule_interval => INTERVAL '1 day'
            );
        END IF;
    END LOOP;
END
$$;
