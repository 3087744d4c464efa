-- +goose Up
-- What searching, sorting and threading keep of each header. As in
-- post_envelopes and post_headers, a row is one post, or a packed group of
-- consecutive posts of one list under the id of the first.
CREATE TABLE post_columns (
  id  INTEGER PRIMARY KEY,
  col BLOB NOT NULL
);

-- +goose Down
SELECT 1;
