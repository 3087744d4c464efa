-- +goose Up
-- Posts of a list with words, from one post to another, in one question: a row for
-- each era, the newest first if so wished, until as many as wanted (0: all) are
-- found. The planner does not know that reading a post's words means fetching and
-- unpacking them, and would rather read all posts than their index. A row is what
-- array_send makes of the ids: handing on one by one costs as much as finding them.
-- +goose StatementBegin
CREATE FUNCTION post_fts_find(list BIGINT, sought TSQUERY, first_id BIGINT, last_id BIGINT, newest BOOLEAN, wanted BIGINT) RETURNS SETOF BYTEA
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET enable_indexscan = off AS $$
DECLARE
  part RECORD;
  found BIGINT[];
  so_many BIGINT := 0;
BEGIN
  FOR part IN
    SELECT r.era, greatest(r.first_uid + (list << 32), first_id) AS low, least(r.next_uid + (list << 32) - 1, last_id) AS high
    FROM (SELECT f.era, f.first_uid, lead(f.first_uid, 1, 4294967296) OVER (ORDER BY f.first_uid) AS next_uid
      FROM fts_ranges AS f WHERE f.list_id = list) AS r
    WHERE r.first_uid + (list << 32) <= last_id AND r.next_uid + (list << 32) > first_id
    ORDER BY CASE WHEN newest THEN -r.first_uid ELSE r.first_uid END
  LOOP
    IF wanted = 0 THEN
      EXECUTE format('SELECT array_agg(id) FROM post_fts_%s WHERE words @@ $1 AND id + 0 BETWEEN $2 AND $3', part.era)
        INTO found USING sought, part.low, part.high;
    ELSE
      EXECUTE format('SELECT array_agg(id) FROM (SELECT id FROM post_fts_%s WHERE words @@ $1 AND id + 0 BETWEEN $2 AND $3 ORDER BY id %s LIMIT $4) AS hits',
        part.era, CASE WHEN newest THEN 'DESC' ELSE 'ASC' END) INTO found USING sought, part.low, part.high, wanted - so_many;
    END IF;
    CONTINUE WHEN found IS NULL;
    RETURN NEXT array_send(found);
    so_many := so_many + cardinality(found);
    EXIT WHEN so_many = wanted;
  END LOOP;
END
$$;
-- +goose StatementEnd
DROP FUNCTION post_fts_hits(BIGINT, TSQUERY, BIGINT, BIGINT);

-- +goose Down
SELECT 1;
