-- +goose Up
-- Nothing: FTS5 always asks its index.
SELECT 1;

-- +goose Down
SELECT 1;
