-- +goose Up
CREATE TABLE secrets (
  name  TEXT PRIMARY KEY,
  value BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE lists (
  id                   INTEGER PRIMARY KEY AUTOINCREMENT,
  local                TEXT NOT NULL,
  domain               TEXT NOT NULL,
  kind                 INTEGER NOT NULL,
  name                 TEXT NOT NULL,
  description          TEXT NOT NULL,
  info                 TEXT NOT NULL,
  language             TEXT NOT NULL,
  closed               BOOLEAN NOT NULL,
  advertised           BOOLEAN NOT NULL,
  join_policy          INTEGER NOT NULL,
  archive_access       INTEGER NOT NULL,
  subscriber_action    INTEGER NOT NULL,
  nonsubscriber_action INTEGER NOT NULL,
  emergency            BOOLEAN NOT NULL,
  hold_size            INTEGER NOT NULL,
  max_size             INTEGER NOT NULL,
  max_recipients       INTEGER NOT NULL,
  require_destination  BOOLEAN NOT NULL,
  acceptable_aliases   TEXT NOT NULL,
  administrivia        BOOLEAN NOT NULL,
  held_days            INTEGER NOT NULL,
  subject_tag          TEXT NOT NULL,
  footer               TEXT NOT NULL,
  reply_to             INTEGER NOT NULL,
  welcome              TEXT NOT NULL,
  uid_validity         INTEGER NOT NULL,
  created_at           INTEGER NOT NULL,
  version              INTEGER NOT NULL,
  UNIQUE (domain, local)
);

-- The counters every post and every change of membership moves, apart from the
-- settings that everything reads.
CREATE TABLE list_counters (
  list_id  INTEGER PRIMARY KEY REFERENCES lists(id) ON DELETE CASCADE,
  uid_next INTEGER NOT NULL,
  seq      INTEGER NOT NULL
);

CREATE TABLE subscribers (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  list_id         INTEGER NOT NULL REFERENCES lists(id) ON DELETE CASCADE,
  email           TEXT NOT NULL,
  email_key       TEXT NOT NULL,
  name            TEXT NOT NULL,
  roles           INTEGER NOT NULL,
  delivery_status INTEGER NOT NULL,
  mode            INTEGER NOT NULL,
  moderation      INTEGER NOT NULL,
  options         INTEGER NOT NULL,
  language        TEXT NOT NULL,
  consent         TEXT NOT NULL,
  began_seq       INTEGER NOT NULL,
  ended_seq       INTEGER NOT NULL,
  began_at        INTEGER NOT NULL,
  ended_at        INTEGER NOT NULL,
  end_reason      TEXT NOT NULL
);
CREATE UNIQUE INDEX subscribers_current ON subscribers (list_id, email_key) WHERE ended_seq = 0;
CREATE INDEX subscribers_walk ON subscribers (list_id, id);
CREATE INDEX subscribers_person ON subscribers (email_key);

CREATE TABLE accounts (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  email      TEXT NOT NULL,
  email_key  TEXT NOT NULL UNIQUE,
  name       TEXT NOT NULL,
  created_at INTEGER NOT NULL
);
CREATE TABLE account_addresses (
  email_key  TEXT PRIMARY KEY,
  account_id INTEGER NOT NULL REFERENCES accounts(id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE TABLE app_passwords (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id INTEGER NOT NULL REFERENCES accounts(id) ON DELETE CASCADE,
  hash       BLOB NOT NULL,
  label      TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  used_at    INTEGER NOT NULL,
  revoked_at INTEGER NOT NULL
);
CREATE INDEX app_passwords_account ON app_passwords (account_id);

CREATE TABLE bans (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  list_id    INTEGER NOT NULL,
  pattern    TEXT NOT NULL,
  reason     TEXT NOT NULL,
  created_by TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  UNIQUE (list_id, pattern)
);

CREATE TABLE pendings (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  kind       INTEGER NOT NULL,
  list_id    INTEGER NOT NULL REFERENCES lists(id) ON DELETE CASCADE,
  email      TEXT NOT NULL,
  email_key  TEXT NOT NULL,
  name       TEXT NOT NULL,
  source     TEXT NOT NULL,
  token_hash BLOB NOT NULL UNIQUE,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  used_at    INTEGER NOT NULL
);
CREATE UNIQUE INDEX pendings_one ON pendings (list_id, email_key, kind) WHERE used_at = 0;

-- Message bytes: one received message, or a zstd frame of consecutive posts of
-- one list (codec 1). A post names its row and its offset in the decoded bytes.
CREATE TABLE message_bytes (
  id    INTEGER PRIMARY KEY AUTOINCREMENT,
  codec INTEGER NOT NULL,
  size  INTEGER NOT NULL,
  data  BLOB NOT NULL
);

CREATE TABLE posts (
  id             INTEGER PRIMARY KEY,
  size           INTEGER NOT NULL,
  header_len     INTEGER NOT NULL,
  own_len        INTEGER NOT NULL,
  received_at    INTEGER NOT NULL,
  sent_at        INTEGER NOT NULL,
  flags          INTEGER NOT NULL,
  thread_id      INTEGER NOT NULL,
  bytes_id       INTEGER NOT NULL,
  bytes_off      INTEGER NOT NULL,
  author         TEXT NOT NULL,
  author_key     TEXT NOT NULL,
  subject        TEXT NOT NULL,
  body_structure BLOB NOT NULL
);
CREATE INDEX posts_thread ON posts (thread_id);

CREATE TABLE post_envelopes (
  id  INTEGER PRIMARY KEY,
  env BLOB NOT NULL
);
CREATE TABLE post_headers (
  id  INTEGER PRIMARY KEY,
  hdr BLOB NOT NULL
);

-- What identifies a post on its list: kind 1 Message-ID, 2 author and
-- normalised body, 3 the exact bytes (imports).
CREATE TABLE post_keys (
  list_id INTEGER NOT NULL,
  kind    INTEGER NOT NULL,
  key     BLOB NOT NULL,
  post_id INTEGER NOT NULL,
  at      INTEGER NOT NULL,
  PRIMARY KEY (list_id, kind, key)
) WITHOUT ROWID;

CREATE TABLE thread_nodes (
  list_id    INTEGER NOT NULL,
  key        INTEGER NOT NULL,
  post_id    INTEGER NOT NULL,
  parent_key INTEGER NOT NULL,
  thread_id  INTEGER NOT NULL,
  message_id TEXT NOT NULL,
  PRIMARY KEY (list_id, key)
) WITHOUT ROWID;
CREATE INDEX thread_nodes_parent ON thread_nodes (list_id, parent_key);

-- rowid is the post's id: a list's part of the index is one range of rowids.
CREATE VIRTUAL TABLE post_fts USING fts5 (
  subject, author, recipients, body, quoted, files,
  content = '', contentless_delete = 1, detail = full,
  tokenize = "ascii" -- the words arrive folded and cut by list/archive, as on PostgreSQL
);

-- Personal flags: a bitmap page covers 8192 UIDs of one list for one person.
CREATE TABLE post_flags (
  account_id INTEGER NOT NULL,
  list_id    INTEGER NOT NULL,
  flag       TEXT NOT NULL,
  page       INTEGER NOT NULL,
  bits       BLOB NOT NULL,
  PRIMARY KEY (account_id, list_id, flag, page)
) WITHOUT ROWID;

CREATE TABLE helds (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  list_id      INTEGER NOT NULL REFERENCES lists(id) ON DELETE CASCADE,
  message_key  TEXT NOT NULL,
  reverse_path TEXT NOT NULL,
  author       TEXT NOT NULL,
  author_key   TEXT NOT NULL,
  subject      TEXT NOT NULL,
  size         INTEGER NOT NULL,
  bytes_id     INTEGER NOT NULL,
  reasons      TEXT NOT NULL,
  trace        TEXT NOT NULL,
  token_hash   BLOB NOT NULL UNIQUE,
  state        INTEGER NOT NULL,
  created_at   INTEGER NOT NULL,
  expires_at   INTEGER NOT NULL,
  decided_at   INTEGER NOT NULL,
  decided_by   TEXT NOT NULL,
  comment      TEXT NOT NULL
);
CREATE UNIQUE INDEX helds_pending ON helds (list_id, message_key) WHERE state = 0;

CREATE TABLE distributions (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  list_id      INTEGER NOT NULL,
  kind         INTEGER NOT NULL,
  lane         INTEGER NOT NULL,
  state        INTEGER NOT NULL,
  post_id      INTEGER NOT NULL,
  bytes_id     INTEGER NOT NULL,
  reverse_path TEXT NOT NULL,
  recipient    TEXT NOT NULL,
  options      TEXT NOT NULL,
  seq          INTEGER NOT NULL,
  cursor       INTEGER NOT NULL,
  created_at   INTEGER NOT NULL,
  done_at      INTEGER NOT NULL
);
CREATE INDEX distributions_open ON distributions (lane, id) WHERE state = 0;
CREATE INDEX distributions_post ON distributions (post_id);

CREATE TABLE chunks (
  distribution_id INTEGER NOT NULL,
  first_id        INTEGER NOT NULL,
  last_id         INTEGER NOT NULL,
  owner           TEXT NOT NULL,
  lease_until     INTEGER NOT NULL,
  PRIMARY KEY (distribution_id, first_id)
) WITHOUT ROWID;
CREATE INDEX chunks_lease ON chunks (lease_until);

CREATE TABLE deliveries (
  distribution_id INTEGER NOT NULL,
  recipient_id    INTEGER NOT NULL,
  state           INTEGER NOT NULL,
  attempts        INTEGER NOT NULL,
  code            INTEGER NOT NULL,
  reply           TEXT NOT NULL,
  at              INTEGER NOT NULL,
  next_at         INTEGER NOT NULL,
  PRIMARY KEY (distribution_id, recipient_id)
) WITHOUT ROWID;
CREATE INDEX deliveries_retry ON deliveries (next_at) WHERE state = 2;

CREATE TABLE bounces (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  list_id         INTEGER NOT NULL,
  distribution_id INTEGER NOT NULL,
  recipient_id    INTEGER NOT NULL,
  bytes_id        INTEGER NOT NULL,
  received_at     INTEGER NOT NULL
);
CREATE INDEX bounces_delivery ON bounces (distribution_id, recipient_id);

CREATE TABLE auto_replies (
  email_key TEXT NOT NULL,
  day       INTEGER NOT NULL,
  n         INTEGER NOT NULL,
  PRIMARY KEY (email_key, day)
) WITHOUT ROWID;

CREATE TABLE events (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  at          INTEGER NOT NULL,
  list_id     INTEGER NOT NULL,
  kind        TEXT NOT NULL,
  actor       TEXT NOT NULL,
  message_key TEXT NOT NULL,
  email_key   TEXT NOT NULL,
  detail      TEXT NOT NULL
);
CREATE INDEX events_message ON events (message_key) WHERE message_key <> '';
CREATE INDEX events_person ON events (email_key) WHERE email_key <> '';

-- How far an import came, so that it can go on.
CREATE TABLE imports (
  list_id  INTEGER NOT NULL,
  source   TEXT NOT NULL,
  position INTEGER NOT NULL,
  added    INTEGER NOT NULL,
  at       INTEGER NOT NULL,
  PRIMARY KEY (list_id, source)
) WITHOUT ROWID;

-- Letters kept by the built-in catcher instead of being sent.
CREATE TABLE caughts (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  reverse_path TEXT NOT NULL,
  recipient    TEXT NOT NULL,
  data         BLOB NOT NULL,
  at           INTEGER NOT NULL
);
CREATE INDEX caughts_recipient ON caughts (recipient);

-- Work only one node does at a time.
CREATE TABLE leases (
  name  TEXT PRIMARY KEY,
  owner TEXT NOT NULL,
  until INTEGER NOT NULL
) WITHOUT ROWID;

-- +goose Down
SELECT 1;
