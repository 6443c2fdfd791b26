//! Recordings over a network that breaks.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use uuid::Uuid;
use voxpost_proto::ErrorCode;
use voxpost_proto::api::Message;
use voxpost_testkit::{Encoded, Person, Proxy, Recorder, Socket, eventually, try_exchange};

use super::{holds, record};
use crate::{Dice, options, soak};

/// Connects and goes on with the recording; what it was finished as when its sender did not hear of that.
async fn back(ana: &Person, recorder: &mut Recorder, packets: usize) -> Result<Socket, Box<Message>> {
    loop {
        let mut socket = eventually("a connection", || async {
            Socket::try_connect(&ana.base, &ana.token, None).await.ok()
        })
        .await;
        match recorder.try_resume(&mut socket).await {
            None => {}
            Some(Ok(_)) => return Ok(socket),
            Some(Err(problem)) => {
                assert_eq!(problem.code, ErrorCode::RecordingFinished);
                assert_eq!(problem.packets, Some(packets as u32));
                let path = format!("/v1/messages/{}", recorder.message_id);
                let message = eventually("the message over the same network", || async {
                    let answer = try_exchange(ana.request(Method::GET, &path)).await.ok()?;
                    Some(answer.expect(200).json())
                });
                return Err(Box::new(message.await));
            }
        }
    }
}

/// Sends what is left and finishes, over as many connections as it takes.
async fn to_its_end(
    ana: &Person,
    recorder: &mut Recorder,
    socket: Option<Socket>,
    encoded: &Encoded,
) -> Message {
    let mut socket = socket;
    loop {
        let mut open = match socket.take() {
            Some(open) => open,
            None => match back(ana, recorder, encoded.packets.len()).await {
                Ok(open) => open,
                Err(message) => return *message,
            },
        };
        if !recorder.transmit(&mut open, 700).await {
            continue;
        }
        if let Some(ended) = recorder.try_finish(&mut open, Some(encoded.samples), false).await {
            return ended.expect("nothing is missing");
        }
    }
}

async fn begun(ana: &Person, conversation: Uuid, encoded: &Encoded, first: u32) -> (Recorder, Socket) {
    let mut socket = ana.socket().await;
    let mut recorder = Recorder::new(encoded, first);
    recorder
        .start(&mut socket, conversation, false)
        .await
        .expect("ready");
    (recorder, socket)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn soak_however_often_the_network_and_the_server_break_every_packet_is_there_once() {
    let mut dice = Dice::new("recordings over a network that breaks");
    let mut server = options().arg("--rate-messages=0").start().await;
    let proxy = Proxy::to(server.base()).await;
    let (ana, mut ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await.id;
    let ana = ana.at(&proxy.base());
    let encoded = Encoded::seconds(5.0, 350);
    for _ in 0..soak(8, 200) {
        let first = dice.below(70_000) as u32;
        let (mut recorder, socket) = begun(&ana, conversation, &encoded, first).await;
        let mut socket = Some(socket);
        match dice.below(4) {
            // The connections that come bring so much and no more, one way or the other.
            0 => proxy.cut_next_up(1 + dice.below(4), 500 + dice.below(9_000)),
            1 => proxy.cut_next(1 + dice.below(4), 300 + dice.below(900)),
            2 => proxy.cut_all(),
            // The server dies too, with what it has taken in and not made durable.
            _ => {
                record(&mut recorder, &encoded);
                if let Some(socket) = &mut socket {
                    recorder.transmit(socket, 700).await;
                }
                server = server.kill().await.start().await;
                proxy.lead_to(server.base());
                proxy.cut_all();
                ben = ben.at(server.base());
            }
        }
        if recorder.sender.whole().packets == 0 {
            record(&mut recorder, &encoded);
        }
        let message = to_its_end(&ana, &mut recorder, socket, &encoded).await;
        assert_eq!((message.id, message.missing_ms), (recorder.message_id, 0));
        holds(&ben, &message, &encoded.payloads()).await;
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_a_line_that_stands_still_and_then_is_slow_all_that_was_said_arrives() {
    let server = options().start().await;
    let proxy = Proxy::to(server.base()).await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await.id;
    let ana = ana.at(&proxy.base());
    let encoded = Encoded::seconds(20.0, 350);
    let (mut recorder, mut socket) = begun(&ana, conversation, &encoded, 0).await;
    proxy.stall(true);
    record(&mut recorder, &encoded);
    recorder.transmit(&mut socket, 700).await;
    assert!(ben.messages(conversation).await.is_empty());
    proxy.slow_down(Duration::from_millis(150));
    proxy.stall(false);
    let message = to_its_end(&ana, &mut recorder, Some(socket), &encoded).await;
    holds(&ben, &message, &encoded.payloads()).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_packets_at_once_are_read_as_fast_as_they_are_stored_and_others_go_on() {
    let server = options().start().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await.id;
    let encoded = Encoded::seconds(100.0, 350);
    let (mut recorder, mut socket) = begun(&ana, conversation, &encoded, 0).await;
    let rounds = soak(4, 20);
    for _ in 0..rounds {
        record(&mut recorder, &encoded);
    }
    let flood = tokio::spawn(async move {
        assert!(recorder.transmit(&mut socket, 60_000).await, "it is not closed");
        let packets = recorder.sender.whole().packets;
        let message = recorder.finish(&mut socket, None, false).await.expect("ready");
        (message, packets)
    });
    // Meanwhile others are served.
    ben.get("/v1/conversations").await.expect(200);
    ben.post(&format!("/v1/conversations/{conversation}/messages"), &json!({}))
        .await
        .problem(ErrorCode::InvalidRequest);
    let (message, packets) = flood.await.expect("no panic");
    assert_eq!(packets as usize, rounds * encoded.packets.len());
    let payloads = encoded.payloads();
    let expected: Vec<_> = std::iter::repeat_n(payloads, rounds).flatten().collect();
    holds(&ben, &message, &expected).await;
    server.stop().await;
}
