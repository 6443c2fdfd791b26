-- Uploads that can be resumed. The bytes are in a file of their own below the data directory until they are a message.
CREATE TABLE uploads (
    id              BLOB PRIMARY KEY NOT NULL,
    user_id         BLOB NOT NULL REFERENCES users (id),
    conversation_id BLOB,   -- where it is to be sent, if its owner has said so
    client_id       BLOB,   -- the owner's own id for the message
    reply_to        BLOB,
    caption         TEXT,
    metadata        TEXT,   -- as the client gave it, to be told again
    state           TEXT NOT NULL, -- receiving | ingesting | sent | failed | held | expired
    length          BIGINT, -- null while it is not known
    acked           BIGINT NOT NULL DEFAULT 0, -- so many bytes are durable: the upload offset
    lease           BIGINT NOT NULL DEFAULT 0, -- of the one writer; who has an older one is fenced off
    sha256          BLOB,   -- of the whole, where the client has announced it
    message_id      BLOB,   -- what it becomes
    failure         TEXT,   -- the problem as JSON, in state failed
    created_at      BIGINT NOT NULL,
    attempts        BIGINT NOT NULL DEFAULT 0, -- at making the message anew after a crash
    updated_at      BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL
);
CREATE INDEX uploads_by_user ON uploads (user_id, state);
CREATE INDEX uploads_staged ON uploads (state, acked) WHERE state IN ('receiving', 'ingesting', 'held');
CREATE INDEX uploads_by_end ON uploads (expires_at);
