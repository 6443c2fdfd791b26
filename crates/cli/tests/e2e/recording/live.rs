//! Recordings that are heard while they are made.

use std::process::Stdio;

use serde_json::json;
use tokio::io::AsyncReadExt;
use uuid::Uuid;
use voxpost_proto::api::{Message, MessageState};
use voxpost_proto::rtp::RtpHeader;
use voxpost_proto::socket::{Change, ServerMessage};
use voxpost_proto::{BinaryMessage, ErrorCode};
use voxpost_testkit::{Encoded, Person, Recorder, Server, Socket, eventually, patiently};

use super::{holds, record, refusal, same};
use crate::{options, server, sha256};

/// Two people whose conversation takes live recordings.
async fn two_who_talk_live(server: &Server) -> (Person, Person, Uuid) {
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await.id;
    let path = format!("/v1/conversations/{conversation}");
    ana.patch(&path, &json!({"live": true})).await.expect(200);
    (ana, ben, conversation)
}

/// Puts some packets of a clip into the sender and sends them.
async fn say(recorder: &mut Recorder, socket: &mut Socket, packets: &[(Vec<u8>, u32)]) {
    for (packet, samples) in packets {
        recorder.sender.push(packet, *samples);
    }
    recorder.transmit(socket, 500).await;
}

async fn seen(person: &Person, id: Uuid, state: MessageState) -> Message {
    eventually("the message in its state", || async {
        let answer = person.get(&format!("/v1/messages/{id}")).await;
        let message: Message = (answer.status == 200).then(|| answer.json())?;
        (message.state == state).then_some(message)
    })
    .await
}

