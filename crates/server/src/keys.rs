//! Keys are made, not asked for: on the first start, in the data directory, readable by its owner alone.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use crate::clock;
use crate::seal::Seal;

/// The server's own secrets.
pub(crate) struct Keys {
    /// Signs audio URLs (HMAC-SHA-256).
    pub(crate) url: [u8; 32],
    /// Derives session tokens that can be told again, and hides what repeated requests contain (HMAC-SHA-256).
    pub(crate) token: [u8; 32],
    /// Encrypt where people stopped (AES-256-GCM).
    pub(crate) playback: Seal,
}

impl Keys {
    /// Reads the keys of a data directory, and makes those that are not there.
    pub(crate) fn open(data_dir: &Path) -> io::Result<Self> {
        let dir = data_dir.join("keys");
        fs::create_dir_all(&dir)?;
        Ok(Self {
            url: open_key(&dir, "url.key")?,
            token: open_key(&dir, "token.key")?,
            playback: Seal::open(&dir)?,
        })
    }
}

/// Reads a key, and makes it when it is not there.
pub(crate) fn open_key(dir: &Path, name: &str) -> io::Result<[u8; 32]> {
    let path = dir.join(name);
    match fs::read(&path) {
        Ok(bytes) => bytes.try_into().map_err(|bytes: Vec<u8>| {
            let text = format!(
                "{} has {} bytes instead of 32: put the right key back",
                path.display(),
                bytes.len()
            );
            io::Error::new(io::ErrorKind::InvalidData, text)
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = clock::random::<32>();
            // Under its final name only when it is whole: a crash in between must not leave half a key.
            let temporary = dir.join(format!("{name}.new"));
            let mut options = fs::OpenOptions::new();
            options.write(true).create(true).truncate(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file = options.open(&temporary)?;
            file.write_all(&key)?;
            file.sync_all()?;
            fs::rename(&temporary, &path)?;
            fs::File::open(dir)?.sync_all()?;
            Ok(key)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_survives() {
        let dir = tempfile::tempdir().unwrap();
        let first = Keys::open(dir.path()).unwrap();
        let second = Keys::open(dir.path()).unwrap();
        assert_eq!((second.url, second.token), (first.url, first.token));
        assert_ne!(first.url, first.token);
    }

    #[test]
    fn a_damaged_key_is_an_error_and_is_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        Keys::open(dir.path()).unwrap();
        fs::write(dir.path().join("keys/url.key"), b"short").unwrap();
        assert!(Keys::open(dir.path()).is_err());
        assert_eq!(fs::read(dir.path().join("keys/url.key")).unwrap(), b"short");
    }
}
