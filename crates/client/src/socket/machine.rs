//! The state machine of a subscription: no socket and no clock, time and randomness come in as arguments.
//!
//! The driver calls `handle_*` for what happened, then [`Machine::poll`] until it gives nothing more, then waits until
//! [`Machine::deadline`] at the latest.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use voxpost_proto::api::User;
use voxpost_proto::socket::{ClientMessage, Ephemeral, Event, ServerMessage};
use voxpost_proto::{ErrorCode, Problem, Uuid};

use super::seen::Seen;
use crate::retry::RetryPolicy;

/// How long a server may take from the connection to its `welcome`.
const WELCOME_WITHIN: Duration = Duration::from_secs(20);

/// What a subscription tells.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Update {
    /// The connection stands. Whoever began without a token lists conversations now.
    Connected {
        /// Whose events they are.
        user: User,
    },
    /// All that had been missed was told; what follows is live.
    Synced {
        /// Where the subscription is.
        token: String,
    },
    /// Something lasting happened: each is told once, in the order of its conversation. Its token is worth keeping.
    Event(Box<Event>),
    /// Something passing happened.
    Ephemeral(Box<Ephemeral>),
    /// Too much was missed to be told: list conversations and messages again. The subscription goes on by itself.
    ResyncRequired {
        /// Where the subscription is.
        token: String,
    },
    /// The connection is lost. The subscription takes it up again by itself.
    Disconnected {
        /// Why.
        reason: String,
        /// The pause before the next try.
        retry_in: Duration,
    },
}

/// What the driver shall do.
#[derive(Debug, PartialEq)]
pub(crate) enum Action {
    /// Open a connection; repeated until one of `handle_connected` and `handle_disconnected` is called.
    Connect,
    /// Send on the connection.
    Send(ClientMessage),
    /// Drop the connection, which is dead; `handle_disconnected` need not be called.
    Drop,
    /// Tell the user.
    Tell(Update),
    /// Tell the user that it is over.
    End(Box<Problem>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Pausing { until: Instant },
    Connecting,
    Greeting { until: Instant },
    Listening { silent_until: Instant },
    Ended,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Machine {
    phase: Phase,
    policy: RetryPolicy,
    device: Option<Uuid>,
    token: Option<String>,
    heartbeat: Duration,
    failures: u32,
    seen: Seen,
    actions: VecDeque<Action>,
}

impl Machine {
    pub(crate) fn new(since: Option<String>, device: Option<Uuid>, policy: RetryPolicy) -> Self {
        Self {
            phase: Phase::Connecting,
            policy,
            device,
            token: since,
            heartbeat: Duration::ZERO,
            failures: 0,
            seen: Seen::default(),
            actions: VecDeque::new(),
        }
    }

    /// The token to go on from, for a later subscription.
    pub(crate) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    pub(crate) fn poll(&mut self) -> Option<Action> {
        self.actions
            .pop_front()
            .or_else(|| (self.phase == Phase::Connecting).then_some(Action::Connect))
    }

    /// When [`Self::handle_deadline`] is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Pausing { until } | Phase::Greeting { until } => Some(until),
            Phase::Listening { silent_until } => Some(silent_until),
            Phase::Connecting | Phase::Ended => None,
        }
    }

    pub(crate) fn handle_connected(&mut self, now: Instant) {
        self.phase = Phase::Greeting {
            until: now + WELCOME_WITHIN,
        };
        let since = self.token.clone();
        self.actions.push_back(Action::Send(ClientMessage::Hello {
            since,
            device_id: self.device,
            reference: None,
        }));
    }

