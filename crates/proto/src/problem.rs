//! What went wrong, as RFC 9457 `application/problem+json` with a stable `code`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// The media type of a [`Problem`].
pub const PROBLEM_JSON: &str = "application/problem+json";

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident $text:literal $status:literal $title:literal $advice:literal;)+) => {
        /// Stable error codes. A client decides by these, never by the text.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub enum ErrorCode {
            $($(#[$doc])* #[doc = $title] #[serde(rename = $text)] $variant,)+
        }

        impl ErrorCode {
            /// Every code, in the order of the documentation.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$variant,)+];

            /// The code as it travels.
            pub fn as_str(self) -> &'static str {
                match self { $(ErrorCode::$variant => $text,)+ }
            }

            /// The HTTP status that goes with it.
            pub fn status(self) -> u16 {
                match self { $(ErrorCode::$variant => $status,)+ }
            }

            /// A short sentence for people.
            pub fn title(self) -> &'static str {
                match self { $(ErrorCode::$variant => $title,)+ }
            }

            /// What the caller can do about it.
            pub fn advice(self) -> &'static str {
                match self { $(ErrorCode::$variant => $advice,)+ }
            }
        }
    };
}

codes! {
    InvalidRequest "invalid_request" 400 "The request is malformed"
        "Correct the field that `detail` names.";
    Unauthenticated "unauthenticated" 401 "Not signed in"
        "Sign in again: the token is missing, wrong, expired or revoked.";
    VoiceNotAccepted "voice_not_accepted" 403 "This person does not take voice messages"
        "Write instead; the conversation's `can_send` says so beforehand.";
    Forbidden "forbidden" 403 "Not allowed"
        "Ask somebody who may, such as an owner of the group.";
    NotFound "not_found" 404 "Not found"
        "Check the id; it may have been deleted, or not be yours to see.";
    MethodNotAllowed "method_not_allowed" 405 "This address does not take that method"
        "See `Allow` and /docs.";
    NotAcceptable "not_acceptable" 406 "This server cannot make that format"
        "Ask for one of `audio.formats`.";
    Conflict "conflict" 409 "It is taken, or was used for something else"
        "Choose another name, or a fresh client_id for new content.";
    UploadOffsetMismatch "upload_offset_mismatch" 409 "The upload goes on elsewhere"
        "Ask for the offset (HEAD) and go on from there.";
    NotSupported "not_supported" 409 "This server is not set up for that"
        "Use another way; /v1/config lists the features.";
    RecordingIncomplete "recording_incomplete" 409 "Packets are missing"
        "Send from `next_sequence`, then finish again.";
    RecordingFinished "recording_finished" 409 "The recording is finished already"
        "Nothing: it is kept.";
    ResyncRequired "resync_required" 410 "The sync token is too old"
        "List conversations and messages again, then go on with a new token.";
    UploadExpired "upload_expired" 410 "The upload has expired"
        "Begin a new one.";
    UnsupportedVersion "unsupported_version" 412 "This version of the protocol is not spoken here"
        "Send `Tus-Resumable: 1.0.0`.";
    AudioTooLarge "audio_too_large" 413 "The file is too large"
        "Stay under `max_multipart_bytes`, or upload resumably.";
    AudioUnrecognised "audio_unrecognised" 415 "These bytes are not sound that we know"
        "Send one of `accepted_types`.";
    AudioUnsupported "audio_unsupported" 415 "This codec is not supported"
        "Convert it to one of `accepted_types`; `detail` names what was found.";
    UnsupportedMediaType "unsupported_media_type" 415 "A body of this type is not taken here"
        "Send the `Content-Type` that `detail` names.";
    AudioCorrupt "audio_corrupt" 422 "The sound is damaged"
        "Send the original file again.";
    AudioEmpty "audio_empty" 422 "There is no sound in it"
        "Check the microphone and record again.";
    AudioTooLong "audio_too_long" 422 "The recording is too long"
        "Stay under `max_duration_ms`, or send it in parts.";
    RateLimited "rate_limited" 429 "Too many requests"
        "Wait `Retry-After` seconds.";
    QuotaExceeded "quota_exceeded" 429 "The quota is used up"
        "Delete something, or ask the operator for more.";
    ChecksumMismatch "checksum_mismatch" 460 "The bytes are not those that were announced"
        "Send them again.";
    Internal "internal" 500 "Something broke on our side"
        "Try again; tell the operator the request id if it stays.";
    Unavailable "unavailable" 503 "Not available right now"
        "Try again after `Retry-After` seconds; nothing was lost.";
    StorageFull "storage_full" 507 "The server's storage is full"
        "Try again later; keep the recording. The operator must make room.";
}

/// The body of every error answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// Where the code is explained: `/docs#error-CODE`.
    #[serde(rename = "type")]
    pub kind: String,
    /// A short sentence for people, the same for each code.
    pub title: Cow<'static, str>,
    /// The HTTP status.
    pub status: u16,
    /// The stable code.
    pub code: ErrorCode,
    /// What happened this time and what to do.
    pub detail: String,
    /// With `audio_unsupported`: the codec that was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codec: Option<String>,
    /// With `recording_incomplete`: the first packet that is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_sequence: Option<u32>,
    /// With `recording_finished`: the packets that it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packets: Option<u32>,
    /// With 429 and 503: seconds to wait, as in `Retry-After`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

impl Problem {
    /// A problem of this code with a detail for this time.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("/docs#error-{}", code.as_str()),
            title: code.title().into(),
            status: code.status(),
            code,
            detail: detail.into(),
            codec: None,
            next_sequence: None,
            packets: None,
            retry_after: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_travels_under_its_own_name() {
        for code in ErrorCode::ALL {
            assert_eq!(
                serde_json::to_string(code).unwrap(),
                format!("\"{}\"", code.as_str())
            );
        }
    }

    #[test]
    fn a_problem_has_the_members_of_rfc_9457() {
        let value = serde_json::to_value(Problem::new(ErrorCode::AudioEmpty, "no packets")).unwrap();
        assert_eq!(value["status"], 422);
        assert_eq!(value["code"], "audio_empty");
        assert_eq!(value["type"], "/docs#error-audio_empty");
        assert!(value["title"].is_string() && value["detail"] == "no packets");
    }
}
