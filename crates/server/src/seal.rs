//! Encryption of what the database keeps about listening: who reads the disk must not learn what somebody heard, and when.
//!
//! Keys are files `keys/playback-N.key` of 32 bytes. The one with the highest N encrypts, all of them decrypt: to rotate, put
//! a file with the next number beside and restart.

use std::fs;
use std::io;
use std::path::Path;

use hmac::{Hmac, Mac};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::Sha256;
use uuid::Uuid;

use crate::clock;
use crate::keys::open_key;

/// The number of the key, big-endian, stands in front.
const NUMBER_LEN: usize = 4;

/// All keys of this server.
pub(crate) struct Seal {
    /// By number, ascending; never empty.
    keys: Vec<(u32, [u8; 32])>,
}

/// It was not written with any key that is here, or not for this person and message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a position cannot be decrypted: put the files keys/playback-N.key that it was written with back")]
pub(crate) struct Sealed;

impl Seal {
    /// Reads the keys of a data directory's key folder; makes the first one where there is none.
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        let mut numbers: Vec<u32> = fs::read_dir(dir)?
            .filter_map(|entry| number(entry.ok()?.file_name().to_str()?))
            .collect();
        if numbers.is_empty() {
            numbers.push(1);
        }
        numbers.sort_unstable();
        let key = |number| Ok((number, open_key(dir, &file_name(number))?));
        Ok(Self {
            keys: numbers.into_iter().map(key).collect::<io::Result<_>>()?,
        })
    }

    #[cfg(test)]
    pub(crate) fn for_test() -> Self {
        Self {
            keys: vec![(1, [7; 32])],
        }
    }

    /// Encrypts what is kept about one person and message, with the newest key.
    pub(crate) fn seal(&self, user: Uuid, message: Uuid, plain: &[u8]) -> Vec<u8> {
        let (number, key) = self.keys.last().expect("there is always one");
        let nonce = clock::random::<NONCE_LEN>();
        let mut body = plain.to_vec();
        let aad = Aad::from(context(user, message));
        cipher(key, user, message)
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut body)
            .expect("AES-GCM takes far more than a position");
        [&number.to_be_bytes()[..], &nonce, &body].concat()
    }

    /// Decrypts what [`Self::seal`] made for the same person and message.
    pub(crate) fn open_sealed(&self, user: Uuid, message: Uuid, sealed: &[u8]) -> Result<Vec<u8>, Sealed> {
        let (number, rest) = sealed.split_first_chunk::<NUMBER_LEN>().ok_or(Sealed)?;
        let (nonce, body) = rest.split_first_chunk::<NONCE_LEN>().ok_or(Sealed)?;
        let number = u32::from_be_bytes(*number);
        let (_, key) = self
            .keys
            .iter()
            .find(|(other, _)| *other == number)
            .ok_or(Sealed)?;
        let mut body = body.to_vec();
        let aad = Aad::from(context(user, message));
        let plain = cipher(key, user, message)
            .open_in_place(Nonce::assume_unique_for_key(*nonce), aad, &mut body)
            .map_err(|_| Sealed)?;
        Ok(plain.to_vec())
    }
}

/// A key for each person and message: random nonces of 96 bits would wear one key out after 2³² reports (NIST SP 800-38D
/// §8.3), which are seven weeks of ten thousand listeners.
fn cipher(key: &[u8; 32], user: Uuid, message: Uuid) -> LessSafeKey {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(&context(user, message));
    let derived = mac.finalize().into_bytes();
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &derived).expect("it has 32 bytes"))
}

fn context(user: Uuid, message: Uuid) -> Vec<u8> {
    [&b"voxpost playback 1\0"[..], user.as_bytes(), message.as_bytes()].concat()
}

fn file_name(number: u32) -> String {
    format!("playback-{number}.key")
}

/// None for files that are no such key.
fn number(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("playback-")?.strip_suffix(".key")?;
    let number = digits.parse().ok()?;
    (file_name(number) == name).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANA: Uuid = Uuid::from_u128(1);
    const SOUND: Uuid = Uuid::from_u128(2);

    #[test]
    fn what_is_sealed_opens_for_its_person_and_message_alone() {
        let seal = Seal::for_test();
        let sealed = seal.seal(ANA, SOUND, b"position 27599");
        assert_eq!(seal.open_sealed(ANA, SOUND, &sealed).unwrap(), b"position 27599");
        assert_ne!(
            sealed,
            seal.seal(ANA, SOUND, b"position 27599"),
            "each time another"
        );
        assert!(!sealed.windows(5).any(|part| part == b"27599"));
        assert_eq!(seal.open_sealed(SOUND, SOUND, &sealed), Err(Sealed));
        assert_eq!(seal.open_sealed(ANA, ANA, &sealed), Err(Sealed));
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert_eq!(seal.open_sealed(ANA, SOUND, &damaged), Err(Sealed), "byte {at}");
            assert_eq!(
                seal.open_sealed(ANA, SOUND, &sealed[..at]),
                Err(Sealed),
                "{at} bytes"
            );
        }
    }

    #[test]
    fn the_newest_key_writes_and_the_old_ones_read() {
        let dir = tempfile::tempdir().unwrap();
        let old = Seal::open(dir.path()).unwrap().seal(ANA, SOUND, b"old");
        fs::write(dir.path().join("playback-2.key"), [9; 32]).unwrap();
        fs::write(dir.path().join("playback-10.key"), [8; 32]).unwrap();
        let seal = Seal::open(dir.path()).unwrap();
        assert_eq!(seal.open_sealed(ANA, SOUND, &old).unwrap(), b"old");
        let new = seal.seal(ANA, SOUND, b"new");
        assert_eq!(new[..NUMBER_LEN], 10_u32.to_be_bytes());
        fs::remove_file(dir.path().join("playback-1.key")).unwrap();
        let seal = Seal::open(dir.path()).unwrap();
        assert_eq!(seal.open_sealed(ANA, SOUND, &new).unwrap(), b"new");
        assert_eq!(seal.open_sealed(ANA, SOUND, &old), Err(Sealed));
    }

    #[cfg(unix)]
    #[test]
    fn the_first_key_is_made_for_its_owner_alone_and_survives() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let sealed = Seal::open(dir.path()).unwrap().seal(ANA, SOUND, b"x");
        let mode = fs::metadata(dir.path().join("playback-1.key"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(
            Seal::open(dir.path())
                .unwrap()
                .open_sealed(ANA, SOUND, &sealed)
                .is_ok()
        );
    }
}
