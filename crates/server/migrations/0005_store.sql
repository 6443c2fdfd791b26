-- To find the rows whose object is missing, folder by folder.
CREATE INDEX messages_by_audio_key ON messages (audio_key) WHERE audio_key IS NOT NULL;

-- Uploads whose bytes may have been put into the object store by a link; each is a row of uploads too.
CREATE TABLE presigned_uploads (
    upload_id  BLOB PRIMARY KEY NOT NULL,
    expires_at BIGINT NOT NULL -- of the link
);

-- Who this is, to an object store that may serve others too.
INSERT INTO meta (key, value) VALUES ('installation', lower(hex(randomblob(16))));
