-- +goose Up
-- What people and nodes say about the queue: "pause", "pause/list/7",
-- "approved/12", "node/a" (the state of that node's way out).
CREATE TABLE queue_notes (
  name TEXT PRIMARY KEY,
  text TEXT NOT NULL,
  at   BIGINT NOT NULL
);

-- Copies that are being tried again, and by which node. A copy that is due and
-- not in here may be claimed.
CREATE TABLE queue_claims (
  distribution_id BIGINT NOT NULL,
  recipient_id    BIGINT NOT NULL,
  owner           TEXT NOT NULL,
  until           BIGINT NOT NULL,
  PRIMARY KEY (distribution_id, recipient_id)
);

-- Whether a distribution still waits for anything, and for which copies.
CREATE INDEX deliveries_waiting ON deliveries (distribution_id, next_at) WHERE state = 2;
CREATE INDEX distributions_waiting ON distributions (lane, id) WHERE state = 2 AND done_at = 0;

-- +goose Down
SELECT 1;
