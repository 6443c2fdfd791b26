//! Signing up, in and out.

use std::os::unix::fs::PermissionsExt;

use voxpost_testkit::Person;

use crate::shell::Shell;
use crate::{exit, server};

#[tokio::test(flavor = "multi_thread")]
async fn signing_up_keeps_a_session_that_only_its_owner_can_read() {
    let server = server().await;
    let shell = Shell::signed_up(&server, "ana").await;
    let mode = std::fs::metadata(shell.session_file())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let me = shell
        .run(&["whoami", "--json"])
        .await
        .expect_code(exit::OK)
        .object();
    assert_eq!(
        (me["username"].as_str(), me["url"].as_str()),
        (Some("ana"), Some(server.base()))
    );
    let text = shell.run(&["whoami"]).await.expect_code(exit::OK).text();
    assert!(text.starts_with("ana (ana) at http://"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_not_signed_in_and_leaves_no_session() {
    let server = server().await;
    Shell::signed_up(&server, "ana").await;
    let shell = Shell::new();
    let args = ["login", server.base(), "ana", "--password-stdin", "--json"];
    let error = shell
        .run_with_input(&args, b"not the password\n")
        .await
        .expect_code(exit::NOT_SIGNED_IN)
        .error();
    assert_eq!(
        (error["code"].as_str(), error["exit"].as_i64()),
        (Some("unauthenticated"), Some(3))
    );
    assert!(!shell.session_file().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_taken_is_refused() {
    let server = server().await;
    Shell::signed_up(&server, "ana").await;
    let shell = Shell::new();
    let ran = shell
        .login(&server, "ana", &["--sign-up", "--json"])
        .await
        .expect_code(exit::REFUSED);
    assert_eq!(ran.error()["code"], "conflict");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_session_ends_at_the_server_too() {
    let server = server().await;
    let mut shell = Shell::signed_up(&server, "ana").await;
    let session: serde_json::Value = serde_json::from_slice(&shell.read(shell.session_file())).unwrap();
    shell.run(&["logout"]).await.expect_code(exit::OK);
    assert!(!shell.session_file().exists());
    let ran = shell.run(&["whoami"]).await.expect_code(exit::NOT_SIGNED_IN);
    assert!(ran.stderr.contains("voxpost login"), "{}", ran.stderr);

    shell.set("VOXPOST_URL", server.base());
    shell.set("VOXPOST_TOKEN", session["token"].as_str().unwrap());
    let error = shell
        .run(&["whoami", "--json"])
        .await
        .expect_code(exit::NOT_SIGNED_IN)
        .error();
    assert_eq!(error["code"], "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_the_environment_needs_no_session() {
    let server = server().await;
    let ana = server.person("ana").await;
    let mut shell = Shell::new();
    shell.set("VOXPOST_TOKEN", &ana.token);
    shell.run(&["whoami"]).await.expect_code(exit::USAGE);
    shell.set("VOXPOST_URL", server.base());
    let me = shell
        .run(&["whoami", "--json"])
        .await
        .expect_code(exit::OK)
        .object();
    assert_eq!(me["id"], ana.user.id.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_not_shown_to_another_server() {
    let server = server().await;
    let shell = Shell::signed_up(&server, "ana").await;
    let ran = shell.run(&["whoami", "--url", "http://127.0.0.1:9"]).await;
    ran.expect_code(exit::NOT_SIGNED_IN);
}

#[tokio::test]
async fn without_a_server_it_says_so_and_what_to_check() {
    let shell = Shell::new();
    // Port 9 (discard) has no listener.
    let args = ["login", "http://127.0.0.1:9", "ana", "--password-stdin"];
    let input = format!("{}\n", Person::PASSWORD);
    let ran = shell
        .run_with_input(&args, input.as_bytes())
        .await
        .expect_code(exit::UNREACHABLE);
    assert!(
        ran.stderr.contains("http://127.0.0.1:9") && ran.stderr.contains("--url"),
        "{}",
        ran.stderr
    );
}

#[tokio::test]
async fn an_address_without_http_is_a_matter_of_usage() {
    let ran = Shell::new()
        .run(&["login", "voice.example.org", "ana"])
        .await
        .expect_code(exit::USAGE);
    assert!(ran.stderr.contains("https://"), "{}", ran.stderr);
    Shell::new()
        .run(&["login", "--sign-down"])
        .await
        .expect_code(exit::USAGE);
    Shell::new()
        .run(&["login", "--password", "x"])
        .await
        .expect_code(exit::USAGE);
}
