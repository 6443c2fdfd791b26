-- How far each person has heard each message. The position and what was heard are in `state`, encrypted; what the server
-- counts and orders by stands beside it.
CREATE TABLE playback (
    user_id    BLOB NOT NULL REFERENCES users (id),
    message_id BLOB NOT NULL REFERENCES messages (id),
    change     BIGINT NOT NULL, -- grows with each change of anything of this person
    played_at  BIGINT,          -- null until it is played
    receipt    INTEGER NOT NULL DEFAULT 0, -- the sender may know that it is
    state      BLOB NOT NULL,
    PRIMARY KEY (user_id, message_id)
);
CREATE UNIQUE INDEX playback_by_change ON playback (user_id, change);
CREATE INDEX playback_by_message ON playback (message_id);

-- The newest change of each person: rows go with their messages, their numbers must not come again.
CREATE TABLE playback_changes (
    user_id BLOB PRIMARY KEY NOT NULL REFERENCES users (id),
    newest  BIGINT NOT NULL
);
