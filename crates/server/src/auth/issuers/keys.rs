//! The keys of one issuer, all of one algorithm.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// RFC 7518 §3.2: a key of HS256 has at least the size of the hash.
const MIN_SECRET_BYTES: usize = 32;

/// Keys of one set; providers publish two or three.
const MAX_KEYS: usize = 64;

/// What the signatures of an issuer's tokens are checked with.
pub(super) enum KeySet {
    /// One secret for all tokens, whatever `kid` they carry.
    Secret(DecodingKey),
    /// Public keys, by their `kid` where they have one.
    Public(Vec<(Option<String>, DecodingKey)>),
}

impl KeySet {
    /// The content of a secret file: its bytes, without one line break at the end.
    pub(super) fn secret(content: &[u8]) -> Result<Self, String> {
        let secret = content.strip_suffix(b"\n").unwrap_or(content);
        let secret = secret.strip_suffix(b"\r").unwrap_or(secret);
        if secret.len() < MIN_SECRET_BYTES {
            return Err(format!(
                "the secret has {} bytes; HS256 needs {MIN_SECRET_BYTES} or more (openssl rand -hex 32)",
                secret.len()
            ));
        }
        Ok(Self::Secret(DecodingKey::from_secret(secret)))
    }

    /// A JWK Set (RFC 7517 §5). Keys for other algorithms and uses are passed over; one must be left.
    pub(super) fn public(document: &[u8], algorithm: Algorithm) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<Value>,
        }
        let document: Document =
            serde_json::from_slice(document).map_err(|error| format!("this is no JWK Set: {error}"))?;
        let mut keys: Vec<(Option<String>, DecodingKey)> = Vec::new();
        for value in document.keys {
            let Ok(jwk) = serde_json::from_value::<Jwk>(value) else {
                continue;
            };
            let Some(key) = usable(&jwk, algorithm) else {
                continue;
            };
            let id = jwk.common.key_id;
            if keys.iter().any(|(other, _)| *other == id) {
                return Err(format!(
                    "two keys of the JWK Set have the same kid, or none: {}",
                    id.unwrap_or_default()
                ));
            }
            if keys.len() == MAX_KEYS {
                return Err(format!("the JWK Set has more than {MAX_KEYS} keys"));
            }
            keys.push((id, key));
        }
        if keys.is_empty() {
            return Err(format!("the JWK Set has no {algorithm:?} key for signatures"));
        }
        Ok(Self::Public(keys))
    }

    /// The key that a token names; a token that names none can mean the only one.
    pub(super) fn get(&self, kid: Option<&str>) -> Option<&DecodingKey> {
        match (self, kid) {
            (Self::Secret(key), _) => Some(key),
            (Self::Public(keys), None) => match keys.as_slice() {
                [(_, only)] => Some(only),
                _ => None,
            },
            (Self::Public(keys), Some(kid)) => keys
                .iter()
                .find(|(id, _)| id.as_deref() == Some(kid))
                .map(|(_, key)| key),
        }
    }
}

