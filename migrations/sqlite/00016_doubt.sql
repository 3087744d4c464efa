-- +goose Up
-- Nothing: what FTS5 merges is never seen by halves.
SELECT 1;

-- +goose Down
SELECT 1;
