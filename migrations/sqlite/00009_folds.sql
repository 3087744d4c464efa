-- +goose Up
-- The records of a finished distribution after their retention: one row for
-- each 1,000 recipients, packed. store/queue_fold.go says how.
CREATE TABLE delivery_folds (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  distribution_id INTEGER NOT NULL,
  first_id        INTEGER NOT NULL,
  last_id         INTEGER NOT NULL,
  sent            INTEGER NOT NULL,
  failed          INTEGER NOT NULL,
  skipped         INTEGER NOT NULL,
  packed          BLOB NOT NULL
);
CREATE INDEX delivery_folds_range ON delivery_folds (distribution_id, first_id);

-- +goose Down
SELECT 1;
