//! Reading a file in order with a small window, never by a size that the file claims.

use std::io::{ErrorKind, SeekFrom};

use super::Input;
use crate::Error;

/// First read after a jump; doubles with each read in a row.
const FIRST_READ: usize = 8 * 1024;
const LARGEST_READ: usize = 64 * 1024;
/// The largest unit that can be looked at in one piece.
pub(crate) const MAX_UNIT: usize = 256 * 1024;

/// A window over an [`Input`].
pub(crate) struct Source<'a> {
    input: &'a mut dyn Input,
    len: u64,
    /// Position in the file of `buffer[0]`.
    origin: u64,
    /// The window: `buffer[..filled]` is read, `buffer[at..filled]` is unread.
    buffer: Vec<u8>,
    at: usize,
    filled: usize,
    next_read: usize,
    /// Bytes that may still be read: tables that point at the same bytes again and again run out of it.
    budget: u64,
}

impl<'a> Source<'a> {
    /// Starts at the beginning of `input`.
    pub(crate) fn new(input: &'a mut dyn Input) -> Result<Self, Error> {
        let len = input.seek(SeekFrom::End(0))?;
        input.seek(SeekFrom::Start(0))?;
        Ok(Source {
            input,
            len,
            origin: 0,
            buffer: Vec::new(),
            at: 0,
            filled: 0,
            next_read: LARGEST_READ,
            budget: len.saturating_mul(4).saturating_add(1 << 20),
        })
    }

    /// Length of the whole file.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Position of the next byte.
    pub(crate) fn position(&self) -> u64 {
        self.origin + self.at as u64
    }

    /// Bytes from here to the end.
    pub(crate) fn left(&self) -> u64 {
        self.len.saturating_sub(self.position())
    }

    /// The next `n` bytes, fewer at the end of the file, at most [`MAX_UNIT`].
    pub(crate) fn peek(&mut self, n: usize) -> Result<&[u8], Error> {
        if self.filled - self.at < n {
            self.fill(n.min(MAX_UNIT))?;
        }
        Ok(&self.buffer[self.at..self.filled.min(self.at + n)])
    }

    /// Takes exactly `n` bytes; `None`, and nothing taken, when there are fewer.
    pub(crate) fn take(&mut self, n: usize) -> Result<Option<&[u8]>, Error> {
        if self.peek(n)?.len() < n {
            return Ok(None);
        }
        self.at += n;
        Ok(Some(&self.buffer[self.at - n..self.at]))
    }

    /// Goes on `n` bytes, at most to the end.
    pub(crate) fn skip(&mut self, n: u64) -> Result<(), Error> {
        self.seek(self.position().saturating_add(n))
    }

    /// Goes to a position, at most to the end.
    pub(crate) fn seek(&mut self, position: u64) -> Result<(), Error> {
        let position = position.min(self.len);
        match position.checked_sub(self.origin) {
            Some(at) if at <= self.filled as u64 => self.at = at as usize,
            _ => {
                self.input.seek(SeekFrom::Start(position))?;
                self.origin = position;
                self.at = 0;
                self.filled = 0;
                self.next_read = FIRST_READ;
            }
        }
        Ok(())
    }

    /// Goes to the next place, from here on, where `matches` likes the bytes that begin with `first`; it is shown at
    /// most `window` bytes. False, and at the end, when there is none.
    pub(crate) fn find(
        &mut self,
        first: &[u8],
        window: usize,
        mut matches: impl FnMut(&[u8]) -> bool,
    ) -> Result<bool, Error> {
        loop {
            self.peek(window + 1)?;
            let view = &self.buffer[self.at..self.filled];
            let last_piece = self.origin + self.filled as u64 >= self.len || view.len() <= window;
            // Places too close to the end of the view are looked at in the next view.
            let usable = if last_piece {
                view.len()
            } else {
                view.len() - window
            };
            let hit = (0..usable)
                .find(|&i| first.contains(&view[i]) && matches(&view[i..view.len().min(i + window)]));
            self.at += hit.unwrap_or(usable);
            if hit.is_some() || last_piece {
                return Ok(hit.is_some());
            }
        }
    }