/// The key, if signatures of this very algorithm are checked with it.
fn usable(jwk: &Jwk, algorithm: Algorithm) -> Option<DecodingKey> {
    let common = &jwk.common;
    let for_it = common
        .key_algorithm
        .is_none_or(|named| named == KeyAlgorithm::from(algorithm));
    let for_signatures = common
        .public_key_use
        .as_ref()
        .is_none_or(|to| *to == PublicKeyUse::Signature);
    let may_verify = common
        .key_operations
        .as_ref()
        .is_none_or(|operations| operations.contains(&KeyOperations::Verify));
    if !(for_it && for_signatures && may_verify) {
        return None;
    }
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
    match (algorithm, &jwk.algorithm) {
        (Algorithm::EdDSA, AlgorithmParameters::OctetKeyPair(key)) if key.curve == EllipticCurve::Ed25519 => {
            let point = bytes(&key.x).filter(|x| x.len() == 32)?;
            Some(DecodingKey::from_ed_der(&point))
        }
        (Algorithm::ES256, AlgorithmParameters::EllipticCurve(key)) if key.curve == EllipticCurve::P256 => {
            let (x, y) = (bytes(&key.x)?, bytes(&key.y)?);
            // An uncompressed point: SEC 1 §2.3.3.
            let point = [&[4][..], &x, &y].concat();
            (x.len() == 32 && y.len() == 32).then(|| DecodingKey::from_ec_der(&point))
        }
        (Algorithm::RS256, AlgorithmParameters::RSA(key)) => {
            let (n, e) = (bytes(&key.n)?, bytes(&key.e)?);
            // Some write a leading zero, which RFC 7518 §6.3.1.1 forbids and is easily put right.
            let n = n.strip_prefix(&[0]).unwrap_or(&n);
            ((256..=1024).contains(&n.len()) && (1..=8).contains(&e.len()))
                .then(|| DecodingKey::from_rsa_raw_components(n, &e))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn public(keys: &Value, algorithm: Algorithm) -> Result<KeySet, String> {
        KeySet::public(json!({"keys": keys}).to_string().as_bytes(), algorithm)
    }

    fn ed(kid: &str) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": URL_SAFE_NO_PAD.encode([7; 32])})
    }

    fn with(mut key: Value, name: &str, value: Value) -> Value {
        key[name] = value;
        key
    }

    #[test]
    fn a_secret_is_long_enough_and_ends_before_the_line_break() {
        let secret = "x".repeat(MIN_SECRET_BYTES);
        let of = |content: &str| match KeySet::secret(content.as_bytes()) {
            Ok(KeySet::Secret(key)) => Ok(key.try_get_as_bytes().unwrap().to_vec()),
            Ok(KeySet::Public(_)) => panic!("no public key was given"),
            Err(error) => Err(error),
        };
        for content in [secret.clone(), format!("{secret}\n"), format!("{secret}\r\n")] {
            assert_eq!(of(&content).unwrap(), secret.as_bytes());
        }
        assert_eq!(of(&format!("{secret}\n\n")).unwrap().len(), MIN_SECRET_BYTES + 1);
        for short in ["", "secret", &format!("{}\n", &secret[1..])] {
            assert!(of(short).unwrap_err().contains("32"), "{short}");
        }
    }

    #[test]
    fn a_key_is_found_by_its_name_and_only_a_lone_one_without() {
        let one = public(&json!([ed("a")]), Algorithm::EdDSA).unwrap();
        assert!(one.get(Some("a")).is_some() && one.get(None).is_some());
        assert!(one.get(Some("b")).is_none() && one.get(Some("")).is_none());
        let two = public(&json!([ed("a"), ed("b")]), Algorithm::EdDSA).unwrap();
        assert!(two.get(Some("b")).is_some() && two.get(None).is_none());
    }

    #[test]
    fn keys_of_other_kinds_and_uses_are_passed_over() {
        let x = URL_SAFE_NO_PAD.encode([7; 32]);
        let ec = json!({"kty": "EC", "crv": "P-256", "kid": "ec", "x": x, "y": x});
        let rsa = |bytes: usize| {
            let n = URL_SAFE_NO_PAD.encode(vec![0xc3; bytes]);
            json!({"kty": "RSA", "kid": bytes.to_string(), "n": n, "e": "AQAB"})
        };
        let oct = json!({"kty": "oct", "kid": "oct", "k": x});
        let strange =
            json!([7, {"kty": "AKP", "pub": "…"}, {"kty": "EC", "crv": "secp256k1", "x": x, "y": x}]);
        let all = json!([
            ed("ed"),
            ec,
            rsa(256),
            rsa(128),
            oct,
            strange[0],
            strange[1],
            strange[2]
        ]);
        for (algorithm, kid) in [
            (Algorithm::EdDSA, "ed"),
            (Algorithm::ES256, "ec"),
            (Algorithm::RS256, "256"),
        ] {
            let set = public(&all, algorithm).unwrap();
            let KeySet::Public(keys) = &set else {
                panic!("public keys")
            };
            assert_eq!(keys.len(), 1, "{algorithm:?}");
            assert!(set.get(Some(kid)).is_some(), "{algorithm:?}");
        }
        for useless in [
            with(ed("a"), "use", json!("enc")),
            with(ed("a"), "key_ops", json!(["sign"])),
            with(ed("a"), "alg", json!("ES256")),
            with(ed("a"), "crv", json!("Ed448")),
            with(ed("a"), "x", json!("AAAA")),
            with(ed("a"), "x", json!("!")),
        ] {
            assert!(public(&json!([useless]), Algorithm::EdDSA).is_err(), "{useless}");
        }
    }

    #[test]
    fn a_set_that_is_none_or_ambiguous_is_refused() {
        for text in ["", "{}", "[]", "{\"keys\": 7}", "{\"keys\": []}", "<html>"] {
            assert!(
                KeySet::public(text.as_bytes(), Algorithm::EdDSA).is_err(),
                "{text}"
            );
        }
        assert!(public(&json!([ed("a"), ed("a")]), Algorithm::EdDSA).is_err());
        let crowd: Vec<Value> = (0..=MAX_KEYS).map(|n| ed(&n.to_string())).collect();
        assert!(public(&json!(crowd), Algorithm::EdDSA).is_err());
    }
}
