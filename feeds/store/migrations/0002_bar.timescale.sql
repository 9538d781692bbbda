-- Bars, stamped with their start; a hypertable in chunks of about a year, compressed where the edition has that.
CREATE EXTENSION IF NOT EXISTS timescaledb;

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
);

SELECT create_hypertable('muhurat.bar', 'start', chunk_time_interval => INTERVAL '365 days');

-- Compression belongs to the community edition. A year after its end a chunk seldom takes bars any more.
DO $$
BEGIN
    IF current_setting('timescaledb.license', true) = 'timescale' THEN
        ALTER TABLE muhurat.bar SET (
            timescaledb.compress,
            timescaledb.compress_segmentby = 'series_id',
            timescaledb.compress_orderby = 'start'
        );
        PERFORM add_compression_policy('muhurat.bar', INTERVAL '730 days');
    END IF;
END
$$;
