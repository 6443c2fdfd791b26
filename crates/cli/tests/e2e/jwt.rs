//! People of another issuer: which tokens open the door, and all those that must not.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519};
use serde_json::{Value, json};
use voxpost_proto::ErrorCode;
use voxpost_proto::api::{Me, User};
use voxpost_testkit::{Answer, Server, client, exchange};

use crate::options;

const SECRET: &str = "a-shared-secret-of-more-than-32-bytes!";
const AUDIENCE: &str = "voxpost";

struct Issuers {
    server: Server,
    edwards: KeyPair,
    curve: KeyPair,
}

impl Issuers {
    async fn me(&self, token: &str) -> Answer {
        exchange(client().get(format!("{}/v1/me", self.server.base())).bearer_auth(token)).await
    }

    #[track_caller]
    fn refused(answer: &Answer, why: &str) {
        assert_eq!(answer.status, 401, "{why}: {}", answer.text());
        answer.problem(ErrorCode::Unauthenticated);
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

fn claims(issuer: &str, subject: &str) -> Value {
    json!({"iss": issuer, "sub": subject, "aud": AUDIENCE, "exp": now() + 600, "iat": now()})
}

fn hs256(claims: &Value, secret: &[u8]) -> String {
    encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(secret)).expect("a token")
}

fn eddsa(claims: &Value, key: &KeyPair, kid: &str) -> String {
    let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::EdDSA) };
    encode(&header, claims, &EncodingKey::from_ed_der(&key.serialize_der())).expect("a token")
}

fn es256(claims: &Value, key: &KeyPair, kid: &str) -> String {
    let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::ES256) };
    encode(&header, claims, &EncodingKey::from_ec_der(&key.serialize_der())).expect("a token")
}

/// Header and claims with any signature, as an attacker glues them.
fn glued(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", part(header), part(claims), URL_SAFE_NO_PAD.encode(signature))
}

fn jwks(edwards: &KeyPair, curve: &KeyPair) -> Value {
    let point = curve.public_key_raw();
    let b64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    json!({"keys": [
        {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "ed", "x": b64(edwards.public_key_raw())},
        {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "ec",
         "x": b64(&point[1..33]), "y": b64(&point[33..65])},
    ]})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_a_configured_issuer_opens_an_account_of_its_own() {
    let issuers = issuers().await;
    let local = issuers.server.person("ana").await;

    let first: Me = issuers.me(&hs256(&claims("shared", "ana"), SECRET.as_bytes())).await.expect(200).json();
    assert_ne!(first.id, local.user.id, "a subject is never a local name");
    assert_ne!(first.username, "ana");
    let again: Me = issuers.me(&hs256(&claims("shared", "ana"), SECRET.as_bytes())).await.expect(200).json();
    assert_eq!(again.id, first.id, "the same subject is the same person");
    let by_id = issuers.me(&hs256(&claims("shared", &local.user.id.to_string()), SECRET.as_bytes())).await;
    assert_ne!(by_id.expect(200).json::<Me>().id, local.user.id, "nor a local id");

    let ed: Me = issuers.me(&eddsa(&claims("keys", "ana"), &issuers.edwards, "ed")).await.expect(200).json();
    let ec: Me = issuers.me(&es256(&claims("keys", "ana"), &issuers.curve, "ec")).await.expect(200).json();
    assert_eq!(ed.id, ec.id, "one issuer may have several keys");
    assert_ne!(ed.id, first.id, "two issuers may have the same subject");

    // They can talk like anybody else.
    let found: Value = local.get(&format!("/v1/users?query={}", ed.username)).await.expect(200).json();
    let people: Vec<User> = serde_json::from_value(found["items"].clone()).expect("people");
    assert!(people.iter().any(|user| user.id == ed.id), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_token_is_refused() {
    let issuers = issuers().await;
    let good = claims("shared", "eva");
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let without = |name: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().expect("an object").remove(name);
        claims
    };
    let sign = |claims: &Value| hs256(claims, SECRET.as_bytes());
    issuers.me(&sign(&good)).await.expect(200);

    let from_keys = claims("keys", "eva");
    let public = issuers.edwards.public_key_raw();
    let pem = issuers.edwards.public_key_pem();
    let document = jwks(&issuers.edwards, &issuers.curve).to_string();
    let stranger = KeyPair::generate_for(&PKCS_ED25519).expect("a key");
    let by_key = eddsa(&from_keys, &issuers.edwards, "ed");
    let (signed, _) = by_key.rsplit_once('.').expect("three parts");

    let wrong: Vec<(&str, String)> = vec![
        ("expired", sign(&with("exp", json!(now() - 600)))),
        ("without an end", sign(&without("exp"))),
        ("an end that is no number", sign(&with("exp", json!("tomorrow")))),
        ("not valid yet", sign(&with("nbf", json!(now() + 600)))),
        ("for another audience", sign(&with("aud", json!("mail")))),
        ("for nobody", sign(&without("aud"))),
        ("of nobody", sign(&without("iss"))),
        ("of an unknown issuer", sign(&with("iss", json!("https://evil.example")))),
        ("without a subject", sign(&without("sub"))),
        ("with an empty subject", sign(&with("sub", json!("")))),
        ("another secret", hs256(&good, b"another-secret-of-more-than-32-bytes!!!")),
        ("an empty secret", hs256(&good, b"")),
        ("alg none", glued(&json!({"alg": "none", "typ": "JWT"}), &good, b"")),
        ("alg None", glued(&json!({"alg": "None", "typ": "JWT"}), &good, b"")),
        ("alg none for keys", glued(&json!({"alg": "none", "kid": "ed"}), &from_keys, b"")),
        ("HS256 with the public key as its secret", hs256(&from_keys, public)),
        ("HS256 with the public key's PEM", hs256(&from_keys, pem.as_bytes())),
        ("HS256 with the key document", hs256(&from_keys, document.as_bytes())),
        ("one issuer's secret for the other", hs256(&from_keys, SECRET.as_bytes())),
        ("one issuer's key for the other", eddsa(&good, &issuers.edwards, "ed")),
        ("a stranger's key under a known name", eddsa(&from_keys, &stranger, "ed")),
        ("a key of an unknown name", eddsa(&from_keys, &stranger, "other")),
        ("the wrong kind of key", es256(&from_keys, &issuers.curve, "ed")),
        ("no signature", format!("{signed}.")),
        ("a signature of zeros", format!("{signed}.{}", URL_SAFE_NO_PAD.encode([0; 64]))),
        ("two parts", signed.to_owned()),
        ("nothing", ".".repeat(2)),
        ("no base64", "%%%.%%%.%%%".to_owned()),
        ("an endless one", format!("{}.{}.x", "A".repeat(6000), "A".repeat(1000))),
    ];
    for (why, token) in wrong {
        Issuers::refused(&issuers.me(&token).await, why);
    }
    // None of them made an account.
    let local = issuers.server.person("local").await;
    let found: Value = local.get("/v1/users?query=eva").await.expect(200).json();
    assert!(found["items"].as_array().is_some_and(|people| people.len() <= 1), "{found}");
}
