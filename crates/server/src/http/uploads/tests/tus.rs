use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};
use voxpost_proto::ErrorCode;
use voxpost_proto::api::{Message, UploadState};

use super::{append, call, create, create_alone, files, metadata, offset, status, upload_id};
use crate::http::messages::tests::{CHROMIUM, Stage};

#[tokio::test]
async fn an_upload_in_pieces_becomes_a_message_with_the_answer_to_the_last() {
    let stage = Stage::new().await;
    let path = create(&stage, CHROMIUM.len()).await;
    let (head, tail) = CHROMIUM.split_at(CHROMIUM.len() / 2);
    let answer = append(&stage, &path, 0, head).await.expect(204);
    assert_eq!(answer.header("upload-offset"), head.len().to_string());
    assert_eq!(answer.header("tus-resumable"), "1.0.0");
    assert!(answer.header("upload-expires").ends_with("GMT"));

    let asked = call(&stage, "HEAD", &path, &[], "").await.expect(200);
    assert_eq!(asked.header("upload-offset"), head.len().to_string());
    assert_eq!(asked.header("upload-length"), CHROMIUM.len().to_string());
    assert_eq!(asked.header("cache-control"), "no-store");
    assert!(asked.header("upload-metadata").contains("filename YS53ZWJt"));
    assert_eq!(status(&stage, &path).await.state, UploadState::Receiving);

    let answer = append(&stage, &path, head.len(), tail).await.expect(204);
    let id = answer.header("voxpost-message-id").parse().unwrap();
    let message: Message = stage.message(&stage.ben.token, id).await.expect(200).parse();
    assert_eq!(message.seq, Some(1));
    let direct = stage.say(CHROMIUM).await;
    assert_eq!(
        message.audio.unwrap().size_bytes,
        direct.audio.unwrap().size_bytes,
        "as by multipart"
    );
    let told = status(&stage, &path).await;
    assert_eq!((told.state, told.message_id), (UploadState::Sent, Some(id)));
    assert_eq!(offset(&stage, &path).await, CHROMIUM.len().to_string());
    assert_eq!(files(&stage), 0, "its bytes are the message's now");

    let again = append(&stage, &path, CHROMIUM.len(), b"").await.expect(204);
    assert_eq!(again.header("voxpost-message-id"), id.to_string());
}

