//! The Rust SDK over a network that breaks.

use std::time::{Duration, Instant};

use voxpost_client::{
    AudioFormat, AudioSource, Change, Client, Error, ErrorCode, Message, Outgoing, RetryPolicy, Sent,
    Subscription, Update, Uuid,
};
use voxpost_testkit::{Clip, Person, Proxy, Server, eventually, patiently};

use crate::options;

struct Pair {
    server: Server,
    proxy: Proxy,
    ana: Person,
    ben: Person,
}

async fn pair() -> Pair {
    pair_at(options().start().await).await
}

async fn pair_at(server: Server) -> Pair {
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let proxy = Proxy::to(server.base()).await;
    Pair {
        server,
        proxy,
        ana,
        ben,
    }
}

/// A client behind the proxy.
fn client(proxy: &Proxy, person: &Person) -> Client {
    let patient = RetryPolicy {
        first: Duration::from_millis(10),
        longest: Duration::from_millis(500),
        attempts: 60,
        ..RetryPolicy::default()
    };
    Client::builder(proxy.base())
        .token(&person.token)
        .retry(patient)
        .build()
        .unwrap()
}

async fn send(client: &Client, conversation: Uuid, clip: &Clip) -> Message {
    let outgoing = Outgoing::new(AudioSource::Bytes(clip.bytes.clone().into())).unwrap();
    match patiently("a message", client.send_message(conversation, &outgoing))
        .await
        .unwrap()
    {
        Sent::Ready(message) => *message,
        Sent::Processing { id } => client.wait_for_message(id).await.unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_three_times_still_makes_one_message() {
    let pair = pair().await;
    let client = client(&pair.proxy, &pair.ana);
    let conversation = client.direct_conversation("ben").await.unwrap();
    pair.proxy.cut_next(3, 10);
    let sent = send(&client, conversation.id, &Clip::webm(1.0, 300)).await;
    assert_eq!(pair.proxy.cuts_left(), 0, "the answer was lost three times");
    let messages = pair.ben.messages(conversation.id).await;
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].id, sent.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_breaks_again_and_again_is_whole_in_the_end() {
    let pair = pair().await;
    let client = client(&pair.proxy, &pair.ana);
    let conversation = client.direct_conversation("ben").await.unwrap();
    let message = send(&client, conversation.id, &Clip::webm(20.0, 300)).await;
    let whole = pair.ben.audio(message.id).await.expect(200).body;
    let before = pair.proxy.connections();
    pair.proxy.cut_next(5, 9_000);
    let mut received = Vec::new();
    let ogg = AudioFormat::default();
    let download = client.download_audio(&message, &ogg, &mut received, |_| {});
    let download = patiently("the download", download).await.unwrap();
    assert_eq!(received, whole);
    assert_eq!(download.sha256, message.audio.unwrap().sha256);
    assert!(pair.proxy.connections() > before + 2, "it was cut");
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_that_is_not_what_the_message_says_is_an_error() {
    let pair = pair().await;
    let client = client(&pair.proxy, &pair.ana);
    let conversation = client.direct_conversation("ben").await.unwrap();
    let mut message = send(&client, conversation.id, &Clip::webm(1.0, 300)).await;
    message.audio.as_mut().unwrap().sha256 = "00".repeat(32);
    let damaged = client
        .download_audio(&message, &AudioFormat::default(), &mut Vec::new(), |_| {})
        .await;
    assert!(matches!(damaged, Err(Error::Damaged { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_tells_each_message_once_over_a_network_that_breaks() {
    let pair = pair().await;
    let conversation = pair.ana.talk_to(&pair.ben).await;
    let mut news = client(&pair.proxy, &pair.ben).subscribe(None);
    until_synced(&mut news).await;
    let clip = Clip::webm(1.0, 300);
    let mut sent = Vec::new();
    let mut heard = Vec::new();
    for round in 0..12 {
        // The next connection breaks after its handshake and an event or two.
        pair.proxy.cut_next(round % 3, 1_500);
        sent.push(pair.ana.say(conversation.id, &clip).await.id);
        while heard.len() < sent.len() {
            let update = patiently("the next event", news.next()).await.unwrap();
            if let Update::Event(event) = update
                && let Change::MessageCreated { message } = event.change
            {
                heard.push(message.id);
            }
        }
    }
    assert_eq!(heard, sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_of_a_revoked_session_ends() {
    let pair = pair().await;
    let client = client(&pair.proxy, &pair.ben);
    let mut news = client.subscribe(None);
    until_synced(&mut news).await;
    client.sign_out().await.unwrap();
    let ended = async {
        loop {
            if let Err(error) = news.next().await {
                return error;
            }
        }
    };
    let error = patiently("the end", ended).await;
    assert_eq!(error.code(), Some(ErrorCode::Unauthenticated));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_goes_on_over_a_restart_of_the_server_and_misses_nothing_of_before_and_after() {
    let Pair {
        server,
        proxy,
        ana,
        ben,
    } = pair().await;
    let conversation = ana.talk_to(&ben).await;
    let mut news = client(&proxy, &ben).subscribe_with(None, None, quick());
    until_synced(&mut news).await;
    let clip = Clip::webm(1.0, 300);
    let mut sent = vec![ana.say(conversation.id, &clip).await.id];
    let mut heard = created(&mut news, 1).await;

    // Ben's network is gone while Ana goes on, then the server is killed and comes back at another port.
    proxy.refuse(true).await;
    proxy.cut_all();
    sent.push(ana.say(conversation.id, &clip).await.id);
    let server = server.kill().await.start().await;
    proxy.lead_to(server.base());
    sent.push(ana.at(server.base()).say(conversation.id, &clip).await.id);
    proxy.refuse(false).await;
    heard.extend(created(&mut news, 2).await);
    assert_eq!(heard, sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_server_restarts_meanwhile_is_sent_once_when_it_is_back() {
    let Pair {
        server,
        proxy,
        ana,
        ben,
    } = pair().await;
    let client = client(&proxy, &ana);
    let conversation = client.direct_conversation("ben").await.unwrap();
    // The answer is lost and the server with it; the next tries are refused until it is back.
    proxy.cut_next(1, 0);
    let clip = Clip::webm(1.0, 300);
    let sending = send(&client, conversation.id, &clip);
    let restarting = async {
        eventually("the answer to be lost", async || {
            (proxy.cuts_left() == 0).then_some(())
        })
        .await;
        proxy.refuse(true).await;
        let server = server.kill().await.start().await;
        proxy.lead_to(server.base());
        proxy.refuse(false).await;
        server
    };
    let (sent, server) = tokio::join!(sending, restarting);
    let messages = ben.at(server.base()).messages(conversation.id).await;
    assert_eq!(
        messages.iter().map(|message| message.id).collect::<Vec<_>>(),
        [sent.id]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_went_dead_without_a_word_is_noticed_and_taken_up_again() {
    let server = options().arg("--heartbeat-ms").arg("200").start().await;
    let pair = pair_at(server).await;
    let conversation = pair.ana.talk_to(&pair.ben).await;
    let mut news = client(&pair.proxy, &pair.ben).subscribe_with(None, None, quick());
    until_synced(&mut news).await;
    pair.proxy.stall(true);
    let sent = pair.ana.say(conversation.id, &Clip::webm(1.0, 300)).await.id;
    let noticed = async {
        loop {
            if let Update::Disconnected { reason, .. } = news.next().await.unwrap() {
                return reason;
            }
        }
    };
    assert_ne!(patiently("the silence to be noticed", noticed).await, "");
    pair.proxy.stall(false);
    assert_eq!(created(&mut news, 1).await, [sent]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_asks_for_patience_gets_it() {
    let server = options().env("VOXPOST_RATE_MESSAGES", "1").start().await;
    let pair = pair_at(server).await;
    let client = client(&pair.proxy, &pair.ana);
    let conversation = client.direct_conversation("ben").await.unwrap();
    let clip = Clip::webm(1.0, 300);
    // Six at once are allowed, then one a second.
    let began = Instant::now();
    for _ in 0..8 {
        send(&client, conversation.id, &clip).await;
    }
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(pair.ben.messages(conversation.id).await.len(), 8);

    let impatient = Client::builder(pair.proxy.base())
        .token(&pair.ana.token)
        .retry(RetryPolicy::NEVER)
        .build()
        .unwrap();
    let refused = async {
        loop {
            let outgoing = Outgoing::new(AudioSource::Bytes(clip.bytes.clone().into())).unwrap();
            if let Err(error) = impatient.send_message(conversation.id, &outgoing).await {
                return error;
            }
        }
    };
    let refused = patiently("a refusal", refused).await;
    assert_eq!(refused.code(), Some(ErrorCode::RateLimited));
    assert!(
        refused.retry_after().is_some_and(|wait| !wait.is_zero()),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_is_gone_is_told_with_the_address_and_the_reason() {
    let pair = pair().await;
    let client = Client::builder(pair.proxy.base())
        .token(&pair.ana.token)
        .retry(RetryPolicy::NEVER)
        .longest_silence(Duration::from_millis(300))
        .build()
        .unwrap();
    client.me().await.unwrap();

    pair.proxy.stall(true);
    let silent = patiently("it to be given up", client.me()).await.unwrap_err();
    assert!(
        matches!(silent, Error::Unreachable { sent: true, .. }),
        "{silent:?}"
    );
    let text = silent.to_string();
    assert!(
        text.contains(&pair.proxy.base()) && text.contains("timed out"),
        "{text}"
    );
    assert!(silent.is_temporary());
    // A subscription does not hang in the handshake either.
    let mut news = client.subscribe_with(None, None, quick());
    let update = patiently("the handshake to be given up", news.next())
        .await
        .unwrap();
    let Update::Disconnected { reason, .. } = update else {
        panic!("{update:?}")
    };
    assert!(reason.contains("300ms"), "{reason}");
    pair.proxy.stall(false);
    until_synced(&mut news).await;
    drop(news);

    pair.proxy.refuse(true).await;
    pair.proxy.cut_all();
    let refused = async {
        loop {
            match client.me().await {
                Err(error @ Error::Unreachable { sent: false, .. })
                    if error.to_string().contains("refused") =>
                {
                    return error;
                }
                // On a connection that was still there, or that the listener had taken before it went.
                Ok(_) | Err(Error::Unreachable { .. }) => {}
                Err(other) => panic!("{other:?}"),
            }
        }
    };
    let refused = patiently("a refusal", refused).await.to_string();
    assert!(refused.contains(&pair.proxy.base()), "{refused}");
    pair.proxy.refuse(false).await;
    let back = eventually("it to be back", async || client.me().await.ok()).await;
    assert_eq!(back.id, pair.ana.user.id);
}

/// The next messages that a subscription tells of.
async fn created(news: &mut Subscription, count: usize) -> Vec<Uuid> {
    let mut heard = Vec::new();
    while heard.len() < count {
        let update = patiently("the next event", news.next()).await.unwrap();
        if let Update::Event(event) = update
            && let Change::MessageCreated { message } = event.change
        {
            heard.push(message.id);
        }
    }
    heard
}

/// For good, and without long pauses.
fn quick() -> RetryPolicy {
    RetryPolicy {
        first: Duration::from_millis(10),
        longest: Duration::from_millis(100),
        ..RetryPolicy::FOREVER
    }
}

async fn until_synced(news: &mut Subscription) {
    let synced = async { while !matches!(news.next().await.unwrap(), Update::Synced { .. }) {} };
    patiently("the subscription to be live", synced).await;
}
