//! Every endpoint of the server's own description, as the wrong person and as nobody.
//!
//! The table below must name exactly what `/openapi.json` names: an endpoint that is added without a line here fails, and
//! so does a line whose endpoint is gone.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};
use voxpost_proto::ErrorCode;
use voxpost_testkit::{Clip, Person, client, exchange, fresh_id};

use crate::server;

/// Who may call an endpoint.
#[derive(Clone, Copy, Debug, PartialEq)]
enum For {
    /// Anybody, without a token.
    Anybody,
    /// Whoever is signed in, about themselves alone.
    Oneself,
    /// Those who belong to the thing in the path; for others it does not exist.
    Insiders,
}

/// Method, path and who; `{}` bodies are replaced by [`body`].
const ENDPOINTS: &[(&str, &str, For)] = &[
    ("GET", "/healthz", For::Anybody),
    ("GET", "/readyz", For::Anybody),
    ("GET", "/v1/config", For::Anybody),
    ("POST", "/v1/accounts", For::Anybody),
    ("POST", "/v1/sessions", For::Anybody),
    ("GET", "/v1/sessions", For::Oneself),
    ("DELETE", "/v1/sessions/current", For::Oneself),
    ("DELETE", "/v1/sessions/{id}", For::Insiders),
    ("GET", "/v1/me", For::Oneself),
    ("PATCH", "/v1/me", For::Oneself),
    ("DELETE", "/v1/me", For::Oneself),
    ("PUT", "/v1/me/password", For::Oneself),
    ("GET", "/v1/users", For::Oneself),
    ("POST", "/v1/conversations", For::Oneself),
    ("GET", "/v1/conversations", For::Oneself),
    ("GET", "/v1/conversations/{id}", For::Insiders),
    ("PATCH", "/v1/conversations/{id}", For::Insiders),
    ("POST", "/v1/conversations/{id}/members", For::Insiders),
    (
        "DELETE",
        "/v1/conversations/{id}/members/{user_id}",
        For::Insiders,
    ),
    ("GET", "/v1/conversations/{id}/messages", For::Insiders),
    ("POST", "/v1/conversations/{id}/messages", For::Insiders),
    ("PUT", "/v1/conversations/{id}/read", For::Insiders),
    ("PUT", "/v1/conversations/{id}/delivered", For::Insiders),
    ("GET", "/v1/messages/{id}", For::Insiders),
    ("DELETE", "/v1/messages/{id}", For::Insiders),
    ("GET", "/v1/messages/{id}/audio", For::Insiders),
    ("HEAD", "/v1/messages/{id}/audio", For::Insiders),
    ("POST", "/v1/messages/{id}/audio-url", For::Insiders),
    ("POST", "/v1/messages/{id}/finish", For::Insiders),
    ("GET", "/v1/drafts", For::Oneself),
    ("POST", "/v1/uploads", For::Oneself),
    ("POST", "/v1/uploads/presign", For::Oneself),
    ("GET", "/v1/uploads/{id}", For::Insiders),
    ("HEAD", "/v1/uploads/{id}", For::Insiders),
    ("PATCH", "/v1/uploads/{id}", For::Insiders),
    ("POST", "/v1/uploads/{id}", For::Insiders),
    ("DELETE", "/v1/uploads/{id}", For::Insiders),
    ("GET", "/v1/messages/{id}/waveform", For::Insiders),
    ("GET", "/v1/messages/{id}/playback", For::Insiders),
    ("PUT", "/v1/messages/{id}/playback", For::Insiders),
    ("GET", "/v1/playback", For::Oneself),
    ("GET", "/v1/socket", For::Oneself),
    ("GET", "/v1/sync", For::Oneself),
];

/// What the people in the test belong to: a session and an upload of ana's, a conversation and a message of ana and ben.
struct Things {
    session: String,
    upload: String,
    conversation: String,
    message: String,
    ben: String,
}

impl Things {
    fn address(&self, path: &str) -> String {
        let id = match path {
            _ if path.starts_with("/v1/sessions") => &self.session,
            _ if path.starts_with("/v1/conversations") => &self.conversation,
            _ if path.starts_with("/v1/uploads") => &self.upload,
            _ => &self.message,
        };
        let path = path.replace("{id}", id).replace("{user_id}", &self.ben);
        match path.as_str() {
            "/v1/users" => format!("{path}?query=ana"),
            waveform if waveform.ends_with("/waveform") => format!("{path}?dialect=matrix"),
            _ => path,
        }
    }
}