/// The numbers of the packets that came on this socket.
fn heard(socket: &Socket, handle: u32) -> Vec<u16> {
    let messages = socket.binary.iter().map(|bytes| {
        let message = BinaryMessage::parse(bytes).expect("a packet");
        assert_eq!(message.handle, handle);
        RtpHeader::parse(message.body).expect("RTP").0.sequence
    });
    messages.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_recording_is_heard_while_it_is_made() {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await.id;
    let encoded = Encoded::seconds(4.0, 700);
    let (mut anas, mut bens) = (ana.socket().await, ben.socket().await);
    let mut recorder = Recorder::new(&encoded, 0);
    let refused = recorder
        .start(&mut anas, conversation, true)
        .await
        .expect_err("not live");
    assert_eq!(refused.code, ErrorCode::Forbidden);
    ana.patch(
        &format!("/v1/conversations/{conversation}"),
        &json!({"live": true}),
    )
    .await
    .expect(200);
    recorder
        .start(&mut anas, conversation, true)
        .await
        .expect("ready");
    let id = recorder.message_id;
    ben.get(&format!("/v1/messages/{id}"))
        .await
        .problem(ErrorCode::NotFound);

    let half = encoded.packets.len() / 2;
    for (packet, samples) in &encoded.packets[..half] {
        recorder.sender.push(packet, *samples);
    }
    recorder.transmit(&mut anas, 500).await;
    let created = bens.wait_for_event("its beginning", |event| match &event.change {
        Change::MessageCreated { message } => Some((message.id, message.state, message.seq)),
        _ => None,
    });
    assert_eq!(created.await, (id, MessageState::Recording, Some(1)));
    let mut edge = ben.socket().await;
    let (start_handle, from) = join(&mut bens, id, "start").await;
    assert_eq!(from, 0);
    recorder.durable(&mut anas, half as u32 - 1).await;
    let (edge_handle, edge_from) = join(&mut edge, id, "edge").await;
    assert_eq!(edge_from, half as u32);
    let listening = tokio::spawn({
        let ben = ben.clone();
        async move { ben.audio(id).await.expect(200) }
    });
    for (packet, samples) in &encoded.packets[half..] {
        recorder.sender.push(packet, *samples);
        recorder.transmit(&mut anas, 500).await;
    }
    let message = recorder
        .finish(&mut anas, Some(encoded.samples), false)
        .await
        .expect("ready");
    assert_eq!(message.seq, Some(1));

    for (socket, handle, first) in [(&mut bens, start_handle, 0), (&mut edge, edge_handle, half)] {
        let packets = socket
            .wait_for("the end of it", |message| match message {
                ServerMessage::LiveEnded { handle: of, packets } if *of == handle => Some(*packets),
                _ => None,
            })
            .await;
        assert_eq!(packets, encoded.packets.len() as u32);
        let mut heard: Vec<(u16, Vec<u8>)> = socket
            .binary
            .iter()
            .map(|bytes| {
                let message = BinaryMessage::parse(bytes).expect("a packet");
                assert_eq!(message.handle, handle);
                let (header, payload) = RtpHeader::parse(message.body).expect("RTP");
                (header.sequence, payload.to_vec())
            })
            .collect();
        heard.sort();
        heard.dedup();
        let payloads: Vec<Vec<u8>> = heard.into_iter().map(|(_, payload)| payload).collect();
        same(&payloads, &encoded.payloads()[first..]);
    }
    let grown = listening.await.expect("no panic");
    assert_eq!(grown.header("cache-control"), "private, no-store");
    assert_eq!(sha256(&grown.body), message.audio.as_ref().expect("sound").sha256);
    holds(&ben, &message, &encoded.payloads()).await;
    server.stop().await;
}

async fn join(socket: &mut Socket, id: Uuid, from: &str) -> (u32, u32) {
    let join = json!({"type": "live.join", "ref": "join", "message_id": id, "from": from});
    socket.say(&join).await;
    socket
        .wait_for("live.ready", |message| match message {
            ServerMessage::LiveReady {
                handle,
                next_sequence,
                ..
            } => Some((*handle, *next_sequence)),
            ServerMessage::Error { problem, .. } => panic!("{problem:?}"),
            _ => None,
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_that_a_listener_asks_for_come_again_from_memory_or_from_the_log() {
    let server = server().await;
    let (ana, ben, conversation) = two_who_talk_live(&server).await;
    let encoded = Encoded::seconds(2.0, 500);
    let (mut anas, mut bens) = (ana.socket().await, ben.socket().await);
    let mut recorder = Recorder::new(&encoded, 0);
    recorder
        .start(&mut anas, conversation, true)
        .await
        .expect("ready");
    say(&mut recorder, &mut anas, &encoded.packets[..40]).await;
    recorder.durable(&mut anas, 39).await;
    seen(&ben, recorder.message_id, MessageState::Recording).await;
    let (handle, from) = join(&mut bens, recorder.message_id, "edge").await;
    assert_eq!(from, 40);
    say(&mut recorder, &mut anas, &encoded.packets[40..50]).await;
    recorder.durable(&mut anas, 49).await;
    let wrong = json!({"type": "live.nack", "ref": 1, "handle": handle + 7, "sequences": [1]});
    bens.say(&wrong).await;
    assert_eq!(refusal(&mut bens).await, ErrorCode::NotFound);
    // Two that were before it came, two that it has had, one that there is not.
    let nack = json!({"type": "live.nack", "ref": 2, "handle": handle, "sequences": [3, 39, 41, 49, 4_000]});
    bens.say(&nack).await;
    say(&mut recorder, &mut anas, &encoded.packets[50..]).await;
    recorder
        .finish(&mut anas, Some(encoded.samples), false)
        .await
        .expect("ready");
    bens.wait_for("the end of it", |message| {
        matches!(message, ServerMessage::LiveEnded { .. }).then_some(())
    })
    .await;
    let mut heard = heard(&bens, handle);
    heard.sort_unstable();
    let mut expected: Vec<u16> = (40..encoded.packets.len() as u16)
        .chain([3, 39, 41, 49])
        .collect();
    expected.sort_unstable();
    assert_eq!(heard, expected);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_recording_that_its_sender_left_is_finished_by_the_server_even_after_a_kill() {
    let server = options().arg("--live-abandoned-after-ms=400").start().await;
    let (ana, ben, conversation) = two_who_talk_live(&server).await;
    let encoded = Encoded::seconds(1.5, 600);
    let mut socket = ana.socket().await;
    let mut recorder = Recorder::new(&encoded, 3);
    recorder
        .start(&mut socket, conversation, true)
        .await
        .expect("ready");
    record(&mut recorder, &encoded);
    recorder.transmit(&mut socket, 500).await;
    let last = 2 + encoded.packets.len() as u32;
    recorder.durable(&mut socket, last).await;
    socket.vanish();
    let server = server.kill().await.start().await;
    let (ana, ben) = (ana.at(server.base()), ben.at(server.base()));
    let message = seen(&ben, recorder.message_id, MessageState::Ready).await;
    assert_eq!((message.seq, message.missing_ms), (Some(1), 0));
    holds(&ben, &message, &encoded.payloads()).await;
    let mut late = ana.socket().await;
    let refused = recorder.resume(&mut late).await.expect_err("it is over");
    assert_eq!(refused.code, ErrorCode::RecordingFinished);
    assert_eq!(refused.packets, Some(encoded.packets.len() as u32));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_removed_from_a_conversation_is_heard_no_further_and_what_was_heard_stays() {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let group = ben.group("choir", &[&ana]).await.id;
    let path = format!("/v1/conversations/{group}");
    ben.patch(&path, &json!({"live": true})).await.expect(200);
    let encoded = Encoded::seconds(2.0, 600);
    let mut socket = ana.socket().await;
    let mut recorder = Recorder::new(&encoded, 0);
    recorder.start(&mut socket, group, true).await.expect("ready");
    say(&mut recorder, &mut socket, &encoded.packets[..40]).await;
    recorder.durable(&mut socket, 39).await;
    let member = format!("{path}/members/{}", ana.user.id);
    ben.delete(&member).await.expect(204);
    let message = seen(&ben, recorder.message_id, MessageState::Ready).await;
    holds(&ben, &message, &encoded.payloads()[..40]).await;
    say(&mut recorder, &mut socket, &encoded.packets[40..]).await;
    assert_eq!(refusal(&mut socket).await, ErrorCode::RecordingFinished);
    let again = Recorder::new(&encoded, 0).start(&mut socket, group, true).await;
    assert_eq!(again.expect_err("not hers").code, ErrorCode::NotFound);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ffmpeg_plays_the_file_while_it_grows_and_to_its_end() {
    let server = server().await;
    let (ana, ben, conversation) = two_who_talk_live(&server).await;
    let encoded = Encoded::seconds(6.0, 500);
    let mut socket = ana.socket().await;
    let mut recorder = Recorder::new(&encoded, 0);
    recorder
        .start(&mut socket, conversation, true)
        .await
        .expect("ready");
    say(&mut recorder, &mut socket, &encoded.packets[..200]).await;
    recorder.durable(&mut socket, 199).await;
    let url = format!("{}/v1/messages/{}/audio", server.base(), recorder.message_id);
    let mut ffmpeg = tokio::process::Command::new("ffmpeg")
        .args([
            "-hide_banner",
            "-loglevel",
            "warning",
            "-probesize",
            "2048",
            "-analyzeduration",
            "0",
        ])
        .args(["-headers", &format!("Authorization: Bearer {}\r\n", ben.token)])
        .args([
            "-c:a", "libopus", "-i", &url, "-f", "s16le", "-ar", "48000", "-ac", "1", "pipe:1",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("ffmpeg runs");
    let mut sound = ffmpeg.stdout.take().expect("piped");
    // A second of it is heard while the other half is not yet spoken.
    let mut pcm = vec![0; 96_000];
    patiently("the first second", sound.read_exact(&mut pcm))
        .await
        .expect("sound");
    say(&mut recorder, &mut socket, &encoded.packets[200..]).await;
    let message = recorder
        .finish(&mut socket, Some(encoded.samples), false)
        .await
        .expect("ready");
    patiently("the rest", sound.read_to_end(&mut pcm))
        .await
        .expect("sound");
    let output = ffmpeg.wait_with_output().await.expect("it ends");
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && words.is_empty(), "{words}");
    // ffmpeg does not cut what the last page tells it to: up to one frame more.
    let samples = pcm.len() as u64 / 2;
    assert!(
        (encoded.samples..=encoded.samples + 960).contains(&samples),
        "{samples} instead of {}",
        encoded.samples
    );
    assert_eq!(message.state, MessageState::Ready);
    server.stop().await;
}
