//! Single keys on a terminal.

use std::io::{self, IsTerminal};

use tokio::io::AsyncReadExt;

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Key {
    /// Space.
    Pause,
    /// The arrows to the sides: so many ms.
    Skip(i64),
    /// The arrows up and down: so many steps.
    Speed(i32),
    /// A digit: so many tenths of the message.
    Tenth(i64),
    Silence,
    Elsewhere,
    Quit,
}

/// How far an arrow leads, in ms.
const STEP_MS: i64 = 5_000;

/// The terminal, giving each key at once; as it was when dropped.
pub(crate) struct Keyboard {
    waiting: Vec<u8>,
    /// One and the same: it holds what was read and not yet asked for.
    input: tokio::io::Stdin,
    #[cfg(unix)]
    before: rustix::termios::Termios,
}

impl Keyboard {
    /// None when nobody sits at standard input.
    pub(crate) fn open() -> Option<Self> {
        if !io::stdin().is_terminal() {
            return None;
        }
        Self::open_terminal()
    }

    #[cfg(unix)]
    fn open_terminal() -> Option<Self> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let before = tcgetattr(io::stdin()).ok()?;
        let mut each_key = before.clone();
        // Ctrl-C stays a signal.
        each_key.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
        tcsetattr(io::stdin(), OptionalActions::Now, &each_key).ok()?;
        Some(Self {
            waiting: Vec::new(),
            input: tokio::io::stdin(),
            before,
        })
    }

    #[cfg(not(unix))]
    fn open_terminal() -> Option<Self> {
        None
    }

    /// The next key that means something; none when the terminal is gone. May be dropped at any time.
    pub(crate) async fn next(&mut self) -> Option<Key> {
        loop {
            while let Some((key, length)) = parse(&self.waiting) {
                self.waiting.drain(..length);
                if let Some(key) = key {
                    return Some(key);
                }
            }
            let mut bytes = [0; 64];
            match self.input.read(&mut bytes).await {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.waiting.extend_from_slice(&bytes[..count]),
            }
        }
    }
}

#[cfg(unix)]
impl Drop for Keyboard {
    fn drop(&mut self) {
        use rustix::termios::{OptionalActions, tcsetattr};
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

/// The first key and how many bytes it takes; none when there are none. A sequence that comes in two pieces is none of ours.
fn parse(bytes: &[u8]) -> Option<(Option<Key>, usize)> {
    // Cursor keys: ESC [ A or, in application mode, ESC O A (xterm, "PC-Style Function Keys").
    if let [0x1b, b'[' | b'O', arrow, ..] = bytes {
        let key = match arrow {
            b'A' => Some(Key::Speed(1)),
            b'B' => Some(Key::Speed(-1)),
            b'C' => Some(Key::Skip(STEP_MS)),
            b'D' => Some(Key::Skip(-STEP_MS)),
            _ => None,
        };
        return Some((key, 3));
    }
    let key = match bytes.first()? {
        b' ' | b'k' => Some(Key::Pause),
        b'l' => Some(Key::Skip(STEP_MS)),
        b'j' | b'h' => Some(Key::Skip(-STEP_MS)),
        b'+' | b'=' | b'>' => Some(Key::Speed(1)),
        b'-' | b'<' => Some(Key::Speed(-1)),
        digit @ b'0'..=b'9' => Some(Key::Tenth((digit - b'0').into())),
        b's' => Some(Key::Silence),
        b'c' => Some(Key::Elsewhere),
        b'q' => Some(Key::Quit),
        _ => None,
    };
    Some((key, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_arrows_are_told_apart_however_fast_they_come() {
        let mut bytes = &b" \x1b[C\x1bODx\x1b[A\x1b[B7\x1b[Z\x1bq"[..];
        let mut keys = Vec::new();
        while let Some((key, length)) = parse(bytes) {
            keys.extend(key);
            bytes = &bytes[length..];
        }
        let expected = [
            Key::Pause,
            Key::Skip(5_000),
            Key::Skip(-5_000),
            Key::Speed(1),
            Key::Speed(-1),
            Key::Tenth(7),
            Key::Quit,
        ];
        assert_eq!(keys, expected);
    }
}
