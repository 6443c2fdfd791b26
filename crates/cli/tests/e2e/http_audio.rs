//! The sound over HTTP: ranges, validators, and links that carry their own right.

use reqwest::Method;
use voxpost_proto::ErrorCode;
use voxpost_proto::api::{AudioUrl, Message};
use voxpost_testkit::{Answer, Clip, Person, Server, client, exchange};

use crate::server;

struct Stage {
    server: Server,
    ana: Person,
    ben: Person,
    message: Message,
}

async fn stage() -> Stage {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await;
    let message = ana.say(conversation.id, &Clip::webm(2.0, 440)).await;
    Stage {
        server,
        ana,
        ben,
        message,
    }
}

impl Stage {
    async fn audio(&self, method: Method, headers: &[(&str, &str)]) -> Answer {
        let path = format!("/v1/messages/{}/audio", self.message.id);
        let mut request = self.ben.request(method, &path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        exchange(request).await
    }

    async fn link(&self, path: &str) -> Answer {
        exchange(client().get(format!("{}{path}", self.server.base()))).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_part_of_the_sound_can_be_fetched() {
    let stage = stage().await;
    let whole = stage.audio(Method::GET, &[]).await.expect(200);
    assert_eq!(whole.header("accept-ranges"), "bytes");
    assert_eq!(whole.header("x-content-type-options"), "nosniff");
    assert!(
        whole.header("cache-control").contains("private"),
        "{}",
        whole.header("cache-control")
    );
    assert_eq!(whole.header("content-length"), whole.body.len().to_string());
    let n = whole.body.len();

    for (range, from, to) in [
        ("bytes=0-0".to_owned(), 0, 0),
        ("bytes=10-99".to_owned(), 10, 99),
        (format!("bytes={}-", n - 7), n - 7, n - 1),
        ("bytes=-5".to_owned(), n - 5, n - 1),
        (format!("bytes=-{}", n * 2), 0, n - 1),
        (format!("bytes=3-{}", n * 9), 3, n - 1),
    ] {
        let part = stage.audio(Method::GET, &[("range", &range)]).await.expect(206);
        assert_eq!(
            part.header("content-range"),
            format!("bytes {from}-{to}/{n}"),
            "{range}"
        );
        assert_eq!(
            part.header("content-length"),
            (to - from + 1).to_string(),
            "{range}"
        );
        assert!(part.body == whole.body[from..=to], "{range}");
    }
    for range in [
        format!("bytes={n}-"),
        "bytes=-0".to_owned(),
        format!("bytes={}-{}", n + 5, n + 9),
    ] {
        let refused = stage.audio(Method::GET, &[("range", &range)]).await.expect(416);
        assert_eq!(refused.header("content-range"), format!("bytes */{n}"), "{range}");
    }
    // What is no range of bytes is as if it were not there (RFC 9110 §14.2).
    for range in ["bytes=9-3", "lines=1-2", "bytes=", "bytes=a-b"] {
        let all = stage.audio(Method::GET, &[("range", range)]).await.expect(200);
        assert!(all.body == whole.body, "{range}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_is_told_what_it_has_already() {
    let stage = stage().await;
    let whole = stage.audio(Method::GET, &[]).await.expect(200);
    let etag = whole.header("etag").to_owned();
    assert!(
        etag.starts_with('"') && etag.ends_with('"') && etag.len() > 10,
        "{etag}"
    );

    let same = stage
        .audio(Method::GET, &[("if-none-match", &etag)])
        .await
        .expect(304);
    assert!(same.body.is_empty());
    assert_eq!(same.header("etag"), etag);
    let weak = format!("\"other\", W/{etag}");
    stage
        .audio(Method::GET, &[("if-none-match", &weak)])
        .await
        .expect(304);
    stage
        .audio(Method::GET, &[("if-none-match", "\"other\"")])
        .await
        .expect(200);

    let head = stage.audio(Method::HEAD, &[]).await.expect(200);
    assert!(head.body.is_empty());
    for name in ["etag", "content-length", "content-type", "accept-ranges"] {
        assert_eq!(head.header(name), whole.header(name), "{name}");
    }
    let part = stage
        .audio(Method::GET, &[("range", "bytes=0-9"), ("if-range", &etag)])
        .await;
    part.expect(206);
    let all = stage
        .audio(Method::GET, &[("range", "bytes=0-9"), ("if-range", "\"other\"")])
        .await;
    all.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_format_that_this_build_cannot_make_is_not_acceptable() {
    let stage = stage().await;
    let path = format!("/v1/messages/{}/audio?format=", stage.message.id);
    stage.ben.get(&format!("{path}ogg")).await.expect(200);
    stage
        .ben
        .get(&format!("{path}aiff"))
        .await
        .problem(ErrorCode::NotAcceptable);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_link_opens_this_sound_for_this_person_and_nothing_else() {
    let stage = stage().await;
    let url = stage.message.audio.clone().expect("sound").url;
    stage.link(&url).await.expect(200);

    // One changed character anywhere in the signature makes it worthless.
    let (path, query) = url.split_once('?').expect("a signature in the query");
    stage.link(path).await.problem(ErrorCode::Unauthenticated);
    for index in 0..query.len() {
        let mut bytes = query.as_bytes().to_vec();
        if !bytes[index].is_ascii_alphanumeric() || query[..index].rfind('=').is_none() {
            continue;
        }
        bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
        let tampered = String::from_utf8(bytes).expect("ASCII");
        let answer = stage.link(&format!("{path}?{tampered}")).await;
        assert!(
            matches!(answer.status, 401 | 403 | 404),
            "{tampered}: {}",
            answer.status
        );
    }

    // The signature of one message does not open another.
    let other = stage
        .ana
        .say(stage.message.conversation_id, &Clip::webm(1.0, 880))
        .await;
    let elsewhere = url.replace(&stage.message.id.to_string(), &other.id.to_string());
    let answer = stage.link(&elsewhere).await;
    assert!(matches!(answer.status, 401 | 403 | 404), "{}", answer.status);

    let fresh = stage
        .ben
        .post(&format!("/v1/messages/{}/audio-url", stage.message.id), &())
        .await;
    let fresh: AudioUrl = fresh.expect(200).json();
    stage.link(&fresh.url).await.expect(200);
    assert_ne!(fresh.url, url, "links are for one person");
}
