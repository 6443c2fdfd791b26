//! What a client says on an open socket.

use serde_json::Value;
use tokio::time::{Duration, Instant};
use uuid::Uuid;
use voxpost_proto::ErrorCode;
use voxpost_proto::api::User;
use voxpost_proto::socket::{ClientMessage, Ephemeral};

use crate::access;
use crate::app::App;
use crate::auth::Caller;
use crate::domain::access::Action;
use crate::domain::conversations::MAX_READ_TOLD;
use crate::error::{ApiError, ApiResult};
use crate::store::members;

/// A request that was understood.
pub(super) struct Request {
    pub(super) message: ClientMessage,
    pub(super) reference: Option<Value>,
}

/// A message that was not, with the `ref` to repeat where there was one.
pub(super) struct Refused {
    pub(super) reference: Option<Value>,
    pub(super) error: ApiError,
}

/// Reads one text message.
pub(super) fn parse(text: &str) -> Result<Request, Refused> {
    let refuse = |reference, detail: String| Refused {
        reference,
        error: ApiError::invalid(detail),
    };
    let value: Value = serde_json::from_str(text)
        .map_err(|error| refuse(None, format!("a message must be a JSON object: {error}")))?;
    let reference = value.get("ref").cloned();
    let Some(kind) = value.get("type").and_then(Value::as_str).map(short) else {
        return Err(refuse(reference, "a message must have a `type`".into()));
    };
    // A family's own words say best what is wrong with one of its messages.
    let message = if kind.starts_with("upload.") {
        serde_json::from_value(value).map(ClientMessage::Upload)
    } else {
        serde_json::from_value(value)
    };
    match message {
        Ok(message) => Ok(Request { message, reference }),
        Err(error) => Err(refuse(
            reference,
            format!("“{kind}” is no message that is known here, or lacks something: {error}"),
        )),
    }
}

fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(40).collect()
}

/// How often one socket may tell that its person is recording: five at once, then two a second.
pub(super) struct TypingRate {
    left: f32,
    at: Instant,
}

impl TypingRate {
    const BURST: f32 = 5.0;
    const PER_SECOND: f32 = 2.0;

    pub(super) fn new(now: Instant) -> Self {
        Self {
            left: Self::BURST,
            at: now,
        }
    }

    fn take(&mut self, now: Instant) -> bool {
        let passed: Duration = now.saturating_duration_since(self.at);
        self.at = now;
        self.left = (self.left + passed.as_secs_f32() * Self::PER_SECOND).min(Self::BURST);
        let allowed = self.left >= 1.0;
        if allowed {
            self.left -= 1.0;
        }
        allowed
    }
}

/// Tells the other members that this person is recording. Not in crowds, where nobody could follow it.
pub(super) async fn typing(
    app: &App,
    caller: Caller,
    user: &User,
    rate: &mut TypingRate,
    conversation_id: Uuid,
    kind: String,
) -> ApiResult<()> {
    if kind != "recording" {
        return Err(ApiError::invalid("`kind` must be `recording`"));
    }
    if !rate.take(Instant::now()) {
        let error = ApiError::new(ErrorCode::RateLimited, "Tell it twice a second at most.");
        return Err(error.retry_after(1));
    }
    let mut c = app.store.read().await?;
    access::conversation(&mut c, caller.user_id, conversation_id, Action::Send).await?;
    let mut people = members::ids(&mut c, conversation_id, MAX_READ_TOLD as i64 + 1).await?;
    drop(c);
    if people.len() <= MAX_READ_TOLD {
        people.retain(|person| *person != caller.user_id);
        let news = Ephemeral::Typing {
            conversation_id,
            user: user.clone(),
            kind,
        };
        app.hub.tell_all(&people, &news);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_understood_is_refused_with_its_reference() {
        for (text, reference) in [
            ("", None),
            ("{", None),
            ("[]", None),
            ("7", None),
            (r#"{"ref": 3}"#, Some(Value::from(3))),
            (r#"{"type": "news", "ref": "a"}"#, Some(Value::from("a"))),
            (r#"{"type": "typing", "ref": "b"}"#, Some(Value::from("b"))),
            (r#"{"type": "upload.finish", "ref": "c"}"#, Some(Value::from("c"))),
            (r#"{"type": "upload.later", "ref": "d"}"#, Some(Value::from("d"))),
        ] {
            let refused = parse(text).err().expect(text);
            assert_eq!(refused.reference, reference, "{text}");
            assert_eq!(refused.error.code(), ErrorCode::InvalidRequest);
        }
        let deep = "[".repeat(60_000);
        assert!(parse(&deep).is_err());
    }

    #[test]
    fn the_typing_rate_is_bounded_and_recovers() {
        let start = Instant::now();
        let mut rate = TypingRate::new(start);
        assert_eq!((0..20).filter(|_| rate.take(start)).count(), 5);
        let later = start + Duration::from_secs(1);
        assert_eq!((0..20).filter(|_| rate.take(later)).count(), 2);
    }
}
