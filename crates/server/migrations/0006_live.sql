-- Recordings that come in packet by packet. The message is there from the start, in state `recording`.
CREATE TABLE recordings (
    message_id     BLOB PRIMARY KEY NOT NULL REFERENCES messages (id),
    sender_id      BLOB NOT NULL REFERENCES users (id),
    state          TEXT NOT NULL, -- recording | draft | finished (the object is not stored yet) | stored
    token_hash     BLOB NOT NULL, -- SHA-256 of the resume token; the token itself is kept nowhere
    node           BLOB NOT NULL, -- the process that may write packets: who takes a recording over fences the other off
    live           INTEGER NOT NULL,
    channels       BIGINT NOT NULL,
    pre_skip       BIGINT NOT NULL,
    frame_samples  BIGINT NOT NULL, -- what a packet plays as a rule, at 48 kHz
    first_sequence BIGINT NOT NULL,
    packets        BIGINT,        -- of the whole recording, once it is finished …
    end_samples    BIGINT,        -- … and where it ends, without pre-skip, at 48 kHz
    changed_at     BIGINT NOT NULL -- when it came into its state
);
CREATE INDEX recordings_by_state ON recordings (state, changed_at) WHERE state <> 'stored';
CREATE INDEX recordings_by_sender ON recordings (sender_id, state) WHERE state <> 'stored';

-- Their packets until the object is stored: runs of consecutive ones, each packet once.
CREATE TABLE recording_log (
    message_id     BLOB NOT NULL,
    first_sequence BIGINT NOT NULL,
    packet_count   BIGINT NOT NULL,
    samples        BIGINT NOT NULL, -- play time at 48 kHz
    packets        BLOB NOT NULL,   -- (u16 length, RTP packet)*, big-endian
    PRIMARY KEY (message_id, first_sequence)
);
