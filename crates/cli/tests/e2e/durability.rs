//! What was acknowledged is there after a restart and after SIGKILL at any moment.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;
use uuid::Uuid;
use voxpost_proto::api::{Message, MessageState};
use voxpost_testkit::{Clip, Person, Server, Voice, eventually, fresh_id, patiently};

use crate::files;
use crate::sha256;
use crate::{Dice, server, soak};

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_changes_nothing() {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await;
    let voice = Voice::of(&Clip::webm(1.0, 440));
    let sent: Message = ana.send(conversation.id, &voice).await.expect(201).json();
    let link = sent.audio.clone().expect("sound").url;

    let server = server.stop().await.start().await;
    let (ana, ben) = (ana.at(server.base()), ben.at(server.base()));
    let audio = ben.audio(sent.id).await.expect(200);
    assert_eq!(sha256(&audio.body), sent.audio.clone().expect("sound").sha256);
    let by_link = voxpost_testkit::client().get(format!("{}{link}", server.base()));
    voxpost_testkit::exchange(by_link).await.expect(200);
    let again: Message = ana.send(conversation.id, &voice).await.expect(200).json();
    assert_eq!(again.id, sent.id, "the sender's ids outlive a restart");

    let next = ana.say(conversation.id, &Clip::webm(1.0, 550)).await;
    assert_eq!(next.seq, Some(2));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn soak_kill_at_any_moment_loses_and_doubles_nothing() {
    let rounds = soak(4, 150);
    let uploads = soak(60, 200);
    let mut dice = Dice::new("kill");
    let clips: Vec<Clip> = [300, 400, 500, 600].map(|hertz| Clip::webm(1.5, hertz)).into();
    let mut running = server().await;
    let mut people = [running.person("ana").await, running.person("ben").await];
    let conversation = people[0].talk_to(&people[1]).await.id;
    let mut promised: Vec<Promise> = Vec::new();

    for round in 0..rounds {
        people = people.map(|person| person.at(running.base()));
        let batch: Vec<Voice> = (0..uploads)
            .map(|_| Voice::of(&clips[dice.below(clips.len())]))
            .collect();
        // The moment of the kill is a number of answers, of which none may have come yet.
        let kill_after = dice.below(uploads);
        let answers = upload_until(&people[0], conversation, batch, kill_after, running).await;
        running = answers.stopped.start().await;
        let ana = people[0].at(running.base());

        // What was not answered is sent again, as any client does.
        for (voice, answer) in answers.sent {
            let first: Option<Message> = answer.map(|message| *message);
            let again = ana.send(conversation, &voice).await;
            assert!(
                matches!(again.status, 200 | 201),
                "round {round}: {} {}",
                again.status,
                again.text()
            );
            let again: Message = again.json();
            if let Some(first) = &first {
                assert_eq!(
                    (again.id, again.seq),
                    (first.id, first.seq),
                    "a 201 was forgotten"
                );
            }
            promised.push(Promise {
                id: again.id,
                source: sha256(&voice.bytes),
                first,
            });
        }
        check(&running, &ana, conversation, &promised, round).await;
    }
    plays(&people[1].at(running.base()), &promised).await;
    nothing_left_over(&running, promised.len()).await;
    running.stop().await;
}

struct Promise {
    id: Uuid,
    source: String,
    first: Option<Message>,
}

struct Interrupted {
    sent: Vec<(Voice, Option<Box<Message>>)>,
    stopped: voxpost_testkit::Stopped,
}

/// Sends all at once and kills the server when `kill_after` have been answered.
async fn upload_until(
    ana: &Person,
    conversation: Uuid,
    batch: Vec<Voice>,
    kill_after: usize,
    server: Server,
) -> Interrupted {
    let answered = Arc::new(AtomicUsize::new(0));
    let bell = Arc::new(Notify::new());
    if kill_after == 0 {
        bell.notify_one();
    }
    let tasks: Vec<_> = batch
        .into_iter()
        .map(|voice| {
            let (ana, answered, bell) = (ana.clone(), answered.clone(), bell.clone());
            tokio::spawn(async move {
                let answer = ana.try_send(conversation, &voice).await.ok();
                if answered.fetch_add(1, Ordering::SeqCst) + 1 == kill_after {
                    bell.notify_one();
                }
                // 202 promises nothing: the sound was still being worked on.
                let answer = answer.filter(|answer| answer.status != 202);
                let message = answer.map(|answer| Box::new(answer.expect(201).json::<Message>()));
                (voice, message)
            })
        })
        .collect();
    patiently("enough uploads to be answered", bell.notified()).await;
    let stopped = server.kill().await;
    let mut sent = Vec::new();
    for task in tasks {
        sent.push(task.await.expect("no upload panics"));
    }
    Interrupted { sent, stopped }
}

/// The list holds exactly what was promised, without gaps, each ready and never changed.
async fn check(server: &Server, ana: &Person, conversation: Uuid, promised: &[Promise], round: usize) {
    let list = ana.messages(conversation).await;
    let seqs: Vec<i64> = list.iter().filter_map(|message| message.seq).collect();
    assert_eq!(
        seqs,
        (1..=promised.len() as i64).collect::<Vec<_>>(),
        "round {round}"
    );
    assert!(
        list.iter().all(|message| message.state == MessageState::Ready),
        "round {round}"
    );
    let listed: BTreeSet<Uuid> = list.iter().map(|message| message.id).collect();
    for promise in promised {
        assert!(
            listed.contains(&promise.id),
            "round {round}: {} is missing",
            promise.id
        );
        if let Some(first) = &promise.first {
            let now = list
                .iter()
                .find(|message| message.id == first.id)
                .expect("listed");
            assert_eq!(now.seq, first.seq, "round {round}");
            let sha = |message: &Message| message.audio.as_ref().map(|audio| audio.sha256.clone());
            assert_eq!(sha(now), sha(first), "round {round}");
        }
    }
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

/// Every message is served whole; each distinct sound decodes to its length.
async fn plays(ben: &Person, promised: &[Promise]) {
    let mut decoded = BTreeSet::new();
    for promise in promised {
        let message: Message = ben
            .get(&format!("/v1/messages/{}", promise.id))
            .await
            .expect(200)
            .json();
        let audio = ben.audio(promise.id).await.expect(200);
        assert_eq!(sha256(&audio.body), message.audio.expect("sound").sha256);
        if decoded.insert(promise.source.clone()) {
            let samples = Clip { bytes: audio.body }.samples();
            assert!(
                (22_400..=25_600).contains(&samples.len()),
                "{} samples at 16 kHz",
                samples.len()
            );
        }
    }
}

/// No object without a message, no upload left half way, once the server has swept.
async fn nothing_left_over(server: &Server, messages: usize) {
    eventually("objects and messages to be as many", || async {
        let sounds = files(server.data_dir())
            .iter()
            .filter(|path| std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"OggS")))
            .count();
        (sounds == messages).then_some(())
    })
    .await;
    let webm = files(server.data_dir())
        .iter()
        .filter(|path| std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(&[0x1a, 0x45, 0xdf, 0xa3])))
        .count();
    assert_eq!(webm, 0, "uploads are left in {:?}", server.data_dir());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await.id;
    let clip = Clip::webm(2.0, 440);
    let boundary = "b0undary";
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"client_id\"\r\n\r\n{}\r\n--{boundary}\r\n\
         Content-Disposition: form-data; name=\"audio\"; filename=\"a\"\r\n\r\n",
        fresh_id()
    );
    let address = server.base().trim_start_matches("http://").to_owned();
    for cut in [1, clip.bytes.len() / 2, clip.bytes.len()] {
        use tokio::io::AsyncWriteExt;
        let mut stream = tokio::net::TcpStream::connect(&address)
            .await
            .expect("it listens");
        let request = format!(
            "POST /v1/conversations/{conversation}/messages HTTP/1.1\r\nHost: {address}\r\n\
             Authorization: Bearer {}\r\nContent-Type: multipart/form-data; boundary={boundary}\r\n\
             Content-Length: {}\r\n\r\n{head}",
            ana.token,
            head.len() + clip.bytes.len() + 100
        );
        stream.write_all(request.as_bytes()).await.expect("it reads");
        stream.write_all(&clip.bytes[..cut]).await.expect("it reads");
        stream.flush().await.expect("it reads");
    }
    ana.say(conversation, &clip).await;
    nothing_left_over(&server, 1).await;
    assert_eq!(ana.messages(conversation).await.len(), 1);
}
