//! The one place where a caller, a thing and an [`Action`] meet: looks up what the rules need and applies them.

use uuid::Uuid;
use voxpost_proto::ErrorCode;

use crate::domain::access::{Action, Denied, VoiceRefusal, check};
use crate::error::{ApiError, ApiResult};
use crate::store::Conn;
use crate::store::members::{self, Sender, Standing};
use crate::store::messages::{self, MessageRow};

/// The caller's standing in a conversation, if they may do this there.
pub(crate) async fn conversation(
    c: &mut Conn,
    user_id: Uuid,
    id: Uuid,
    action: Action,
) -> ApiResult<Standing> {
    let standing = members::standing(c, id, user_id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    check(action, standing.kind, Some(standing.role)).map_err(denied)?;
    Ok(standing)
}

/// A message that is not deleted, if the caller may do this with it. What is not published is its sender's alone.
pub(crate) async fn message(
    c: &mut Conn,
    user_id: Uuid,
    id: Uuid,
    action: Action,
) -> ApiResult<(MessageRow, Standing)> {
    let row = messages::by_id(c, id).await?.ok_or_else(ApiError::not_found)?;
    let standing = members::standing(c, row.conversation_id, user_id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    let own = row.sender_id == user_id;
    let visible = match row.seq {
        _ if row.state == "deleted" => false,
        None => own,
        Some(seq) => members::sees(c, row.conversation_id, user_id, seq).await?,
    };
    if !visible {
        return Err(ApiError::not_found());
    }
    let action = match action {
        Action::DeleteOwnMessage if !own => Action::DeleteAnyMessage,
        action => action,
    };
    check(action, standing.kind, Some(standing.role)).map_err(denied)?;
    Ok((row, standing))
}

/// Who sends, if they may send a voice message to this conversation.
pub(crate) async fn send_voice(c: &mut Conn, user_id: Uuid, conversation_id: Uuid) -> ApiResult<Sender> {
    let sender = members::sender(c, conversation_id, user_id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    check(Action::Send, sender.kind, Some(sender.role)).map_err(denied)?;
    match sender.refusal {
        None => Ok(sender),
        Some(refusal) => Err(voice_refused(refusal)),
    }
}

fn voice_refused(refusal: VoiceRefusal) -> ApiError {
    match refusal {
        VoiceRefusal::NotAccepted => ApiError::new(
            ErrorCode::VoiceNotAccepted,
            "The other person does not take voice messages. Write instead.",
        ),
        VoiceRefusal::AccountDeleted => {
            ApiError::forbidden("The other person has deleted their account; nobody would hear it.")
        }
    }
}

fn denied(denied: Denied) -> ApiError {
    match denied {
        Denied::NotFound => ApiError::not_found(),
        Denied::Forbidden(reason) => ApiError::forbidden(reason),
    }
}
