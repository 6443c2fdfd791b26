//! Sounds in a real S3 server instead of the data directory.

mod faults;
mod in_any_s3;
mod presign;

use std::time::{Duration, SystemTime};

use reqwest::Method;
use voxpost_proto::api::Message;
use voxpost_testkit::{Clip, S3, Server, ServerOptions, eventually, exchange, fresh_id};

use crate::{files, options, sha256};

async fn on(s3: &S3) -> Server {
    s3.options(options()).start().await
}

/// The objects of messages in the bucket.
fn sounds(s3: &S3) -> usize {
    files(&s3.bucket_dir().join("messages")).len()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_is_kept_in_the_bucket_and_heard_from_there_until_it_is_deleted() {
    let s3 = S3::start().await;
    let server = s3.options(options()).env("VOXPOST_LOG", "trace").start().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await.id;
    let sent: Message = ana.say(conversation, &Clip::webm(3.0, 300)).await;
    let audio = sent.audio.clone().expect("a ready message has sound");

    let heard = ben.audio(sent.id).await.expect(200);
    assert_eq!(sha256(&heard.body), audio.sha256);
    let path = format!("/v1/messages/{}/audio", sent.id);
    let part = exchange(ben.request(Method::GET, &path).header("range", "bytes=100-199"));
    let part = part.await.expect(206);
    assert_eq!(part.body, heard.body[100..200]);
    for format in ["webm", "mp4", "wav"] {
        let path = format!("{path}?format={format}");
        let made = ben.get(&path).await.expect(200);
        assert!(made.body.len() > 1000, "{format}");
        assert_eq!(ben.get(&path).await.expect(200).body, made.body);
    }
    assert_eq!(sounds(&s3), 4, "{:?}", files(&s3.bucket_dir()));
    assert!(!server.data_dir().join("objects").exists());

    ana.delete(&format!("/v1/messages/{}", sent.id)).await.expect(204);
    eventually("every trace of the sound to be gone", || async {
        (sounds(&s3) == 0).then_some(())
    })
    .await;
    let log = server.log();
    for secret in [S3::SECRET_KEY, "X-Amz-Signature", &format!("{}.ogg", sent.id)] {
        assert!(!log.contains(secret), "the log holds {secret}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orphans_are_cleared_away_and_what_is_lost_is_told() {
    let s3 = S3::start().await;
    let server = on(&s3).await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await.id;
    let sent: Message = ana.say(conversation, &Clip::webm(1.0, 300)).await;
    let lost: Message = ana.say(conversation, &Clip::webm(1.0, 400)).await;
    let stopped = server.stop().await;

    let object = |id: uuid::Uuid| {
        let folder = format!("messages/{:02x}", id.as_bytes()[15]);
        s3.bucket_dir().join(folder).join(format!("{id}.ogg"))
    };
    std::fs::remove_file(object(lost.id)).expect("it was there");
    let plant = |path: &std::path::Path| {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, b"sound").expect("a file");
        let hours_ago = SystemTime::now() - Duration::from_secs(3 * 60 * 60);
        let file = std::fs::File::options()
            .write(true)
            .open(path)
            .expect("it is there");
        file.set_modified(hours_ago).expect("Linux");
    };
    let orphan = object(fresh_id());
    let upload = s3.bucket_dir().join("uploads").join(fresh_id().to_string());
    let others = s3.bucket_dir().join("messages/00/notes.txt");
    for path in [&orphan, &upload, &others] {
        plant(path);
    }

    let doctor = doctor(&s3, stopped.data_dir(), &[]);
    assert!(doctor.contains(&lost.id.to_string()), "{doctor}");
    assert!(doctor.contains("2 files that no message needs"), "{doctor}");

    let server = stopped.start().await;
    eventually("the orphans to be gone", || async {
        (!orphan.exists() && !upload.exists()).then_some(())
    })
    .await;
    eventually("the lost sound to be told", || async {
        server
            .log()
            .contains("the sound of a message is missing")
            .then_some(())
    })
    .await;
    assert!(others.exists(), "what is not ours stays");
    assert!(object(sent.id).exists());
    let stopped = server.stop().await;

    plant(&orphan);
    let repaired = self::doctor(&s3, stopped.data_dir(), &["--repair"]);
    assert!(repaired.contains("removed") && !orphan.exists(), "{repaired}");

    // Another installation with the same bucket clears nothing away.
    std::fs::write(s3.bucket_dir().join("voxpost-installation"), "somebody else").expect("a file");
    plant(&orphan);
    let refused = self::doctor(&s3, stopped.data_dir(), &["--repair"]);
    assert!(
        refused.contains("belong to another installation") && orphan.exists(),
        "{refused}"
    );
    let server = stopped.start().await;
    eventually("the other installation to be told of", || async {
        server
            .log()
            .contains("belong to another installation")
            .then_some(())
    })
    .await;
    assert!(orphan.exists());
    server.stop().await;
}

fn doctor(s3: &S3, data_dir: &std::path::Path, arguments: &[&str]) -> String {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_voxpost"));
    command.args(["doctor", "--json", "--data-dir"]).arg(data_dir);
    command.args(arguments).envs(s3.settings(&s3.base()));
    let output = command.output().expect("it runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A server that soon gives up on its store.
fn impatient() -> ServerOptions {
    options()
        .env("VOXPOST_S3_TIMEOUT_MS", "4000")
        .env("VOXPOST_S3_RETRY_MS", "4000")
}
