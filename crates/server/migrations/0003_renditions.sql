-- What was made of messages on demand: other containers and codecs. Each can be made again; it goes with its message.
CREATE TABLE renditions (
    message_id BLOB NOT NULL REFERENCES messages (id),
    format     TEXT NOT NULL, -- as in ?format=
    key        TEXT NOT NULL, -- the object
    bytes      BIGINT NOT NULL,
    sha256     TEXT NOT NULL, -- lower-case hex
    PRIMARY KEY (message_id, format)
);
