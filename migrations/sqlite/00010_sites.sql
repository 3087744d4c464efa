-- +goose Up
-- Which site a copy waits for, by a hash of its name with the lane in the three
-- lowest bits; 0: any. Copies for a site that is full, down or stopped wait
-- here and not in memory, and are claimed site by site.
ALTER TABLE deliveries ADD COLUMN site INTEGER NOT NULL DEFAULT 0;
CREATE INDEX deliveries_site ON deliveries (site, next_at) WHERE state = 2;

-- The sites copies wait for, for people. until: nothing is sent before that.
CREATE TABLE queue_sites (
  id     INTEGER PRIMARY KEY,
  name   TEXT NOT NULL,
  hosts  TEXT NOT NULL,
  text   TEXT NOT NULL,
  until  INTEGER NOT NULL,
  at     INTEGER NOT NULL
);

-- MTA-STS policies (RFC 8461), kept over restarts.
CREATE TABLE sts_policies (
  domain    TEXT PRIMARY KEY,
  policy_id TEXT NOT NULL,
  mode      TEXT NOT NULL,
  mx        TEXT NOT NULL,
  max_age   INTEGER NOT NULL,
  fetched   INTEGER NOT NULL
) WITHOUT ROWID;

-- Outcomes of TLS for reports (RFC 8460), by policy domain and day.
CREATE TABLE tls_counts (
  day      TEXT NOT NULL,
  domain   TEXT NOT NULL,
  policy   TEXT NOT NULL,
  mx_host  TEXT NOT NULL,
  ip       TEXT NOT NULL,
  result   TEXT NOT NULL,
  sessions INTEGER NOT NULL,
  PRIMARY KEY (day, domain, policy, mx_host, ip, result)
) WITHOUT ROWID;

-- +goose Down
SELECT 1;