#[tokio::test]
async fn however_it_is_cut_what_is_kept_is_what_was_sent() {
    let stage = Stage::new().await;
    let bytes: Vec<u8> = (0..1_000_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    for (piece, frame) in [
        (1_000_000, 1_000_000),
        (400_001, 65_536),
        (300_007, 100_003),
        (131_072, 131_072),
    ] {
        let path = create_alone(&stage, bytes.len()).await;
        let mut at = 0;
        for piece in bytes.chunks(piece) {
            let (offset, length) = (at.to_string(), piece.len().to_string());
            let headers = [("upload-offset", &*offset), ("content-length", &length)];
            let frames: Vec<_> = piece
                .chunks(frame)
                .map(|frame| Ok::<_, std::io::Error>(frame.to_vec()))
                .collect();
            let body = axum::body::Body::from_stream(futures_util::stream::iter(frames));
            call(&stage, "PATCH", &path, &headers, body).await.expect(204);
            at += piece.len();
        }
        let kept = std::fs::read(stage.app.app.uploads.dir.join(upload_id(&path).to_string())).unwrap();
        assert!(kept == bytes, "{piece} at a time, in frames of {frame}");
    }
}

#[tokio::test]
async fn bytes_go_on_where_the_durable_ones_end_and_nowhere_else() {
    let stage = Stage::new().await;
    let path = create(&stage, 10).await;
    append(&stage, &path, 0, b"abcd").await.expect(204);
    for wrong in [0, 3, 5, 10] {
        let answer = append(&stage, &path, wrong, b"x").await;
        assert_eq!(answer.header("upload-offset"), "4");
        answer.problem(ErrorCode::UploadOffsetMismatch);
    }
    assert_eq!(offset(&stage, &path).await, "4");
}

#[tokio::test]
async fn the_first_bytes_may_come_with_the_creation_and_all_of_them_too() {
    let stage = Stage::new().await;
    let metadata = metadata(&[("conversation_id", &stage.conversation.to_string())]);
    let length = CHROMIUM.len().to_string();
    let headers = [
        ("content-type", "application/offset+octet-stream"),
        ("upload-length", &*length),
        ("upload-metadata", &metadata),
    ];
    let part = call(&stage, "POST", "/v1/uploads", &headers, &CHROMIUM[..100])
        .await
        .expect(201);
    assert_eq!(part.header("upload-offset"), "100");
    let path = part.header("location").to_owned();
    append(&stage, &path, 100, &CHROMIUM[100..]).await.expect(204);

    let whole = call(&stage, "POST", "/v1/uploads", &headers, CHROMIUM)
        .await
        .expect(201);
    assert_eq!(whole.header("upload-offset"), length);
    let id = whole.header("voxpost-message-id").parse().unwrap();
    stage.message(&stage.ben.token, id).await.expect(200);
}

#[tokio::test]
async fn the_length_may_come_later_and_then_stays() {
    let stage = Stage::new().await;
    let metadata = metadata(&[("conversation_id", &stage.conversation.to_string())]);
    let headers = [("upload-defer-length", "1"), ("upload-metadata", &*metadata)];
    let made = call(&stage, "POST", "/v1/uploads", &headers, "")
        .await
        .expect(201);
    let path = made.header("location").to_owned();
    append(&stage, &path, 0, &CHROMIUM[..50]).await.expect(204);
    let asked = call(&stage, "HEAD", &path, &[], "").await.expect(200);
    assert_eq!(asked.header("upload-defer-length"), "1");
    assert_eq!(asked.header("upload-length"), "");
    assert_eq!(status(&stage, &path).await.length, None);

    let length = CHROMIUM.len().to_string();
    let told = [("upload-offset", "50"), ("upload-length", &*length)];
    call(&stage, "PATCH", &path, &told, &CHROMIUM[50..90])
        .await
        .expect(204);
    let other = [("upload-offset", "90"), ("upload-length", "95")];
    call(&stage, "PATCH", &path, &other, &CHROMIUM[90..95])
        .await
        .problem(ErrorCode::InvalidRequest);
    let answer = append(&stage, &path, 90, &CHROMIUM[90..]).await.expect(204);
    assert_ne!(answer.header("voxpost-message-id"), "");
}

#[tokio::test]
async fn bytes_with_a_wrong_checksum_are_dropped_and_with_a_right_one_kept() {
    let stage = Stage::new().await;
    let path = create(&stage, 10).await;
    append(&stage, &path, 0, b"abc").await.expect(204);
    let right = format!("sha256 {}", BASE64.encode(Sha256::digest(b"def")));
    let headers = [("upload-offset", "3"), ("upload-checksum", &*right)];
    let answer = call(&stage, "PATCH", &path, &headers, "xyz").await;
    assert_eq!(answer.header("upload-offset"), "3");
    answer.problem(ErrorCode::ChecksumMismatch);
    assert_eq!(offset(&stage, &path).await, "3");
    call(&stage, "PATCH", &path, &headers, "def").await.expect(204);
    assert_eq!(offset(&stage, &path).await, "6");
    let unknown = [("upload-offset", "6"), ("upload-checksum", "md5 AAAA")];
    call(&stage, "PATCH", &path, &unknown, "ghi")
        .await
        .problem(ErrorCode::InvalidRequest);
}

#[tokio::test]
async fn more_than_was_announced_or_is_allowed_is_refused() {
    let stage = Stage::with(&["--max-audio-bytes", "1000"]).await;
    let answer = call(&stage, "POST", "/v1/uploads", &[("upload-length", "1001")], "").await;
    assert_eq!(answer.header("tus-resumable"), "1.0.0");
    answer.problem(ErrorCode::AudioTooLarge);

    let path = create(&stage, 10).await;
    append(&stage, &path, 0, b"abcdefgh").await.expect(204);
    append(&stage, &path, 8, b"ijkl")
        .await
        .problem(ErrorCode::AudioTooLarge);
    assert_eq!(offset(&stage, &path).await, "8");

    let deferred = [("upload-defer-length", "1")];
    let made = call(&stage, "POST", "/v1/uploads", &deferred, "")
        .await
        .expect(201);
    let path = made.header("location").to_owned();
    append(&stage, &path, 0, &[0; 1001])
        .await
        .problem(ErrorCode::AudioTooLarge);
    assert_eq!(offset(&stage, &path).await, "0");
}

#[tokio::test]
async fn who_speaks_another_version_or_type_is_told_which_is_spoken() {
    let stage = Stage::new().await;
    let path = create(&stage, 10).await;
    for (method, path) in [
        ("POST", "/v1/uploads"),
        ("PATCH", &*path),
        ("HEAD", &*path),
        ("DELETE", &*path),
    ] {
        for version in ["", "0.2.2"] {
            let headers = [
                ("tus-resumable", version),
                ("upload-offset", "0"),
                ("upload-length", "3"),
            ];
            let answer = call(&stage, method, path, &headers, "").await.expect(412);
            assert_eq!(answer.header("tus-version"), "1.0.0");
        }
    }
    let headers = [
        ("content-type", "application/octet-stream"),
        ("upload-offset", "0"),
    ];
    call(&stage, "PATCH", &path, &headers, "abc")
        .await
        .problem(ErrorCode::UnsupportedMediaType);
    for bad in ["", "-1", "+1", "1.5", "x", "99999999999999999999"] {
        let headers = [("upload-offset", bad)];
        call(&stage, "PATCH", &path, &headers, "abc")
            .await
            .problem(ErrorCode::InvalidRequest);
    }
    for bad in [
        &[][..],
        &[("upload-length", "-5")],
        &[("upload-defer-length", "2")],
        &[("upload-length", "5"), ("upload-defer-length", "1")],
        &[
            ("upload-length", "5"),
            ("upload-metadata", "conversation_id bm8="),
        ],
    ] {
        call(&stage, "POST", "/v1/uploads", bad, "")
            .await
            .problem(ErrorCode::InvalidRequest);
    }
}

#[tokio::test]
async fn what_is_spoken_is_told_to_everybody_and_to_pages_of_other_sites() {
    let stage = Stage::with(&["--allowed-origin", "https://app.example"]).await;
    let path = create(&stage, 10).await;
    for (path, extra) in [
        ("/v1/uploads", &[][..]),
        (&path, &[]),
        (
            "/v1/uploads",
            &[
                ("origin", "https://app.example"),
                ("access-control-request-method", "PATCH"),
                ("access-control-request-headers", "upload-offset"),
            ],
        ),
    ] {
        let headers = [&[("authorization", ""), ("tus-resumable", "")], extra].concat();
        let answer = call(&stage, "OPTIONS", path, &headers, "").await;
        assert!(answer.status.is_success());
        assert_eq!(answer.header("tus-version"), "1.0.0");
        assert_eq!(answer.header("tus-max-size"), (512 << 20).to_string());
        assert_eq!(answer.header("tus-checksum-algorithm"), "sha256,sha1");
        for extension in [
            "creation",
            "creation-with-upload",
            "creation-defer-length",
            "checksum",
            "expiration",
            "termination",
        ] {
            let known = answer.header("tus-extension").split(',');
            assert!(known.into_iter().any(|known| known == extension), "{extension}");
        }
        if !extra.is_empty() {
            let allowed = answer.header("access-control-allow-headers").to_lowercase();
            assert!(allowed.contains("upload-offset") && allowed.contains("tus-resumable"));
            let methods = answer.header("access-control-allow-methods");
            assert!(methods.contains("PATCH") && methods.contains("HEAD") && methods.contains("DELETE"));
        }
    }
    let headers = [("origin", "https://app.example")];
    let answer = call(&stage, "HEAD", &path, &headers, "").await.expect(200);
    let shown = answer.header("access-control-expose-headers").to_lowercase();
    for name in [
        "upload-offset",
        "location",
        "upload-expires",
        "voxpost-message-id",
        "tus-resumable",
    ] {
        assert!(shown.contains(name), "{name}");
    }
}

#[tokio::test]
async fn an_upload_of_somebody_else_is_not_there() {
    let stage = Stage::new().await;
    let path = create(&stage, 10).await;
    let ben = format!("Bearer {}", stage.ben.token);
    let headers = [("authorization", &*ben), ("upload-offset", "0")];
    for method in ["HEAD", "PATCH", "DELETE"] {
        call(&stage, method, &path, &headers, "abc").await.expect(404);
    }
    stage
        .app
        .get(&path, &stage.ben.token)
        .await
        .problem(ErrorCode::NotFound);
    let nobody = [("authorization", "Bearer no"), ("upload-offset", "0")];
    call(&stage, "PATCH", &path, &nobody, "abc").await.expect(401);
    assert_eq!(offset(&stage, &path).await, "0");
}

#[tokio::test]
async fn an_ended_upload_is_gone_with_its_bytes() {
    let stage = Stage::new().await;
    let path = create(&stage, 10).await;
    append(&stage, &path, 0, b"abc").await.expect(204);
    assert_eq!(files(&stage), 1);
    call(&stage, "DELETE", &path, &[], "").await.expect(204);
    assert_eq!(files(&stage), 0);
    call(&stage, "HEAD", &path, &[], "").await.expect(404);
    call(&stage, "DELETE", &path, &[], "")
        .await
        .problem(ErrorCode::NotFound);
}

#[tokio::test]
async fn who_cannot_send_patch_names_it_in_a_header() {
    let stage = Stage::new().await;
    let path = create(&stage, 10).await;
    let headers = [
        ("x-http-method-override", "PATCH"),
        ("content-type", "application/offset+octet-stream"),
        ("upload-offset", "0"),
    ];
    let answer = call(&stage, "POST", &path, &headers, "abc").await.expect(204);
    assert_eq!(answer.header("upload-offset"), "3");
    call(&stage, "POST", &path, &[], "")
        .await
        .problem(ErrorCode::MethodNotAllowed);
    let headers = [("x-http-method-override", "DELETE")];
    call(&stage, "POST", &path, &headers, "").await.expect(204);
}
