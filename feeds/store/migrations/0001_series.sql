-- Which of these steps were taken; what the bars belong to; which of them were fetched whole.
CREATE SCHEMA IF NOT EXISTS muhurat;

CREATE TABLE muhurat.migration (
    version integer PRIMARY KEY,
    name text NOT NULL,
    flavour text NOT NULL, -- plain or timescale
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE muhurat.series (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    instrument text NOT NULL,
    bar_minutes integer NOT NULL CHECK (bar_minutes >= 1),
    UNIQUE (instrument, bar_minutes)
);

-- Dates in Asia/Kolkata, both included, that the stored bars are the whole answer of a source to.
CREATE TABLE muhurat.fetched_span (
    series_id integer NOT NULL REFERENCES muhurat.series (id),
    source text NOT NULL,
    first_day date NOT NULL,
    last_day date NOT NULL CHECK (last_day >= first_day),
    PRIMARY KEY (series_id, source, first_day, last_day)
);
