//! Accounts from outside: signing up, in and out, settings, searching, leaving.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use voxpost_proto::ErrorCode;

use crate::auth::authenticate;
use crate::testing::{Answer, PASSWORD, TestApp};

async fn keyed(test: &TestApp, path: &str, key: &str, body: &Value) -> Answer {
    let request = Request::post(path)
        .header("content-type", "application/json")
        .header("idempotency-key", key)
        .body(Body::from(body.to_string()));
    test.send(request.unwrap()).await
}

#[tokio::test]
async fn a_person_signs_up_signs_in_elsewhere_and_ends_that_session() {
    let test = TestApp::new().await;
    let ana = test.person("Ana").await;
    assert_eq!(ana.user.username, "ana");
    let body = json!({"username": "ANA", "password": PASSWORD, "device_name": "phone"});
    let phone: Value = test.post("/v1/sessions", "", body).await.expect(201).json();
    let phone = phone["token"].as_str().unwrap();
    test.get("/v1/me", phone).await.expect(200);
    let list = test.get("/v1/sessions", &ana.token).await.expect(200).json();
    let other = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|s| s["current"] == false)
        .unwrap();
    assert_eq!(other["device_name"], "phone");
    let path = format!("/v1/sessions/{}", other["id"].as_str().unwrap());
    let ben = test.person("ben").await;
    test.delete(&path, &ben.token).await.problem(ErrorCode::NotFound);

    let caller = authenticate(&test.app, phone).await.unwrap();
    let mut ended = test.app.sessions.subscribe();
    test.delete(&path, &ana.token).await.expect(204);
    let news = ended.recv().await.unwrap();
    assert!(news.hits(caller.user_id, caller.session_id));
    test.get("/v1/me", phone)
        .await
        .problem(ErrorCode::Unauthenticated);
    test.delete("/v1/sessions/current", &ana.token).await.expect(204);
    test.get("/v1/me", &ana.token)
        .await
        .problem(ErrorCode::Unauthenticated);
}

#[tokio::test]
async fn a_wrong_name_and_a_wrong_password_look_the_same() {
    let test = TestApp::new().await;
    test.person("ana").await;
    let try_in = |name: &str| {
        let body = json!({"username": name, "password": "not the right one"});
        async { test.post("/v1/sessions", "", body).await.expect(401) }
    };
    assert_eq!(try_in("ana").await.body, try_in("nobody").await.body);
}

#[tokio::test]
async fn a_repeated_request_gets_the_same_token_and_another_one_a_conflict() {
    let test = TestApp::new().await;
    let key = "0192a1b2-0000-7000-8000-000000000001";
    let body = json!({"username": "ana", "password": PASSWORD});
    let first = keyed(&test, "/v1/accounts", key, &body).await.expect(201).json();
    assert_eq!(
        keyed(&test, "/v1/accounts", key, &body).await.expect(200).json(),
        first
    );
    let other = json!({"username": "ana", "password": "some other password"});
    keyed(&test, "/v1/accounts", key, &other)
        .await
        .problem(ErrorCode::Conflict);
    test.post("/v1/accounts", "", body.clone())
        .await
        .problem(ErrorCode::Conflict);

    let key = "0192a1b2-0000-7000-8000-000000000002";
    let first = keyed(&test, "/v1/sessions", key, &body).await.expect(201).json();
    let again = keyed(&test, "/v1/sessions", key, &body).await.expect(200).json();
    assert_eq!(first, again);
    test.get("/v1/me", again["token"].as_str().unwrap())
        .await
        .expect(200);
}

#[tokio::test]
async fn settings_change_one_by_one_and_null_takes_the_locale_away() {
    let test = TestApp::new().await;
    let ana = test.person("ana").await;
    let me = test.get("/v1/me", &ana.token).await.expect(200).json();
    assert_eq!(
        (&me["accepts_voice"], &me["sends_played_receipts"]),
        (&json!(true), &json!(true))
    );
    let body = json!({"display_name": "  Ana B. ", "locale": "zh-CN", "accepts_voice": false});
    let me = test.patch("/v1/me", &ana.token, body).await.expect(200).json();
    assert_eq!(
        (&me["display_name"], &me["locale"]),
        (&json!("Ana B."), &json!("zh-CN"))
    );
    let me = test
        .patch("/v1/me", &ana.token, json!({"locale": null}))
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&me["accepts_voice"], &me["locale"]),
        (&json!(false), &Value::Null)
    );
    for bad in [
        json!({"display_name": ""}),
        json!({"locale": "?"}),
        json!({"accepts_voice": 1}),
    ] {
        test.patch("/v1/me", &ana.token, bad)
            .await
            .problem(ErrorCode::InvalidRequest);
    }
}

