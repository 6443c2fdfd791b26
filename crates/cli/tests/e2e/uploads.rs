//! Resumable uploads over a network that breaks and a server that is killed: the right bytes arrive, and hardly any twice.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::HeaderMap;
use uuid::Uuid;
use voxpost_proto::ErrorCode;
use voxpost_proto::api::{Message, UploadState, UploadStatus};
use voxpost_proto::socket::{ServerMessage, UploadReply};
use voxpost_proto::upload::Chunk;
use voxpost_testkit::{
    Answer, Clip, Person, Proxy, Voice, client, eventually, fresh_id, patiently, try_exchange,
};

use crate::{Dice, options, server, sha256, soak};

/// What a client sends in one request.
const CHUNK: usize = 64 << 10;

/// An upload as its client sees it.
struct Upload {
    conversation: Uuid,
    client_id: Uuid,
    path: String,
    bytes: Vec<u8>,
    /// What the server has acknowledged, by an answer to a request of this client.
    acked: usize,
    /// The most that was ever sent, and what was sent beyond `acked` once more.
    sent: usize,
    again: usize,
}

/// Some seconds of noise as WAV, each time another: no two files are alike, and none compresses.
fn noise(dice: &mut Dice, len: usize) -> Vec<u8> {
    let mut samples = Vec::with_capacity(len + 44);
    let data = u32::try_from(len & !1).expect("a small file");
    samples.extend_from_slice(b"RIFF");
    samples.extend_from_slice(&(data + 36).to_le_bytes());
    samples.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    samples.extend_from_slice(&48_000_u32.to_le_bytes());
    samples.extend_from_slice(&96_000_u32.to_le_bytes());
    samples.extend_from_slice(b"\x02\0\x10\0data");
    samples.extend_from_slice(&data.to_le_bytes());
    while samples.len() < 44 + data as usize {
        let value = dice.next();
        samples.extend_from_slice(&(value as i16 / 8).to_le_bytes());
    }
    samples
}

fn in_base64(text: &str) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for group in text.as_bytes().chunks(3) {
        let value = group
            .iter()
            .fold(0_u32, |value, byte| value << 8 | u32::from(*byte))
            << (8 * (3 - group.len()));
        for place in 0..4 {
            let digit = DIGITS[(value >> (18 - 6 * place)) as usize & 63];
            out.push(if place > group.len() {
                '='
            } else {
                char::from(digit)
            });
        }
    }
    out
}

