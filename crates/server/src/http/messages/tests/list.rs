use voxpost_proto::ErrorCode;
use voxpost_proto::api::{Message, Page};

use super::{CHROMIUM, FIREFOX, Stage, id};

fn seqs(page: &Page<Message>) -> Vec<i64> {
    page.items.iter().filter_map(|message| message.seq).collect()
}

#[tokio::test]
async fn the_list_goes_back_and_forth_by_seq() {
    let stage = Stage::new().await;
    for _ in 0..7 {
        stage.say(CHROMIUM).await;
    }
    let token = &stage.ben.token;
    let newest = stage.list(token, "?limit=3").await;
    assert_eq!(seqs(&newest), [5, 6, 7]);
    assert_eq!(newest.next.as_deref(), Some("5"));
    let older = stage.list(token, "?limit=3&before=5").await;
    assert_eq!((seqs(&older), older.next.as_deref()), (vec![2, 3, 4], Some("2")));
    let oldest = stage.list(token, "?limit=3&before=2").await;
    assert_eq!((seqs(&oldest), oldest.next), (vec![1], None));
    let forth = stage.list(token, "?limit=3&after=0").await;
    assert_eq!((seqs(&forth), forth.next.as_deref()), (vec![1, 2, 3], Some("3")));
    let last = stage.list(token, "?limit=4&after=3").await;
    assert_eq!((seqs(&last), last.next), (vec![4, 5, 6, 7], None));
    let all = stage.list(token, "?limit=5000").await;
    assert_eq!((seqs(&all).len(), all.next), (7, None));
    assert_eq!(seqs(&stage.list(token, "?after=7").await), [0; 0]);
    assert_eq!(seqs(&stage.list(token, "?before=-3").await), [0; 0]);

    for bad in ["limit=0", "limit=-1", "limit=x", "before=a", "before=3&after=1"] {
        let path = format!("/v1/conversations/{}/messages?{bad}", stage.conversation);
        stage
            .app
            .get(&path, token)
            .await
            .problem(ErrorCode::InvalidRequest);
    }
}

#[tokio::test]
async fn a_member_sees_from_joining_to_leaving() {
    let stage = Stage::new().await;
    let eva = stage.app.person("eva").await;
    let body = serde_json::json!({"kind": "group", "title": "radio", "members": ["ben"]});
    let group = id(&stage
        .app
        .post("/v1/conversations", &stage.ana.token, body)
        .await
        .expect(201));
    let say = || stage.send_as(&stage.ana.token, group, &[("audio", FIREFOX)]);
    let first: Message = say().await.expect(201).parse();

    let members = format!("/v1/conversations/{group}/members");
    let join = || {
        stage.app.post(
            &members,
            &stage.ana.token,
            serde_json::json!({"members": ["eva"]}),
        )
    };
    join().await.expect(200);
    let second: Message = say().await.expect(201).parse();
    let list = format!("/v1/conversations/{group}/messages");
    let page: Page<Message> = stage.app.get(&list, &eva.token).await.expect(200).parse();
    assert_eq!(seqs(&page), [2]);
    stage
        .message(&eva.token, first.id)
        .await
        .problem(ErrorCode::NotFound);
    stage.message(&eva.token, second.id).await.expect(200);

    let leave = format!("{members}/{}", eva.user.id);
    stage.app.delete(&leave, &eva.token).await.expect(204);
    say().await.expect(201);
    stage
        .app
        .get(&list, &eva.token)
        .await
        .problem(ErrorCode::NotFound);
    stage
        .message(&eva.token, second.id)
        .await
        .problem(ErrorCode::NotFound);

    join().await.expect(200);
    say().await.expect(201);
    let page: Page<Message> = stage.app.get(&list, &eva.token).await.expect(200).parse();
    assert_eq!(
        seqs(&page),
        [2, 4],
        "both stays, and not what was said between them"
    );
}
