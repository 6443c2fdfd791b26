//! What is deleted is gone, and its place stays.

use std::path::Path;

use voxpost_proto::ErrorCode;
use voxpost_proto::api::MessageState;
use voxpost_proto::socket::Change;
use voxpost_testkit::{Clip, client, eventually, exchange};

use crate::{files, server, sha256};

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_message_leaves_a_tombstone_and_no_sound_anywhere() {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await;
    let first = ana.say(conversation.id, &Clip::webm(1.0, 440)).await;
    let doomed = ana.say(conversation.id, &Clip::webm(1.0, 550)).await;
    let audio = doomed.audio.clone().expect("sound");
    assert!(
        holds_file_with(server.data_dir(), &audio.sha256),
        "the object is a file of these very bytes"
    );

    let mut bens_socket = ben.socket().await;
    ben.delete(&format!("/v1/messages/{}", doomed.id))
        .await
        .problem(ErrorCode::Forbidden);
    ana.delete(&format!("/v1/messages/{}", doomed.id))
        .await
        .expect(204);

    let tombstone = bens_socket
        .wait_for_event("message.deleted", |event| match &event.change {
            Change::MessageDeleted { message } => Some(message.clone()),
            _ => None,
        })
        .await;
    assert_eq!(
        (tombstone.id, tombstone.seq, tombstone.state),
        (doomed.id, Some(2), MessageState::Deleted)
    );
    assert_eq!(
        (tombstone.audio, tombstone.caption, tombstone.waveform),
        (None, None, None)
    );

    for person in [&ana, &ben] {
        let message = format!("/v1/messages/{}", doomed.id);
        person.get(&message).await.problem(ErrorCode::NotFound);
        person
            .get(&format!("{message}/audio"))
            .await
            .problem(ErrorCode::NotFound);
        person
            .post(&format!("{message}/audio-url"), &())
            .await
            .problem(ErrorCode::NotFound);
        person.delete(&message).await.problem(ErrorCode::NotFound);
        let list = person.messages(conversation.id).await;
        let states: Vec<_> = list.iter().map(|m| (m.seq, m.state)).collect();
        assert_eq!(
            states,
            [(Some(1), MessageState::Ready), (Some(2), MessageState::Deleted)]
        );
        assert_eq!(list[1].audio, None);
    }
    exchange(client().get(format!("{}{}", server.base(), audio.url)))
        .await
        .problem(ErrorCode::NotFound);

    eventually("the object to be gone from the disk", || async {
        (!holds_file_with(server.data_dir(), &audio.sha256)).then_some(())
    })
    .await;
    ben.audio(first.id).await.expect(200);
    let next = ana.say(conversation.id, &Clip::webm(1.0, 660)).await;
    assert_eq!(next.seq, Some(3), "the place of the tombstone is not given again");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_may_delete_what_others_said_in_the_group() {
    let server = server().await;
    let (ana, ben, eva) = (
        server.person("ana").await,
        server.person("ben").await,
        server.person("eva").await,
    );
    let group = ana.group("radio", &[&ben, &eva]).await;
    let message = ben.say(group.id, &Clip::webm(1.0, 440)).await;
    eva.delete(&format!("/v1/messages/{}", message.id))
        .await
        .problem(ErrorCode::Forbidden);
    ana.delete(&format!("/v1/messages/{}", message.id))
        .await
        .expect(204);
    ben.audio(message.id).await.problem(ErrorCode::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_deleted_while_it_is_analysed_stays_deleted() {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await;
    let clip = Clip::webm(20.0, 300);
    for _ in 0..8 {
        let message = ana.say(conversation.id, &clip).await;
        ana.delete(&format!("/v1/messages/{}", message.id))
            .await
            .expect(204);
    }
    // The last analysis has certainly ended when that of a later message is told.
    let mut socket = ben.socket().await;
    let last = ana.say(conversation.id, &Clip::webm(1.0, 500)).await;
    socket
        .wait_for_event("the analysis of the last one", |event| match &event.change {
            Change::MessageUpdated { message } if message.id == last.id => Some(()),
            _ => None,
        })
        .await;
    for message in &ben.messages(conversation.id).await[..8] {
        assert_eq!(message.state, MessageState::Deleted);
        assert_eq!(
            (&message.waveform, message.loudness_lufs),
            (&None, None),
            "nothing derived came back"
        );
    }
}

fn holds_file_with(dir: &Path, digest: &str) -> bool {
    files(dir)
        .iter()
        .any(|path| std::fs::read(path).is_ok_and(|bytes| sha256(&bytes) == digest))
}
