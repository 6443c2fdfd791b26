//! Where somebody stopped, by the Rust SDK: without a network, after a crash, on two devices.

use std::path::Path;
use std::time::Duration;

use voxpost_client::{
    Action, Client, Listening, Message, Origin, Playback, PlaybackJournals, Resume, RetryPolicy,
};
use voxpost_testkit::{Clip, Person, Proxy, Server, patiently};

use crate::server;

/// Long enough for an answer; a test that needs it all has failed.
const WITHIN: Duration = Duration::from_secs(30);

struct Scene {
    server: Server,
    proxy: Proxy,
    ben: Person,
    phone: Person,
    message: Message,
    dir: tempfile::TempDir,
}

/// A message of four seconds for ben, who has a desk behind a network that breaks, and a phone.
async fn scene() -> Scene {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let phone = ben.sign_in("phone").await;
    let conversation = ana.talk_to(&ben).await;
    let message = ana.say(conversation.id, &Clip::webm(4.0, 440)).await;
    Scene {
        proxy: Proxy::to(server.base()).await,
        server,
        ben,
        phone,
        message,
        dir: tempfile::tempdir().expect("a folder"),
    }
}

impl Scene {
    fn desk(&self) -> Client {
        client(&self.proxy.base(), &self.ben)
    }

    fn journals(&self) -> PlaybackJournals {
        PlaybackJournals::new(self.dir.path())
    }

    async fn open(&self) -> (Listening, Resume) {
        let opening = async {
            self.desk()
                .open_playback(&self.journals(), &self.message, self.ben.device_id)
                .await
        };
        patiently("a player", opening).await.expect("randomness")
    }

    /// The phone plays on from where it is to there.
    async fn phone_plays_to(&self, position_ms: i64) {
        let journals = PlaybackJournals::new(self.dir.path().join("phone"));
        let client = client(self.server.base(), &self.phone);
        let (mut listening, resume) = client
            .open_playback(&journals, &self.message, self.phone.device_id)
            .await
            .expect("randomness");
        play(&mut listening, resume.position_ms, position_ms);
        assert!(listening.close(WITHIN).await);
    }

    async fn known(&self) -> Playback {
        let client = client(self.server.base(), &self.ben);
        client.playback(self.message.id).await.expect("the server")
    }
}

fn client(base: &str, person: &Person) -> Client {
    Client::builder(base)
        .token(&person.token)
        .retry(RetryPolicy::NEVER)
        .build()
        .expect("an address")
}

/// Plays and pauses.
fn play(listening: &mut Listening, from_ms: i64, to_ms: i64) {
    for action in [
        Action::Play,
        Action::Progress { position_ms: from_ms },
        Action::Pause { position_ms: to_ms },
    ] {
        listening.act(action).expect("room on the disk");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_heard_without_a_network_is_merged_later_and_a_person_chooses_where_to_go_on() {
    let scene = scene().await;
    let (mut listening, resume) = scene.open().await;
    assert_eq!((resume.position_ms, resume.origin), (0, Origin::Start));
    scene.proxy.refuse(true).await;
    scene.proxy.cut_all();
    play(&mut listening, 0, 900);
    assert!(!listening.close(WITHIN).await);
    assert_eq!(scene.known().await.version, 0);
    scene.phone_plays_to(800).await;
    scene.phone_plays_to(1_700).await;
    scene.phone_plays_to(2_600).await;

    // Still offline, the device goes on where it was.
    assert_eq!(scene.open().await.1.position_ms, 900);
    scene.proxy.refuse(false).await;
    let (listening, resume) = scene.open().await;
    assert_eq!((resume.position_ms, resume.origin), (900, Origin::Local));
    let offer = resume.offer.expect("the phone went on");
    assert_eq!(
        (offer.position_ms, offer.device_id),
        (2_600, Some(scene.phone.device_id))
    );
    // What was heard counts; the playhead, which moved elsewhere since, stays there.
    assert!(listening.close(WITHIN).await);
    let known = scene.known().await;
    assert_eq!(
        (known.position_ms, known.heard.intervals()),
        (2_600, &[[0, 2_600]][..])
    );
    let (_, resume) = scene.open().await;
    assert_eq!(
        (resume.position_ms, resume.origin, resume.offer),
        (2_600, Origin::Server, None)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_player_that_was_killed_goes_on_and_what_others_left_is_told_by_whoever_comes() {
    let scene = scene().await;
    scene.proxy.refuse(true).await;
    // Two that play the same message at once, both without a word to the server.
    let (mut one, _) = scene.open().await;
    let (mut two, _) = scene.open().await;
    play(&mut one, 0, 700);
    play(&mut two, 1_500, 2_200);
    drop((one, two));
    assert!(scene.journals().has_unsynced());

    scene.proxy.refuse(false).await;
    let (listening, resume) = scene.open().await;
    assert_eq!(resume.origin, Origin::Local);
    assert!(listening.close(WITHIN).await);
    let told = scene
        .desk()
        .flush_playback(&scene.journals(), scene.ben.device_id)
        .await
        .expect("the server");
    assert_eq!(told, 1);
    assert!(!scene.journals().has_unsynced());
    assert_eq!(scene.known().await.heard.intervals(), [[0, 700], [1_500, 2_200]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_told_all_and_is_offline_goes_on_where_it_was() {
    let scene = scene().await;
    let (mut listening, _) = scene.open().await;
    play(&mut listening, 0, 900);
    assert!(listening.close(WITHIN).await);
    scene.proxy.refuse(true).await;
    scene.proxy.cut_all();
    let (listening, resume) = scene.open().await;
    assert_eq!((resume.position_ms, resume.origin), (900, Origin::Server));
    // Nothing was done, so nothing is told.
    scene.proxy.refuse(false).await;
    assert!(listening.close(WITHIN).await);
    assert_eq!(scene.known().await.version, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_disk_playing_and_reporting_go_on() {
    let scene = scene().await;
    let nowhere = scene.dir.path().join("a file");
    std::fs::write(&nowhere, b"").expect("room");
    let (mut listening, _) = scene
        .desk()
        .open_playback(
            &PlaybackJournals::new(Path::new(&nowhere)),
            &scene.message,
            scene.ben.device_id,
        )
        .await
        .expect("randomness");
    listening.act(Action::Play).expect("nothing to keep yet");
    let kept = listening.act(Action::Pause { position_ms: 900 });
    assert!(kept.is_err());
    assert!(listening.close(WITHIN).await);
    assert_eq!(scene.known().await.position_ms, 900);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_deleted_while_it_plays_is_not_reported_again() {
    let scene = scene().await;
    let (mut listening, _) = scene.open().await;
    play(&mut listening, 0, 900);
    let ana = scene.message.sender.username.clone();
    let owner = Client::builder(scene.server.base()).build().expect("an address");
    let session = owner
        .sign_in(&voxpost_client::SessionCreate {
            username: ana,
            password: Person::PASSWORD.into(),
            device_name: None,
        })
        .await
        .expect("she is there");
    owner
        .with_token(&session.token)
        .delete_message(scene.message.id)
        .await
        .expect("hers");
    let told = patiently("the refusal", listening.next()).await;
    assert_eq!(
        told.outcome.err().and_then(|error| error.code()),
        Some(voxpost_client::ErrorCode::NotFound)
    );
    assert!(!listening.is_unsynced());
}
