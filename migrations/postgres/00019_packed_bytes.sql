-- +goose Up
-- What is stored here is packed already, or is soon to be packed with others:
-- PostgreSQL need not try.
ALTER TABLE message_bytes ALTER COLUMN data SET STORAGE EXTERNAL;

-- +goose Down
SELECT 1;
