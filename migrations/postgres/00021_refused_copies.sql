-- +goose Up
-- A copy that is refused for good in the SMTP dialogue is a bounce too: code and reply
-- in the place of a mail (bytes_id 0).
ALTER TABLE bounces ADD COLUMN code INTEGER NOT NULL DEFAULT 0;
ALTER TABLE bounces ADD COLUMN reply TEXT NOT NULL DEFAULT '';
CREATE INDEX bounces_received ON bounces (received_at);

-- +goose Down
DROP INDEX bounces_received;
DELETE FROM bounces WHERE bytes_id = 0;
ALTER TABLE bounces DROP COLUMN reply;
ALTER TABLE bounces DROP COLUMN code;
