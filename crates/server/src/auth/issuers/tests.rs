use ::ring::rand::SystemRandom;
use ::ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;
use crate::testing::{glue, hs256};

const NOW: i64 = 1_700_000_000;
const SECRET: &[u8] = b"a secret that two programs share, and nobody else";

fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn claims() -> Value {
    json!({"iss": "https://id.example", "sub": "s-1", "aud": "voxpost", "exp": NOW + 60,
           "preferred_username": "ana", "name": "Ana", "roles": ["x"]})
}

struct World {
    issuers: Issuers,
    edwards: Ed25519KeyPair,
    curve: EcdsaKeyPair,
    jwks: String,
    _dir: tempfile::TempDir,
}

impl World {
    /// `https://id.example` with this algorithm, and `other`, which shares a secret.
    fn new(algorithm: &str) -> Self {
        let random = SystemRandom::new();
        let signing = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let edwards = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        let edwards = Ed25519KeyPair::from_pkcs8(edwards.as_ref()).unwrap();
        let curve = EcdsaKeyPair::generate_pkcs8(signing, &random).unwrap();
        let curve = EcdsaKeyPair::from_pkcs8(signing, curve.as_ref(), &random).unwrap();
        let point = curve.public_key().as_ref();
        let jwks = json!({"keys": [
            {"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": "ed", "x": b64(edwards.public_key().as_ref())},
            {"kty": "EC", "crv": "P-256", "kid": "ec", "x": b64(&point[1..33]), "y": b64(&point[33..])},
        ]})
        .to_string();
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        std::fs::write(path("jwks"), &jwks).unwrap();
        std::fs::write(path("secret"), SECRET).unwrap();
        let keys = if algorithm == "HS256" {
            format!("secret_file={}", path("secret"))
        } else {
            format!("jwks_file={}", path("jwks"))
        };
        let settings = [
            format!("issuer=https://id.example,audience=voxpost,algorithm={algorithm},{keys}"),
            format!(
                "issuer=other,audience=voxpost,algorithm=HS256,secret_file={}",
                path("secret")
            ),
        ];
        let settings = settings.map(|text| text.parse().unwrap());
        Self {
            issuers: Issuers::open(&settings).unwrap(),
            edwards,
            curve,
            jwks,
            _dir: dir,
        }
    }

    fn ed(&self, header: &Value, claims: &Value) -> String {
        glue(header, claims, |text| self.edwards.sign(text).as_ref().to_vec())
    }

    fn es(&self, header: &Value, claims: &Value) -> String {
        let random = SystemRandom::new();
        glue(header, claims, |text| {
            self.curve.sign(&random, text).unwrap().as_ref().to_vec()
        })
    }

    async fn verify(&self, token: &str) -> Result<Identity, Refused> {
        self.issuers
            .verify(token, Timestamp::from_millis(NOW * 1000))
            .await
    }

    async fn refused(&self, why: &str, token: &str) {
        match self.verify(token).await {
            Err(Refused::Wrong(_)) => {}
            other => panic!("{why}: {other:?}"),
        }
    }
}

fn ed_header() -> Value {
    json!({"alg": "EdDSA", "kid": "ed", "typ": "JWT"})
}

#[tokio::test]
async fn a_good_token_tells_who_it_is_and_until_when() {
    let world = World::new("EdDSA");
    let identity = world.verify(&world.ed(&ed_header(), &claims())).await.unwrap();
    assert_eq!(
        identity,
        Identity {
            issuer: "https://id.example".into(),
            subject: "s-1".into(),
            expires_at: Timestamp::from_millis((NOW + 60) * 1000),
            username: Some("ana".into()),
            name: Some("Ana".into()),
        }
    );
    let world = World::new("ES256");
    let header = json!({"alg": "ES256", "kid": "ec"});
    world.verify(&world.es(&header, &claims())).await.unwrap();
    // The only ES256 key need not be named.
    world
        .verify(&world.es(&json!({"alg": "ES256"}), &claims()))
        .await
        .unwrap();
    let world = World::new("HS256");
    world.verify(&hs256(SECRET, &claims())).await.unwrap();
}

