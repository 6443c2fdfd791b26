use uuid::Uuid;
use voxpost_proto::ErrorCode;
use voxpost_proto::api::{Message, MessageState};

use super::{CHROMIUM, MP3, Stage};
use crate::housekeeping::{self, Rhythm};
use crate::testing::TestApp;

/// Gives every sound to the background at once.
const NO_PATIENCE: &[&str] = &["--patience-ms", "0"];

async fn until<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    loop {
        if let Some(found) = look().await {
            return found;
        }
        tokio::task::yield_now().await;
    }
}

async fn settled(stage: &Stage, id: Uuid) -> Message {
    until(async || {
        let message: Message = stage.message(&stage.ana.token, id).await.expect(200).parse();
        (message.state != MessageState::Processing).then_some(message)
    })
    .await
}

fn staged(app: &TestApp) -> usize {
    std::fs::read_dir(app.app.ingest.staging.folder())
        .unwrap()
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_long_is_kept_and_published_later() {
    let stage = Stage::with(NO_PATIENCE).await;
    let client_id = Uuid::from_u128(7).to_string();
    let fields: &[(&str, &[u8])] = &[("client_id", client_id.as_bytes()), ("audio", MP3)];
    let accepted = stage.send(fields).await.expect(202);
    assert_eq!(accepted.json()["state"], "processing");
    let id = super::id(&accepted);
    let again = stage.send(fields).await;
    assert!(matches!(again.status.as_u16(), 200 | 202));
    assert_eq!(super::id(&again), id);

    let message = settled(&stage, id).await;
    assert_eq!((message.state, message.seq), (MessageState::Ready, Some(1)));
    stage.message(&stage.ben.token, id).await.expect(200);
    assert_eq!(super::id(&stage.send(fields).await.expect(200)), id);
    until(async || (staged(&stage.app) == 0).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_turns_out_to_be_no_sound_fails_in_silence_and_frees_its_id() {
    let stage = Stage::with(NO_PATIENCE).await;
    let client_id = Uuid::from_u128(7).to_string();
    let noise: &[(&str, &[u8])] = &[
        ("client_id", client_id.as_bytes()),
        ("audio", b"no sound here, none"),
    ];
    let id = super::id(&stage.send(noise).await.expect(202));
    let message = settled(&stage, id).await;
    assert_eq!((message.state, message.seq), (MessageState::Failed, None));
    stage
        .message(&stage.ben.token, id)
        .await
        .problem(ErrorCode::NotFound);
    assert!(stage.list(&stage.ana.token, "").await.items.is_empty());
    until(async || (staged(&stage.app) == 0).then_some(())).await;
    let sound: &[(&str, &[u8])] = &[("client_id", client_id.as_bytes()), ("audio", CHROMIUM)];
    let other = super::id(&stage.send(sound).await.expect(202));
    assert_ne!(other, id);
    assert_eq!(settled(&stage, other).await.seq, Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_did_not_finish_the_next_one_does() {
    let stage = Stage::with(NO_PATIENCE).await;
    // A server that stops does not wait for long work: it is set aside.
    stage.app.app.ingest.stopping.cancel();
    let id = super::id(&stage.send(&[("audio", MP3)]).await.expect(202));
    stage.app.app.ingest.stop().await;
    assert_eq!(staged(&stage.app), 1);
    std::fs::write(stage.app.app.ingest.staging.path("left-over"), b"x").unwrap();

    let (ana, ben, conversation) = (stage.ana.clone(), stage.ben.clone(), stage.conversation);
    let app = stage.app.restart().await;
    housekeeping::start(&app.app, Rhythm::default()).await.unwrap();
    let stage = Stage {
        app,
        ana,
        ben,
        conversation,
    };
    let message = settled(&stage, id).await;
    assert_eq!((message.state, message.seq), (MessageState::Ready, Some(1)));
    until(async || (staged(&stage.app) == 0).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_deleted_while_it_is_processed_is_never_published() {
    let stage = Stage::with(NO_PATIENCE).await;
    stage.app.app.ingest.stopping.cancel();
    let id = super::id(&stage.send(&[("audio", MP3)]).await.expect(202));
    stage
        .app
        .delete(&format!("/v1/messages/{id}"), &stage.ana.token)
        .await
        .expect(204);
    stage.app.app.ingest.stop().await;
    stage
        .message(&stage.ana.token, id)
        .await
        .problem(ErrorCode::NotFound);
    let (ana, ben, conversation) = (stage.ana.clone(), stage.ben.clone(), stage.conversation);
    let app = stage.app.restart().await;
    housekeeping::start(&app.app, Rhythm::default()).await.unwrap();
    let stage = Stage {
        app,
        ana,
        ben,
        conversation,
    };
    assert_eq!(staged(&stage.app), 0);
    assert!(stage.list(&stage.ana.token, "").await.items.is_empty());
    assert_eq!(stage.objects().await, [""; 0]);
}

#[tokio::test]
async fn objects_without_a_message_are_swept_and_others_are_not() {
    let stage = Stage::new().await;
    stage.say(CHROMIUM).await;
    let orphan = crate::blob::message_key(Uuid::from_u128(3));
    stage.app.app.blobs.put_bytes(&orphan, CHROMIUM).await.unwrap();
    assert_eq!(stage.objects().await.len(), 2);
    let app = stage.app.restart().await;
    let stage = Stage { app, ..stage };
    housekeeping::start(&stage.app.app, Rhythm::default())
        .await
        .unwrap();
    until(async || (stage.objects().await.len() == 1).then_some(())).await;
    assert!(!stage.objects().await.contains(&orphan));
}
