-- +goose Up
-- Why a node of the threads hangs where it does, and what messages say where a
-- guess or a moderator says otherwise.
ALTER TABLE thread_nodes ADD COLUMN claim BIGINT NOT NULL DEFAULT 0;
ALTER TABLE thread_nodes ADD COLUMN link SMALLINT NOT NULL DEFAULT 0;
UPDATE thread_nodes SET claim = parent_key WHERE parent_key <> 0;
CREATE INDEX thread_nodes_linked ON thread_nodes (list_id) WHERE link <> 0;
-- Counts the changes of nodes with a link other than references.
ALTER TABLE list_counters ADD COLUMN thread_seq BIGINT NOT NULL DEFAULT 0;

-- What whom a post answers is guessed by. Posts that were stored before have
-- none until plenary archive reindex.
CREATE TABLE thread_hints (
  list_id  BIGINT NOT NULL,
  era      BIGINT NOT NULL,
  topic    BIGINT NOT NULL,
  sent_at  BIGINT NOT NULL,
  key      BIGINT NOT NULL,
  own      BYTEA NOT NULL,
  answered BYTEA NOT NULL,
  PRIMARY KEY (list_id, era, topic, sent_at, key)
);
CREATE INDEX thread_hints_seek ON thread_hints (list_id, topic, sent_at) WHERE length(answered) > 0;

-- What moderators decided. Nothing derived: no reindex touches it.
CREATE TABLE thread_rulings (
  list_id    BIGINT NOT NULL,
  key        BIGINT NOT NULL,
  parent_key BIGINT NOT NULL,
  ruled_by   TEXT NOT NULL,
  at         BIGINT NOT NULL,
  PRIMARY KEY (list_id, key)
);

-- +goose Down
SELECT 1;