#[tokio::test]
async fn the_algorithm_and_the_kind_of_key_are_the_configured_ones() {
    let world = World::new("EdDSA");
    let public = world.edwards.public_key().as_ref();
    world
        .refused("a secret of another issuer", &hs256(SECRET, &claims()))
        .await;
    world
        .refused("the public key as a secret", &hs256(public, &claims()))
        .await;
    world
        .refused(
            "the key document as a secret",
            &hs256(world.jwks.as_bytes(), &claims()),
        )
        .await;
    let x = b64(public);
    world
        .refused("the JWK's text as a secret", &hs256(x.as_bytes(), &claims()))
        .await;
    for alg in [
        "none", "None", "NONE", "", "HS256", "ES256", "RS256", "eddsa", "EdDSA ",
    ] {
        let header = json!({"alg": alg, "kid": "ed"});
        world.refused(alg, &world.ed(&header, &claims())).await;
        world
            .refused(alg, &glue(&header, &claims(), |_| Vec::new()))
            .await;
    }
    let header = json!({"alg": "ES256", "kid": "ec"});
    world
        .refused("a good key of another algorithm", &world.es(&header, &claims()))
        .await;
    let header = json!({"alg": "EdDSA", "kid": "ec"});
    world
        .refused("a key of the wrong kind", &world.ed(&header, &claims()))
        .await;
    let mut of_other = claims();
    of_other["iss"] = json!("other");
    world
        .refused("the other issuer's name", &world.ed(&ed_header(), &of_other))
        .await;
    world.verify(&hs256(SECRET, &of_other)).await.unwrap();
}

#[tokio::test]
async fn what_a_header_says_about_keys_is_not_believed() {
    let (world, stranger) = (World::new("EdDSA"), World::new("EdDSA"));
    let jwk: Value = serde_json::from_str(&stranger.jwks).unwrap();
    for (name, value) in [
        ("jwk", jwk["keys"][0].clone()),
        ("jku", json!("http://127.0.0.1:1/jwks")),
        ("x5u", json!("http://127.0.0.1:1/x")),
        ("kid", json!("ed")),
        ("kid", json!("../../etc/passwd")),
        ("kid", json!("' OR 1=1 --")),
    ] {
        let mut header = ed_header();
        header[name] = value;
        world.refused(name, &stranger.ed(&header, &claims())).await;
    }
    for kid in ["", "ED", "unknown"] {
        let header = json!({"alg": "EdDSA", "kid": kid});
        world
            .refused("an unknown kid", &world.ed(&header, &claims()))
            .await;
    }
    for crit in [json!(["exp"]), json!(["b64"]), json!([])] {
        let header = json!({"alg": "EdDSA", "kid": "ed", "crit": crit, "b64": false});
        world
            .refused("critical extensions", &world.ed(&header, &claims()))
            .await;
    }
}

