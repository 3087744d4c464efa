-- +goose Up
-- What searching, sorting and threading keep of each header. As in
-- post_envelopes and post_headers, a row is one post, or a packed group of
-- consecutive posts of one list under the id of the first.
CREATE TABLE post_columns (
  id  BIGINT PRIMARY KEY,
  col BYTEA NOT NULL
);
-- Groups are packed already.
ALTER TABLE post_columns ALTER COLUMN col SET STORAGE EXTERNAL;
ALTER TABLE post_envelopes ALTER COLUMN env SET STORAGE EXTERNAL;
ALTER TABLE post_headers ALTER COLUMN hdr SET STORAGE EXTERNAL;

-- +goose Down
SELECT 1;
