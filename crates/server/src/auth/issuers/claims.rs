//! What a token whose signature is good says, and whether it is for here and now.

use serde::Deserialize;
use serde_json::{Map, Value};
use voxpost_proto::Timestamp;

/// OpenID Connect Core §2 bounds `sub` so.
const MAX_SUBJECT_BYTES: usize = 255;

/// For a token that was just made by a clock ahead of ours. There is none at the end: expired is expired.
const EARLY_MS: f64 = 10_000.0;

/// The claims of a token. Those that decide anything may be there once only; a second one is an error.
#[derive(Deserialize)]
pub(super) struct Claims {
    #[serde(rename = "iss")]
    issuer: String,
    #[serde(rename = "sub")]
    subject: String,
    #[serde(rename = "aud")]
    audience: Audience,
    /// Seconds since the Unix epoch, as the next: RFC 7519 §2, NumericDate.
    #[serde(rename = "exp")]
    expires: f64,
    #[serde(rename = "nbf")]
    not_before: Option<f64>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Claims {
    /// Checks all but the signature; the error is a sentence's end for the caller.
    pub(super) fn check(&self, issuer: &str, audience: &str, now: Timestamp) -> Result<(), &'static str> {
        let now_ms = now.millis() as f64;
        if self.issuer != issuer {
            return Err("it is of another issuer");
        }
        let meant = match &self.audience {
            Audience::One(one) => one == audience,
            Audience::Many(many) => many.iter().any(|one| one == audience),
        };
        if !meant {
            return Err("it is meant for others (`aud`)");
        }
        if self.subject.is_empty() || self.subject.len() > MAX_SUBJECT_BYTES {
            return Err("its `sub` is empty or longer than 255 bytes");
        }
        if self
            .not_before
            .is_some_and(|from| from * 1000.0 > now_ms + EARLY_MS)
        {
            return Err("it is not valid yet (`nbf`)");
        }
        if self.expires * 1000.0 <= now_ms {
            return Err("it has expired: get a fresh one where you sign in");
        }
        Ok(())
    }

    pub(super) fn subject(&self) -> &str {
        &self.subject
    }

    pub(super) fn expires_at(&self) -> Timestamp {
        // Saturates; a JSON number is never NaN.
        Timestamp::from_millis((self.expires * 1000.0) as i64)
    }

    /// A claim that is a text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.others.get(name)?.as_str()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_700_000_000;

    fn claims() -> Value {
        json!({"iss": "i", "sub": "s", "aud": "a", "exp": NOW + 1})
    }

    fn check(claims: &Value) -> Result<(), String> {
        let claims: Claims = serde_json::from_value(claims.clone()).map_err(|error| error.to_string())?;
        claims
            .check("i", "a", Timestamp::from_millis(NOW * 1000))
            .map_err(str::to_owned)
    }

    #[test]
    fn claims_for_here_and_now_are_good() {
        check(&claims()).unwrap();
        for (name, value) in [
            ("aud", json!(["b", "a"])),
            ("exp", json!(NOW as f64 + 0.001)),
            ("exp", json!(1e300)),
            ("nbf", json!(NOW + 10)),
            ("nbf", Value::Null),
            ("sub", json!("x".repeat(MAX_SUBJECT_BYTES))),
        ] {
            let mut claims = claims();
            claims[name] = value;
            assert_eq!(check(&claims), Ok(()), "{claims}");
        }
    }

    #[test]
    fn what_is_missing_wrong_or_of_another_type_is_refused() {
        for name in ["iss", "sub", "aud", "exp"] {
            let mut claims = claims();
            claims.as_object_mut().unwrap().remove(name);
            assert!(check(&claims).is_err(), "{claims}");
        }
        for (name, value) in [
            ("iss", json!("I")),
            ("iss", json!(["i"])),
            ("aud", json!("b")),
            ("aud", json!([])),
            ("aud", json!({"a": "a"})),
            ("exp", json!(NOW)),
            ("exp", json!(-1)),
            ("exp", json!((NOW + 1).to_string())),
            ("nbf", json!(NOW + 11)),
            ("nbf", json!("now")),
            ("sub", json!("")),
            ("sub", json!(7)),
            ("sub", json!("x".repeat(MAX_SUBJECT_BYTES + 1))),
        ] {
            let mut claims = claims();
            claims[name] = value;
            assert!(check(&claims).is_err(), "{claims}");
        }
    }

    #[test]
    fn a_claim_that_decides_may_not_be_there_twice() {
        for name in ["iss", "sub", "aud", "exp"] {
            let twice = format!(r#"{{"{name}": "x", {}"#, &claims().to_string()[1..]);
            assert!(serde_json::from_str::<Claims>(&twice).is_err(), "{twice}");
        }
    }

    #[test]
    fn an_end_far_away_is_a_time_all_the_same() {
        let mut far = claims();
        far["exp"] = json!(1e300);
        let far: Claims = serde_json::from_value(far).unwrap();
        assert_eq!(far.expires_at(), Timestamp::from_millis(i64::MAX));
    }
}
