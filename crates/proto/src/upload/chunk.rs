//! A chunk as a binary message of the socket: kind byte, u32 handle, u64 offset, bytes; big-endian.

/// The first byte of the message.
pub const KIND: u8 = 0x03;

const HEAD: usize = 1 + 4 + 8;

/// Bytes of an upload, and where they belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// Which upload, on this connection.
    pub handle: u32,
    /// Of the first byte.
    pub offset: u64,
    /// The bytes themselves.
    pub bytes: &'a [u8],
}

/// A message that is no chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a chunk has a kind byte (0x03), a u32 handle, a u64 offset and at least one byte")]
pub struct ChunkError;

impl<'a> Chunk<'a> {
    /// Length of what stands before the bytes.
    pub const HEAD_BYTES: usize = HEAD;

    /// Reads a message.
    ///
    /// # Errors
    /// When it is of another kind or too short; a chunk without bytes says nothing and is one too.
    pub fn parse(message: &'a [u8]) -> Result<Self, ChunkError> {
        let (head, bytes) = message.split_first_chunk::<HEAD>().ok_or(ChunkError)?;
        let [kind, h0, h1, h2, h3, offset @ ..] = *head;
        if kind != KIND || bytes.is_empty() {
            return Err(ChunkError);
        }
        Ok(Self {
            handle: u32::from_be_bytes([h0, h1, h2, h3]),
            offset: u64::from_be_bytes(offset),
            bytes,
        })
    }

    /// Writes the message.
    pub fn to_message(&self) -> Vec<u8> {
        let mut message = Vec::with_capacity(HEAD + self.bytes.len());
        message.push(KIND);
        message.extend_from_slice(&self.handle.to_be_bytes());
        message.extend_from_slice(&self.offset.to_be_bytes());
        message.extend_from_slice(self.bytes);
        message
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_big_endian() {
        let chunk = Chunk {
            handle: 7,
            offset: 258,
            bytes: b"ab",
        };
        assert_eq!(
            chunk.to_message(),
            [3, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 1, 2, b'a', b'b']
        );
    }

    proptest! {
        #[test]
        fn a_chunk_is_read_as_it_was_written(handle: u32, offset: u64, bytes in proptest::collection::vec(any::<u8>(), 1..50)) {
            let chunk = Chunk { handle, offset, bytes: &bytes };
            prop_assert_eq!(Chunk::parse(&chunk.to_message()), Ok(chunk));
        }

        #[test]
        fn no_message_panics(message in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(chunk) = Chunk::parse(&message) {
                prop_assert_eq!(chunk.to_message(), message);
            }
        }
    }
}
