//! An issuer of tokens: its keys, what it signs, and the server that publishes its JWK Set.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Whom the tokens are for.
pub(super) const AUDIENCE: &str = "voxpost";

/// What an issuer signs with.
pub(super) enum Key {
    Secret(Vec<u8>),
    Edwards(Ed25519KeyPair),
    Curve(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl Key {
    pub(super) fn edwards() -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
        Self::Edwards(Ed25519KeyPair::from_pkcs8(document.as_ref()).expect("it was just made"))
    }

    pub(super) fn curve() -> Self {
        let (random, signing) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let document = EcdsaKeyPair::generate_pkcs8(signing, &random).expect("a key");
        Self::Curve(EcdsaKeyPair::from_pkcs8(signing, document.as_ref(), &random).expect("it was just made"))
    }

    /// ring makes no RSA keys: `openssl genpkey -algorithm RSA` did, for these tests alone.
    pub(super) fn rsa() -> Self {
        let text: String = include_str!("rsa_key_of_tests.pkcs8.base64")
            .split_whitespace()
            .collect();
        let document = STANDARD.decode(text).expect("base64");
        Self::Rsa(RsaKeyPair::from_pkcs8(&document).expect("an RSA key"))
    }

    pub(super) fn algorithm(&self) -> &'static str {
        match self {
            Self::Secret(_) => "HS256",
            Self::Edwards(_) => "EdDSA",
            Self::Curve(_) => "ES256",
            Self::Rsa(_) => "RS256",
        }
    }

    /// The public key as in a JWK Set (RFC 7517); a secret has none.
    pub(super) fn jwk(&self, kid: &str) -> Value {
        let mut jwk = match self {
            Self::Secret(_) => panic!("a secret is not published"),
            Self::Edwards(key) => json!({"kty": "OKP", "crv": "Ed25519", "x": base64(key.public_key())}),
            Self::Curve(key) => {
                let point = key.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "x": base64(&point[1..33]), "y": base64(&point[33..])})
            }
            Self::Rsa(key) => {
                let PublicKeyComponents::<Vec<u8>> { n, e } = key.public().into();
                json!({"kty": "RSA", "n": base64(n), "e": base64(e)})
            }
        };
        jwk["kid"] = json!(kid);
        jwk["use"] = json!("sig");
        jwk["alg"] = json!(self.algorithm());
        jwk
    }

    /// The public key as PEM (SubjectPublicKeyInfo): what libraries that were fooled took for an HMAC secret.
    pub(super) fn rsa_pem(&self) -> String {
        let Self::Rsa(key) = self else {
            panic!("an RSA key")
        };
        // RFC 8017 A.1.1 within RFC 5280 §4.1, for 2048 bits.
        let head = b"\x30\x82\x01\x22\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x03\x82\x01\x0f\x00";
        let body = STANDARD.encode([&head[..], key.public_key().as_ref()].concat());
        let lines: Vec<&str> = body
            .as_bytes()
            .chunks(64)
            .map(|line| std::str::from_utf8(line).expect("base64 is ASCII"))
            .collect();
        format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            lines.join("\n")
        )
    }

    fn sign(&self, text: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Secret(secret) => {
                let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
                ring::hmac::sign(&key, text).as_ref().to_vec()
            }
            Self::Edwards(key) => key.sign(text).as_ref().to_vec(),
            Self::Curve(key) => key.sign(&random, text).expect("signed").as_ref().to_vec(),
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, text, &mut signature)
                    .expect("signed");
                signature
            }
        }
    }

    /// A token of the key's own algorithm.
    pub(super) fn token(&self, kid: &str, claims: &Value) -> String {
        self.token_with(
            &json!({"alg": self.algorithm(), "typ": "JWT", "kid": kid}),
            claims,
        )
    }

    /// A token with any header, signed with this key all the same.
    pub(super) fn token_with(&self, header: &Value, claims: &Value) -> String {
        let text = unsigned(header, claims);
        let signature = self.sign(text.as_bytes());
        format!("{text}.{}", base64(signature))
    }
}

/// Header and claims of a token, without a signature (RFC 7515 §3.1).
pub(super) fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}", base64(header.to_string()), base64(claims.to_string()))
}

pub(super) fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn jwks(keys: &[Value]) -> String {
    json!({"keys": keys}).to_string()
}

/// Seconds since the Unix epoch, with parts.
pub(super) fn now() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("after 1970").as_secs_f64()
}

/// The claims of a good token of ten minutes.
pub(super) fn claims(issuer: &str, subject: &str) -> Value {
    let now = now() as u64;
    json!({"iss": issuer, "sub": subject, "aud": AUDIENCE, "iat": now, "exp": now + 600})
}

/// An HTTP server that gives one answer to everything, until it is told another.
pub(super) struct Publisher {
    pub(super) port: u16,
    answer: Arc<Mutex<String>>,
    asked: Arc<AtomicUsize>,
}

impl Publisher {
    pub(super) async fn start(answer: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        Self::on(listener, answer)
    }

    pub(super) fn on(listener: TcpListener, answer: String) -> Self {
        let publisher = Self {
            port: listener.local_addr().expect("bound").port(),
            answer: Arc::new(Mutex::new(answer)),
            asked: Arc::default(),
        };
        let (answer, asked) = (publisher.answer.clone(), publisher.asked.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                asked.fetch_add(1, Ordering::SeqCst);
                let answer = answer.lock().expect("no panic holds it").clone();
                tokio::spawn(respond(stream, answer));
            }
        });
        publisher
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/jwks.json", self.port)
    }

    /// From now on.
    pub(super) fn publish(&self, answer: String) {
        *self.answer.lock().expect("no panic holds it") = answer;
    }

    /// How often somebody came.
    pub(super) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// A whole answer of HTTP/1.1.
pub(super) fn http(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

async fn respond(mut stream: TcpStream, answer: String) {
    let mut heard = Vec::new();
    while !heard.ends_with(b"\r\n\r\n") {
        match stream.read_buf(&mut heard).await {
            Ok(1..) => {}
            _ => return,
        }
    }
    // Who hangs up on an answer that is too long is right to.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}
