-- +goose Up
-- While PostgreSQL moves new entries of a GIN index to their places, it moves them
-- one after another: for a moment a post has some of its words and not others, and
-- is found by a query that excludes one of those. So whoever excludes says what as
-- doubt, and a post that has it is found only when its words themselves agree. A
-- query that excludes nothing meets such a post among the new ones first, whole.
DROP FUNCTION post_fts_find(BIGINT, TSQUERY, BIGINT, BIGINT, BOOLEAN, BIGINT);
-- +goose StatementBegin
CREATE FUNCTION post_fts_find(list BIGINT, sought TSQUERY, first_id BIGINT, last_id BIGINT, newest BOOLEAN, wanted BIGINT, doubt TSQUERY) RETURNS SETOF BYTEA
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET enable_indexscan = off AS $$
DECLARE
  part RECORD;
  found BIGINT[];
  so_many BIGINT := 0;
  sure TEXT := '';
BEGIN
  IF doubt IS NOT NULL THEN
    sure := 'AND (id NOT IN (SELECT id FROM post_fts_%1$s WHERE words @@ $5 AND id + 0 BETWEEN $2 AND $3) OR ts_match_vq(words, $1))';
  END IF;
  FOR part IN
    SELECT r.era, greatest(r.first_uid + (list << 32), first_id) AS low, least(r.next_uid + (list << 32) - 1, last_id) AS high
    FROM (SELECT f.era, f.first_uid, lead(f.first_uid, 1, 4294967296) OVER (ORDER BY f.first_uid) AS next_uid
      FROM fts_ranges AS f WHERE f.list_id = list) AS r
    WHERE r.first_uid + (list << 32) <= last_id AND r.next_uid + (list << 32) > first_id
    ORDER BY CASE WHEN newest THEN -r.first_uid ELSE r.first_uid END
  LOOP
    IF wanted = 0 THEN
      EXECUTE format('SELECT array_agg(id) FROM post_fts_%1$s WHERE words @@ $1 AND id + 0 BETWEEN $2 AND $3 ' || sure, part.era)
        INTO found USING sought, part.low, part.high, 0, doubt;
    ELSE
      EXECUTE format('SELECT array_agg(id) FROM (SELECT id FROM post_fts_%1$s WHERE words @@ $1 AND id + 0 BETWEEN $2 AND $3 ' || sure
        || ' ORDER BY id %2$s LIMIT $4) AS hits', part.era, CASE WHEN newest THEN 'DESC' ELSE 'ASC' END)
        INTO found USING sought, part.low, part.high, wanted - so_many, doubt;
    END IF;
    CONTINUE WHEN found IS NULL;
    RETURN NEXT array_send(found);
    so_many := so_many + cardinality(found);
    EXIT WHEN so_many = wanted;
  END LOOP;
END
$$;
-- +goose StatementEnd

-- +goose Down
SELECT 1;
