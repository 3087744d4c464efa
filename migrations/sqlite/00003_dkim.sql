-- +goose Up
-- The keys that sign outgoing mail (DKIM). private is PKCS #8, sealed.
-- active_at is from when on a key signs, 0 until somebody says so.
CREATE TABLE dkim_keys (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  domain     TEXT NOT NULL,
  selector   TEXT NOT NULL,
  algorithm  INTEGER NOT NULL,
  record     TEXT NOT NULL,
  private    BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  active_at  INTEGER NOT NULL,
  UNIQUE (domain, selector)
);

-- +goose Down
SELECT 1;
