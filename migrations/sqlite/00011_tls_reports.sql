-- +goose Up
-- Reports on TLS (RFC 8460) that were made, by day and policy domain. sent_to is
-- empty for a domain that wants none.
CREATE TABLE tls_reports (
  day     TEXT NOT NULL,
  domain  TEXT NOT NULL,
  sent_to TEXT NOT NULL,
  at      INTEGER NOT NULL,
  PRIMARY KEY (day, domain)
) WITHOUT ROWID;

-- +goose Down
SELECT 1;
