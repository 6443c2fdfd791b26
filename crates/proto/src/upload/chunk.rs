//! A chunk in a binary message of the socket ([`BinaryKind::UploadChunk`]): u64 offset (big-endian), bytes.

use crate::{BinaryKind, BinaryMessage};

const OFFSET_BYTES: usize = 8;

/// Bytes of an upload, and where they belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// Of the first byte.
    pub offset: u64,
    /// The bytes themselves.
    pub bytes: &'a [u8],
}

/// A body that is no chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a chunk is a u64 offset and at least one byte")]
pub struct ChunkError;

impl<'a> Chunk<'a> {
    /// Reads the body of a binary message.
    ///
    /// # Errors
    /// When it is too short; a chunk without bytes says nothing and is one too.
    pub fn parse(body: &'a [u8]) -> Result<Self, ChunkError> {
        match body.split_first_chunk::<OFFSET_BYTES>() {
            Some((offset, bytes)) if !bytes.is_empty() => Ok(Self {
                offset: u64::from_be_bytes(*offset),
                bytes,
            }),
            _ => Err(ChunkError),
        }
    }

    /// Writes the whole message for the upload that has this handle on the connection.
    pub fn to_message(&self, handle: u32) -> Vec<u8> {
        let head = BinaryMessage::head(BinaryKind::UploadChunk, handle);
        [&head[..], &self.offset.to_be_bytes(), self.bytes].concat()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_big_endian() {
        let chunk = Chunk {
            offset: 258,
            bytes: b"ab",
        };
        assert_eq!(
            chunk.to_message(7),
            [3, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 1, 2, b'a', b'b']
        );
    }

    proptest! {
        #[test]
        fn a_chunk_is_read_as_it_was_written(handle: u32, offset: u64, bytes in proptest::collection::vec(any::<u8>(), 1..50)) {
            let chunk = Chunk { offset, bytes: &bytes };
            let message = chunk.to_message(handle);
            let read = BinaryMessage::parse(&message).unwrap();
            prop_assert_eq!((read.kind, read.handle), (BinaryKind::UploadChunk, handle));
            prop_assert_eq!(Chunk::parse(read.body), Ok(chunk));
        }

        #[test]
        fn no_body_panics(body in proptest::collection::vec(any::<u8>(), 0..12)) {
            prop_assert_eq!(Chunk::parse(&body).is_ok(), body.len() > OFFSET_BYTES);
        }
    }
}
