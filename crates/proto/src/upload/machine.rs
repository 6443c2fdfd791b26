//! The receiving end.

use crate::Timestamp;

/// What an upload may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest upload, in bytes.
    pub max_bytes: u64,
    /// How long an upload may rest, in milliseconds.
    pub rest_ms: i64,
}

/// What is promised about an upload: durable, and changed by whole steps only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upload {
    /// How many bytes there will be; None while the sender does not know.
    pub length: Option<u64>,
    /// So many bytes are durable: the upload offset.
    pub offset: u64,
    /// The number of the writer that may go on.
    pub lease: u64,
    /// Nothing is added any more.
    pub finished: bool,
    /// When it is given up unless it grows.
    pub expires_at: Timestamp,
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It rested for too long.
    #[error("the upload has expired")]
    Expired,
    /// Another writer has taken it over.
    #[error("another connection goes on with this upload")]
    Fenced,
    /// Bytes must go on where the durable ones end.
    #[error("the upload goes on at byte {expected}, not at {given}")]
    Offset {
        /// The upload offset.
        expected: u64,
        /// What the sender said.
        given: u64,
    },
    /// There are all bytes already.
    #[error("the upload is finished")]
    Finished,
    /// There are not all bytes yet.
    #[error("{missing} bytes are missing")]
    Incomplete {
        /// How many.
        missing: u64,
    },
    /// More than any upload may have.
    #[error("an upload may have {max} bytes at most")]
    TooLarge {
        /// The largest upload.
        max: u64,
    },
    /// More bytes than were announced.
    #[error("the upload was announced with {length} bytes, and here are more")]
    Beyond {
        /// What was announced.
        length: u64,
    },
    /// The length does not fit what was said or sent before.
    #[error("the length was given differently before, or more is there already")]
    Length,
}

impl Upload {
    /// A new upload with nothing in it.
    ///
    /// # Errors
    /// [`Refusal::TooLarge`].
    pub fn new(length: Option<u64>, limits: Limits, now: Timestamp) -> Result<Self, Refusal> {
        if length.is_some_and(|length| length > limits.max_bytes) {
            return Err(Refusal::TooLarge {
                max: limits.max_bytes,
            });
        }
        Ok(Self {
            length,
            offset: 0,
            lease: 0,
            finished: false,
            expires_at: now.plus_millis(limits.rest_ms),
        })
    }

    /// Whether it has rested for too long. What is finished does not expire by this rule.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        !self.finished && now >= self.expires_at
    }

    /// Whether all bytes are there, of as many as were announced.
    pub fn is_whole(&self) -> bool {
        self.length == Some(self.offset)
    }

    /// Makes the caller the one writer and returns its lease; the writer before it is fenced off.
    ///
    /// # Errors
    /// [`Refusal::Expired`], [`Refusal::Finished`].
    pub fn take_over(&mut self, now: Timestamp) -> Result<u64, Refusal> {
        if self.finished {
            return Err(Refusal::Finished);
        }
        if self.is_expired(now) {
            return Err(Refusal::Expired);
        }
        self.lease += 1;
        Ok(self.lease)
    }

    /// The sender says how long it will be; to say the same again is fine.
    ///
    /// # Errors
    /// [`Refusal::Fenced`], [`Refusal::Finished`], [`Refusal::TooLarge`], [`Refusal::Length`].
    pub fn announce(&mut self, lease: u64, length: u64, limits: Limits) -> Result<(), Refusal> {
        self.check(lease)?;
        if length > limits.max_bytes {
            return Err(Refusal::TooLarge {
                max: limits.max_bytes,
            });
        }
        if length < self.offset || self.length.is_some_and(|known| known != length) {
            return Err(Refusal::Length);
        }
        self.length = Some(length);
        Ok(())
    }

    /// A stream of bytes that goes on at `offset`.
    ///
    /// # Errors
    /// [`Refusal::Fenced`], [`Refusal::Finished`], [`Refusal::Offset`].
    pub fn cursor(&self, lease: u64, offset: u64, limits: Limits) -> Result<Cursor, Refusal> {
        self.check(lease)?;
        if offset != self.offset {
            return Err(Refusal::Offset {
                expected: self.offset,
                given: offset,
            });
        }
        Ok(Cursor {
            at: offset,
            length: self.length,
            max_bytes: limits.max_bytes,
        })
    }

    /// Promises all bytes up to `offset`: to be called once they are durable.
    ///
    /// # Errors
    /// [`Refusal::Fenced`], [`Refusal::Finished`], [`Refusal::Beyond`], [`Refusal::TooLarge`]; an `offset` that goes back is
    /// [`Refusal::Offset`].
    pub fn commit(&mut self, lease: u64, offset: u64, limits: Limits, now: Timestamp) -> Result<(), Refusal> {
        self.check(lease)?;
        if offset < self.offset {
            return Err(Refusal::Offset {
                expected: self.offset,
                given: offset,
            });
        }
        within(offset, self.length, limits.max_bytes)?;
        if offset > self.offset {
            self.offset = offset;
            self.expires_at = now.plus_millis(limits.rest_ms);
        }
        Ok(())
    }

    /// There will be no more bytes: what is there is the whole, unless more were announced.
    ///
    /// # Errors
    /// [`Refusal::Fenced`], [`Refusal::Finished`], [`Refusal::Incomplete`].
    pub fn finish(&mut self, lease: u64) -> Result<(), Refusal> {
        self.check(lease)?;
        let length = *self.length.get_or_insert(self.offset);
        if self.offset < length {
            return Err(Refusal::Incomplete {
                missing: length - self.offset,
            });
        }
        self.finished = true;
        Ok(())
    }

    fn check(&self, lease: u64) -> Result<(), Refusal> {
        if self.finished {
            Err(Refusal::Finished)
        } else if lease != self.lease {
            Err(Refusal::Fenced)
        } else {
            Ok(())
        }
    }
}

