-- +goose Up
-- A copy that is refused for good in the SMTP dialogue is a bounce too: code and reply
-- in the place of a mail (bytes_id 0).
ALTER TABLE bounces ADD COLUMN code INTEGER NOT NULL DEFAULT 0;
ALTER TABLE bounces ADD COLUMN reply TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE bounces DROP COLUMN reply;
ALTER TABLE bounces DROP COLUMN code;
