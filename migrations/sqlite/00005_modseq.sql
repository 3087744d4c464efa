-- +goose Up
-- What each change of a person's flags on a list touched, so that a mail
-- program can ask for what changed since it looked last (RFC 7162). seq counts
-- the changes, uid_next is that of the list at the time. Old rows are joined.
CREATE TABLE flag_changes (
  account_id INTEGER NOT NULL,
  list_id    INTEGER NOT NULL REFERENCES lists(id) ON DELETE CASCADE,
  seq        INTEGER NOT NULL,
  uid_next   INTEGER NOT NULL,
  uids       BLOB NOT NULL,
  PRIMARY KEY (account_id, list_id, seq)
) WITHOUT ROWID;

-- +goose Down
SELECT 1;
