-- +goose Up
-- PostgreSQL only: how the full-text index is asked.
SELECT 1;

-- +goose Down
SELECT 1;
