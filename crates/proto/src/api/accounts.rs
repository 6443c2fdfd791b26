//! Accounts, sessions, people.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Timestamp;

/// A person as others see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct User {
    /// Never changes and is never reused.
    pub id: Uuid,
    /// The name to find and address them by.
    pub username: String,
    /// The name to show.
    pub display_name: String,
}

/// `POST /v1/accounts`.
#[derive(Clone, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccountCreate {
    /// 3 to 32 of `a-z 0-9 . _ -`, beginning with a letter or digit; upper case is folded.
    pub username: String,
    /// 8 to 256 characters.
    pub password: String,
    /// 1 to 64 characters; the username when absent.
    #[serde(default)]
    pub display_name: Option<String>,
    /// Needed where sign-up is by invite.
    #[serde(default)]
    pub invite: Option<String>,
    /// A name for this device, shown in the session list.
    #[serde(default)]
    pub device_name: Option<String>,
}

/// `POST /v1/sessions`.
#[derive(Clone, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionCreate {
    /// Upper case is folded.
    pub username: String,
    /// The account's password.
    pub password: String,
    /// A name for this device, shown in the session list.
    #[serde(default)]
    pub device_name: Option<String>,
}

/// The answer to both: keep the token, it is shown once.
#[derive(Clone, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionCreated {
    /// Who signed in.
    pub user: User,
    /// The bearer token of the new session.
    pub token: String,
    /// This session's device.
    pub device_id: Uuid,
}

/// One line of `GET /v1/sessions`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionInfo {
    /// For `DELETE /v1/sessions/{id}`.
    pub id: Uuid,
    /// The device that it was made for.
    pub device_id: Uuid,
    /// As given at sign-in.
    pub device_name: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was used last, to within a few minutes.
    pub last_used_at: Timestamp,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// `GET /v1/me`: the user and their settings.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Me {
    /// Never changes.
    pub id: Uuid,
    /// The name to find and address them by.
    pub username: String,
    /// The name to show.
    pub display_name: String,
    /// Whether others may send this person voice messages.
    pub accepts_voice: bool,
    /// Whether senders learn that this person played their message.
    pub sends_played_receipts: bool,
    /// BCP 47, such as `en` or `zh-CN`.
    pub locale: Option<String>,
    /// When the account was made.
    pub created_at: Timestamp,
}

/// `PATCH /v1/me`: what is absent stays.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MeUpdate {
    /// 1 to 64 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Whether others may send this person voice messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepts_voice: Option<bool>,
    /// Whether senders learn that this person played their message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sends_played_receipts: Option<bool>,
    /// BCP 47; null takes it away.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "super::present"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub locale: Option<Option<String>>,
}

/// `PUT /v1/me/password`: every other session is revoked.
#[derive(Clone, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PasswordChange {
    /// The password until now.
    pub current_password: String,
    /// 8 to 256 characters.
    pub new_password: String,
}