/// A body that would be right if the right person sent it.
fn body(method: &str, path: &str) -> Option<Value> {
    Some(match (method, path) {
        ("POST", "/v1/accounts") => json!({"username": "newcomer", "password": Person::PASSWORD}),
        ("POST", "/v1/sessions") => json!({"username": "ana", "password": Person::PASSWORD}),
        ("PATCH", "/v1/me") => json!({"display_name": "Somebody"}),
        ("DELETE", "/v1/me") => json!({"password": Person::PASSWORD}),
        ("PUT", "/v1/me/password") => {
            json!({"current_password": "not this one", "new_password": "another long one"})
        }
        ("POST", "/v1/conversations") => json!({"kind": "group", "title": "mine", "members": []}),
        ("POST", "/v1/uploads/presign") => json!({
            "conversation_id": fresh_id(), "type": "audio/ogg", "size_bytes": 10, "sha256": "0".repeat(64),
        }),
        ("PATCH", "/v1/conversations/{id}") => json!({"title": "stolen"}),
        ("POST", "/v1/conversations/{id}/members") => json!({"members": ["mallory"]}),
        ("PUT", "/v1/conversations/{id}/read" | "/v1/conversations/{id}/delivered") => json!({"seq": 1}),
        ("PUT", "/v1/messages/{id}/playback") => json!({
            "player_id": fresh_id(), "device_id": fresh_id(), "report_id": fresh_id(),
            "base_version": 0, "position_ms": 100, "speed": 1.0, "heard": [[0, 100]],
        }),
        _ => return None,
    })
}

