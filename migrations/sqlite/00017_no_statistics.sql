-- +goose Up
-- Nothing: SQLite keeps no statistics of words.
SELECT 1;

-- +goose Down
SELECT 1;
