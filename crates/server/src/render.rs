//! From rows to what one recipient sees.

mod conversations;
mod events;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use uuid::Uuid;
use voxpost_audio::Rendition;
use voxpost_proto::Timestamp;
use voxpost_proto::api::{Audio, Message, MessageState, PlaybackSummary, Source, User, WaveformSource};

pub(crate) use self::conversations::{conversation, member};
pub(crate) use self::events::{Published, Rendered, events};
use crate::keys::Keys;
use crate::store::messages::MessageRow;

/// How long a signed path to a sound is good.
pub(crate) const URL_MS: i64 = 15 * 60 * 1000;

/// What `?format=` of a sound takes, in this build.
pub(crate) fn formats() -> Vec<String> {
    Rendition::AVAILABLE
        .iter()
        .map(|rendition| rendition.name().to_owned())
        .collect()
}

/// A message as `viewer` sees it at `now`. A tombstone shows nothing but its place.
pub(crate) fn message(keys: &Keys, row: &MessageRow, viewer: Uuid, now: Timestamp) -> Message {
    let state = state(&row.state);
    let gone = state == MessageState::Deleted;
    let keep = !gone;
    Message {
        id: row.id,
        conversation_id: row.conversation_id,
        seq: row.seq,
        version: row.version,
        state,
        sender: User {
            id: row.sender_id,
            username: row.sender_username.clone(),
            display_name: row.sender_display_name.clone(),
        },
        client_id: row.client_id,
        reply_to: row.reply_to.filter(|_| keep),
        caption: row.caption.clone().filter(|_| keep),
        created_at: Timestamp::from_millis(row.created_at),
        duration_ms: row.duration_ms.filter(|_| keep),
        truncated: keep && row.truncated,
        missing_ms: if keep { row.missing_ms } else { 0 },
        waveform: json(row.waveform.as_deref().filter(|_| keep)),
        waveform_source: row
            .waveform_source
            .as_deref()
            .filter(|_| keep)
            .map(|source| match source {
                "sender" => WaveformSource::Sender,
                _ => WaveformSource::Server,
            }),
        gain_db: row.gain_db.filter(|_| keep).map(|db| db as f32),
        loudness_lufs: row.loudness_lufs.filter(|_| keep).map(|lufs| lufs as f32),
        speech: json(row.speech.as_deref().filter(|_| keep)),
        audio: audio(keys, row, viewer, now).filter(|_| state == MessageState::Ready),
        source: row.source_type.clone().filter(|_| keep).map(|media_type| Source {
            media_type,
            transcoded: row.transcoded,
        }),
        reactions: Vec::new(),
        playback: PlaybackSummary::default(),
        played_by: Vec::new(),
        played_count: 0,
        transcript: None,
        failure: json(row.failure.as_deref().filter(|_| keep)),
    }
}

fn audio(keys: &Keys, row: &MessageRow, viewer: Uuid, now: Timestamp) -> Option<Audio> {
    Some(Audio {
        url: audio_url(keys, viewer, row.id, now.plus_millis(URL_MS)),
        media_type: Rendition::Ogg.media_type().to_owned(),
        size_bytes: row.audio_bytes?,
        sha256: row.audio_sha256.clone()?,
        formats: formats(),
    })
}

/// The path to a message's sound for one person until `expires`. `<audio src>` cannot send a header, so the path
/// carries who may use it: `u` (user), `e` (expiry, seconds), `sig` = HMAC-SHA-256 over key id, user, message, expiry.
pub(crate) fn audio_url(keys: &Keys, user: Uuid, message: Uuid, expires: Timestamp) -> String {
    let expires = expires.seconds();
    let signature = hex(&audio_mac(keys, user, message, expires).finalize().into_bytes());
    format!("/v1/messages/{message}/audio?u={user}&e={expires}&sig={signature}")
}

/// Whether `signature` (hex) is ours for this user, message and expiry, and that has not passed at `now`.
pub(crate) fn audio_signature_is_good(
    keys: &Keys,
    user: Uuid,
    message: Uuid,
    expires: i64,
    signature: &str,
    now: Timestamp,
) -> bool {
    let Some(signature) = unhex(signature) else {
        return false;
    };
    expires >= now.seconds()
        && audio_mac(keys, user, message, expires)
            .verify_slice(&signature)
            .is_ok()
}

fn audio_mac(keys: &Keys, user: Uuid, message: Uuid, expires: i64) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&keys.url).expect("HMAC takes a key of any length");
    mac.update(b"voxpost audio url 1\0");
    mac.update(user.as_bytes());
    mac.update(message.as_bytes());
    mac.update(&expires.to_be_bytes());
    mac
}

pub(crate) fn state(text: &str) -> MessageState {
    match text {
        "recording" => MessageState::Recording,
        "processing" => MessageState::Processing,
        "failed" => MessageState::Failed,
        "deleted" => MessageState::Deleted,
        _ => MessageState::Ready,
    }
}

fn json<T: serde::de::DeserializeOwned>(text: Option<&str>) -> Option<T> {
    serde_json::from_str(text?).ok()
}

/// Lower-case hex. By hand, since it is written for each listener of each message.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

/// The way back; None for what [`hex`] does not write.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: Uuid = Uuid::from_u128(1);
    const MESSAGE: Uuid = Uuid::from_u128(2);

    fn signature() -> (Keys, i64, String) {
        let keys = Keys {
            url: [7; 32],
            token: [7; 32],
            playback: crate::seal::Seal::for_test(),
        };
        let expires = Timestamp::from_millis(60_000);
        let url = audio_url(&keys, USER, MESSAGE, expires);
        let signature = url.split("sig=").nth(1).unwrap().to_owned();
        (keys, expires.seconds(), signature)
    }

    #[test]
    fn a_signature_is_good_for_its_person_message_and_time_only() {
        let (keys, expires, signature) = signature();
        let good = |user, message, expires, signature: &str, now| {
            audio_signature_is_good(
                &keys,
                user,
                message,
                expires,
                signature,
                Timestamp::from_millis(now),
            )
        };
        assert!(good(USER, MESSAGE, expires, &signature, 60_000));
        assert!(!good(USER, MESSAGE, expires, &signature, 61_000));
        assert!(!good(MESSAGE, MESSAGE, expires, &signature, 0));
        assert!(!good(USER, USER, expires, &signature, 0));
        assert!(!good(USER, MESSAGE, expires + 1, &signature, 0));
        assert!(!good(USER, MESSAGE, expires, "", 0));
        assert!(!good(USER, MESSAGE, expires, "zz", 0));
        assert!(!good(USER, MESSAGE, expires, &signature.to_uppercase(), 0));
        assert!(!good(USER, MESSAGE, expires, &signature[2..], 0));
    }

    #[test]
    fn hex_is_lower_case_and_comes_back() {
        let all: Vec<u8> = (0..=255).collect();
        let text = hex(&all);
        assert!(text.starts_with("000102") && text.ends_with("fdfeff"), "{text}");
        assert_eq!(unhex(&text), Some(all));
    }

    #[test]
    fn another_servers_key_signs_nothing_here() {
        let (_, expires, signature) = signature();
        let keys = Keys {
            url: [8; 32],
            token: [8; 32],
            playback: crate::seal::Seal::for_test(),
        };
        assert!(!audio_signature_is_good(
            &keys,
            USER,
            MESSAGE,
            expires,
            &signature,
            Timestamp::default()
        ));
    }
}
