-- +goose Up
-- What searching, sorting and threading keep of each header. As in
-- post_envelopes and post_headers, a row is one post, or a packed group of
-- consecutive posts of one list under the id of the first.
CREATE TABLE post_columns (
  id  INTEGER PRIMARY KEY,
  col BLOB NOT NULL
);
-- The full-text index gathers more words before it writes a piece of its own,
-- and merges pieces later: half of an import was merging.
INSERT INTO post_fts (post_fts, rank) VALUES ('hashsize', 8388608);
INSERT INTO post_fts (post_fts, rank) VALUES ('automerge', 8);

-- +goose Down
SELECT 1;
