-- +goose Up
-- What waits on a list is a mailbox for its moderators: each held post has a UID
-- there, in the order of commits, from a counter of the list (RFC 9051 2.3.1.1).
ALTER TABLE helds ADD COLUMN uid BIGINT NOT NULL DEFAULT 0;
ALTER TABLE list_counters ADD COLUMN held_uid_next BIGINT NOT NULL DEFAULT 1;
UPDATE helds SET uid = id;
UPDATE list_counters SET held_uid_next = 1 + coalesce((SELECT max(id) FROM helds WHERE helds.list_id = list_counters.list_id), 0);

-- +goose Down
SELECT 1;