/// One stream of bytes on its way in: where the next one belongs. Nothing here is promised yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    at: u64,
    length: Option<u64>,
    max_bytes: u64,
}

impl Cursor {
    /// Where the next byte belongs.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Takes the next `len` bytes of a stream, all of them.
    ///
    /// # Errors
    /// [`Refusal::Beyond`], [`Refusal::TooLarge`]; nothing is taken then.
    pub fn take(&mut self, len: u64) -> Result<(), Refusal> {
        let end = self.at.saturating_add(len);
        within(end, self.length, self.max_bytes)?;
        self.at = end;
        Ok(())
    }

    /// Takes a chunk that says where it belongs, and returns how many of its first bytes are here already: a sender that was
    /// not sure may repeat some.
    ///
    /// # Errors
    /// [`Refusal::Offset`] when it leaves a gap; as [`take`](Self::take) otherwise.
    pub fn take_at(&mut self, offset: u64, len: u64) -> Result<u64, Refusal> {
        if offset > self.at {
            return Err(Refusal::Offset {
                expected: self.at,
                given: offset,
            });
        }
        let known = (self.at - offset).min(len);
        self.take(len - known)?;
        Ok(known)
    }

    /// The length was told while bytes came in.
    pub fn set_length(&mut self, length: u64) {
        self.length = Some(length);
    }

    /// Goes back to `offset`: what came after it was dropped.
    pub fn rewind(&mut self, offset: u64) {
        self.at = self.at.min(offset);
    }
}

fn within(end: u64, length: Option<u64>, max: u64) -> Result<(), Refusal> {
    match length {
        Some(length) if end > length => Err(Refusal::Beyond { length }),
        _ if end > max => Err(Refusal::TooLarge { max }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        max_bytes: 1000,
        rest_ms: 60_000,
    };

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn who_was_taken_over_can_promise_nothing() {
        let mut upload = Upload::new(Some(10), LIMITS, at(0)).unwrap();
        let first = upload.take_over(at(0)).unwrap();
        let second = upload.take_over(at(0)).unwrap();
        assert_eq!(upload.commit(first, 5, LIMITS, at(1)), Err(Refusal::Fenced));
        assert_eq!(upload.cursor(first, 0, LIMITS), Err(Refusal::Fenced));
        upload.commit(second, 10, LIMITS, at(1)).unwrap();
        upload.finish(second).unwrap();
        assert_eq!(upload.take_over(at(1)), Err(Refusal::Finished));
    }

    #[test]
    fn bytes_go_on_where_the_durable_ones_end() {
        let mut upload = Upload::new(None, LIMITS, at(0)).unwrap();
        let lease = upload.take_over(at(0)).unwrap();
        upload.commit(lease, 7, LIMITS, at(0)).unwrap();
        let wrong = Refusal::Offset {
            expected: 7,
            given: 8,
        };
        assert_eq!(upload.cursor(lease, 8, LIMITS), Err(wrong));
        let mut cursor = upload.cursor(lease, 7, LIMITS).unwrap();
        assert_eq!(
            cursor.take_at(5, 4),
            Ok(2),
            "two were here, two are new: it stands at 9"
        );
        assert_eq!(cursor.at(), 9);
        assert_eq!(cursor.take_at(0, 3), Ok(3), "all known");
        assert!(matches!(
            cursor.take_at(10, 1),
            Err(Refusal::Offset { expected: 9, .. })
        ));
    }

    #[test]
    fn an_upload_is_never_longer_than_announced_or_allowed() {
        assert!(matches!(
            Upload::new(Some(1001), LIMITS, at(0)),
            Err(Refusal::TooLarge { .. })
        ));
        let mut upload = Upload::new(None, LIMITS, at(0)).unwrap();
        let lease = upload.take_over(at(0)).unwrap();
        let mut cursor = upload.cursor(lease, 0, LIMITS).unwrap();
        assert!(cursor.take(1000).is_ok() && cursor.take(1).is_err());
        upload.commit(lease, 10, LIMITS, at(0)).unwrap();
        assert_eq!(upload.announce(lease, 9, LIMITS), Err(Refusal::Length));
        upload.announce(lease, 12, LIMITS).unwrap();
        upload.announce(lease, 12, LIMITS).unwrap();
        assert_eq!(upload.announce(lease, 13, LIMITS), Err(Refusal::Length));
        assert_eq!(upload.finish(lease), Err(Refusal::Incomplete { missing: 2 }));
        assert_eq!(
            upload.commit(lease, 13, LIMITS, at(0)),
            Err(Refusal::Beyond { length: 12 })
        );
    }

    #[test]
    fn growing_puts_the_end_off_and_resting_does_not() {
        let mut upload = Upload::new(None, LIMITS, at(0)).unwrap();
        let lease = upload.take_over(at(59_999)).unwrap();
        upload.commit(lease, 0, LIMITS, at(59_999)).unwrap();
        assert!(upload.is_expired(at(60_000)));
        assert_eq!(upload.take_over(at(60_000)), Err(Refusal::Expired));
        upload.commit(lease, 1, LIMITS, at(59_999)).unwrap();
        assert!(!upload.is_expired(at(60_000)));
    }
}
