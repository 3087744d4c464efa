-- +goose Up
-- The full-text index in eras (store/eras.go): a table each, of which the one there
-- was is the first. posts is how many it held when it was closed.
ALTER TABLE post_fts RENAME TO post_fts_0;
ALTER INDEX post_fts_pkey RENAME TO post_fts_0_pkey;
ALTER INDEX post_fts_words RENAME TO post_fts_0_words;
CREATE TABLE fts_eras (
  era   BIGINT PRIMARY KEY,
  posts BIGINT NOT NULL
);
INSERT INTO fts_eras SELECT 0, count(*) FROM post_fts_0;
-- Where the posts of a list are: a range begins with its first UID and reaches to
-- the next of the list.
CREATE TABLE fts_ranges (
  list_id   BIGINT NOT NULL,
  first_uid BIGINT NOT NULL,
  era       BIGINT NOT NULL,
  PRIMARY KEY (list_id, first_uid)
);
INSERT INTO fts_ranges SELECT list_id, 0, 0 FROM list_counters WHERE uid_next > 1;
DROP FUNCTION post_fts_hits(TSQUERY, BIGINT, BIGINT);
-- Posts of one era with words, within a list. The planner does not know that
-- reading a post's words means fetching and unpacking them, and would rather read
-- all posts than their index.
-- +goose StatementBegin
CREATE FUNCTION post_fts_hits(era BIGINT, sought TSQUERY, first_id BIGINT, last_id BIGINT) RETURNS SETOF BIGINT
LANGUAGE plpgsql STABLE ROWS 1000 SET enable_seqscan = off SET enable_indexscan = off AS $$
BEGIN
  RETURN QUERY EXECUTE format('SELECT id FROM post_fts_%s WHERE words @@ $1 AND id + 0 BETWEEN $2 AND $3', era)
    USING sought, first_id, last_id;
END
$$;
-- +goose StatementEnd

-- +goose Down
SELECT 1;