#[tokio::test]
async fn a_token_that_was_touched_or_is_none_is_refused() {
    let world = World::new("EdDSA");
    let good = world.ed(&ed_header(), &claims());
    let parts: Vec<&str> = good.split('.').collect();
    let mut other = claims();
    other["sub"] = json!("s-2");
    let other = world.ed(&ed_header(), &other);
    let swapped = other.split('.').nth(1).unwrap();
    for (why, token) in [
        ("another's claims", format!("{}.{swapped}.{}", parts[0], parts[2])),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("zeros", format!("{}.{}.{}", parts[0], parts[1], b64(&[0; 64]))),
        (
            "half a signature",
            format!("{}.{}.{}", parts[0], parts[1], &parts[2][..43]),
        ),
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("four parts", format!("{good}.x")),
        ("padding", format!("{good}=")),
        ("a space", format!("{} .{}.{}", parts[0], parts[1], parts[2])),
        ("dots", "..".into()),
        ("a dot", ".".into()),
        ("no base64", "%.%.%".into()),
        ("no JSON", format!("{}.{}.{}", b64(b"{"), b64(b"{"), parts[2])),
        ("no object", format!("{}.{}.{}", b64(b"7"), b64(b"7"), parts[2])),
    ] {
        world.refused(why, &token).await;
    }
    // JSON with a name twice: readers differ on which counts.
    let twice = claims().to_string().replacen('{', r#"{"sub":"admin","#, 1);
    let text = format!("{}.{}", parts[0], b64(twice.as_bytes()));
    let token = format!("{text}.{}", b64(world.edwards.sign(text.as_bytes()).as_ref()));
    world.refused("`sub` twice", &token).await;
    let header = r#"{"alg":"EdDSA","alg":"EdDSA","kid":"ed"}"#;
    let text = format!("{}.{}", b64(header.as_bytes()), parts[1]);
    let token = format!("{text}.{}", b64(world.edwards.sign(text.as_bytes()).as_ref()));
    world.refused("`alg` twice", &token).await;
}

#[tokio::test]
async fn an_issuer_that_cannot_be_used_is_named_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("secret"), SECRET).unwrap();
    std::fs::write(path("short"), b"secret\n").unwrap();
    let jwk = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": b64(&[7; 32])}]});
    std::fs::write(path("jwks"), jwk.to_string()).unwrap();
    let open = |settings: &[&str]| {
        let settings: Vec<JwtIssuer> = settings
            .iter()
            .map(|text| format!("audience=v,{text}").parse().unwrap())
            .collect();
        Issuers::open(&settings).map(|_| ())
    };
    let secret = format!("issuer=one,algorithm=HS256,secret_file={}", path("secret"));
    open(&[&secret, &secret.replace("one", "two")]).unwrap();
    for (setting, word) in [
        (secret.replace("/secret", "/short"), "32"),
        (secret.replace("/secret", "/nothing"), "nothing"),
        (
            format!("issuer=one,algorithm=RS256,jwks_file={}", path("jwks")),
            "RS256",
        ),
        (
            format!("issuer=one,algorithm=RS256,jwks_file={}", path("secret")),
            "JWK Set",
        ),
        (
            format!("issuer=one,algorithm=RS256,jwks_file={}", dir.path().display()),
            "one",
        ),
    ] {
        let error = open(&[&setting]).unwrap_err();
        assert!(error.starts_with("one: ") && error.contains(word), "{error}");
        assert!(!error.contains("secret\n"), "{error}");
    }
    let twice = open(&[&secret, &secret]).unwrap_err();
    assert!(twice.contains("one") && twice.contains("twice"), "{twice}");
}

/// RFC 7515 A.1 to A.3 and RFC 8037 A.4, to the letter.
#[test]
fn the_examples_of_the_standards_are_verified() {
    const PAYLOAD: &str =
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    ring::install();
    let verify = |keys: &KeySet, algorithm, message: &str, signature: &str| {
        let key = keys.get(None).unwrap();
        jsonwebtoken::crypto::verify(signature, message.as_bytes(), key, algorithm).unwrap()
    };
    let public = |key: &Value, algorithm| {
        KeySet::public(json!({"keys": [key]}).to_string().as_bytes(), algorithm).unwrap()
    };
    let secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let examples = [
        (
            Algorithm::HS256,
            KeySet::secret(&URL_SAFE_NO_PAD.decode(secret).unwrap()).unwrap(),
            format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{PAYLOAD}"),
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        ),
        (
            Algorithm::RS256,
            public(
                &json!({"kty": "RSA", "e": "AQAB", "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}),
                Algorithm::RS256,
            ),
            format!("eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}"),
            "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
        ),
        (
            Algorithm::ES256,
            public(
                &json!({"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}),
                Algorithm::ES256,
            ),
            format!("eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}"),
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        ),
        (
            Algorithm::EdDSA,
            public(
                &json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}),
                Algorithm::EdDSA,
            ),
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc".to_owned(),
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
        ),
    ];
    for (algorithm, keys, message, signature) in examples {
        assert!(verify(&keys, algorithm, &message, signature), "{algorithm:?}");
        assert!(
            !verify(&keys, algorithm, &format!("{message}A"), signature),
            "{algorithm:?}"
        );
        let touched = signature.replacen(|c: char| c != 'A', "A", 1);
        assert!(!verify(&keys, algorithm, &message, &touched), "{algorithm:?}");
    }
}
