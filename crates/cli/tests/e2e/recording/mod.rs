//! Recording over the socket: packets of another program's encoder go in, and come out of the stored file as they are.

mod live;
mod network;

use serde_json::json;
use voxpost_proto::api::{Draft, Message, MessageState, Page};
use voxpost_proto::live::entries;
use voxpost_proto::socket::{Change, ServerMessage};
use voxpost_proto::{BinaryMessage, ErrorCode};
use voxpost_testkit::{Clip, Encoded, Person, Recorder, Socket, eventually, fresh_id};

use crate::{Dice, options, server, sha256, soak};

/// Puts everything of a clip into the sender.
fn record(recorder: &mut Recorder, encoded: &Encoded) {
    for (packet, samples) in &encoded.packets {
        recorder.sender.push(packet, *samples);
    }
}

/// The stored file holds these packets, and other programs find nothing wrong with it.
async fn holds(person: &Person, message: &Message, payloads: &[Vec<u8>]) {
    let audio = person.audio(message.id).await.expect(200);
    assert_eq!(sha256(&audio.body), message.audio.as_ref().expect("sound").sha256);
    let clip = Clip { bytes: audio.body };
    same(&Encoded::of(&clip).payloads(), payloads);
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("voice.ogg");
    std::fs::write(&path, &clip.bytes).expect("room");
    let info = std::process::Command::new("opusinfo")
        .arg(&path)
        .output()
        .expect("opusinfo runs");
    let text = String::from_utf8_lossy(&info.stdout).into_owned() + &String::from_utf8_lossy(&info.stderr);
    assert!(
        info.status.success() && !text.contains("WARNING") && !text.contains("ERROR"),
        "{text}"
    );
}

