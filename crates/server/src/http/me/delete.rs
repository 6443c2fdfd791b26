//! `DELETE /v1/me`: the end of an account.

use axum::extract::State;
use axum::http::StatusCode;
use uuid::Uuid;
use voxpost_proto::Problem;

use super::own;
use crate::app::App;
use crate::auth::{Caller, Revoked};
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::store::{accounts, messages, playback, sessions, stays, uploads};

/// Deletes the caller's account: every session ends, the profile becomes blank, what they said becomes tombstones and its
/// sound is deleted, they leave their groups; direct conversations stay for the other person, who cannot send to them. The
/// name is never given to anybody else.
#[utoipa::path(
    delete, path = "/v1/me", tag = "accounts",
    responses((status = 204), (status = 401, body = Problem)),
)]
pub(crate) async fn delete(State(app): State<App>, caller: Caller) -> ApiResult<StatusCode> {
    let user_id = caller.user_id;
    let (ended, deleted): (_, Vec<Uuid>) = app
        .store
        .write(move |c| {
            Box::pin(async move {
                let row = own(c, caller).await?;
                let now = clock::now();
                let own = messages::of_sender(c, user_id).await?;
                for message in &own {
                    messages::delete(c, message, now).await?;
                }
                playback::forget_person(c, user_id).await?;
                let ended = uploads::forget_person(c, user_id).await?;
                accounts::blank(c, &row, now).await?;
                stays::end_all(c, user_id, now).await?;
                sessions::delete_others(c, user_id, None).await?;
                let deleted = own.iter().map(|message| message.id).collect();
                Ok::<_, ApiError>((ended, deleted))
            })
        })
        .await?;
    crate::uploads::discard(&app, &ended).await;
    for id in deleted {
        app.recordings.forget(id);
    }
    app.sessions.revoke(Revoked::User(user_id));
    app.ingest.to_delete.notify_one();
    Ok(StatusCode::NO_CONTENT)
}
