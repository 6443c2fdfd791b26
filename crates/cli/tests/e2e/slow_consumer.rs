//! A listener that does not read is cut off, costs little, and catches up.

use voxpost_proto::socket::Change;
use voxpost_testkit::patiently;

use crate::server;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_listener_that_does_not_read_is_cut_off_and_misses_nothing() {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let group = ana.group("0", &[&ben]).await;
    let path = format!("/v1/conversations/{}", group.id);

    // Ben's socket is live and then never read while titles change, each an event of half a kilobyte or so.
    let mut sleeping = ben.socket().await;
    let start = sleeping.token.clone();
    let before = server.resident_kib();
    let rounds = 4_000;
    let title = |n: i64| format!("{n}{}", " long title".repeat(7));
    for n in 1..=rounds {
        ana.patch(&path, &serde_json::json!({"title": title(n)}))
            .await
            .expect(200);
    }
    assert!(
        server.resident_kib() < before + 64 * 1024,
        "{} KiB before, {} KiB after",
        before,
        server.resident_kib()
    );

    // What had been under way arrives; then the socket ends, or it has caught up by itself.
    let mut token = start;
    let mut last_version = group.version;
    let read = patiently("the sleeper to be cut off or to catch up", async {
        while let Some(event) = sleeping.next_event().await {
            token.clone_from(&event.token);
            if let Change::ConversationUpdated { conversation } = &event.change {
                assert!(conversation.version >= last_version, "out of order");
                last_version = conversation.version;
                if conversation.title.as_deref() == Some(&title(rounds)) {
                    return;
                }
            }
        }
    });
    read.await;

    let back = ben.socket_since(&token).await;
    let newest = back.replay.iter().rev().find_map(|event| match &event.change {
        Change::ConversationUpdated { conversation } => Some(conversation.title.clone()),
        _ => None,
    });
    assert!(
        newest.is_none_or(|newest| newest == Some(title(rounds))),
        "the replay ends in the present"
    );
}