#[tokio::test]
async fn a_new_password_ends_every_other_session() {
    let test = TestApp::new().await;
    let ana = test.person("ana").await;
    let body = json!({"username": "ana", "password": PASSWORD});
    let phone: Value = test
        .post("/v1/sessions", "", body.clone())
        .await
        .expect(201)
        .json();
    let change = |current: &str| {
        let body = json!({"current_password": current, "new_password": "another long one"});
        async { test.put("/v1/me/password", &ana.token, body).await }
    };
    change("wrong").await.problem(ErrorCode::Forbidden);
    change(PASSWORD).await.expect(204);
    test.get("/v1/me", &ana.token).await.expect(200);
    test.get("/v1/me", phone["token"].as_str().unwrap())
        .await
        .problem(ErrorCode::Unauthenticated);
    test.post("/v1/sessions", "", body)
        .await
        .problem(ErrorCode::Unauthenticated);
}

#[tokio::test]
async fn people_are_found_by_three_letters_page_by_page() {
    let test = TestApp::new().await;
    let ana = test.person("ana").await;
    for name in ["anna", "joanna", "hannah"] {
        test.person(name).await;
    }
    test.patch("/v1/me", &ana.token, json!({"display_name": "ÄNNCHEN"}))
        .await
        .expect(200);
    let names = async |query: &str| -> Vec<String> {
        let page = test
            .get(&format!("/v1/users?{query}"), &ana.token)
            .await
            .expect(200)
            .json();
        let items = page["items"].as_array().unwrap();
        items
            .iter()
            .map(|user| user["username"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names("query=anna").await, ["anna", "hannah", "joanna"]);
    assert_eq!(names("query=%C3%A4nn").await, ["ana"]);
    let first = test
        .get("/v1/users?query=anna&limit=2", &ana.token)
        .await
        .expect(200)
        .json();
    assert_eq!(
        names(&format!(
            "query=anna&limit=2&after={}",
            first["next"].as_str().unwrap()
        ))
        .await,
        ["joanna"]
    );
    for bad in ["", "query=an", "query=anna&limit=0", "query=anna&after=x"] {
        let path = format!("/v1/users?{bad}");
        test.get(&path, &ana.token)
            .await
            .problem(ErrorCode::InvalidRequest);
    }
}

#[tokio::test]
async fn a_deleted_account_leaves_a_direct_conversation_that_nobody_can_send_to() {
    let test = TestApp::new().await;
    let (ana, ben) = (test.person("ana").await, test.person("ben").await);
    let body = json!({"kind": "direct", "members": ["ben"]});
    let made = test
        .post("/v1/conversations", &ana.token, body)
        .await
        .expect(201)
        .json();
    test.delete("/v1/me", &ben.token).await.expect(204);
    test.get("/v1/me", &ben.token)
        .await
        .problem(ErrorCode::Unauthenticated);
    let path = format!("/v1/conversations/{}", made["id"].as_str().unwrap());
    let seen = test.get(&path, &ana.token).await.expect(200).json();
    assert_eq!(
        seen["can_send"],
        json!({"voice": false, "reason": "account_deleted"})
    );
    assert!(
        !seen.to_string().contains("\"ben\""),
        "the profile is not blank: {seen}"
    );
    let body = json!({"username": "ben", "password": PASSWORD});
    test.post("/v1/sessions", "", body.clone())
        .await
        .problem(ErrorCode::Unauthenticated);
    test.post("/v1/accounts", "", body)
        .await
        .problem(ErrorCode::Conflict);
    let found = test
        .get("/v1/users?query=deleted", &ana.token)
        .await
        .expect(200)
        .json();
    assert_eq!(found["items"], json!([]));
}

#[tokio::test]
async fn browsers_are_told_to_stay_with_https_only_where_the_certificate_is_the_operators() {
    for (args, strict) in [
        (vec!["--tls-cert", "a.crt", "--tls-key", "a.key"], true),
        (vec!["--tls", "self-signed"], false),
        (vec![], false),
    ] {
        let test = TestApp::with(&args).await;
        let answer = test.get("/healthz", "").await.expect(200);
        let told = answer.headers.contains_key("strict-transport-security");
        assert_eq!(told, strict, "{args:?}");
    }
}

#[tokio::test]
async fn readiness_is_looked_at_once_for_all_who_ask_in_a_second() {
    let test = TestApp::new().await;
    test.get("/readyz", "").await.expect(200);
    let before = *test.app.store.commits().borrow();
    let asked = (0..20).map(|_| test.get("/readyz", ""));
    for answer in futures_util::future::join_all(asked).await {
        answer.expect(200);
    }
    assert!(*test.app.store.commits().borrow() - before <= 1);
}
