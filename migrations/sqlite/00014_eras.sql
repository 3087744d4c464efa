-- +goose Up
-- The full-text index in eras (store/eras.go): a table each, of which the one there
-- was is the first. posts is how many it held when it was closed.
ALTER TABLE post_fts RENAME TO post_fts_0;
CREATE TABLE fts_eras (
  era   INTEGER PRIMARY KEY,
  posts INTEGER NOT NULL
);
INSERT INTO fts_eras SELECT 0, count(*) FROM post_fts_0_docsize;
-- Where the posts of a list are: a range begins with its first UID and reaches to
-- the next of the list.
CREATE TABLE fts_ranges (
  list_id   INTEGER NOT NULL,
  first_uid INTEGER NOT NULL,
  era       INTEGER NOT NULL,
  PRIMARY KEY (list_id, first_uid)
) WITHOUT ROWID;
INSERT INTO fts_ranges SELECT list_id, 0, 0 FROM list_counters WHERE uid_next > 1;

-- +goose Down
SELECT 1;
