//! The only place where the server reads the wall clock and makes ids and secrets.

use std::time::{SystemTime, UNIX_EPOCH};

use uuid::Uuid;
use voxpost_proto::Timestamp;

/// Now.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// A new UUIDv7.
pub(crate) fn new_id() -> Uuid {
    Uuid::now_v7()
}

/// Bytes that nobody can guess.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}