/// Compares packets without printing them all.
fn same(found: &[Vec<u8>], expected: &[Vec<u8>]) {
    let first = found.iter().zip(expected).position(|(a, b)| a != b);
    let counts = (found.len(), expected.len());
    assert!(
        counts.0 == counts.1 && first.is_none(),
        "of {counts:?} packets number {first:?} is the first that differs"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_is_there_when_its_sender_lets_go_and_nobody_sees_it_before() {
    let server = server().await;
    let (ana, ben, eva) = (
        server.person("ana").await,
        server.person("ben").await,
        server.person("eva").await,
    );
    let conversation = ana.talk_to(&ben).await.id;
    let encoded = Encoded::seconds(3.0, 440);
    let (mut anas, mut bens) = (ana.socket().await, ben.socket().await);
    let mut recorder = Recorder::new(&encoded, 65_500);
    assert_eq!(recorder.start(&mut anas, conversation, false).await, Ok(65_500));
    record(&mut recorder, &encoded);
    recorder.transmit(&mut anas, 2_000).await;
    let last = 65_500 + encoded.packets.len() as u32 - 1;
    recorder.durable(&mut anas, last).await;

    let path = format!("/v1/messages/{}", recorder.message_id);
    for person in [&ben, &eva] {
        person.get(&path).await.problem(ErrorCode::NotFound);
        person
            .audio(recorder.message_id)
            .await
            .problem(ErrorCode::NotFound);
        person
            .post(&format!("{path}/audio-url"), &json!({}))
            .await
            .problem(ErrorCode::NotFound);
        person
            .post(&format!("{path}/finish"), &json!({}))
            .await
            .problem(ErrorCode::NotFound);
        person.delete(&path).await.problem(ErrorCode::NotFound);
        assert!(
            person
                .get("/v1/drafts")
                .await
                .expect(200)
                .json::<Page<Draft>>()
                .items
                .is_empty()
        );
        let mut socket = person.socket().await;
        let messages = [
            json!({"type": "live.join", "ref": 1, "message_id": recorder.message_id, "from": "start"}),
            json!({"type": "recording.resume", "ref": 1, "message_id": recorder.message_id,
                "resume_token": recorder.resume_token}),
        ];
        for message in messages {
            socket.say(&message).await;
            assert_eq!(refusal(&mut socket).await, ErrorCode::NotFound);
        }
    }
    assert_eq!(
        ana.get(&path).await.expect(200).json::<Message>().state,
        MessageState::Recording
    );
    assert!(ben.messages(conversation).await.is_empty());

    let message = recorder
        .finish(&mut anas, Some(encoded.samples), false)
        .await
        .expect("ready");
    assert_eq!((message.state, message.seq), (MessageState::Ready, Some(1)));
    assert_eq!(message.missing_ms, 0);
    assert_eq!(message.duration_ms, Some((encoded.samples as i64 + 24) / 48));
    holds(&ben, &message, &encoded.payloads()).await;
    let told = bens.wait_for_event("the message", |event| match &event.change {
        Change::MessageCreated { message } => Some(message.id),
        _ => None,
    });
    assert_eq!(told.await, message.id);
    let again = recorder.finish(&mut anas, None, false).await.expect("the same");
    assert_eq!((again.id, again.seq), (message.id, Some(1)));
    let mut late = ana.socket().await;
    let refused = recorder.resume(&mut late).await.expect_err("it is finished");
    assert_eq!(refused.code, ErrorCode::RecordingFinished);
    assert_eq!(refused.packets, Some(encoded.packets.len() as u32));
    let measured = eventually("a waveform", || async {
        let message: Message = ben.get(&path).await.expect(200).json();
        message.waveform.is_some().then_some(message)
    });
    assert_eq!(
        measured.await.audio.expect("sound").sha256,
        message.audio.clone().expect("sound").sha256
    );
    holds(&ben, &message, &encoded.payloads()).await;
    server.stop().await;
}

async fn refusal(socket: &mut Socket) -> ErrorCode {
    socket
        .wait_for("a refusal", |message| match message {
            ServerMessage::Error { problem, .. } => Some(problem.code),
            ServerMessage::Ok { .. }
            | ServerMessage::LiveReady { .. }
            | ServerMessage::RecordingReady { .. } => {
                panic!("it was done")
            }
            _ => None,
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_asked_for_and_filled_only_when_it_cannot_come() {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await.id;
    let encoded = Encoded::seconds(2.0, 500);
    let mut socket = ana.socket().await;
    let mut recorder = Recorder::new(&encoded, 0);
    recorder
        .start(&mut socket, conversation, false)
        .await
        .expect("ready");
    record(&mut recorder, &encoded);
    // Its journal has lost ten packets.
    let bundle = recorder
        .sender
        .poll_transmit(recorder.handle, usize::MAX >> 1)
        .expect("packets");
    let body = BinaryMessage::parse(&bundle).expect("a bundle").body;
    for (n, packet) in entries(body).enumerate().filter(|(n, _)| !(20..30).contains(n)) {
        let _ = n;
        let single = [&bundle[..5], packet.expect("a packet")].concat();
        let single = [&[1], &single[1..]].concat();
        let frame = tokio_tungstenite::tungstenite::Message::binary(single);
        socket.send_frame(frame).await.expect("open");
    }
    let refused = recorder
        .finish(&mut socket, None, false)
        .await
        .expect_err("ten are missing");
    assert_eq!(
        (refused.code, refused.next_sequence),
        (ErrorCode::RecordingIncomplete, Some(20))
    );
    let message = recorder
        .finish(&mut socket, Some(encoded.samples), true)
        .await
        .expect("ready");
    assert_eq!(message.missing_ms, 200);
    assert_eq!(message.duration_ms, Some((encoded.samples as i64 + 24) / 48));
    let mut expected = encoded.payloads();
    for (n, packet) in expected.iter_mut().enumerate() {
        if (20..30).contains(&n) {
            // RFC 7845 §4.1: nothing but a TOC byte.
            packet[0] = encoded.packets[19].0[0] & !3;
            packet.truncate(1);
        }
    }
    holds(&ben, &message, &expected).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_senders_the_second_goes_on_and_each_packet_is_there_once() {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await.id;
    let encoded = Encoded::seconds(2.0, 600);
    let (mut first, mut second) = (ana.socket().await, ana.socket().await);
    let mut recorder = Recorder::new(&encoded, 0);
    recorder
        .start(&mut first, conversation, false)
        .await
        .expect("ready");
    record(&mut recorder, &encoded);
    let mut old = recorder.sender.clone();
    let old_handle = recorder.handle;
    let some = old.poll_transmit(old_handle, 1_500).expect("packets");
    first
        .send_frame(tokio_tungstenite::tungstenite::Message::binary(some))
        .await
        .expect("open");
    recorder.durable(&mut first, 0).await;
    // The token is lost too: the same client_id gives a new one.
    recorder.sender.handle_disconnect();
    let lost = recorder.resume_token.clone();
    let start = recorder.start_message(conversation, false, 0);
    second.say(&start).await;
    let (handle, token, next) = second
        .wait_for("ready", |message| match message {
            ServerMessage::RecordingReady {
                handle,
                resume_token,
                next_sequence,
                ..
            } => Some((*handle, resume_token.clone(), *next_sequence)),
            _ => None,
        })
        .await;
    assert_ne!(token, lost);
    recorder.handle = handle;
    recorder.sender.handle_ready(next).expect("nothing is lost");
    while let Some(message) = old.poll_transmit(old_handle, 1_500) {
        first
            .send_frame(tokio_tungstenite::tungstenite::Message::binary(message))
            .await
            .expect("open");
    }
    assert_eq!(refusal(&mut first).await, ErrorCode::Conflict);
    recorder.transmit(&mut second, 1_500).await;
    let message = recorder
        .finish(&mut second, Some(encoded.samples), false)
        .await
        .expect("ready");
    holds(&ben, &message, &encoded.payloads()).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn soak_a_kill_during_recordings_loses_nothing_that_was_acknowledged() {
    let recordings = soak(12, 200);
    let mut dice = Dice::new("kill during recordings");
    // All of them are of one person, who is in no hurry as a rule.
    let mut server = options().arg("--rate-messages=0").start().await;
    let (mut ana, mut ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await.id;
    let encoded = Encoded::seconds(4.0, 350);
    let total = encoded.packets.len();
    let mut recorders = Vec::new();
    let mut socket = ana.socket().await;
    for _ in 0..recordings {
        let mut recorder = Recorder::new(&encoded, dice.below(70_000) as u32);
        recorder
            .start(&mut socket, conversation, false)
            .await
            .expect("ready");
        recorders.push((recorder, 0));
    }
    for _ in 0..3 {
        // Some more of each, then the server dies with some of it not durable.
        for (recorder, at) in &mut recorders {
            let end = (*at + 1 + dice.below(40)).min(total);
            for (packet, samples) in &encoded.packets[*at..end] {
                recorder.sender.push(packet, *samples);
            }
            *at = end;
            recorder.transmit(&mut socket, 1_200).await;
        }
        let awaited = dice.below(recordings);
        let (recorder, _) = &mut recorders[awaited];
        let newest = recorder.sender.next_sequence() - 1;
        recorder.durable(&mut socket, newest).await;
        server = server.kill().await.start().await;
        ana = ana.at(server.base());
        ben = ben.at(server.base());
        socket = ana.socket().await;
        for (n, (recorder, _)) in recorders.iter_mut().enumerate() {
            if n % 3 == 0 {
                // Its sender dies with the server: all it has is its journal.
                let whole = recorder.sender.whole();
                let first = recorder.sender.next_sequence() - whole.packets;
                let base = recorder.sender.forgettable();
                let kept = encoded.packets[(base - first) as usize..whole.packets as usize].iter();
                let mut again = voxpost_proto::live::LiveSender::new(7, first, 4_294_900_000);
                for (packet, samples) in &encoded.packets[..whole.packets as usize] {
                    again.push(packet, *samples);
                }
                assert_eq!(kept.len() as u32, again.next_sequence() - base);
                recorder.sender = again;
            }
            let acknowledged = recorder.acknowledged;
            let next = recorder.resume(&mut socket).await.expect("it goes on");
            assert!(
                acknowledged.is_none_or(|sequence| next > sequence),
                "an ack was forgotten"
            );
        }
    }
    for (recorder, at) in &mut recorders {
        for (packet, samples) in &encoded.packets[*at..] {
            recorder.sender.push(packet, *samples);
        }
        recorder.transmit(&mut socket, 1_200).await;
        let message = recorder
            .finish(&mut socket, Some(encoded.samples), false)
            .await
            .expect("ready");
        holds(&ben, &message, &encoded.payloads()).await;
    }
    assert_eq!(ben.messages(conversation).await.len(), recordings.min(200));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_without_its_sender_becomes_a_draft_that_any_device_can_send_or_delete() {
    let server = options().arg("--interrupted-after-ms").arg("300").start().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await.id;
    let encoded = Encoded::seconds(1.5, 440);
    let mut ids = Vec::new();
    for _ in 0..2 {
        let mut socket = ana.socket().await;
        let mut recorder = Recorder::new(&encoded, 5);
        recorder
            .start(&mut socket, conversation, false)
            .await
            .expect("ready");
        record(&mut recorder, &encoded);
        recorder.transmit(&mut socket, 1_000).await;
        recorder
            .durable(&mut socket, 4 + encoded.packets.len() as u32)
            .await;
        socket.vanish();
        ids.push(recorder.message_id);
    }
    let drafts = eventually("two drafts", || async {
        let page: Page<Draft> = ana.get("/v1/drafts").await.expect(200).json();
        (page.items.len() == 2).then_some(page.items)
    });
    let drafts = drafts.await;
    assert_eq!(drafts[0].packets, encoded.packets.len() as i64);
    assert_eq!(drafts[0].next_sequence, 5 + encoded.packets.len() as u32);
    assert_eq!(drafts[0].message.state, MessageState::Recording);
    assert!(
        ben.get("/v1/drafts")
            .await
            .expect(200)
            .json::<Page<Draft>>()
            .items
            .is_empty()
    );
    // Listen before sending.
    let heard = ana.audio(ids[0]).await.expect(200);
    assert_eq!(
        Encoded::of(&Clip { bytes: heard.body }).payloads(),
        encoded.payloads()
    );

    let server = server.kill().await.start().await;
    let (ana, ben) = (ana.at(server.base()), ben.at(server.base()));
    let finish = format!("/v1/messages/{}/finish", ids[0]);
    ben.post(&finish, &json!({})).await.problem(ErrorCode::NotFound);
    let phone = ana.sign_in("phone").await;
    let message: Message = phone.post(&finish, &json!({})).await.expect(200).json();
    holds(&ben, &message, &encoded.payloads()).await;
    let again: Message = phone.post(&finish, &json!({})).await.expect(200).json();
    assert_eq!((again.id, again.seq), (message.id, Some(1)));
    phone
        .delete(&format!("/v1/messages/{}", ids[1]))
        .await
        .expect(204);
    assert!(
        ana.get("/v1/drafts")
            .await
            .expect(200)
            .json::<Page<Draft>>()
            .items
            .is_empty()
    );
    assert_eq!(ben.messages(conversation).await.len(), 1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_its_limits_a_recording_is_sent_or_read_more_slowly_and_never_lost() {
    let limits = [
        "--max-duration-ms",
        "2000",
        "--max-recordings-per-user",
        "1",
        "--rate-live-packets",
        "50",
    ];
    let server = limits
        .into_iter()
        .fold(options(), |options, limit| options.arg(limit))
        .start()
        .await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await.id;
    let encoded = Encoded::seconds(12.0, 440);
    let mut socket = ana.socket().await;
    let mut recorder = Recorder::new(&encoded, 0);
    recorder
        .start(&mut socket, conversation, false)
        .await
        .expect("ready");
    let mut other = Recorder::new(&encoded, 0);
    let refused = other
        .start(&mut socket, conversation, false)
        .await
        .expect_err("one at a time");
    assert_eq!(refused.code, ErrorCode::RateLimited);

    record(&mut recorder, &encoded);
    recorder.transmit(&mut socket, 300).await;
    let (code, packets) = socket
        .wait_for("the limit", |message| match message {
            ServerMessage::Error { problem, .. } => Some((problem.code, problem.packets)),
            _ => None,
        })
        .await;
    assert_eq!(code, ErrorCode::RecordingFinished);
    let message = recorder
        .finish(&mut socket, None, false)
        .await
        .expect("it was sent");
    assert_eq!(
        (message.state, message.duration_ms),
        (MessageState::Ready, Some(2_000))
    );
    let audio = ben.audio(message.id).await.expect(200);
    let kept = Encoded::of(&Clip { bytes: audio.body }).payloads();
    assert_eq!(kept, encoded.payloads()[..kept.len()]);
    assert!(packets >= Some(kept.len() as u32));
    // Its place is free again, and too many packets at once are only read more slowly.
    let short = Encoded::seconds(1.0, 880);
    let mut other = Recorder::new(&short, 0);
    other
        .start(&mut socket, conversation, false)
        .await
        .expect("ready");
    record(&mut other, &short);
    other.transmit(&mut socket, 300).await;
    let message = other.finish(&mut socket, None, false).await.expect("ready");
    holds(&ben, &message, &short.payloads()).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_was_used_for_a_recording_is_good_for_nothing_else() {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await.id;
    let encoded = Encoded::seconds(1.0, 440);
    let mut socket = ana.socket().await;
    let mut recorder = Recorder::new(&encoded, 0);
    recorder
        .start(&mut socket, conversation, false)
        .await
        .expect("ready");
    let mut voice = voxpost_testkit::Voice::of(&Clip::webm(1.0, 300));
    voice.client_id = Some(recorder.client_id);
    ana.send(conversation, &voice).await.problem(ErrorCode::Conflict);
    voice.client_id = Some(fresh_id());
    ana.send(conversation, &voice).await.expect(201);
    let mut other = Recorder::new(&encoded, 0);
    other.client_id = voice.client_id.expect("an id");
    let refused = other
        .start(&mut socket, conversation, false)
        .await
        .expect_err("taken");
    assert_eq!(refused.code, ErrorCode::Conflict);
    let cancel = json!({"type": "recording.cancel", "ref": "cancel", "handle": recorder.handle});
    socket.say(&cancel).await;
    socket
        .wait_for("ok", |message| {
            matches!(message, ServerMessage::Ok { .. }).then_some(())
        })
        .await;
    ana.get(&format!("/v1/messages/{}", recorder.message_id))
        .await
        .problem(ErrorCode::NotFound);
    assert_eq!(ben.messages(conversation).await.len(), 1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_nothing_more_may_be_kept_no_recording_begins_and_one_that_goes_on_is_kept_whole() {
    let server = options().arg("--quota-seconds=2").start().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await.id;
    let encoded = Encoded::seconds(3.0, 440);
    let mut socket = ana.socket().await;
    let mut recorder = Recorder::new(&encoded, 0);
    recorder
        .start(&mut socket, conversation, false)
        .await
        .expect("ready");
    record(&mut recorder, &encoded);
    recorder.transmit(&mut socket, 500).await;
    recorder
        .durable(&mut socket, encoded.packets.len() as u32 - 1)
        .await;
    let mut next = Recorder::new(&encoded, 0);
    let refused = next.start(&mut socket, conversation, false).await;
    assert_eq!(refused.expect_err("too much").code, ErrorCode::QuotaExceeded);
    let message = recorder
        .finish(&mut socket, Some(encoded.samples), false)
        .await
        .expect("ready");
    holds(&ben, &message, &encoded.payloads()).await;
    let refused = next.start(&mut socket, conversation, false).await;
    assert_eq!(refused.expect_err("too much").code, ErrorCode::QuotaExceeded);
    ana.delete(&format!("/v1/messages/{}", message.id))
        .await
        .expect(204);
    next.start(&mut socket, conversation, false).await.expect("ready");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_client_says_of_time_its_packets_are_kept_in_order_and_the_file_is_sound() {
    let server = options().arg("--max-duration-ms=60000").start().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await.id;
    let encoded = Encoded::seconds(2.0, 440);
    let mut socket = ana.socket().await;
    let mut dice = Dice::new("lies about time");
    for _ in 0..4 {
        let mut recorder = Recorder::new(&encoded, 0);
        recorder
            .start(&mut socket, conversation, false)
            .await
            .expect("ready");
        record(&mut recorder, &encoded);
        // Taken apart, given other times, and sent one by one.
        let bundle = recorder
            .sender
            .poll_transmit(recorder.handle, usize::MAX >> 1)
            .expect("packets");
        let body = BinaryMessage::parse(&bundle).expect("a bundle").body;
        for packet in entries(body) {
            let packet = packet.expect("a packet");
            let lie = dice.below(usize::MAX >> 1) as u32;
            let mut single = [&[1], &bundle[1..5], packet].concat();
            single[9..13].copy_from_slice(&lie.to_be_bytes());
            let frame = tokio_tungstenite::tungstenite::Message::binary(single);
            socket.send_frame(frame).await.expect("open");
        }
        let message = recorder.finish(&mut socket, None, false).await.expect("ready");
        assert!(
            message
                .duration_ms
                .is_some_and(|ms| (2_000..=60_000).contains(&ms))
        );
        let audio = ben.audio(message.id).await.expect(200);
        let kept = Encoded::of(&Clip { bytes: audio.body }).payloads();
        // Fillers are a TOC byte alone (RFC 7845 §4.1); what was said is there once, in order.
        let said: Vec<_> = kept.into_iter().filter(|packet| packet.len() > 1).collect();
        let sent = encoded.payloads();
        let expected: Vec<_> = sent.into_iter().filter(|packet| packet.len() > 1).collect();
        same(&said, &expected);
    }
    server.stop().await;
}
