//! The interop versions of the IETF draft.

use voxpost_proto::ErrorCode;
use voxpost_proto::api::UploadState;

use super::{call, metadata, status};
use crate::http::messages::tests::{CHROMIUM, Stage};

/// (version, the header that says whether it is the end, how it says that it is not, how it says that it is)
const VERSIONS: [(&str, &str, &str, &str); 3] = [
    ("3", "upload-incomplete", "?1", "?0"),
    ("5", "upload-complete", "?0", "?1"),
    ("6", "upload-complete", "?0", "?1"),
];

#[tokio::test]
async fn an_upload_goes_on_and_ends_in_every_version() {
    let stage = Stage::new().await;
    let metadata = metadata(&[("conversation_id", &stage.conversation.to_string())]);
    for (version, name, more, last) in VERSIONS {
        let base = [
            ("tus-resumable", ""),
            ("upload-draft-interop-version", version),
            ("content-type", "application/partial-upload"),
        ];
        let headers = [&base[..], &[(name, more), ("upload-metadata", &*metadata)]].concat();
        let made = call(&stage, "POST", "/v1/uploads", &headers, &CHROMIUM[..100])
            .await
            .expect(201);
        assert_eq!(made.header("upload-offset"), "100");
        assert_eq!(made.header(name), more);
        assert_eq!(made.header("upload-draft-interop-version"), version);
        assert_eq!(made.header("tus-resumable"), "");
        let path = made.header("location").to_owned();

        let asked = call(&stage, "HEAD", &path, &base, "").await.expect(204);
        assert_eq!((asked.header("upload-offset"), asked.header(name)), ("100", more));
        assert_eq!(asked.header("cache-control"), "no-store");

        let headers = [&base[..], &[(name, more), ("upload-offset", "40")]].concat();
        let wrong = call(&stage, "PATCH", &path, &headers, "x").await.expect(409);
        assert_eq!((wrong.header("upload-offset"), wrong.header(name)), ("100", more));
        let problem = wrong.json();
        assert_eq!(problem["code"], "upload_offset_mismatch");
        if version == "6" {
            assert_eq!(
                problem["type"],
                "https://iana.org/assignments/http-problem-types#mismatching-upload-offset"
            );
            assert_eq!(
                (&problem["expected-offset"], &problem["provided-offset"]),
                (&100.into(), &40.into())
            );
        }

        let headers = [&base[..], &[(name, more), ("upload-offset", "100")]].concat();
        let part = call(&stage, "PATCH", &path, &headers, &CHROMIUM[100..200])
            .await
            .expect(201);
        assert_eq!((part.header("upload-offset"), part.header(name)), ("200", more));

        let headers = [&base[..], &[(name, last), ("upload-offset", "200")]].concat();
        let whole = call(&stage, "PATCH", &path, &headers, &CHROMIUM[200..])
            .await
            .expect(204);
        assert_eq!(whole.header(name), last);
        let id = whole.header("voxpost-message-id").parse().unwrap();
        stage.message(&stage.ben.token, id).await.expect(200);
        let asked = call(&stage, "HEAD", &path, &base, "").await.expect(204);
        assert_eq!(asked.header(name), last);
        call(&stage, "DELETE", &path, &base, "").await.expect(204);
    }
}

#[tokio::test]
async fn a_creation_that_is_the_whole_is_sent_at_once() {
    let stage = Stage::new().await;
    let metadata = metadata(&[("conversation_id", &stage.conversation.to_string())]);
    for (version, name, _, last) in VERSIONS {
        let headers = [
            ("tus-resumable", ""),
            ("upload-draft-interop-version", version),
            (name, last),
            ("upload-metadata", &*metadata),
        ];
        let whole = call(&stage, "POST", "/v1/uploads", &headers, CHROMIUM)
            .await
            .expect(201);
        assert_ne!(whole.header("voxpost-message-id"), "");
        assert_eq!(
            status(&stage, whole.header("location")).await.state,
            UploadState::Sent
        );
    }
}

#[tokio::test]
async fn what_the_draft_does_not_allow_is_refused() {
    let stage = Stage::new().await;
    let version = |version| [("tus-resumable", ""), ("upload-draft-interop-version", version)];
    let with = |base: [(&'static str, &'static str); 2], more: &[(&'static str, &'static str)]| {
        [&base[..], more].concat()
    };
    for (headers, status) in [
        (with(version("7"), &[("upload-complete", "?0")]), 412),
        (with(version("6"), &[]), 400),
        (with(version("3"), &[("upload-complete", "?0")]), 400),
        (with(version("6"), &[("upload-complete", "yes")]), 400),
        (
            with(version("6"), &[("upload-complete", "?0"), ("upload-offset", "3")]),
            400,
        ),
        (
            with(
                version("6"),
                &[
                    ("upload-complete", "?1"),
                    ("upload-length", "9"),
                    ("content-length", "2"),
                ],
            ),
            400,
        ),
    ] {
        call(&stage, "POST", "/v1/uploads", &headers, "ab")
            .await
            .expect(status);
    }
    let headers = with(version("6"), &[("upload-complete", "?0")]);
    let made = call(&stage, "POST", "/v1/uploads", &headers, "ab")
        .await
        .expect(201);
    let headers = with(
        version("6"),
        &[
            ("upload-complete", "?0"),
            ("upload-offset", "2"),
            ("content-type", "application/octet-stream"),
        ],
    );
    call(&stage, "PATCH", made.header("location"), &headers, "c")
        .await
        .problem(ErrorCode::UnsupportedMediaType);
}
