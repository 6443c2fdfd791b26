//! Secrets that people carry, and the hashes that the server keeps of them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::clock;
use crate::keys::Keys;

/// A fresh session token, and the hash that is all the server keeps of it.
pub(crate) fn new_token() -> (String, Vec<u8>) {
    with_hash(&clock::random::<32>())
}

/// The token of a session that was asked for with an `Idempotency-Key`: whoever lost the answer and asks again gets the
/// same token, although it is kept nowhere. Guessing it takes the server's key.
pub(crate) fn repeatable_token(keys: &Keys, session_id: Uuid, client_id: Uuid) -> (String, Vec<u8>) {
    let mut mac = mac(keys, "voxpost session token 1");
    mac.update(session_id.as_bytes());
    mac.update(client_id.as_bytes());
    with_hash(&mac.finalize().into_bytes())
}

fn with_hash(secret: &[u8]) -> (String, Vec<u8>) {
    let token = URL_SAFE_NO_PAD.encode(secret);
    let hash = token_hash(&token);
    (token, hash)
}

pub(crate) fn token_hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// A fresh invite code that can be read out, such as `K7QF-3M9T-XH2B-84VD` (80 bits), and its hash.
pub(crate) fn new_code() -> (String, Vec<u8>) {
    // Crockford's base 32: no I, L, O, U.
    const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut code = String::new();
    for (at, byte) in clock::random::<16>().into_iter().enumerate() {
        if at > 0 && at % 4 == 0 {
            code.push('-');
        }
        code.push(char::from(LETTERS[usize::from(byte % 32)]));
    }
    let hash = code_hash(&code);
    (code, hash)
}

/// The hash of an invite code as somebody typed it.
pub(crate) fn code_hash(code: &str) -> Vec<u8> {
    let typed: String = code
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| match c.to_ascii_uppercase() {
            'I' | 'L' => '1',
            'O' => '0',
            c => c,
        })
        .collect();
    Sha256::digest(typed.as_bytes()).to_vec()
}

/// Tells one request from another. Keyed, since a plain hash of a password could be guessed at.
pub(crate) fn request_hash(keys: &Keys, what: &str, body: &impl Serialize) -> Vec<u8> {
    let mut mac = mac(keys, "voxpost request 1");
    mac.update(what.as_bytes());
    mac.update(b"\0");
    mac.update(&serde_json::to_vec(body).unwrap_or_default());
    mac.finalize().into_bytes().to_vec()
}

fn mac(keys: &Keys, purpose: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&keys.token).expect("HMAC takes a key of any length");
    mac.update(purpose.as_bytes());
    mac.update(b"\0");
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_recognised_however_it_is_typed() {
        let (code, hash) = new_code();
        assert_eq!(code.len(), 19);
        assert_eq!(code_hash(&code.to_lowercase().replace('-', " ")), hash);
        assert_ne!(code_hash(&new_code().0), hash);
    }

    #[test]
    fn tokens_are_long_and_differ() {
        let ((a, a_hash), (b, b_hash)) = (new_token(), new_token());
        assert!(a.len() >= 43 && a != b && a_hash != b_hash);
    }

    #[test]
    fn a_repeatable_token_is_the_same_for_the_same_session_request_and_server_only() {
        let keys = |byte| Keys {
            url: [0; 32],
            token: [byte; 32],
            playback: crate::seal::Seal::for_test(),
        };
        let (session, request) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let token = repeatable_token(&keys(1), session, request).0;
        assert_eq!(repeatable_token(&keys(1), session, request).0, token);
        assert_ne!(repeatable_token(&keys(2), session, request).0, token);
        assert_ne!(repeatable_token(&keys(1), request, session).0, token);
    }
}
