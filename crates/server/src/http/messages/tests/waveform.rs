use voxpost_proto::ErrorCode;

use super::{CHROMIUM, MP3, Stage};
use crate::housekeeping::{self, Rhythm};

#[tokio::test(flavor = "multi_thread")]
async fn a_waveform_comes_in_each_dialect_once_it_is_measured() {
    let stage = Stage::new().await;
    let token = &stage.ben.token;
    let sender = stage
        .send(&[("waveform", b"[1,2,3]"), ("audio", CHROMIUM)])
        .await
        .expect(201);
    let path = format!("/v1/messages/{}/waveform?dialect=", super::id(&sender));
    // What its sender says of it is not passed on.
    let answer = stage.app.get(&format!("{path}matrix"), token).await;
    assert_eq!(answer.header("retry-after"), "1");
    answer.problem(ErrorCode::Unavailable);

    housekeeping::start(&stage.app.app, Rhythm::default())
        .await
        .unwrap();
    let matrix = loop {
        let answer = stage.app.get(&format!("{path}matrix"), token).await;
        if answer.status != 503 {
            break answer.expect(200).json();
        }
        tokio::task::yield_now().await;
    };
    let message = stage.message(token, super::id(&sender)).await.expect(200).json();
    assert_eq!(matrix["waveform"], message["waveform"]);
    assert_eq!(matrix["duration"], message["duration_ms"]);
    for (dialect, field) in [
        ("telegram", "waveform"),
        ("discord", "waveform"),
        ("whatsapp", "waveform"),
        ("stream", "waveform_data"),
        ("audiowaveform", "data"),
    ] {
        let answer = stage
            .app
            .get(&format!("{path}{dialect}"), token)
            .await
            .expect(200);
        assert!(!answer.json()[field].is_null(), "{dialect}");
    }
    let eva = stage.app.person("eva").await;
    let strange = stage.app.get(&format!("{path}matrix"), &eva.token).await;
    strange.problem(ErrorCode::NotFound);
    let unknown = stage.app.get(&format!("{path}nostr"), token).await;
    assert!(
        unknown
            .problem(ErrorCode::NotAcceptable)
            .contains("audiowaveform")
    );
    let none = stage.app.get(path.split('?').next().unwrap(), token).await;
    none.problem(ErrorCode::InvalidRequest);
}

#[tokio::test]
async fn what_had_to_be_decoded_has_its_waveform_at_once() {
    let stage = Stage::new().await;
    let message = stage.say(MP3).await;
    let path = format!("/v1/messages/{}/waveform?dialect=telegram", message.id);
    let telegram = stage.app.get(&path, &stage.ana.token).await.expect(200).json();
    assert_eq!(telegram["waveform"].as_str().unwrap().len(), 84);
}
