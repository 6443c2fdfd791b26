use serde_json::{Value, json};
use voxpost_proto::ErrorCode;
use voxpost_proto::api::Me;

use crate::clock;
use crate::testing::{PASSWORD, TestApp, hs256};

const SECRET: &[u8] = b"a secret that two programs share, and nobody else";

struct World {
    test: TestApp,
    _dir: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let secret = dir.path().join("secret");
        std::fs::write(&secret, SECRET).unwrap();
        let issuer = |name: &str| {
            format!(
                "issuer={name},audience=voxpost,algorithm=HS256,secret_file={}",
                secret.display()
            )
        };
        let issuers = format!("{};{}", issuer("app"), issuer("forum"));
        let test = TestApp::with(&["--jwt-issuer", &issuers]).await;
        Self { test, _dir: dir }
    }

    async fn me(&self, token: &str) -> Me {
        self.test.get("/v1/me", token).await.expect(200).parse()
    }
}

fn token(issuer: &str, subject: &str, more: &Value) -> String {
    let exp = clock::now().millis() / 1000 + 600;
    let mut claims = json!({"iss": issuer, "sub": subject, "aud": "voxpost", "exp": exp});
    for (name, value) in more.as_object().into_iter().flatten() {
        claims[name] = value.clone();
    }
    hs256(SECRET, &claims)
}

#[tokio::test]
async fn somebody_new_gets_an_account_of_their_own_and_keeps_it() {
    let world = World::new().await;
    let claims = json!({"preferred_username": "Ana.B", "name": " Ana B. "});
    let first = world.me(&token("app", "7", &claims)).await;
    assert_eq!(
        (first.username.as_str(), first.display_name.as_str()),
        ("ana.b", "Ana B.")
    );
    // Names are wishes at the first sight only; who it is, `sub` tells.
    let again = world
        .me(&token("app", "7", &json!({"preferred_username": "eve"})))
        .await;
    assert_eq!(again, first);
    let namesake = world.me(&token("app", "8", &claims)).await;
    assert_ne!(namesake.id, first.id);
    assert!(namesake.username.starts_with("ana.b-"), "{}", namesake.username);
    let forum = world.me(&token("forum", "7", &json!({}))).await;
    assert_ne!(forum.id, first.id, "another issuer's 7 is another person");
    assert!(forum.username.starts_with("user-"), "{}", forum.username);
    assert_eq!(forum.display_name, forum.username);
}

#[tokio::test]
async fn no_claim_gives_the_account_of_somebody_local() {
    let world = World::new().await;
    let local = world.test.person("ana").await;
    let id = local.user.id.to_string();
    for (subject, wish) in [("ana", "x"), ("ana", "ana"), ("x", " ANA "), (id.as_str(), "ana")] {
        let claims = json!({"preferred_username": wish, "username": "ana", "id": id, "user_id": id});
        let me = world.me(&token("app", subject, &claims)).await;
        assert_ne!(me.id, local.user.id, "{subject} {wish}");
        assert_ne!(me.username, "ana", "{subject} {wish}");
    }
    // The name of somebody who is gone is given to nobody.
    world.test.delete("/v1/me", &local.token).await.expect(204);
    let late = world
        .me(&token("app", "late", &json!({"preferred_username": "ana"})))
        .await;
    assert!(late.username.starts_with("ana-"), "{}", late.username);
}

#[tokio::test]
async fn names_that_cannot_be_are_made_fit() {
    let world = World::new().await;
    for (n, wish) in [
        json!("ana@id.example"),
        json!("朋友"),
        json!(""),
        json!("a\u{0}b"),
        json!("x".repeat(2000)),
        json!(7),
        json!({"a": "b"}),
        Value::Null,
    ]
    .into_iter()
    .enumerate()
    {
        let claims = json!({"preferred_username": wish, "name": wish});
        let me = world.me(&token("app", &format!("n{n}"), &claims)).await;
        assert!(
            me.username.len() <= 32 && !me.display_name.is_empty(),
            "{wish}: {me:?}"
        );
        assert!(!me.display_name.contains('\0') && me.display_name.len() <= 64);
    }
}

