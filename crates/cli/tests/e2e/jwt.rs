//! People of other issuers: which tokens open the door, and all those that must not.

mod issuer;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use voxpost_proto::ErrorCode;
use voxpost_proto::api::{Me, Message, User};
use voxpost_testkit::{Answer, Clip, Person, Server, Socket, client, eventually, exchange};

use crate::options;
use issuer::{AUDIENCE, Key, Publisher, base64, claims, http, jwks, now, unsigned};

const SECRET: &[u8] = b"a-shared-secret-of-more-than-32-bytes!";

/// A server with an issuer for each algorithm, by a configuration file.
struct World {
    server: Server,
    /// The issuer's name, its key and that key's name.
    issuers: Vec<(&'static str, Key, &'static str)>,
    jwks: String,
    _dir: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let issuers = vec![
            ("shared", Key::Secret(SECRET.to_vec()), "any"),
            ("https://ed.example", Key::edwards(), "ed"),
            ("https://ec.example/", Key::curve(), "ec"),
            ("https://rsa.example/?a=b", Key::rsa(), "rsa"),
        ];
        let published: Vec<Value> = issuers[1..].iter().map(|(_, key, kid)| key.jwk(kid)).collect();
        let jwks = jwks(&published);
        let dir = tempfile::tempdir().expect("a folder");
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("secret"), SECRET).expect("written");
        std::fs::write(path("jwks.json"), &jwks).expect("written");
        let tables: String = issuers
            .iter()
            .map(|(issuer, key, _)| {
                let (algorithm, keys) = match key {
                    Key::Secret(_) => ("HS256", format!("secret_file = {:?}", path("secret"))),
                    key => (key.algorithm(), format!("jwks_file = {:?}", path("jwks.json"))),
                };
                format!("[[jwt_issuer]]\nissuer = {issuer:?}\naudience = {AUDIENCE:?}\nalgorithm = {algorithm:?}\n{keys}\n")
            })
            .collect();
        std::fs::write(path("voxpost.toml"), tables).expect("written");
        let options = options().env("RUST_LOG", "trace").env("VOXPOST_LOG", "trace");
        let server = options
            .arg("--config")
            .arg(path("voxpost.toml").display().to_string())
            .start()
            .await;
        Self {
            server,
            issuers,
            jwks,
            _dir: dir,
        }
    }

    fn key(&self, issuer: &str) -> (&Key, &str) {
        let found = self.issuers.iter().find(|(name, _, _)| *name == issuer);
        let (_, key, kid) = found.expect("it is configured");
        (key, kid)
    }

    fn token(&self, issuer: &str, claims: &Value) -> String {
        let (key, kid) = self.key(issuer);
        key.token(kid, claims)
    }

    async fn me(&self, token: &str) -> Answer {
        me(&self.server, token).await
    }
}

async fn me(server: &Server, token: &str) -> Answer {
    exchange(
        client()
            .get(format!("{}/v1/me", server.base()))
            .bearer_auth(token),
    )
    .await
}

/// Starts a server with one issuer of EdDSA keys at an address.
async fn server_with_keys_at(url: &str) -> Server {
    let issuer = format!("issuer=remote,audience={AUDIENCE},algorithm=EdDSA,jwks_url={url}");
    options().env("VOXPOST_JWT_ISSUER", issuer).start().await
}

