-- Ids are UUIDs (16 bytes), times are milliseconds since the Unix epoch, flags are 0 or 1.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
);

-- Local people have a password; people of an identity provider have (issuer, subject).
CREATE TABLE users (
    id                    BLOB PRIMARY KEY NOT NULL,
    username              TEXT NOT NULL UNIQUE,
    display_name          TEXT NOT NULL,
    search_text           TEXT NOT NULL DEFAULT '', -- both names in lower case; empty once deleted
    password_hash         TEXT,
    issuer                TEXT,
    subject               TEXT,
    accepts_voice         INTEGER NOT NULL DEFAULT 1,
    sends_played_receipts INTEGER NOT NULL DEFAULT 1,
    locale                TEXT,
    created_at            BIGINT NOT NULL,
    deleted_at            BIGINT,
    UNIQUE (issuer, subject)
);

-- SHA-256 of the names of deleted accounts: nobody else gets them.
CREATE TABLE retired_usernames (
    username_hash BLOB PRIMARY KEY NOT NULL
);

-- SHA-256 of (issuer, subject) of deleted accounts: a token that is still good makes no new account.
CREATE TABLE retired_subjects (
    subject_hash BLOB PRIMARY KEY NOT NULL
);

CREATE TABLE sessions (
    id           BLOB PRIMARY KEY NOT NULL,
    user_id      BLOB NOT NULL REFERENCES users (id),
    device_id    BLOB NOT NULL,
    device_name  TEXT,
    token_hash   BLOB NOT NULL UNIQUE, -- SHA-256 of the token; the token itself is kept nowhere
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_use ON sessions (last_used_at);

CREATE TABLE invites (
    code_hash  BLOB PRIMARY KEY NOT NULL, -- SHA-256
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_by    BLOB REFERENCES users (id)
);

CREATE TABLE conversations (
    id               BLOB PRIMARY KEY NOT NULL,
    kind             TEXT NOT NULL, -- direct | group
    direct_key       TEXT UNIQUE,   -- the pair's ids in order: one conversation for a pair
    title            TEXT,
    live             INTEGER NOT NULL DEFAULT 0,
    created_at       BIGINT NOT NULL,
    last_activity_at BIGINT NOT NULL,
    last_seq         BIGINT NOT NULL DEFAULT 0,
    version          BIGINT NOT NULL DEFAULT 1
);

-- One row for each time that somebody was in: from the event of joining to the event of leaving.
CREATE TABLE memberships (
    conversation_id BLOB NOT NULL REFERENCES conversations (id),
    user_id         BLOB NOT NULL REFERENCES users (id),
    role            TEXT NOT NULL, -- owner | member
    joined_event    BIGINT NOT NULL,
    left_event      BIGINT,
    joined_seq      BIGINT NOT NULL, -- sees what has a higher seq …
    left_seq        BIGINT,          -- … up to and with this one
    joined_at       BIGINT NOT NULL,
    read_seq        BIGINT NOT NULL DEFAULT 0,
    delivered_seq   BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (conversation_id, user_id, joined_event)
);
CREATE UNIQUE INDEX memberships_present ON memberships (conversation_id, user_id) WHERE left_event IS NULL;
CREATE INDEX memberships_by_user ON memberships (user_id, conversation_id);

CREATE TABLE messages (
    id              BLOB PRIMARY KEY NOT NULL,
    conversation_id BLOB NOT NULL REFERENCES conversations (id),
    seq             BIGINT, -- null until published
    version         BIGINT NOT NULL DEFAULT 1,
    state           TEXT NOT NULL, -- recording | processing | ready | failed | deleted
    sender_id       BLOB NOT NULL REFERENCES users (id),
    client_id       BLOB,
    content_hash    BLOB, -- SHA-256 over the source bytes, for idempotency
    reply_to        BLOB,
    caption         TEXT,
    created_at      BIGINT NOT NULL,
    duration_ms     BIGINT,
    truncated       INTEGER NOT NULL DEFAULT 0,
    missing_ms      BIGINT NOT NULL DEFAULT 0,
    waveform        TEXT, -- JSON array
    waveform_source TEXT, -- server | sender
    gain_db         REAL,
    loudness_lufs   REAL,
    speech          TEXT, -- JSON array of [from, to]
    audio_key       TEXT, -- the canonical object
    audio_bytes     BIGINT,
    audio_sha256    TEXT, -- lower-case hex
    source_type     TEXT,
    transcoded      INTEGER NOT NULL DEFAULT 0,
    failure         TEXT, -- the problem as JSON, in state failed
    staging         TEXT, -- in state processing: the file below the data directory that holds the source
    analysis        TEXT NOT NULL DEFAULT 'none', -- none | pending | done | failed
    attempts        BIGINT NOT NULL DEFAULT 0, -- at resuming the processing, or at the analysis
    UNIQUE (conversation_id, seq)
);
-- A message that failed has set its client_id free.
CREATE UNIQUE INDEX messages_by_client_id ON messages (sender_id, client_id) WHERE state <> 'failed';
CREATE INDEX messages_by_sender ON messages (sender_id) WHERE state <> 'deleted';
CREATE INDEX messages_to_analyse ON messages (created_at) WHERE analysis = 'pending';
CREATE INDEX messages_in_processing ON messages (created_at) WHERE state = 'processing';

-- The first answers of writes other than messages, by the caller's own id for the request.
CREATE TABLE idempotency (
    user_id      BLOB NOT NULL,
    client_id    BLOB NOT NULL,
    request_hash BLOB NOT NULL,
    body         TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (user_id, client_id)
);
CREATE INDEX idempotency_by_age ON idempotency (created_at);

-- The durable events, in commit order: log, outbox and sync token in one.
-- Who sees one: `user_id` alone when it is set, else whoever was a member when it was written.
CREATE TABLE events (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation_id BLOB NOT NULL,
    user_id         BLOB,
    type            TEXT NOT NULL,
    message_id      BLOB,
    subject_id      BLOB, -- the person whom it is about
    seq             BIGINT,
    created_at      BIGINT NOT NULL
);
CREATE INDEX events_by_conversation ON events (conversation_id, id);
CREATE INDEX events_by_user ON events (user_id, id) WHERE user_id IS NOT NULL;
CREATE INDEX events_by_age ON events (created_at);

-- Objects to delete, written in the transaction that made them unneeded.
CREATE TABLE object_deletions (
    key      TEXT PRIMARY KEY NOT NULL,
    due_at   BIGINT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0
);
