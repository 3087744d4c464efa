-- +goose Up
-- Nothing: SQLite packs nothing by itself.
SELECT 1;

-- +goose Down
SELECT 1;
