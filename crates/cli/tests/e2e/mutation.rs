//! Damaged and forged files over HTTP: an answer with a code each time, and a server that stays as it was.

use futures_util::StreamExt;
use futures_util::stream;
use voxpost_proto::Problem;
use voxpost_testkit::{Clip, Voice};

use crate::{Dice, server, soak};

const MIB: u64 = 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn soak_mutated_files_get_an_answer_and_harm_nothing() {
    let count = soak(400, 20_000);
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await.id;
    let seeds = seeds();
    let mut dice = Dice::new("mutation");
    let before = server.resident_kib();

    let mut jobs = stream::iter((0..count).map(|n| {
        let bytes = mutate(&seeds, &mut dice);
        let ana = ana.clone();
        async move {
            let voice = Voice {
                bytes,
                client_id: None,
                ..Voice::of(&Clip { bytes: Vec::new() })
            };
            (n, ana.send(conversation, &voice).await)
        }
    }))
    .buffer_unordered(4);
    let (mut accepted, mut refused) = (0, 0);
    while let Some((n, answer)) = jobs.next().await {
        match answer.status {
            200..=202 => accepted += 1,
            400..=499 => {
                let problem: Problem = answer.json();
                assert_eq!(problem.status, answer.status);
                refused += 1;
            }
            status => panic!("file {n}: {status} {}\n{}", answer.text(), server.log()),
        }
    }
    println!(
        "{accepted} accepted, {refused} refused, {} KiB resident, {before} before",
        server.resident_kib()
    );
    assert!(accepted > 0 && refused > 0, "mutations that prove nothing");
    assert!(
        server.resident_kib() < 400 * MIB,
        "{} KiB are resident",
        server.resident_kib()
    );

    // It is the same server as before, for whoever speaks clearly.
    ana.say(conversation, &Clip::webm(1.0, 440)).await;
    server.stop().await;
}

fn seeds() -> Vec<Vec<u8>> {
    let clip = Clip::webm(1.0, 350);
    let forms: &[&[&str]] = &[
        &["-c:a", "copy", "-f", "webm"],
        &["-c:a", "copy", "-f", "ogg"],
        &["-c:a", "copy", "-f", "mp4"],
        &[
            "-c:a",
            "copy",
            "-f",
            "mp4",
            "-movflags",
            "frag_keyframe+empty_moov+default_base_moof",
        ],
        &["-c:a", "aac", "-f", "ipod"],
        &["-c:a", "aac", "-f", "adts"],
        &["-c:a", "libmp3lame", "-f", "mp3"],
        &["-c:a", "flac", "-f", "flac"],
        &["-c:a", "libvorbis", "-f", "ogg"],
        &["-c:a", "pcm_s16le", "-ar", "16000", "-f", "wav"],
    ];
    let mut seeds = vec![clip.bytes.clone()];
    seeds.extend(forms.iter().map(|form| clip.as_ffmpeg_writes(form).bytes));
    seeds
}

/// One to eight changes of the kinds that break parsers; the head of a file, where its structure is, is hit more often.
fn mutate(seeds: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = seeds[dice.below(seeds.len())].clone();
    for _ in 0..1 + dice.below(8) {
        if bytes.is_empty() {
            break;
        }
        let reach = if dice.below(2) == 0 {
            bytes.len().min(400)
        } else {
            bytes.len()
        };
        let at = dice.below(reach);
        match dice.below(8) {
            0 => bytes[at] ^= 1 << dice.below(8),
            1 => bytes[at] = dice.next() as u8,
            2 => bytes.truncate(at),
            3 => {
                let end = (at + 1 + dice.below(64)).min(bytes.len());
                bytes.drain(at..end);
            }
            4 => {
                let end = (at + 1 + dice.below(512)).min(bytes.len());
                let part = bytes[at..end].to_vec();
                let to = dice.below(bytes.len());
                bytes.splice(to..to, part);
            }
            // Sizes and counts that promise more than there is.
            5 => {
                let end = (at + 4).min(bytes.len());
                bytes[at..end].fill(0xff);
            }
            6 => {
                let end = (at + 8).min(bytes.len());
                bytes[at..end].fill(0);
            }
            _ => {
                let other = &seeds[dice.below(seeds.len())];
                let from = dice.below(other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
        }
    }
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_hours_claimed_in_a_small_file_are_refused_and_not_decoded() {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await.id;
    // Ten hours of digital silence in FLAC are a few hundred kilobytes.
    let silence = "anullsrc=r=8000:cl=mono:d=36000";
    let flac = Clip::from_lavfi(silence, &["-c:a", "flac", "-f", "flac"]);
    assert!(flac.bytes.len() < 10 << 20, "{} bytes", flac.bytes.len());
    let before = server.resident_kib();
    ana.send(conversation, &Voice::of(&flac))
        .await
        .problem(voxpost_proto::ErrorCode::AudioTooLong);
    assert!(server.resident_kib() < before + 100 * MIB);
    assert!(ana.messages(conversation).await.is_empty());
}
