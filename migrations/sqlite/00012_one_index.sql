-- +goose Up
-- PostgreSQL's alone: there the full-text index gets one column.
SELECT 1;

-- +goose Down
SELECT 1;
