-- +goose Up
-- Copies of a leased range that were sent at the first try: a row holds those of
-- one commit. A copy stands either here or in deliveries.
CREATE TABLE delivery_packs (
  id              INTEGER PRIMARY KEY,
  distribution_id INTEGER NOT NULL,
  first_id        INTEGER NOT NULL,
  copies          INTEGER NOT NULL,
  data            BLOB NOT NULL
);
CREATE INDEX delivery_packs_range ON delivery_packs (distribution_id, first_id, copies);

-- 1: somebody recorded a copy of the range without holding its lease. Then all
-- its copies are rows of deliveries from there on.
ALTER TABLE chunks ADD COLUMN contested INTEGER NOT NULL DEFAULT 0;

-- +goose Down
SELECT 1;
