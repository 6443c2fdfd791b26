//! A receiver of uploads around the machine: a file that loses its tail when the power goes, and writers that come, are taken
//! over and wake up late. Also driven by the fuzzer.

use voxpost_proto::Timestamp;
use voxpost_proto::upload::{Cursor, Limits, Refusal, Upload};

/// How many connections there are.
pub(crate) const WRITERS: usize = 3;

pub(crate) const LIMITS: Limits = Limits {
    max_bytes: 400,
    rest_ms: 1000,
};

/// One thing that happens. Numbers are cut to what there is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// A connection asks for the offset and goes on from there.
    TakeOver { writer: usize },
    /// Bytes come over a connection.
    Append { writer: usize, len: u64 },
    /// A chunk that may repeat bytes, or leave a gap.
    Chunk { writer: usize, back: u64, len: u64 },
    /// What came over a connection is made durable and promised.
    Commit { writer: usize },
    /// The sender tells the length.
    Announce { writer: usize, length: u64 },
    /// The sender says that this was all.
    Finish { writer: usize },
    /// A connection breaks; nobody promises what it brought.
    Cut { writer: usize },
    /// The process is killed; of what was not promised some bytes are in the file.
    Restart { kept: u64 },
    /// Time passes.
    Rest { ms: i64 },
}

struct Writer {
    lease: u64,
    cursor: Cursor,
}

/// Everything, and what must hold of it.
pub(crate) struct Model {
    upload: Upload,
    file: Vec<u8>,
    writers: [Option<Writer>; WRITERS],
    now: Timestamp,
    promised: u64,
}

/// The byte that every faithful sender has at this place.
fn source(at: u64) -> u8 {
    (at.wrapping_mul(31) >> 1) as u8 ^ (at as u8)
}

impl Model {
    pub(crate) fn new(length: Option<u64>) -> Self {
        let now = Timestamp::from_millis(1_700_000_000_000);
        let length = length.map(|length| length % (LIMITS.max_bytes + 1));
        Self {
            upload: Upload::new(length, LIMITS, now).expect("within the limits"),
            file: Vec::new(),
            writers: [const { None }; WRITERS],
            now,
            promised: 0,
        }
    }

    pub(crate) fn step(&mut self, step: Step) {
        let before = self.upload;
        match step {
            Step::TakeOver { writer } => self.take_over(writer % WRITERS),
            Step::Append { writer, len } => self.append(writer % WRITERS, None, len % 90),
            Step::Chunk { writer, back, len } => self.append(writer % WRITERS, Some(back % 40), len % 90),
            Step::Commit { writer } => {
                self.commit(writer % WRITERS);
            }
            Step::Announce { writer, length } => self.announce(writer % WRITERS, length % 500),
            Step::Finish { writer } => self.finish(writer % WRITERS),
            Step::Cut { writer } => self.writers[writer % WRITERS] = None,
            Step::Restart { kept } => {
                self.writers = [const { None }; WRITERS];
                let tail = self.file.len() as u64 - self.upload.offset;
                let kept = self.upload.offset + kept % (tail + 1);
                self.file.truncate(kept as usize);
            }
            Step::Rest { ms } => self.now = self.now.plus_millis(ms.rem_euclid(700)),
        }
        self.check(&before);
    }

    /// A client that comes back ends every upload that has not expired; gives the whole.
    pub(crate) fn resume_to_the_end(mut self) -> Option<Vec<u8>> {
        if !self.upload.finished {
            let lease = self.upload.take_over(self.now).ok()?;
            let length = self.upload.length.unwrap_or(self.upload.offset.max(77));
            self.upload
                .announce(lease, length, LIMITS)
                .expect("nothing contradicts it");
            self.take_over(0);
            let left = self.upload.length.expect("announced") - self.upload.offset;
            self.append(0, None, left);
            assert!(self.commit(0));
            self.finish(0);
            assert!(self.upload.finished);
        }
        let length = self.upload.length.expect("a finished upload has one");
        assert_eq!(length, self.upload.offset);
        self.file.truncate(length as usize);
        assert!(self.file.iter().zip(0..).all(|(byte, at)| *byte == source(at)));
        Some(self.file)
    }