fn request(
    builder: reqwest::RequestBuilder,
    method: &str,
    path: &str,
    clip: &Clip,
) -> reqwest::RequestBuilder {
    if (method, path) == ("POST", "/v1/conversations/{id}/messages") {
        let form = reqwest::multipart::Form::new()
            .text("client_id", fresh_id().to_string())
            .part(
                "audio",
                reqwest::multipart::Part::bytes(clip.bytes.clone()).file_name("a"),
            );
        return builder.multipart(form);
    }
    if path == "/v1/uploads" || path == "/v1/uploads/{id}" {
        let builder = builder.header("Tus-Resumable", "1.0.0");
        return match (method, path) {
            ("POST", "/v1/uploads") => builder.header("Upload-Length", 10),
            ("PATCH" | "POST", _) => builder
                .header("X-HTTP-Method-Override", "PATCH")
                .header("Upload-Offset", 0)
                .header("Content-Type", "application/offset+octet-stream")
                .body("x"),
            _ => builder,
        };
    }
    match body(method, path) {
        Some(body) => builder.json(&body),
        None => builder,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_endpoint_refuses_nobody_and_the_wrong_person() {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let mallory = server.person("mallory").await;
    let group = ana.group("secret", &[&ben]).await;
    let clip = Clip::webm(0.5, 440);
    let message = ana.say(group.id, &clip).await;
    let phone = ana.sign_in("phone").await;
    let sessions: Value = phone.get("/v1/sessions").await.expect(200).json();
    let session = sessions["items"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|s| s["current"] == true);
    let begun = ana
        .request(Method::POST, "/v1/uploads")
        .header("Tus-Resumable", "1.0.0");
    let begun = exchange(begun.header("Upload-Length", 10)).await.expect(201);
    let upload = begun.header("location").rsplit('/').next().map(str::to_owned);
    let things = Things {
        upload: upload.expect("an id"),
        session: session.expect("the phone's")["id"]
            .as_str()
            .expect("an id")
            .to_owned(),
        conversation: group.id.to_string(),
        message: message.id.to_string(),
        ben: ben.user.id.to_string(),
    };

    let document: Value = exchange(client().get(format!("{}/openapi.json", server.base())))
        .await
        .expect(200)
        .json();
    assert_eq!(
        described(&document),
        listed(),
        "the table in this file and /openapi.json differ"
    );

    let before = snapshot(&ana, &things).await;
    for (method, path, who) in ENDPOINTS {
        let name = format!("{method} {path}");
        let verb: Method = method.parse().expect("a method");
        let address = things.address(path);
        let url = format!("{}{address}", server.base());

        // Nobody, somebody with a made-up token, and one with a token that was good until a moment ago.
        if *who != For::Anybody {
            let nobody = request(client().request(verb.clone(), &url), method, path, &clip);
            let forged =
                request(client().request(verb.clone(), &url), method, path, &clip).bearer_auth("AAAA");
            for builder in [nobody, forged] {
                let answer = exchange(builder).await;
                assert_eq!(answer.status, 401, "{name} as nobody: {}", answer.text());
                if verb != Method::HEAD {
                    answer.problem(ErrorCode::Unauthenticated);
                }
            }
        }
        if *who == For::Insiders {
            let wrong = exchange(request(
                mallory.request(verb.clone(), &address),
                method,
                path,
                &clip,
            ))
            .await;
            assert_eq!(wrong.status, 404, "{name} as the wrong person: {}", wrong.text());
            if verb != Method::HEAD {
                wrong.problem(ErrorCode::NotFound);
            }
            // A thing that is not there looks exactly like one that is not yours.
            let nothing = Things {
                upload: fresh_id().to_string(),
                session: fresh_id().to_string(),
                conversation: fresh_id().to_string(),
                message: fresh_id().to_string(),
                ben: things.ben.clone(),
            };
            let absent = nothing.address(path);
            let absent = exchange(request(mallory.request(verb, &absent), method, path, &clip)).await;
            assert_eq!(
                (absent.status, &absent.body),
                (wrong.status, &wrong.body),
                "{name} tells what exists"
            );
        }
    }
    assert_eq!(
        snapshot(&ana, &things).await,
        before,
        "somebody who may not changed something"
    );
    phone.get("/v1/me").await.expect(200);
    ana.audio(message.id).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_hold_nothing_of_other_people() {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let mallory = server.person("mallory").await;
    let start = mallory.socket().await.vanish();
    let conversation = ana.talk_to(&ben).await;
    ana.say(conversation.id, &Clip::webm(0.5, 440)).await;

    let conversations: Value = mallory.get("/v1/conversations").await.expect(200).json();
    assert_eq!(conversations["items"], json!([]));
    assert!(mallory.sync(&start, 0).await.items.is_empty());
    // A token of another person opens nothing of theirs.
    let anas_token = ana.socket().await.vanish();
    let answer = mallory
        .get(&format!("/v1/sync?since={anas_token}&wait_ms=0"))
        .await;
    let page: Value = if answer.status == 200 {
        answer.json()
    } else {
        json!({"items": []})
    };
    assert_eq!(page["items"], json!([]));
    let sessions: Value = mallory.get("/v1/sessions").await.expect(200).json();
    assert_eq!(sessions["items"].as_array().map(Vec::len), Some(1));
}

/// What ana can see of what mallory must not change.
async fn snapshot(ana: &Person, things: &Things) -> Vec<Value> {
    let mut seen = Vec::new();
    for path in [
        "/v1/me".to_owned(),
        format!("/v1/conversations/{}", things.conversation),
        format!("/v1/uploads/{}", things.upload),
    ] {
        seen.push(ana.get(&path).await.expect(200).json());
    }
    let list: Value = ana
        .get(&format!("/v1/conversations/{}/messages", things.conversation))
        .await
        .expect(200)
        .json();
    let ids: Vec<Value> = list["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|m| m["id"].clone())
        .collect();
    seen.push(Value::Array(ids));
    seen
}

fn described(document: &Value) -> BTreeMap<String, ()> {
    let mut all = BTreeMap::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for method in methods.as_object().expect("methods").keys() {
            if matches!(
                method.as_str(),
                "get" | "post" | "put" | "patch" | "delete" | "head"
            ) {
                all.insert(format!("{} {path}", method.to_uppercase()), ());
            }
        }
    }
    all
}

fn listed() -> BTreeMap<String, ()> {
    ENDPOINTS
        .iter()
        .map(|(method, path, _)| (format!("{method} {path}"), ()))
        .collect()
}
