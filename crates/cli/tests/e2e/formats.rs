//! What telephones and messengers record goes in over HTTP and comes out as the same speech, in every format of this build.

use std::path::Path;
use std::process::Command;

use voxpost_proto::ErrorCode;
use voxpost_proto::api::ServerConfig;
use voxpost_testkit::{Clip, Voice, client, exchange, sound};

use crate::server;

const FIXTURES: &str = "crates/audio/fixtures";

#[tokio::test(flavor = "multi_thread")]
async fn what_telephones_and_old_programs_record_is_heard() {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let spoken = sound::read_wav(&root.join(FIXTURES).join("sound/speech.flac"));

    for (name, mime, ms) in [
        ("amr-nb-12k2.amr", "audio/amr", 3_220),
        ("amr-nb-no-magic.amr", "audio/amr", 3_220),
        ("amr-wb-6k6.amr", "audio/amr-wb", 3_200),
        ("amr-nb.3gp", "audio/mp4; codecs=samr", 3_220),
        ("he-aac-44k1.m4a", "audio/mp4; codecs=mp4a.40.2", 3_197),
        ("garbage-in-front-16k.mp3", "audio/mpeg", 3_207),
        ("mp3-in-16k.wav", "audio/wav", 3_207),
        ("ms-adpcm-16k.wav", "audio/wav", 1_500),
        ("alac-16k.caf", "audio/x-caf", 1_500),
        ("mulaw-8k.aifc", "audio/aiff", 1_500),
        ("flac-16k.mka", "audio/webm", 1_500),
        ("opus-5.1.mp4", "audio/mp4; codecs=opus", 1_500),
        ("../opus/frames-20.caf", "audio/x-caf; codecs=opus", 2_014),
    ] {
        let clip = Clip::file(&format!("{FIXTURES}/sound/{name}"));
        let message = ana.say(conversation.id, &clip).await;
        let duration = message.duration_ms.expect("it is ready");
        assert!((duration - ms).abs() <= 70, "{name}: {duration} ms");
        assert!(!message.truncated && message.missing_ms == 0, "{name}");
        let source = message.source.as_ref().expect("it is ready");
        assert_eq!(source.media_type, mime, "{name}");

        let heard = sound::decode_ogg_opus(&ben.audio(message.id).await.expect(200).body);
        let part = heard.len().min(spoken.len());
        let found = sound::similarity(&spoken[..part], &heard, sound::RATE);
        assert!(found.is_same_speech(), "{name}: {found:?}");
        assert!(found.lag_samples.abs() < 1_500, "{name}: {found:?}");
    }
}

/// What a program says on both channels; it must succeed.
fn said(program: &str, arguments: &[&str]) -> (String, String) {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .expect("it is installed");
    assert!(output.status.success(), "{program} {arguments:?}");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (text(output.stdout), text(output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_format_of_this_build_is_served_as_the_same_speech_and_can_be_sought() {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await;
    let clip = Clip::file(&format!("{FIXTURES}/sound/speech.flac"));
    let message = ana.say(conversation.id, &clip).await;
    let seconds = message.duration_ms.expect("it is ready") as f64 / 1_000.0;
    let spoken = sound::decode_ogg_opus(&ben.audio(message.id).await.expect(200).body);
    let config: ServerConfig = exchange(client().get(format!("{}/v1/config", server.base())))
        .await
        .json();
    assert!(config.renditions.len() >= 4, "{config:?}");
    assert_eq!(message.audio.expect("it is ready").formats, config.renditions);

    let dir = tempfile::tempdir().expect("a directory");
    for format in &config.renditions {
        let served = ben
            .get(&format!("/v1/messages/{}/audio?format={format}", message.id))
            .await
            .expect(200);
        let path = dir.path().join(format!("served.{format}"));
        std::fs::write(&path, &served.body).expect("a file");
        let file = path.to_str().expect("a path in UTF-8");
        let show = [
            "-v",
            "warning",
            "-show_entries",
            "format=duration",
            "-of",
            "csv=p=0",
            file,
        ];
        let (duration, warnings) = said("ffprobe", &show);
        assert_eq!(warnings, "", "{format}");
        let excess = duration.trim().parse::<f64>().expect("a number") - seconds;
        assert!((-0.001..0.05).contains(&excess), "{format}: {excess} s longer");

        // From a place in the middle, compared with the same place of what was kept.
        let rest = dir.path().join("rest.wav");
        // ffmpeg's own Opus decoder differs from the reference; its AAC and MP3 decoders are the only ones.
        let decoder: &[&str] = match format.as_str() {
            "ogg" | "webm" | "mp4" => &["-c:a", "libopus"],
            _ => &[],
        };
        let out = ["-i", file, rest.to_str().expect("a path in UTF-8")];
        said(
            "ffmpeg",
            &[&["-nostdin", "-v", "error", "-y", "-ss", "1.2"], decoder, &out].concat(),
        );
        let heard = sound::read_wav(&rest);
        let found = sound::similarity(&spoken[57_600..], &heard, sound::RATE);
        assert!(found.is_same_speech(), "{format}: {found:?}");
        assert!(found.lag_samples.abs() < 3_000, "{format}: {found:?}");
        let range = ben
            .request(
                reqwest::Method::GET,
                &format!("/v1/messages/{}/audio?format={format}", message.id),
            )
            .header("range", "bytes=100-199");
        assert!(
            exchange(range).await.expect(206).body == served.body[100..200],
            "{format}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn silk_is_heard_where_the_build_has_it_and_named_where_not() {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await;
    let config: ServerConfig = exchange(client().get(format!("{}/v1/config", server.base())))
        .await
        .json();
    let spoken = sound::read_wav(
        &Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .join(FIXTURES)
            .join("sound/speech.flac"),
    );
    for name in ["wechat-24k.silk", "silk-16k.silk"] {
        let clip = Clip::file(&format!("{FIXTURES}/sound/{name}"));
        if !config
            .accepted_types
            .iter()
            .any(|accepted| accepted == "audio/silk")
        {
            let refused = ana.send(conversation.id, &Voice::of(&clip)).await;
            let problem = refused.problem(ErrorCode::AudioUnsupported);
            assert!(problem.detail.contains("SILK v3"), "{problem:?}");
            continue;
        }
        let message = ana.say(conversation.id, &clip).await;
        assert_eq!(message.duration_ms, Some(1_500), "{name}");
        assert_eq!(message.source.expect("it is ready").media_type, "audio/silk");
        let heard = sound::decode_ogg_opus(&ben.audio(message.id).await.expect(200).body);
        let found = sound::similarity(&spoken[..heard.len()], &heard, sound::RATE);
        assert!(found.is_same_speech(), "{name}: {found:?}");
        // What breaks the decoder breaks its process, and nothing else.
        let cut = Clip {
            bytes: clip.bytes[..20].to_vec(),
        };
        let refused = ana.send(conversation.id, &Voice::of(&cut)).await;
        assert!(refused.status == 422, "{}", refused.text());
    }
    ana.say(conversation.id, &Clip::webm(1.0, 440)).await;
}