#[tokio::test]
async fn first_sights_at_the_same_time_make_one_account() {
    let world = World::new().await;
    let token = token("app", "crowd", &json!({"preferred_username": "crowd"}));
    let calls = (0..32).map(|_| world.me(&token));
    let seen = futures_util::future::join_all(calls).await;
    assert!(
        seen.iter()
            .all(|me| me.id == seen[0].id && me.username == "crowd")
    );
}

#[tokio::test]
async fn they_have_no_password_and_no_session_here() {
    let world = World::new().await;
    let token = token("app", "7", &json!({"preferred_username": "ana"}));
    world.me(&token).await;
    for password in ["", PASSWORD] {
        let body = json!({"username": "ana", "password": password});
        world
            .test
            .post("/v1/sessions", "", body)
            .await
            .problem(ErrorCode::Unauthenticated);
    }
    let body = json!({"current_password": "", "new_password": PASSWORD});
    world
        .test
        .put("/v1/me/password", &token, body)
        .await
        .problem(ErrorCode::NotSupported);
    let sessions = world.test.get("/v1/sessions", &token).await.expect(200).json();
    assert_eq!(sessions, json!({"items": [], "next": null}));
    world
        .test
        .delete("/v1/sessions/current", &token)
        .await
        .problem(ErrorCode::NotSupported);
    // Nor can somebody local take the name over.
    let body = json!({"username": "ana", "password": PASSWORD});
    world
        .test
        .post("/v1/accounts", "", body)
        .await
        .problem(ErrorCode::Conflict);
}

#[tokio::test]
async fn a_deleted_account_stays_deleted_however_long_the_token_is_good() {
    let world = World::new().await;
    let token = token("app", "7", &json!({"preferred_username": "ana"}));
    world.me(&token).await;
    world.test.delete("/v1/me", &token).await.expect(204);
    let refused = world.test.get("/v1/me", &token).await;
    assert_eq!(
        refused.header("www-authenticate"),
        r#"Bearer error="invalid_token""#
    );
    let detail = refused.problem(ErrorCode::Unauthenticated);
    assert!(detail.contains("deleted"), "{detail}");
    let mut c = world.test.app.store.read().await.unwrap();
    let traces: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM users WHERE issuer IS NOT NULL OR subject IS NOT NULL")
            .fetch_one(&mut *c)
            .await
            .unwrap();
    assert_eq!(traces, 0, "nothing tells who it was");
}

#[tokio::test]
async fn a_refusal_says_what_is_wrong_and_makes_nobody() {
    let world = World::new().await;
    let wrong = hs256(
        &[b'x'; 40],
        &json!({"iss": "app", "sub": "7", "aud": "voxpost", "exp": 4_000_000_000_u64}),
    );
    let expired = token("app", "7", &json!({"exp": 1_000_000_000}));
    let elsewhere = token("app", "7", &json!({"aud": "mail"}));
    let stranger = token("stranger", "7", &json!({}));
    for (token, word) in [
        (&wrong, "signature"),
        (&expired, "expired"),
        (&elsewhere, "aud"),
        (&stranger, "issuer"),
    ] {
        let answer = world.test.get("/v1/me", token).await;
        assert_eq!(
            answer.header("www-authenticate"),
            r#"Bearer error="invalid_token""#
        );
        let detail = answer.problem(ErrorCode::Unauthenticated);
        assert!(detail.contains(word), "{detail}");
    }
    let nobody = world.test.get("/v1/me", "").await;
    assert_eq!(nobody.header("www-authenticate"), "Bearer");
    let mut c = world.test.app.store.read().await.unwrap();
    let people: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM users")
        .fetch_one(&mut *c)
        .await
        .unwrap();
    assert_eq!(people, 0);
}
