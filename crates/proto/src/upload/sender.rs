//! The sending end: what to send next, and what an acknowledgement means.

use std::ops::Range;

/// Sends the bytes of one upload in chunks, a window ahead of the acknowledgements. It holds numbers only: whoever uses it
/// reads the bytes from where they are kept until they are acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sender {
    length: u64,
    acked: u64,
    sent: u64,
    chunk: u64,
    window: u64,
}

/// An acknowledgement that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server acknowledges byte {acked}, but {sent} were sent")]
pub struct AckError {
    /// What it says.
    pub acked: u64,
    /// What was sent.
    pub sent: u64,
}

impl Sender {
    /// For `length` bytes, cut into `chunk` bytes; at most `window` bytes are on their way at a time (at least one chunk is).
    pub fn new(length: u64, chunk: u64, window: u64) -> Self {
        let chunk = chunk.max(1);
        Self {
            length,
            acked: 0,
            sent: 0,
            chunk,
            window: window.max(chunk),
        }
    }

    /// Where the upload stands at the server, at the beginning and after each break of the connection: what was on its way is
    /// sent again from there.
    ///
    /// # Errors
    /// When the server has more than there is.
    pub fn resume(&mut self, offset: u64) -> Result<(), AckError> {
        if offset > self.length {
            return Err(AckError {
                acked: offset,
                sent: self.length,
            });
        }
        self.acked = offset;
        self.sent = offset;
        Ok(())
    }

    /// The bytes to send now; None while the window is full, or when all are on their way.
    pub fn next_chunk(&mut self) -> Option<Range<u64>> {
        let end = self.length.min(self.sent + self.chunk);
        if end == self.sent || end - self.acked > self.window {
            return None;
        }
        let range = self.sent..end;
        self.sent = end;
        Some(range)
    }

    /// All bytes before `offset` are durable; they are never sent again. An acknowledgement that came late changes nothing.
    ///
    /// # Errors
    /// When more is acknowledged than was sent.
    pub fn acknowledged(&mut self, offset: u64) -> Result<(), AckError> {
        if offset > self.sent {
            return Err(AckError {
                acked: offset,
                sent: self.sent,
            });
        }
        self.acked = self.acked.max(offset);
        Ok(())
    }

    /// How many bytes are durable at the server.
    pub fn acked(&self) -> u64 {
        self.acked
    }

    /// How many bytes there are.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Whether everything is durable: time to finish.
    pub fn is_done(&self) -> bool {
        self.acked == self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_sent_and_then_an_acknowledgement_is_awaited() {
        let mut sender = Sender::new(10, 4, 8);
        assert_eq!(
            [sender.next_chunk(), sender.next_chunk(), sender.next_chunk()],
            [Some(0..4), Some(4..8), None]
        );
        sender.acknowledged(3).unwrap();
        assert_eq!(sender.next_chunk(), Some(8..10));
        sender.acknowledged(2).unwrap();
        assert_eq!(sender.acked(), 3);
        assert!(sender.acknowledged(11).is_err());
        sender.acknowledged(10).unwrap();
        assert!(sender.is_done() && sender.next_chunk().is_none());
    }

    #[test]
    fn after_a_break_only_what_was_not_acknowledged_is_sent_again() {
        let mut sender = Sender::new(10, 4, 100);
        while sender.next_chunk().is_some() {}
        sender.resume(6).unwrap();
        assert_eq!(sender.next_chunk(), Some(6..10));
        assert!(sender.resume(11).is_err());
        assert!(Sender::new(0, 4, 4).is_done());
    }
}
