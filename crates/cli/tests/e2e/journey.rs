//! From one person's mouth to another's ear.

use voxpost_proto::api::{ConversationSummary, MessageState, Page, WaveformSource};
use voxpost_proto::socket::Change;
use voxpost_testkit::sound::similarity;
use voxpost_testkit::{Clip, client, exchange};

use crate::{server, sha256};

#[tokio::test(flavor = "multi_thread")]
async fn what_one_says_the_other_hears_bit_for_bit() {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let mut bens_socket = ben.socket().await;

    let conversation = ana.talk_to(&ben).await;
    let told = bens_socket
        .wait_for_event("conversation.created", |event| match &event.change {
            Change::ConversationCreated { conversation } => Some(conversation.id),
            _ => None,
        })
        .await;
    assert_eq!(told, conversation.id);

    let clip = Clip::webm(3.0, 300);
    let sent = ana.say(conversation.id, &clip).await;
    assert_eq!((sent.seq, sent.state), (Some(1), MessageState::Ready));
    assert!(
        sent.duration_ms.is_some_and(|ms| (2_900..=3_100).contains(&ms)),
        "{:?}",
        sent.duration_ms
    );
    let source = sent.source.clone().expect("it has a source");
    assert_eq!(source.media_type, "audio/webm; codecs=opus");
    assert!(!source.transcoded);

    let heard = bens_socket
        .wait_for_event("message.created", |event| match &event.change {
            Change::MessageCreated { message } => Some(message.clone()),
            _ => None,
        })
        .await;
    assert_eq!(
        (heard.id, heard.seq, heard.conversation_id),
        (sent.id, Some(1), conversation.id)
    );
    assert_eq!(heard.sender.username, "ana");

    // An <audio> element has no header to send: the signed path is enough.
    let audio = heard.audio.clone().expect("a ready message has sound");
    let got = exchange(client().get(format!("{}{}", server.base(), audio.url)))
        .await
        .expect(200);
    assert_eq!(got.header("content-type"), audio.media_type);
    assert_eq!(got.body.len() as i64, audio.size_bytes);
    assert_eq!(sha256(&got.body), audio.sha256);
    let served = Clip { bytes: got.body };
    assert!(served.bytes.starts_with(b"OggS"));
    assert_eq!(
        served.probe().hashes(),
        clip.probe().hashes(),
        "every packet is the sender's own"
    );
    assert!(likeness(&clip.samples(), &served.samples()) > 0.99);

    let measured = bens_socket
        .wait_for_event(
            "message.updated with what the server measured",
            |event| match &event.change {
                Change::MessageUpdated { message } if message.loudness_lufs.is_some() => {
                    Some(message.clone())
                }
                _ => None,
            },
        )
        .await;
    assert_eq!(measured.waveform_source, Some(WaveformSource::Server));
    assert!(
        measured
            .waveform
            .is_some_and(|points| points.len() == 100 && points.iter().any(|p| *p > 0))
    );
    assert!(measured.version > heard.version);
    assert_eq!(
        measured.audio.expect("still").sha256,
        audio.sha256,
        "the object never changes"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn unread_counts_and_read_marks_follow_the_listener() {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await;
    let clip = Clip::webm(1.0, 500);
    for _ in 0..3 {
        ana.say(conversation.id, &clip).await;
    }
    let counts = async |person: &voxpost_testkit::Person| {
        let page: Page<ConversationSummary> = person.get("/v1/conversations").await.expect(200).json();
        let line = page.items.into_iter().next().expect("one conversation");
        (
            line.unread_count,
            line.last_message.and_then(|message| message.seq),
        )
    };
    assert_eq!(counts(&ben).await, (3, Some(3)));
    assert_eq!(
        counts(&ana).await,
        (0, Some(3)),
        "one's own messages are never unread"
    );

    let mut anas_socket = ana.socket().await;
    let path = format!("/v1/conversations/{}/read", conversation.id);
    ben.put(&path, &serde_json::json!({"seq": 2})).await.expect(204);
    let (reader, seq) = anas_socket
        .wait_for_event("read.updated", |event| match &event.change {
            Change::ReadUpdated { user, seq } => Some((user.id, *seq)),
            _ => None,
        })
        .await;
    assert_eq!((reader, seq), (ben.user.id, 2));
    assert_eq!(counts(&ben).await.0, 1);

    ben.put(&path, &serde_json::json!({"seq": 1})).await.expect(204);
    assert_eq!(counts(&ben).await.0, 1, "a read mark never goes back");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_accepted_format_arrives_as_the_same_sound() {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await;
    let original = Clip::webm(3.0, 250);
    let spoken = original.samples();
    let forms: &[(&str, &[&str], bool)] = &[
        ("ogg opus", &["-c:a", "copy", "-f", "ogg"], false),
        ("mp4 opus", &["-c:a", "copy", "-f", "mp4"], false),
        (
            "fragmented mp4 opus",
            &[
                "-c:a",
                "copy",
                "-f",
                "mp4",
                "-movflags",
                "frag_keyframe+empty_moov+default_base_moof",
            ],
            false,
        ),
        ("wav", &["-c:a", "pcm_s16le", "-ar", "44100", "-f", "wav"], true),
        (
            "stereo float wav",
            &["-c:a", "pcm_f32le", "-ac", "2", "-ar", "96000", "-f", "wav"],
            true,
        ),
        ("flac", &["-c:a", "flac", "-f", "flac"], true),
        ("mp3", &["-c:a", "libmp3lame", "-b:a", "64k", "-f", "mp3"], true),
        ("m4a", &["-c:a", "aac", "-b:a", "64k", "-f", "ipod"], true),
        ("adts", &["-c:a", "aac", "-b:a", "64k", "-f", "adts"], true),
        ("vorbis", &["-c:a", "libvorbis", "-f", "ogg"], true),
    ];
    for (name, arguments, transcoded) in forms {
        let clip = original.as_ffmpeg_writes(arguments);
        let message = ana.say(conversation.id, &clip).await;
        assert_eq!(
            message.source.expect("a source").transcoded,
            *transcoded,
            "{name}"
        );
        let ms = message.duration_ms.expect("a duration");
        // ADTS has no place to say how much of its first and last frame is padding.
        let tolerance = if *name == "adts" { 100 } else { 60 };
        assert!((ms - 3_000).abs() <= tolerance, "{name}: {ms} ms");
        let served = Clip {
            bytes: ben.audio(message.id).await.expect(200).body,
        };
        let probe = served.probe();
        assert_eq!(probe.streams[0].codec_name, "opus", "{name}");
        let like = likeness(&spoken, &served.samples());
        assert!(like > 0.9, "{name}: likeness {like}");
    }
}

/// Correlation of the waveforms at the best shift: 1 is the same.
fn likeness(a: &[f32], b: &[f32]) -> f64 {
    similarity(a, b, 16_000).correlation
}
