//! People for a load.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use voxpost_client::{
    AccountCreate, Client, Conversation, ConversationCreate, ConversationKind, RetryPolicy, User, Uuid,
};

use super::subject::Subject;
use crate::failure::Failure;

/// Somebody with an account of their own.
pub(super) struct Person {
    pub(super) token: String,
    pub(super) user: User,
    pub(super) client: Client,
}

impl Person {
    /// Signs up at the server, which hashes a password for it: tens of milliseconds each.
    async fn sign_up(authority: &str, name: &str) -> Result<Self, Failure> {
        // A server with limits is not what is measured: say so instead of waiting for it.
        let impatient = RetryPolicy {
            longest_retry_after: Duration::ZERO,
            ..RetryPolicy::default()
        };
        let server = Client::builder(format!("http://{authority}"))
            .retry(impatient)
            .build()?;
        let account = AccountCreate {
            username: name.to_owned(),
            // Nobody signs in with it again.
            password: Client::new_id()?.to_string(),
            display_name: None,
            invite: None,
            device_name: None,
        };
        let created = server.sign_up(&account).await?;
        let client = server.with_token(&created.token);
        Ok(Self {
            token: created.token,
            user: created.user,
            client,
        })
    }
}

/// How many sign up at the same time: more would only wait for the server.
const SIGN_UPS: usize = 4;

/// Signs up `count` people in order, whose names nobody has yet.
pub(super) async fn sign_up(subject: &Subject, count: usize) -> Result<Vec<Person>, Failure> {
    let run = Client::new_id()?.simple().to_string();
    let names = (0..count).map(|number| format!("bench-{}-{number}", &run[20..]));
    let signing_up = names.map(|name| async move { Person::sign_up(subject.authority(), &name).await });
    futures_util::stream::iter(signing_up)
        .buffered(SIGN_UPS)
        .try_collect()
        .await
}

/// A group of all of them, owned by the first.
pub(super) async fn group(people: &[Person]) -> Result<Conversation, Failure> {
    let members = people
        .iter()
        .skip(1)
        .map(|person| person.user.username.clone())
        .collect();
    let new = ConversationCreate {
        kind: ConversationKind::Group,
        members,
        title: Some("bench".into()),
        live: None,
        client_id: None,
    };
    Ok(people[0].client.create_conversation(&new).await?)
}

/// Ids for messages: different in every run, cheap to make.
pub(super) struct Ids {
    base: u128,
    next: std::cell::Cell<u32>,
}

impl Ids {
    pub(super) fn new() -> Result<Self, Failure> {
        Ok(Self {
            base: Client::new_id()?.as_u128() & !0xffff_ffff,
            next: std::cell::Cell::new(0),
        })
    }

    pub(super) fn fresh(&self) -> Uuid {
        let next = self.next.get();
        self.next.set(next.wrapping_add(1));
        Uuid::from_u128(self.base | u128::from(next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ() {
        let ids = Ids::new().unwrap();
        let (a, b) = (ids.fresh(), ids.fresh());
        assert_ne!(a, b);
        assert_eq!(a.get_version_num(), 7);
    }
}