    /// Makes the window hold `n` unread bytes, or all that are left.
    fn fill(&mut self, n: usize) -> Result<(), Error> {
        if self.origin + self.filled as u64 >= self.len {
            return Ok(());
        }
        let want = n.max(self.next_read).min(MAX_UNIT);
        if self.buffer.len() - self.at < want {
            self.buffer.copy_within(self.at..self.filled, 0);
            self.origin += self.at as u64;
            self.filled -= self.at;
            self.at = 0;
            if self.buffer.len() < want {
                let cap = usize::try_from(self.len).unwrap_or(usize::MAX).max(1);
                self.buffer.resize(want.min(cap).max(self.buffer.len()), 0);
            }
        }
        self.next_read = (self.next_read * 2).min(LARGEST_READ);
        while self.filled - self.at < n && self.filled < self.buffer.len() {
            let end = self.buffer.len().min(self.at + want);
            match self.input.read(&mut self.buffer[self.filled..end]) {
                Ok(0) => break,
                Ok(read) => {
                    self.filled += read;
                    self.budget = self
                        .budget
                        .checked_sub(read as u64)
                        .ok_or_else(|| Error::corrupt("it points at the same bytes again and again"))?;
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::{self, Cursor, Read, Seek};

    /// Gives one to seven bytes per read, as a pipe or a network file may.
    struct Dribble(Cursor<Vec<u8>>);

    impl Read for Dribble {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let n = out.len().min(1 + self.0.position() as usize % 7);
            self.0.read(&mut out[..n])
        }
    }

    impl Seek for Dribble {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.0.seek(to)
        }
    }

    fn bytes(n: usize) -> Vec<u8> {
        (0..n).map(|i| (i * 7 + i / 251) as u8).collect()
    }

    proptest! {
        #[test]
        fn any_walk_sees_the_bytes_that_are_there(steps in prop::collection::vec((0u8..4, 0usize..150_000), 1..20)) {
            let data = bytes(300_000);
            let mut input = Dribble(Cursor::new(data.clone()));
            let mut source = Source::new(&mut input).unwrap();
            let mut at = 0;
            for (verb, n) in steps {
                match verb {
                    0 => prop_assert_eq!(source.peek(n).unwrap(), &data[at..data.len().min(at + n)]),
                    1 => match source.take(n).unwrap() {
                        Some(got) => { prop_assert_eq!(got, &data[at..at + n]); at += n; }
                        None => prop_assert!(at + n > data.len()),
                    },
                    2 => { source.skip(n as u64).unwrap(); at = data.len().min(at + n); }
                    _ => { source.seek(n as u64).unwrap(); at = n; }
                }
                prop_assert_eq!(source.position(), at as u64);
                prop_assert_eq!(source.left(), (data.len() - at) as u64);
            }
        }

        #[test]
        fn find_stops_at_the_first_place_wherever_the_views_are_cut(place in 0usize..200_000) {
            let mut data = vec![b'O'; 200_010];
            data[place..place + 4].copy_from_slice(b"OggS");
            let mut input = Cursor::new(data);
            let mut source = Source::new(&mut input).unwrap();
            prop_assert!(source.find(b"O", 4, |b| b.starts_with(b"OggS")).unwrap());
            prop_assert_eq!(source.position(), place as u64);
            source.skip(1).unwrap();
            prop_assert!(!source.find(b"O", 4, |b| b.starts_with(b"OggS")).unwrap());
            prop_assert_eq!(source.left(), 0);
        }
    }

    #[test]
    fn reading_the_same_bytes_for_ever_ends_in_an_error() {
        let mut input = Cursor::new(bytes(3 << 20));
        let mut source = Source::new(&mut input).unwrap();
        let error = (0..100_000).find_map(|i| {
            source
                .seek([0, 2 << 20][i % 2])
                .and_then(|()| source.peek(50_000).map(|_| ()))
                .err()
        });
        assert_eq!(error.unwrap().code(), "audio_corrupt");
    }
}