#[track_caller]
fn refused(answer: &Answer, why: &str) {
    assert_eq!(answer.status, 401, "{why}: {}", answer.text());
    answer.problem(ErrorCode::Unauthenticated);
    assert_eq!(
        answer.header("www-authenticate"),
        r#"Bearer error="invalid_token""#,
        "{why}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_each_algorithm_opens_an_account_that_is_nobody_elses() {
    let world = World::new().await;
    let local = world.server.person("ana").await;
    let mut seen = vec![local.user.id];
    for (issuer, _, _) in &world.issuers {
        // A subject, a wish and an id as those of somebody local.
        let mut wishes = claims(issuer, "ana");
        wishes["preferred_username"] = json!("ana");
        wishes["name"] = json!("Ana of elsewhere");
        let first: Me = world.me(&world.token(issuer, &wishes)).await.expect(200).json();
        assert!(!seen.contains(&first.id), "{issuer}: somebody else's account");
        assert!(first.username.starts_with("ana-"), "{issuer}: {}", first.username);
        assert_eq!(first.display_name, "Ana of elsewhere");
        let again: Me = world
            .me(&world.token(issuer, &claims(issuer, "ana")))
            .await
            .expect(200)
            .json();
        assert_eq!(
            again.id, first.id,
            "{issuer}: the same subject is the same person"
        );
        let by_id = world.token(issuer, &claims(issuer, &local.user.id.to_string()));
        let by_id: Me = world.me(&by_id).await.expect(200).json();
        assert!(!seen.contains(&by_id.id), "{issuer}: a local id");
        seen.extend([first.id, by_id.id]);
    }
    let still: Me = local.get("/v1/me").await.expect(200).json();
    assert_eq!(still.username, "ana");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_of_an_issuer_talk_with_local_ones_and_can_leave_for_good() {
    let world = World::new().await;
    let ben = world.server.person("ben").await;
    let mut wishes = claims("shared", "7");
    wishes["preferred_username"] = json!("Eva");
    let token = world.token("shared", &wishes);
    let user: User = world.me(&token).await.expect(200).json();
    assert_eq!(user.username, "eva");
    let mut eva = ben.clone();
    (eva.user, eva.token) = (user, token);
    let talk = ben.talk_to(&eva).await;
    let said: Message = eva.say(talk.id, &Clip::webm(1.0, 440)).await;
    assert_eq!(ben.messages(talk.id).await[0].id, said.id);
    ben.audio(said.id).await.expect(200);

    let password = json!({"current_password": "", "new_password": Person::PASSWORD});
    eva.put("/v1/me/password", &password)
        .await
        .problem(ErrorCode::NotSupported);
    let sessions: Value = eva.get("/v1/sessions").await.expect(200).json();
    assert_eq!(sessions["items"], json!([]));
    let login = json!({"username": "eva", "password": Person::PASSWORD});
    let login = client()
        .post(format!("{}/v1/sessions", world.server.base()))
        .json(&login);
    exchange(login).await.problem(ErrorCode::Unauthenticated);

    let mut socket = eva.socket().await;
    eva.delete("/v1/me").await.expect(204);
    assert_eq!(socket.closed().await.code, Some(4401));
    refused(&eva.get("/v1/me").await, "the account is gone");
    let fresh = world.token("shared", &claims("shared", "7"));
    refused(&world.me(&fresh).await, "and stays so with a fresh token");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_token_is_refused_and_none_is_logged() {
    let world = World::new().await;
    let mut tokens = Vec::new();
    for (why, token) in wrong_tokens(&world) {
        refused(&world.me(&token).await, why);
        tokens.push(token);
    }
    // None of them made an account.
    let local = world.server.person("local").await;
    let found: Value = local.get("/v1/users?query=eva").await.expect(200).json();
    assert_eq!(found["items"], json!([]));

    for (issuer, _, _) in &world.issuers {
        tokens.push(world.token(issuer, &claims(issuer, "subject-of-somebody")));
        let token = tokens.last().expect("just pushed");
        world.me(token).await.expect(200);
        Socket::connect(world.server.base(), token, None).await;
    }
    let stopped = world.server.stop().await;
    let log = stopped.log();
    assert!(log.contains("/v1/me"), "the log tells requests");
    let secret = std::str::from_utf8(SECRET).expect("UTF-8");
    assert!(!log.contains(secret) && !log.contains("subject-of-somebody"));
    for token in tokens {
        for part in token.split('.').filter(|part| part.len() > 20) {
            assert!(!log.contains(part), "a part of a token: {part}");
        }
    }
}

/// Tokens as attackers and mistaken programs send them. All would be somebody named eva.
fn wrong_tokens(world: &World) -> Vec<(&'static str, String)> {
    let (ed_issuer, rsa_issuer) = ("https://ed.example", "https://rsa.example/?a=b");
    let claims = |issuer: &str| {
        let mut claims = claims(issuer, "eva");
        claims["preferred_username"] = json!("eva");
        claims
    };
    let good = claims("shared");
    let secret = Key::Secret(SECRET.to_vec());
    let sign = |claims: &Value| secret.token("any", claims);
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        sign(&claims)
    };
    let without = |name: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().expect("an object").remove(name);
        sign(&claims)
    };
    let now = now() as u64;
    let mut wrong = vec![
        ("expired", with("exp", json!(now - 31))),
        ("without an end", without("exp")),
        ("an end that is no number", with("exp", json!("tomorrow"))),
        ("not valid yet", with("nbf", json!(now + 60))),
        ("for another audience", with("aud", json!("mail"))),
        ("for other audiences", with("aud", json!(["mail", "Voxpost"]))),
        ("for nobody", without("aud")),
        ("of nobody", without("iss")),
        ("of an unknown issuer", with("iss", json!("https://evil.example"))),
        (
            "of an issuer's name in another spelling",
            with("iss", json!("Shared")),
        ),
        ("without a subject", without("sub")),
        ("with an empty subject", with("sub", json!(""))),
        ("with a subject that is no text", with("sub", json!(["eva"]))),
        ("another secret", Key::Secret(vec![b'x'; 40]).token("any", &good)),
        ("an empty secret", Key::Secret(Vec::new()).token("any", &good)),
    ];

    let (from_ed, from_rsa) = (claims(ed_issuer), claims(rsa_issuer));
    let ((ed, _), (rsa, _), (ec, _)) = (
        world.key(ed_issuer),
        world.key(rsa_issuer),
        world.key("https://ec.example/"),
    );
    let as_secret = |bytes: &[u8], claims: &Value| {
        let key = Key::Secret(bytes.to_vec());
        ["rsa", "ed"].map(|kid| key.token(kid, claims))
    };
    let text = |jwk: &Value, name: &str| jwk[name].as_str().expect("text").to_owned();
    let (rsa_jwk, ed_jwk) = (rsa.jwk("rsa"), ed.jwk("ed"));
    for (why, bytes) in [
        ("HS256 with the public key's PEM", rsa.rsa_pem()),
        ("HS256 with the PEM, trimmed", rsa.rsa_pem().trim().to_owned()),
        ("HS256 with the JWK", rsa_jwk.to_string()),
        ("HS256 with the JWK's modulus", text(&rsa_jwk, "n")),
        ("HS256 with the JWK's x", text(&ed_jwk, "x")),
        ("HS256 with the JWK Set", world.jwks.clone()),
    ] {
        for claims in [&from_rsa, &from_ed] {
            wrong.extend(as_secret(bytes.as_bytes(), claims).map(|token| (why, token)));
        }
    }
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        for claims in [&good, &from_ed, &from_rsa] {
            let header = json!({"alg": alg, "typ": "JWT", "kid": "ed"});
            wrong.push(("alg none", format!("{}.", unsigned(&header, claims))));
            wrong.push(("alg none with a signature", secret.token_with(&header, claims)));
        }
    }
    let stranger = Key::edwards();
    let signed = unsigned(&json!({"alg": "EdDSA", "kid": "ed"}), &from_ed);
    let jwk_in_header = json!({"alg": "EdDSA", "kid": "ed", "jwk": stranger.jwk("ed")});
    wrong.extend([
        ("one issuer's secret for the other", secret.token("ed", &from_ed)),
        ("one issuer's key for the other", ed.token("ed", &good)),
        ("a published key of another algorithm", ec.token("ec", &from_ed)),
        ("RS256 for the issuer of EdDSA", rsa.token("rsa", &from_ed)),
        (
            "a stranger's key under a known name",
            stranger.token("ed", &from_ed),
        ),
        ("a key of an unknown name", ed.token("other", &from_ed)),
        (
            "a key that came along",
            stranger.token_with(&jwk_in_header, &from_ed),
        ),
        (
            "an algorithm that is not the key's",
            rsa.token_with(&json!({"alg": "RS512", "kid": "rsa"}), &from_rsa),
        ),
        ("no signature", format!("{signed}.")),
        ("a signature of zeros", format!("{signed}.{}", base64([0; 64]))),
        ("two parts", signed),
        ("nothing", "..".to_owned()),
        ("no base64", "%%%.%%%.%%%".to_owned()),
        (
            "an endless one",
            format!("{}.{}.x", "A".repeat(6000), "A".repeat(6000)),
        ),
    ]);
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_opens_with_a_token_as_subprotocol_and_closes_when_it_expires() {
    let world = World::new().await;
    let bearer = |token: &str| format!("voxpost.v1, bearer.{token}");
    for (issuer, _, _) in &world.issuers {
        let protocols = bearer(&world.token(issuer, &claims(issuer, "7")));
        let headers = [("sec-websocket-protocol", protocols.as_str())];
        let chosen = Socket::knock(world.server.base(), &headers).await;
        assert_eq!(chosen.as_deref(), Ok("voxpost.v1"), "{issuer}");
    }
    let mut short = claims("shared", "7");
    let end = now() + 3.0;
    short["exp"] = json!(end);
    let token = world.token("shared", &short);
    let mut socket = Socket::connect(world.server.base(), &token, None).await;
    let goodbye = socket.closed().await;
    assert!(now() >= end, "not before its time");
    assert_eq!(goodbye.code, Some(4401));
    assert!(goodbye.reason.contains("expired"), "{}", goodbye.reason);
    refused(&world.me(&token).await, "expired");
    let headers = [("sec-websocket-protocol", bearer(&token))];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(Socket::knock(world.server.base(), &headers).await, Err(401));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_change_are_fetched_and_strange_names_fetch_nothing_more() {
    let (old, new, never) = (Key::edwards(), Key::edwards(), Key::edwards());
    let publisher = Publisher::start(http("200 OK", "", &jwks(&[old.jwk("old")]))).await;
    let server = server_with_keys_at(&publisher.url()).await;
    let claims = claims("remote", "7");
    let first: Me = me(&server, &old.token("old", &claims)).await.expect(200).json();

    publisher.publish(http("200 OK", "", &jwks(&[new.jwk("new")])));
    let second: Me = me(&server, &new.token("new", &claims)).await.expect(200).json();
    assert_eq!(second.id, first.id, "another key, the same person");
    refused(
        &me(&server, &old.token("old", &claims)).await,
        "a key that was withdrawn",
    );

    let asked = publisher.asked();
    for n in 0..50 {
        let token = never.token(&format!("invented-{n}"), &claims);
        refused(&me(&server, &token).await, "an invented key");
    }
    assert_eq!(
        publisher.asked(),
        asked,
        "whoever invents names must not drive traffic"
    );
    // Keys that are there stay, whatever the issuer's server says now.
    publisher.publish(http("500 Internal Server Error", "", "down"));
    me(&server, &new.token("new", &claims)).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_starts_without_the_keys_and_takes_tokens_once_they_are_there() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    drop(listener);
    let key = Key::edwards();
    let token = key.token("ed", &claims("remote", "7"));
    let server = server_with_keys_at(&format!("http://127.0.0.1:{port}/jwks.json")).await;
    let answer = me(&server, &token).await;
    assert_eq!(answer.status, 503, "{}", answer.text());
    answer.problem(ErrorCode::Unavailable);
    assert!(!answer.header("retry-after").is_empty());
    server.person("local").await;

    let listener = TcpListener::bind(("127.0.0.1", port))
        .await
        .expect("the same port");
    Publisher::on(listener, http("200 OK", "", &jwks(&[key.jwk("ed")])));
    eventually("the keys to be fetched", || async {
        let answer = me(&server, &token).await;
        assert!([200, 503].contains(&answer.status), "{}", answer.text());
        (answer.status == 200).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_set_of_keys_is_not_taken_for_one() {
    let key = Key::edwards();
    let good = http("200 OK", "", &jwks(&[key.jwk("ed")]));
    let elsewhere = Publisher::start(good).await;
    let large = json!({"keys": [key.jwk("ed")], "more": "x".repeat(1 << 20)}).to_string();
    let answers = [
        (
            "moved",
            http("302 Found", &format!("location: {}\r\n", elsewhere.url()), ""),
        ),
        ("missing", http("404 Not Found", "", &jwks(&[key.jwk("ed")]))),
        ("large", http("200 OK", "", &large)),
        ("empty", http("200 OK", "", &jwks(&[]))),
        ("page", http("200 OK", "", "<html>Sign in</html>")),
        ("other", http("200 OK", "", &jwks(&[Key::curve().jwk("ed")]))),
    ];
    let mut publishers = Vec::new();
    let mut issuers = Vec::new();
    for (name, answer) in &answers {
        let publisher = Publisher::start(answer.clone()).await;
        issuers.push(format!(
            "issuer={name},audience={AUDIENCE},algorithm=EdDSA,jwks_url={}",
            publisher.url()
        ));
        publishers.push(publisher);
    }
    let server = options()
        .env("VOXPOST_JWT_ISSUER", issuers.join(";"))
        .start()
        .await;
    for ((name, _), publisher) in answers.iter().zip(&publishers) {
        let answer = me(&server, &key.token("ed", &claims(name, "7"))).await;
        assert_eq!(answer.status, 503, "{name}: {}", answer.text());
        assert!(publisher.asked() > 0, "{name}");
    }
    assert_eq!(elsewhere.asked(), 0, "a redirect leads nowhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_cannot_be_used_keeps_the_server_from_starting_and_is_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = |name: &str| dir.path().join(name).display().to_string();
    std::fs::write(path("short"), "short-secret").expect("written");
    std::fs::write(path("jwks.json"), jwks(&[Key::curve().jwk("ec")])).expect("written");
    for (rest, word) in [
        (format!("algorithm=HS256,secret_file={}", path("short")), "32"),
        (
            format!("algorithm=HS256,secret_file={}", path("nowhere")),
            "nowhere",
        ),
        (
            format!("algorithm=EdDSA,jwks_file={}", path("jwks.json")),
            "EdDSA",
        ),
        (
            format!("algorithm=HS256,jwks_file={}", path("jwks.json")),
            "secret_file",
        ),
        (
            "algorithm=RS256,jwks_url=http://id.example/keys".to_owned(),
            "https",
        ),
        ("jwks_url=https://id.example/keys".to_owned(), "algorithm"),
    ] {
        let issuer = format!("issuer=one,audience={AUDIENCE},{rest}");
        let data = tempfile::tempdir().expect("a folder");
        let started = options()
            .arg("--jwt-issuer")
            .arg(issuer)
            .try_start_in(data.path())
            .await;
        let Err(told) = started else {
            panic!("started with {rest}")
        };
        assert!(
            told.contains("--jwt-issuer") && told.contains(word),
            "{rest}: {told}"
        );
        assert!(!told.contains("short-secret"), "{told}");
    }
}
