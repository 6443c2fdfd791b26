//! People of other issuers: (issuer, `sub`) and the account that stands for it here, made on first sight.

use voxpost_proto::api::User;

use super::issuers::{Identity, Refused};
use super::{Caller, wrong_token};
use crate::app::App;
use crate::clock;
use crate::domain::names;
use crate::error::{ApiError, ApiResult};
use crate::store::Conn;
use crate::store::accounts::{self, Subject};

/// Names that are tried before giving up; a collision of random endings is rare.
const MAX_TRIES: usize = 16;

/// Whom a JWT stands for.
pub(super) async fn authenticate(app: &App, token: &str) -> ApiResult<Caller> {
    let identity = match app.issuers.verify(token, clock::now()).await {
        Ok(identity) => identity,
        Err(Refused::Wrong(reason)) => return Err(wrong_token(format!("The token is not taken: {reason}."))),
        Err(Refused::NoKeys) => {
            return Err(ApiError::unavailable(
                "The keys of this token's issuer are out of reach right now. Try again.",
            )
            .retry_after(5));
        }
    };
    let expires_at = identity.expires_at;
    let known = {
        let mut c = app.store.read().await?;
        accounts::of_subject(&mut c, &identity.issuer, &identity.subject).await?
    };
    let subject = match known {
        Subject::Unknown => {
            app.store
                .write(move |c| Box::pin(async move { provision(c, &identity).await }))
                .await?
        }
        known => known,
    };
    match subject {
        Subject::Known(user_id) => Ok(Caller {
            user_id,
            session_id: None,
            expires_at: Some(expires_at),
        }),
        Subject::Deleted | Subject::Unknown => Err(wrong_token(
            "The account of this token was deleted here, which is final.",
        )),
    }
}

/// Makes an account for somebody new, within one transaction: whoever else saw them first at the same time has made it.
async fn provision(c: &mut Conn, identity: &Identity) -> ApiResult<Subject> {
    let known = accounts::of_subject(c, &identity.issuer, &identity.subject).await?;
    if known != Subject::Unknown {
        return Ok(known);
    }
    let wish = identity.username.as_deref().unwrap_or_default();
    let mut name = names::username(wish).unwrap_or_else(|_| with_ending(wish));
    for _ in 0..MAX_TRIES {
        let user = User {
            id: clock::new_id(),
            display_name: display_name(identity).unwrap_or_else(|| name.clone()),
            username: name,
        };
        if accounts::insert_of_subject(c, &user, &identity.issuer, &identity.subject, clock::now()).await? {
            tracing::info!(issuer = identity.issuer, "somebody new came with a token");
            return Ok(Subject::Known(user.id));
        }
        name = with_ending(wish);
    }
    Err(ApiError::unavailable("No free username was found. Try again."))
}

/// A name that nobody has yet, most likely.
fn with_ending(wish: &str) -> String {
    names::with_ending(wish, clock::random())
}

fn display_name(identity: &Identity) -> Option<String> {
    let wishes = [&identity.name, &identity.username];
    wishes
        .into_iter()
        .flatten()
        .find_map(|wish| names::line("name", wish, 64).ok())
}

#[cfg(test)]
mod tests;
