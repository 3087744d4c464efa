-- +goose Up
-- The next people of a distribution's audience (store/queue.go), packed as
-- store/queue_people.go reads them, in one question. Without fresh statistics, after an
-- import, the planner would gather and sort the whole rest of a list for each range.
-- +goose StatementBegin
CREATE FUNCTION queue_people(list BIGINT, joined BIGINT, gone BIGINT, after BIGINT, most BIGINT, OUT n BIGINT, OUT people TEXT)
LANGUAGE plpgsql STABLE SET enable_bitmapscan = off SET enable_seqscan = off AS $$
BEGIN
  SELECT count(*), string_agg(next.t, E'\x1f') INTO n, people FROM (
    SELECT concat_ws(E'\x1f', s.id, s.ended_seq, s.options | (s.mode << 32) | (s.delivery_status << 40), s.email, s.email_key) AS t
    FROM subscribers AS s
    WHERE s.list_id = list AND s.began_seq <= joined AND (s.ended_seq = 0 OR s.ended_seq > gone) AND (s.roles & 1) <> 0 AND s.id > after
    ORDER BY s.id LIMIT most) AS next;
END
$$;
-- +goose StatementEnd

-- +goose Down
SELECT 1;
