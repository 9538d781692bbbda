-- Bars of 3 and of 15 minutes, built from 1-minute bars when they are asked for.
DO $$
DECLARE
    minutes integer;
BEGIN
    FOREACH minutes IN ARRAY ARRAY[3, 15] LOOP
        EXECUTE format(
            'CREATE VIEW muhurat.bars_%1$sminute AS
            SELECT
                instrument,
                date_bin(''%1$s minutes'', start, ''2000-01-01 00:00+05:30'') AS start,
                (array_agg(open ORDER BY start))[1] AS open,
                max(high) AS high,
                min(low) AS low,
                (array_agg(close ORDER BY start DESC))[1] AS close,
                sum(volume) AS volume,
                (array_agg(open_interest ORDER BY start DESC))[1] AS open_interest,
                count(*) AS minutes
            FROM muhurat.bars
            WHERE bar_minutes = 1
            GROUP BY 1, 2',
            minutes
        );
    END LOOP;
END
$$;