async fn tus(
    person: &Person,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> Result<Answer, reqwest::Error> {
    let mut request = person
        .request(method, path)
        .header("tus-resumable", "1.0.0")
        .body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    // A stalled connection is given up, as any client does, and another one goes on.
    try_exchange(request.timeout(Duration::from_secs(10))).await
}

async fn head(person: &Person, path: &str) -> Result<HeaderMap, reqwest::Error> {
    let answer = tus(person, Method::HEAD, path, &[], Vec::new()).await?;
    assert_eq!(answer.status, 200, "{}", answer.request);
    Ok(answer.headers)
}

fn offset_of(headers: &HeaderMap) -> usize {
    headers["upload-offset"]
        .to_str()
        .expect("digits")
        .parse()
        .expect("digits")
}

impl Upload {
    async fn begin(person: &Person, conversation: Uuid, bytes: Vec<u8>) -> Self {
        let client_id = fresh_id();
        let metadata = format!(
            "conversation_id {},client_id {}",
            in_base64(&conversation.to_string()),
            in_base64(&client_id.to_string())
        );
        let length = bytes.len().to_string();
        let headers = [("upload-length", &*length), ("upload-metadata", &*metadata)];
        let answer = loop {
            // When the answer is lost nobody knows of that upload, and it expires.
            if let Ok(answer) = tus(person, Method::POST, "/v1/uploads", &headers, Vec::new()).await {
                break answer.expect(201);
            }
        };
        Self {
            conversation,
            client_id,
            path: answer.header("location").to_owned(),
            bytes,
            acked: 0,
            sent: 0,
            again: 0,
        }
    }

    /// One request; true when the upload is whole, an error when the connection broke.
    async fn step(&mut self, person: &Person) -> Result<bool, reqwest::Error> {
        let end = self.bytes.len().min(self.acked + CHUNK);
        let at = self.acked.to_string();
        let headers = [
            ("upload-offset", &*at),
            ("content-type", "application/offset+octet-stream"),
        ];
        self.again += self.sent.saturating_sub(self.acked);
        self.sent = end;
        let body = self.bytes[self.acked..end].to_vec();
        let answer = tus(person, Method::PATCH, &self.path, &headers, body).await?;
        match answer.status {
            204 => {
                assert_eq!(offset_of(&answer.headers), end);
                self.acked = end;
            }
            // Its own earlier request may have been taken over only now.
            409 | 503 => self.resume(person).await?,
            other => panic!("{other}: {}", answer.text()),
        }
        Ok(self.acked == self.bytes.len())
    }

    /// Asks where to go on.
    async fn resume(&mut self, person: &Person) -> Result<(), reqwest::Error> {
        let offset = offset_of(&head(person, &self.path).await?);
        assert!(
            offset >= self.acked,
            "{} were acknowledged, {offset} are left",
            self.acked
        );
        assert!(
            offset + CHUNK >= self.sent,
            "more than a chunk is sent again: {offset} of {}",
            self.sent
        );
        self.acked = offset;
        Ok(())
    }

    /// To the end, whatever breaks.
    async fn through(&mut self, person: &Person) {
        loop {
            match self.step(person).await {
                Ok(true) => return,
                Ok(false) => {}
                Err(_) => while self.resume(person).await.is_err() {},
            }
            if self.acked == self.bytes.len() {
                return;
            }
        }
    }

    /// The message is there, of these very bytes: the same bytes under the same id are the same message, others a conflict.
    async fn check(&self, person: &Person) -> Message {
        let message = eventually("the upload to be sent", || async {
            let status: UploadStatus = person.get(&self.path).await.expect(200).json();
            assert_ne!(status.state, UploadState::Failed, "{:?}", status.failure);
            status.message_id.filter(|_| status.state == UploadState::Sent)
        })
        .await;
        let mut voice = Voice::of(&Clip {
            bytes: self.bytes.clone(),
        });
        voice.client_id = Some(self.client_id);
        let again: Message = person.send(self.conversation, &voice).await.expect(200).json();
        assert_eq!(again.id, message);
        voice.bytes[self.bytes.len() / 2] ^= 1;
        person
            .send(self.conversation, &voice)
            .await
            .problem(ErrorCode::Conflict);
        again
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn soak_uploads_survive_kills_at_any_moment() {
    let uploads = soak(4, 100);
    let mut dice = Dice::new("upload kills");
    let mut running = server().await;
    let mut ana = running.person("ana").await;
    let ben = running.person("ben").await;
    let conversation = ana.talk_to(&ben).await.id;
    let mut done: Vec<Upload> = Vec::new();
    for _ in 0..uploads {
        let length = 300_000 + dice.below(400_000);
        let mut upload = Upload::begin(&ana, conversation, noise(&mut dice, length)).await;
        let kill_at = dice.below(length / CHUNK + 1);
        let mut steps = 0;
        while !upload.step(&ana).await.expect("it runs") {
            steps += 1;
            if steps == kill_at {
                break;
            }
        }
        // One more request is on its way when the power goes.
        let pause = Duration::from_micros(dice.below(4000) as u64);
        let (broken, stopped) = tokio::join!(upload.step(&ana), async {
            tokio::time::sleep(pause).await;
            running.kill().await
        });
        drop(broken);
        running = stopped.start().await;
        ana = ana.at(running.base());
        upload.resume(&ana).await.expect("it runs");
        upload.through(&ana).await;
        done.push(upload);
    }
    for upload in &done {
        upload.check(&ana).await;
    }
    assert_eq!(ana.messages(conversation).await.len(), done.len());
    assert!(!running.log().contains("panicked"), "{}", running.log());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn soak_uploads_arrive_over_a_network_that_breaks_and_send_little_twice() {
    let uploads = soak(16, 500);
    let mut dice = Dice::new("upload faults");
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await.id;
    let proxy = Proxy::to(server.base()).await;
    let far = ana.at(&proxy.base());
    let mut faults = 0;
    for number in 0..uploads {
        let length = 100_000 + dice.below(300_000);
        let mut upload = Upload::begin(&far, conversation, noise(&mut dice, length)).await;
        match number % 4 {
            0 => proxy.cut_next_up(1 + dice.below(3), dice.below(CHUNK + 600)),
            // The answer is lost, not the request.
            1 => proxy.cut_next(1 + dice.below(3), dice.below(200)),
            2 => proxy.slow_down(Duration::from_millis(2)),
            _ => {
                // A connection that hangs: the client gives it up and another one takes over while the first still stands.
                proxy.stall(true);
                let stalled = tokio::time::timeout(Duration::from_millis(30), upload.step(&far)).await;
                assert!(stalled.is_err(), "it hangs");
                proxy.stall(false);
                upload.resume(&far).await.expect("the network is back");
            }
        }
        upload.through(&far).await;
        proxy.cut_next_up(0, 0);
        proxy.cut_next(0, 0);
        proxy.slow_down(Duration::ZERO);
        faults += usize::from(upload.again > 0);
        upload.check(&ana).await;
    }
    println!("{faults} of {uploads} uploads sent something twice, each time a chunk at most");
    assert_eq!(ana.messages(conversation).await.len(), uploads);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_from_the_socket_to_http_and_back_over_restarts() {
    let mut dice = Dice::new("upload doors");
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await.id;
    let mut upload = Upload::begin(&ana, conversation, noise(&mut dice, 400_000)).await;
    upload.step(&ana).await.expect("it runs");
    let id = upload.path.rsplit('/').next().expect("an id").to_owned();

    let server = server.kill().await.start().await;
    let (ana, ben) = (ana.at(server.base()), ben.at(server.base()));
    let mut listening = ben.socket().await;
    let mut socket = ana.socket().await;
    let start = serde_json::json!({"type": "upload.start", "upload_id": id, "ref": 1});
    socket.say(&start).await;
    let (handle, offset) = socket
        .wait_for("upload.ready", |message| match message {
            ServerMessage::Upload(UploadReply::Ready { handle, offset, .. }) => Some((*handle, *offset)),
            _ => None,
        })
        .await;
    assert_eq!(offset as usize, upload.acked);
    let middle = 200_000;
    for (number, bytes) in upload.bytes[upload.acked..middle].chunks(60_000).enumerate() {
        let chunk = Chunk {
            offset: offset + 60_000 * number as u64,
            bytes,
        };
        let frame = tokio_tungstenite::tungstenite::Message::binary(chunk.to_message(handle));
        socket.send_frame(frame).await.expect("it is open");
    }
    socket
        .wait_for("all to be acknowledged", |message| match message {
            ServerMessage::Upload(UploadReply::Ack { offset, .. }) => {
                (*offset == middle as u64).then_some(())
            }
            _ => None,
        })
        .await;
    socket.vanish();

    upload.acked = middle;
    upload.sent = middle;
    let last = upload.bytes.len() - 1000;
    while upload.acked + CHUNK < last {
        upload.step(&ana).await.expect("it runs");
    }
    let mut socket = ana.socket().await;
    socket.say(&start).await;
    let handle = socket
        .wait_for("upload.ready", |message| match message {
            ServerMessage::Upload(UploadReply::Ready { handle, .. }) => Some(*handle),
            _ => None,
        })
        .await;
    for (number, bytes) in upload.bytes[upload.acked..].chunks(60_000).enumerate() {
        let chunk = Chunk {
            offset: (upload.acked + 60_000 * number) as u64,
            bytes,
        };
        let frame = tokio_tungstenite::tungstenite::Message::binary(chunk.to_message(handle));
        socket.send_frame(frame).await.expect("it is open");
    }
    let finish = serde_json::json!({
        "type": "upload.finish", "ref": 2, "upload_id": id, "sha256": sha256(&upload.bytes),
    });
    socket.say(&finish).await;
    let message = socket
        .wait_for("the message", |answer| match answer {
            ServerMessage::Ok { message, .. } => message.clone(),
            ServerMessage::Error { problem, .. } => panic!("{problem:?}"),
            _ => None,
        })
        .await;
    let seen = listening
        .wait_for_event("message.created", |event| match &event.change {
            voxpost_proto::socket::Change::MessageCreated { message } => Some(message.id),
            _ => None,
        })
        .await;
    assert_eq!(seen, message.id);
    assert_eq!(upload.check(&ana).await.id, message.id);
    server.stop().await;
}

/// Loose on purpose: machines that run tests are slow. The figure is the benchmark's business.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn events_pass_while_a_large_upload_comes_in_and_sounds_wait_to_be_converted() {
    let server = options().env("VOXPOST_PATIENCE_MS", "1").start().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await.id;
    let mut dice = Dice::new("busy lane");
    let mp3 = Clip::webm(3.0, 500).as_ffmpeg_writes(&["-c:a", "libmp3lame", "-f", "mp3"]);
    for _ in 0..soak(8, 64) {
        ana.send(conversation, &Voice::of(&mp3)).await;
    }
    let length = soak(8 << 20, 100 << 20);
    let mut large = Upload::begin(&ana, conversation, noise(&mut dice, length)).await;
    let mut listening = ben.socket().await;
    let mut speaking = ana.socket().await;
    let uploading = async {
        large.through(&ana).await;
    };
    let talking = async {
        for _ in 0..20 {
            speaking
                .say(&serde_json::json!({"type": "typing", "kind": "recording", "conversation_id": conversation, "ref": 1}))
                .await;
            speaking
                .wait_for("an answer", |message| match message {
                    ServerMessage::Ok { .. } | ServerMessage::Error { .. } => Some(()),
                    _ => None,
                })
                .await;
        }
        listening
            .wait_for("typing", |message| match message {
                ServerMessage::Ephemeral(voxpost_proto::socket::Ephemeral::Typing { .. }) => Some(()),
                _ => None,
            })
            .await;
    };
    patiently("the upload and the events", async {
        tokio::join!(uploading, talking)
    })
    .await;
    large.check(&ana).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_persons_upload_is_nowhere_and_pages_of_other_sites_may_upload() {
    let server = options()
        .env("VOXPOST_ALLOWED_ORIGIN", "https://app.example")
        .start()
        .await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await.id;
    let mut dice = Dice::new("wrong person");
    let upload = Upload::begin(&ana, conversation, noise(&mut dice, 1000)).await;
    ben.get(&upload.path).await.problem(ErrorCode::NotFound);
    for method in [Method::HEAD, Method::PATCH, Method::DELETE] {
        let headers = [
            ("upload-offset", "0"),
            ("content-type", "application/offset+octet-stream"),
        ];
        let answer = tus(&ben, method, &upload.path, &headers, Vec::new()).await;
        assert_eq!(answer.expect("an answer").status, 404);
    }
    let asked = client()
        .request(Method::OPTIONS, format!("{}/v1/uploads", server.base()))
        .header("origin", "https://app.example")
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "authorization,tus-resumable,upload-length,upload-metadata",
        );
    let answer = try_exchange(asked).await.expect("an answer");
    assert_eq!(answer.status / 100, 2);
    assert_eq!(
        answer.header("access-control-allow-origin"),
        "https://app.example"
    );
    assert_eq!(answer.header("tus-version"), "1.0.0");
    server.stop().await;
}
