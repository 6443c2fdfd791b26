//! A session about to begin, and the same one asked for again.

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use voxpost_proto::api::{SessionCreated, User};
use voxpost_proto::{ErrorCode, Timestamp};

use crate::domain::names;
use crate::error::{ApiError, ApiResult};
use crate::keys::Keys;
use crate::store::Conn;
use crate::store::accounts::UserRow;
use crate::store::idempotency::{self, Earlier};
use crate::store::sessions::{self, NewSession};
use crate::{auth, clock};

/// A new session with its token.
pub(crate) struct Opening {
    id: Uuid,
    device_id: Uuid,
    device_name: Option<String>,
    token: String,
    token_hash: Vec<u8>,
    /// The caller's id for the request, and the hash of the request.
    repeat: Option<(Uuid, Vec<u8>)>,
}

/// What is kept for a repetition: everything but the token, which is derived again.
#[derive(Serialize, Deserialize)]
struct Kept {
    session_id: Uuid,
    device_id: Uuid,
}

impl Opening {
    pub(crate) fn new(
        keys: &Keys,
        client_id: Option<Uuid>,
        request: Vec<u8>,
        device_name: Option<String>,
    ) -> Self {
        let id = clock::new_id();
        let (token, token_hash) = match client_id {
            Some(client_id) => auth::repeatable_token(keys, id, client_id),
            None => auth::new_token(),
        };
        Self {
            id,
            device_id: clock::new_id(),
            device_name,
            token,
            token_hash,
            repeat: client_id.map(|client_id| (client_id, request)),
        }
    }

    pub(crate) fn answer(&self, user: User) -> SessionCreated {
        SessionCreated {
            user,
            token: self.token.clone(),
            device_id: self.device_id,
        }
    }

    /// Makes it true; returns sessions that ended for it. A simultaneous request with the same id comes second here.
    pub(crate) async fn insert(self, c: &mut Conn, user_id: Uuid, now: Timestamp) -> ApiResult<Vec<Uuid>> {
        if let Some((client_id, request_hash)) = self.repeat {
            let kept = Kept {
                session_id: self.id,
                device_id: self.device_id,
            };
            if idempotency::earlier(c, user_id, client_id, &request_hash).await? != Earlier::New {
                return Err(ApiError::unavailable(
                    "The same request was just done. Send it again for its answer.",
                ));
            }
            let kept = serde_json::to_string(&kept).map_err(ApiError::internal)?;
            idempotency::remember(c, user_id, client_id, &request_hash, &kept, now).await?;
        }
        let new = NewSession {
            id: self.id,
            user_id,
            device_id: self.device_id,
            device_name: self.device_name.as_deref(),
            token_hash: &self.token_hash,
        };
        Ok(sessions::insert(c, &new, now).await?)
    }
}

/// The answer that the same request got before; None when it is new.
pub(crate) async fn earlier(
    c: &mut Conn,
    keys: &Keys,
    user: &UserRow,
    client_id: Uuid,
    request: &[u8],
) -> ApiResult<Option<SessionCreated>> {
    let kept: Option<Kept> = match idempotency::earlier(c, user.id, client_id, request).await? {
        Earlier::New => return Ok(None),
        Earlier::Done(body) => serde_json::from_str(&body).ok(),
        Earlier::Different => None,
    };
    let Some(kept) = kept else {
        return Err(used(
            "You have used this id for something else. Take a fresh one.",
        ));
    };
    if !sessions::exists(c, kept.session_id).await? {
        return Err(used(
            "The session that this request made has ended. Take a fresh id for a new one.",
        ));
    }
    Ok(Some(SessionCreated {
        user: user.user(),
        token: auth::repeatable_token(keys, kept.session_id, client_id).0,
        device_id: kept.device_id,
    }))
}

/// A device's name as it will be shown; an empty one is none.
pub(crate) fn device_name(name: Option<&str>) -> ApiResult<Option<String>> {
    match name.map(str::trim) {
        None | Some("") => Ok(None),
        Some(name) => names::line("device_name", name, 64)
            .map(Some)
            .map_err(ApiError::invalid),
    }
}

fn used(detail: &str) -> ApiError {
    ApiError::new(ErrorCode::Conflict, detail)
}
