//! What telephones and messengers record goes in over HTTP and comes out as the same speech.

use voxpost_testkit::{Clip, sound};

use crate::server;

const FIXTURES: &str = "crates/audio/fixtures";

#[tokio::test(flavor = "multi_thread")]
async fn what_telephones_and_old_programs_record_is_heard() {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await;
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
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
