use voxpost_proto::ErrorCode;
use voxpost_proto::api::MessageState;

use super::{CHROMIUM, Stage};
use crate::housekeeping::{self, Rhythm};

#[tokio::test]
async fn a_deleted_message_is_a_tombstone_and_its_object_goes() {
    let stage = Stage::new().await;
    let message = stage.say(CHROMIUM).await;
    let path = format!("/v1/messages/{}", message.id);
    stage
        .app
        .delete(&path, &stage.ben.token)
        .await
        .problem(ErrorCode::Forbidden);
    stage.app.delete(&path, &stage.ana.token).await.expect(204);
    stage
        .app
        .delete(&path, &stage.ana.token)
        .await
        .problem(ErrorCode::NotFound);
    for token in [&stage.ana.token, &stage.ben.token] {
        stage
            .message(token, message.id)
            .await
            .problem(ErrorCode::NotFound);
        stage
            .app
            .get(&format!("{path}/audio"), token)
            .await
            .problem(ErrorCode::NotFound);
        let list = stage.list(token, "").await;
        assert_eq!(list.items.len(), 1);
        let stone = &list.items[0];
        assert_eq!(
            (stone.seq, stone.state, stone.version),
            (Some(1), MessageState::Deleted, 2)
        );
        assert!(stone.audio.is_none() && stone.duration_ms.is_none() && stone.source.is_none());
    }
    assert_eq!(stage.say(CHROMIUM).await.seq, Some(2));

    // The object goes when somebody gets around to it, also after a restart: this is the first start of the background.
    assert_eq!(stage.objects().await.len(), 2);
    housekeeping::start(&stage.app.app, Rhythm::default())
        .await
        .unwrap();
    while stage.objects().await.len() > 1 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_deleted_message_is_not_sent_again_by_a_late_retry() {
    let stage = Stage::new().await;
    let client_id = uuid::Uuid::from_u128(9).to_string();
    let fields: &[(&str, &[u8])] = &[("client_id", client_id.as_bytes()), ("audio", CHROMIUM)];
    let id = super::id(&stage.send(fields).await.expect(201));
    stage
        .app
        .delete(&format!("/v1/messages/{id}"), &stage.ana.token)
        .await
        .expect(204);
    stage.send(fields).await.problem(ErrorCode::NotFound);
    assert_eq!(stage.list(&stage.ana.token, "").await.items.len(), 1);
}
