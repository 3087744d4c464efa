-- +goose Up
-- Nothing: SQLite needs no function for this.
SELECT 1;

-- +goose Down
SELECT 1;
