-- +goose Up
-- Which site a copy waits for, by a hash of its name with the lane in the three
-- lowest bits; 0: any. Copies for a site that is full, down or stopped wait
-- here and not in memory, and are claimed site by site.
ALTER TABLE deliveries ADD COLUMN site BIGINT NOT NULL DEFAULT 0;
CREATE INDEX deliveries_site ON deliveries (site, next_at) WHERE state = 2;

-- The sites copies wait for, for people. until: nothing is sent before that.
CREATE TABLE queue_sites (
  id     BIGINT PRIMARY KEY,
  name   TEXT NOT NULL,
  hosts  TEXT NOT NULL,
  text   TEXT NOT NULL,
  until  BIGINT NOT NULL,
  at     BIGINT NOT NULL
);

-- MTA-STS policies (RFC 8461), kept over restarts.
CREATE TABLE sts_policies (
  domain    TEXT PRIMARY KEY,
  policy_id TEXT NOT NULL,
  mode      TEXT NOT NULL,
  mx        TEXT NOT NULL,
  max_age   BIGINT NOT NULL,
  fetched   BIGINT NOT NULL
);

-- Outcomes of TLS for reports (RFC 8460), by policy domain and day.
CREATE TABLE tls_counts (
  day      TEXT NOT NULL,
  domain   TEXT NOT NULL,
  policy   TEXT NOT NULL,
  mx_host  TEXT NOT NULL,
  ip       TEXT NOT NULL,
  result   TEXT NOT NULL,
  sessions BIGINT NOT NULL,
  PRIMARY KEY (day, domain, policy, mx_host, ip, result)
);

-- +goose Down
SELECT 1;
