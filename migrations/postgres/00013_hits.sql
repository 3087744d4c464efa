-- +goose Up
-- Posts with words, within a list. The planner does not know that reading a post's
-- words means fetching and unpacking them, and would rather read all posts than
-- their index.
-- +goose StatementBegin
CREATE FUNCTION post_fts_hits(sought TSQUERY, first_id BIGINT, last_id BIGINT) RETURNS SETOF BIGINT
LANGUAGE sql STABLE ROWS 1000 SET enable_seqscan = off SET enable_indexscan = off AS $$
  SELECT id FROM post_fts WHERE words @@ sought AND id + 0 BETWEEN first_id AND last_id
$$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION post_fts_hits(TSQUERY, BIGINT, BIGINT);
