-- Bars, stamped with their start; a part of the table for each calendar year of Asia/Kolkata.
CREATE TABLE muhurat.bar (
    start timestamptz NOT NULL,
    open float8 NOT NULL,
    high float8 NOT NULL,
    low float8 NOT NULL,
    close float8 NOT NULL,
    volume float8 NOT NULL,
    open_interest float8 NOT NULL, -- NaN where the source has none
    series_id integer NOT NULL, -- of muhurat.series; a foreign key would be asked for each bar
    complete boolean NOT NULL,
    PRIMARY KEY (series_id, start)
) PARTITION BY RANGE (start);

-- Made ahead, because the role that writes bars may make no table; before and after them lies bar_other.
DO $$
BEGIN
    FOR year IN 1995..2049 LOOP
        EXECUTE format(
            'CREATE TABLE muhurat.bar_%s PARTITION OF muhurat.bar FOR VALUES FROM (%L) TO (%L)',
            year, year || '-01-01 00:00+05:30', year + 1 || '-01-01 00:00+05:30'
        );
    END LOOP;
END
$$;
CREATE TABLE muhurat.bar_other PARTITION OF muhurat.bar DEFAULT;