    /// The connection was lost, or could not be made.
    pub(crate) fn handle_disconnected(
        &mut self,
        now: Instant,
        reason: String,
        retry_after: Option<Duration>,
        jitter: f64,
    ) {
        if self.phase == Phase::Ended {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        match self.policy.pause(self.failures, retry_after, jitter) {
            Some(retry_in) => {
                self.phase = Phase::Pausing {
                    until: now + retry_in,
                };
                self.actions
                    .push_back(Action::Tell(Update::Disconnected { reason, retry_in }));
            }
            None => self.end(Problem::new(ErrorCode::Unavailable, reason)),
        }
    }

    /// The server refused for good: another try would fare no better.
    pub(crate) fn handle_refused(&mut self, problem: Problem) {
        self.end(problem);
    }

    /// Anything arrived, be it a ping: the connection lives.
    pub(crate) fn handle_alive(&mut self, now: Instant) {
        if let Phase::Listening { silent_until } = &mut self.phase {
            // The server pings each heartbeat; one may be lost on the way, two are no accident.
            *silent_until = now + self.heartbeat * 5 / 2;
        }
    }

    pub(crate) fn handle_deadline(&mut self, now: Instant, jitter: f64) {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        match self.phase {
            Phase::Pausing { .. } => self.phase = Phase::Connecting,
            Phase::Greeting { .. } | Phase::Listening { .. } => {
                self.actions.push_back(Action::Drop);
                self.handle_disconnected(now, "the server fell silent".to_owned(), None, jitter);
            }
            Phase::Connecting | Phase::Ended => {}
        }
    }

    /// A text message arrived. One that this version does not know is left alone.
    pub(crate) fn handle_text(&mut self, now: Instant, text: &str) {
        match serde_json::from_str(text) {
            Ok(message) => self.handle_message(now, message),
            Err(error) => tracing::debug!(%error, "a message of the socket that this version does not know"),
        }
        self.handle_alive(now);
    }

    fn handle_message(&mut self, now: Instant, message: ServerMessage) {
        let update = match message {
            ServerMessage::Welcome {
                user, heartbeat_ms, ..
            } => {
                self.heartbeat = Duration::from_millis(heartbeat_ms.clamp(1_000, 600_000));
                self.phase = Phase::Listening {
                    silent_until: now + self.heartbeat * 5 / 2,
                };
                Update::Connected { user }
            }
            ServerMessage::Synced { token } => {
                self.failures = 0;
                self.token = Some(token.clone());
                Update::Synced { token }
            }
            ServerMessage::ResyncRequired { token } => {
                self.token = Some(token.clone());
                Update::ResyncRequired { token }
            }
            ServerMessage::Event(event) => {
                self.token = Some(event.token.clone());
                if !self.seen.is_news(&event) {
                    return;
                }
                Update::Event(Box::new(event))
            }
            ServerMessage::Ephemeral(ephemeral) => Update::Ephemeral(Box::new(ephemeral)),
            ServerMessage::Error { problem, .. } if matches!(self.phase, Phase::Greeting { .. }) => {
                return self.end(problem);
            }
            // Answers to requests that this machine does not make.
            ServerMessage::Error { .. }
            | ServerMessage::Ok { .. }
            | ServerMessage::Upload(_)
            | ServerMessage::RecordingReady { .. }
            | ServerMessage::RecordingAck { .. }
            | ServerMessage::LiveReady { .. }
            | ServerMessage::LiveEnded { .. } => return,
        };
        self.actions.push_back(Action::Tell(update));
    }

    fn end(&mut self, problem: Problem) {
        self.phase = Phase::Ended;
        self.actions.push_back(Action::End(Box::new(problem)));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    struct Harness {
        machine: Machine,
        now: Instant,
    }

    impl Harness {
        fn new(since: Option<&str>) -> Self {
            let policy = RetryPolicy {
                attempts: 5,
                ..RetryPolicy::FOREVER
            };
            Self {
                machine: Machine::new(since.map(str::to_owned), None, policy),
                now: Instant::now(),
            }
        }

        fn poll(&mut self) -> Vec<Action> {
            let mut actions = Vec::new();
            while let Some(action) = self.machine.poll() {
                let connect = action == Action::Connect;
                actions.push(action);
                if connect {
                    break;
                }
            }
            actions
        }

        fn connect(&mut self) {
            assert_eq!(self.poll(), [Action::Connect]);
            self.machine.handle_connected(self.now);
            let [Action::Send(ClientMessage::Hello { .. })] = &self.poll()[..] else {
                panic!("a connection begins with hello")
            };
            self.text(
                &json!({"type": "welcome", "user": user("ana"), "session_id": null, "heartbeat_ms": 20_000}),
            );
            assert!(matches!(
                &self.poll()[..],
                [Action::Tell(Update::Connected { .. })]
            ));
        }

        fn text(&mut self, message: &serde_json::Value) {
            self.machine.handle_text(self.now, &message.to_string());
        }

        fn lose(&mut self) -> Vec<Action> {
            self.machine
                .handle_disconnected(self.now, "lost".into(), None, 1.0);
            self.poll()
        }

        fn sleep(&mut self) -> Duration {
            let deadline = self.machine.deadline().expect("something to wait for");
            let slept = deadline - self.now;
            self.now = deadline;
            self.machine.handle_deadline(self.now, 1.0);
            slept
        }

        fn told(&mut self) -> Vec<Update> {
            let tell = |action| match action {
                Action::Tell(update) => update,
                other => panic!("unexpected {other:?}"),
            };
            self.poll().into_iter().map(tell).collect()
        }
    }

    fn user(name: &str) -> serde_json::Value {
        json!({"id": Uuid::from_u128(name.len() as u128), "username": name, "display_name": name})
    }

    fn read(token: &str, seq: i64) -> serde_json::Value {
        json!({"type": "read.updated", "token": token, "conversation_id": Uuid::nil(), "user": user("ben"), "seq": seq})
    }

    fn seq_of(update: &Update) -> i64 {
        match update {
            Update::Event(event) => match &event.change {
                voxpost_proto::socket::Change::ReadUpdated { seq, .. } => *seq,
                other => panic!("unexpected {other:?}"),
            },
            other => panic!("unexpected {other:?}"),
        }
    }

    #[test]
    fn a_new_connection_goes_on_from_the_last_token_and_tells_nothing_twice() {
        let mut harness = Harness::new(Some("10"));
        harness.connect();
        harness.text(&read("11", 1));
        harness.text(&read("12", 2));
        let told: Vec<i64> = harness.told().iter().map(seq_of).collect();
        assert_eq!(told, [1, 2]);
        harness.lose();
        harness.sleep();
        assert_eq!(harness.poll(), [Action::Connect]);
        harness.machine.handle_connected(harness.now);
        let hello = ClientMessage::Hello {
            since: Some("12".into()),
            device_id: None,
            reference: None,
        };
        assert_eq!(harness.poll(), [Action::Send(hello)]);
        harness.text(&read("12", 2));
        harness.text(&read("13", 3));
        assert_eq!(harness.told().iter().map(seq_of).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn pauses_grow_while_nobody_answers_and_start_small_after_a_success() {
        let mut harness = Harness::new(None);
        harness.connect();
        harness.text(&json!({"type": "synced", "token": "1"}));
        let mut pauses = Vec::new();
        harness.poll();
        for _ in 0..3 {
            harness.lose();
            pauses.push(harness.sleep().as_millis());
            assert_eq!(harness.poll(), [Action::Connect]);
        }
        assert_eq!(pauses, [250, 500, 1000]);
        harness.machine.handle_connected(harness.now);
        harness.text(&json!({"type": "synced", "token": "2"}));
        harness.poll();
        harness.lose();
        assert_eq!(harness.sleep().as_millis(), 250);
    }

    #[test]
    fn a_connection_without_a_sign_of_life_for_two_and_a_half_heartbeats_is_given_up() {
        let mut harness = Harness::new(None);
        harness.connect();
        harness.now += Duration::from_secs(40);
        harness.machine.handle_alive(harness.now);
        assert_eq!(harness.sleep(), Duration::from_secs(50));
        let actions = harness.poll();
        assert!(
            matches!(
                &actions[..],
                [Action::Drop, Action::Tell(Update::Disconnected { .. })]
            ),
            "{actions:?}"
        );
    }

    #[test]
    fn a_server_that_does_not_greet_is_given_up() {
        let mut harness = Harness::new(None);
        harness.poll();
        harness.machine.handle_connected(harness.now);
        harness.poll();
        assert_eq!(harness.sleep(), WELCOME_WITHIN);
        assert!(harness.poll().contains(&Action::Drop));
    }

    #[test]
    fn a_token_that_is_too_old_is_replaced_by_the_present_one() {
        let mut harness = Harness::new(Some("old"));
        harness.connect();
        harness.text(&json!({"type": "resync_required", "token": "99"}));
        assert_eq!(harness.told(), [Update::ResyncRequired { token: "99".into() }]);
        assert_eq!(harness.machine.token(), Some("99"));
    }

    #[test]
    fn messages_of_a_later_version_of_the_server_are_left_alone() {
        let mut harness = Harness::new(None);
        harness.connect();
        for text in ["", "{}", "[]", r#"{"type":"news.of.tomorrow"}"#, "\u{0}"] {
            harness.machine.handle_text(harness.now, text);
        }
        assert_eq!(harness.poll(), []);
    }

    #[test]
    fn a_refusal_ends_it_and_nothing_brings_it_back() {
        let mut harness = Harness::new(None);
        harness.poll();
        harness
            .machine
            .handle_refused(Problem::new(ErrorCode::Unauthenticated, "revoked"));
        assert!(
            matches!(&harness.poll()[..], [Action::End(problem)] if problem.code == ErrorCode::Unauthenticated)
        );
        assert_eq!(harness.lose(), []);
        assert_eq!(harness.machine.deadline(), None);
    }

    #[test]
    fn it_ends_when_the_policy_allows_no_further_try() {
        let mut harness = Harness::new(None);
        for _ in 0..4 {
            harness.poll();
            harness.lose();
            harness.sleep();
        }
        harness.poll();
        assert!(matches!(&harness.lose()[..], [Action::End(_)]));
    }

    #[test]
    fn a_deadline_that_is_not_due_changes_nothing() {
        let mut harness = Harness::new(None);
        harness.connect();
        harness.machine.handle_deadline(harness.now, 1.0);
        assert_eq!(harness.poll(), []);
    }
}