    fn take_over(&mut self, writer: usize) {
        let lease = match self.upload.take_over(self.now) {
            Ok(lease) => lease,
            Err(refusal) => {
                let expected = if self.upload.finished {
                    Refusal::Finished
                } else {
                    Refusal::Expired
                };
                assert_eq!(refusal, expected);
                return;
            }
        };
        let offset = self.upload.offset;
        assert!(self.upload.cursor(lease, offset + 1, LIMITS).is_err());
        let cursor = self
            .upload
            .cursor(lease, offset, LIMITS)
            .expect("where the bytes end");
        self.file.truncate(offset as usize);
        self.writers[writer] = Some(Writer { lease, cursor });
    }

    fn append(&mut self, writer: usize, back: Option<u64>, len: u64) {
        let upload = self.upload;
        let Some(Writer { lease, cursor }) = &mut self.writers[writer] else {
            return;
        };
        let at = cursor.at();
        // Half of these reach back, half leave a gap or fit.
        let from = match back {
            Some(back) if back % 2 == 0 => at.saturating_sub(back),
            Some(back) => at + back / 2,
            None => at,
        };
        let taken = match back {
            None => cursor.take(len).map(|()| 0),
            Some(_) => cursor.take_at(from, len),
        };
        match taken {
            Ok(known) => {
                assert!(from + known == at || known == len, "no gap");
                // The fence at the file: who was taken over does not touch it.
                if *lease == upload.lease && !upload.finished {
                    self.file.truncate(at as usize);
                    self.file.extend((from + known..from + len).map(source));
                }
            }
            Err(Refusal::Offset { expected, given }) => assert!(expected == at && given > at),
            Err(Refusal::Beyond { length }) => assert!(from + len > length),
            Err(Refusal::TooLarge { max }) => assert!(from + len > max),
            Err(other) => panic!("{other}"),
        }
    }

    /// True when the bytes of this writer are promised now.
    fn commit(&mut self, writer: usize) -> bool {
        let Some(Writer { lease, cursor }) = &self.writers[writer] else {
            return false;
        };
        let (lease, at) = (*lease, cursor.at());
        let holds = lease == self.upload.lease && !self.upload.finished;
        match self.upload.commit(lease, at, LIMITS, self.now) {
            Ok(()) => {
                assert!(holds, "only the one writer promises");
                true
            }
            Err(Refusal::Beyond { length }) => {
                assert!(holds && at > length, "told after the bytes had come");
                false
            }
            Err(refusal) => {
                assert!(!holds, "{refusal}");
                false
            }
        }
    }

    fn announce(&mut self, writer: usize, length: u64) {
        let Some(Writer { lease, cursor }) = &mut self.writers[writer] else {
            return;
        };
        if self.upload.announce(*lease, length, LIMITS).is_ok() {
            cursor.set_length(length);
        }
    }

    fn finish(&mut self, writer: usize) {
        if !self.commit(writer) {
            return;
        }
        let Some(Writer { lease, .. }) = &self.writers[writer] else {
            return;
        };
        match self.upload.finish(*lease) {
            Ok(()) => assert!(self.upload.is_whole()),
            Err(Refusal::Incomplete { missing }) => {
                assert_eq!(
                    Some(self.upload.offset + missing),
                    self.upload.length,
                    "what is missing is told"
                );
            }
            Err(other) => panic!("{other}"),
        }
    }

    fn check(&mut self, before: &Upload) {
        let now = &self.upload;
        assert!(now.offset >= self.promised, "a promise was taken back");
        assert!(now.lease >= before.lease);
        assert!(
            self.file.len() as u64 >= now.offset,
            "promised bytes are not there"
        );
        let promised = &self.file[..now.offset as usize];
        assert!(promised.iter().zip(0..).all(|(byte, at)| *byte == source(at)));
        assert!(now.length.is_none_or(|length| now.offset <= length));
        assert!(now.offset <= LIMITS.max_bytes);
        assert!(before.length.is_none() || before.length == now.length);
        if before.finished {
            assert_eq!(now, before, "a finished upload changed");
        }
        self.promised = now.offset;
    }
}
