-- +goose Up
-- Why a node of the threads hangs where it does, and what messages say where a
-- guess or a moderator says otherwise.
ALTER TABLE thread_nodes ADD COLUMN claim INTEGER NOT NULL DEFAULT 0;
ALTER TABLE thread_nodes ADD COLUMN link INTEGER NOT NULL DEFAULT 0;
UPDATE thread_nodes SET claim = parent_key WHERE parent_key <> 0;
CREATE INDEX thread_nodes_linked ON thread_nodes (list_id) WHERE link <> 0;
-- Counts the changes of nodes with a link other than references.
ALTER TABLE list_counters ADD COLUMN thread_seq INTEGER NOT NULL DEFAULT 0;

-- What whom a post answers is guessed by. Posts that were stored before have
-- none until plenary archive reindex.
CREATE TABLE thread_hints (
  list_id  INTEGER NOT NULL,
  era      INTEGER NOT NULL,
  topic    INTEGER NOT NULL,
  sent_at  INTEGER NOT NULL,
  key      INTEGER NOT NULL,
  own      BLOB NOT NULL,
  answered BLOB NOT NULL,
  PRIMARY KEY (list_id, era, topic, sent_at, key)
) WITHOUT ROWID;
CREATE INDEX thread_hints_seek ON thread_hints (list_id, topic, sent_at) WHERE length(answered) > 0;

-- What moderators decided. Nothing derived: no reindex touches it.
CREATE TABLE thread_rulings (
  list_id    INTEGER NOT NULL,
  key        INTEGER NOT NULL,
  parent_key INTEGER NOT NULL,
  ruled_by   TEXT NOT NULL,
  at         INTEGER NOT NULL,
  PRIMARY KEY (list_id, key)
) WITHOUT ROWID;

-- +goose Down
SELECT 1;
