//! Sync tokens: a place in the log of events, opaque to clients.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Writes and reads the tokens of one database.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tokens {
    epoch: u64,
}

impl Tokens {
    /// `epoch` is the database's own number, so that a token of another one is not taken for a place in this.
    pub(crate) fn new(epoch: u64) -> Self {
        Self { epoch }
    }

    /// The token of whoever has seen everything up to and with this event.
    pub(crate) fn write(self, event: i64) -> String {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.epoch.to_be_bytes());
        bytes[8..].copy_from_slice(&event.to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The event; None for a token that this database never gave.
    pub(crate) fn read(self, token: &str) -> Option<i64> {
        let mut bytes = [0; 16];
        let length = URL_SAFE_NO_PAD.decode_slice(token, &mut bytes).ok()?;
        let (epoch, event) = bytes.split_at(8);
        let event = i64::from_be_bytes(event.try_into().ok()?);
        (length == 16 && epoch == self.epoch.to_be_bytes() && event >= 0).then_some(event)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_token_is_read_as_it_was_written_and_only_by_its_own_database(epoch: u64, other: u64, event in 0..i64::MAX) {
            let token = Tokens::new(epoch).write(event);
            prop_assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
            prop_assert_eq!(Tokens::new(epoch).read(&token), Some(event));
            prop_assert_eq!(Tokens::new(other).read(&token).is_some(), other == epoch);
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in ".{0,64}", epoch: u64) {
            prop_assert_eq!(Tokens::new(epoch).read(&text), None);
        }
    }
}
