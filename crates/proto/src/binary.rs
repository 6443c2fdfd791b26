//! Binary messages of the socket: a kind byte, a handle of four bytes (big-endian), and a body that is the kind's own.
//!
//! This is the one place where kinds are told apart.

/// Bytes before the body.
pub const BINARY_HEAD_BYTES: usize = 5;

/// What a binary message carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinaryKind {
    /// `0x01`: one RTP packet of a recording, up.
    PacketUp,
    /// `0x02`: one RTP packet for a listener, down.
    PacketDown,
    /// `0x03`: a part of an upload, up.
    UploadChunk,
    /// `0x04`: several RTP packets of a recording, up.
    BundleUp,
}

impl BinaryKind {
    /// The byte on the wire.
    pub const fn byte(self) -> u8 {
        match self {
            Self::PacketUp => 0x01,
            Self::PacketDown => 0x02,
            Self::UploadChunk => 0x03,
            Self::BundleUp => 0x04,
        }
    }

    /// The kind that a byte stands for.
    pub const fn of(byte: u8) -> Option<Self> {
        match byte {
            0x01 => Some(Self::PacketUp),
            0x02 => Some(Self::PacketDown),
            0x03 => Some(Self::UploadChunk),
            0x04 => Some(Self::BundleUp),
            _ => None,
        }
    }
}

/// A binary message, taken apart as far as its head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BinaryMessage<'a> {
    /// What the body is.
    pub kind: BinaryKind,
    /// What it belongs to, on this connection.
    pub handle: u32,
    /// The rest.
    pub body: &'a [u8],
}

/// Why bytes are no binary message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BinaryError {
    /// Fewer than five bytes.
    #[error("a binary message is shorter than its head")]
    Truncated,
    /// A kind of another version.
    #[error("a binary message of kind {0} is not known")]
    Kind(u8),
}

impl<'a> BinaryMessage<'a> {
    /// Reads the head.
    ///
    /// # Errors
    /// When it is cut off or of an unknown kind.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BinaryError> {
        let (&[kind, a, b, c, d], body) = bytes
            .split_first_chunk::<BINARY_HEAD_BYTES>()
            .ok_or(BinaryError::Truncated)?;
        Ok(Self {
            kind: BinaryKind::of(kind).ok_or(BinaryError::Kind(kind))?,
            handle: u32::from_be_bytes([a, b, c, d]),
            body,
        })
    }

    /// The head as bytes; the body follows directly.
    pub fn head(kind: BinaryKind, handle: u32) -> [u8; BINARY_HEAD_BYTES] {
        let [a, b, c, d] = handle.to_be_bytes();
        [kind.byte(), a, b, c, d]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_back_with_its_handle_and_body() {
        for byte in 1..=4 {
            let kind = BinaryKind::of(byte).unwrap();
            let mut bytes = BinaryMessage::head(kind, 0x0102_0304).to_vec();
            bytes.extend(b"body");
            let message = BinaryMessage::parse(&bytes).unwrap();
            assert_eq!((message.kind, message.handle), (kind, 0x0102_0304));
            assert_eq!(message.body, b"body");
            assert_eq!(bytes[0], byte);
        }
    }

    #[test]
    fn what_is_cut_off_or_unknown_is_an_error() {
        for n in 0..BINARY_HEAD_BYTES {
            assert_eq!(BinaryMessage::parse(&[1; 5][..n]), Err(BinaryError::Truncated));
        }
        for kind in [0, 5, 255] {
            assert_eq!(
                BinaryMessage::parse(&[kind, 0, 0, 0, 0]),
                Err(BinaryError::Kind(kind))
            );
        }
    }
}
