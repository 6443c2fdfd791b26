//! Accounts, sessions, people.

use reqwest::Method;
use voxpost_proto::Uuid;
use voxpost_proto::api::{
    AccountCreate, Me, MeUpdate, Page, PasswordChange, SessionCreate, SessionCreated, SessionInfo, User,
};

use crate::client::{Client, Repeat};
use crate::error::Error;

impl Client {
    /// Makes an account and signs in. Use [`Client::with_token`] with the token of the answer.
    pub async fn sign_up(&self, account: &AccountCreate) -> Result<SessionCreated, Error> {
        let url = self.address(&["v1", "accounts"]);
        self.write(Method::POST, url, account, Repeat::IfNotSent).await
    }

    /// Signs in. Use [`Client::with_token`] with the token of the answer.
    pub async fn sign_in(&self, session: &SessionCreate) -> Result<SessionCreated, Error> {
        let url = self.address(&["v1", "sessions"]);
        self.write(Method::POST, url, session, Repeat::IfNotSent).await
    }

    /// Ends the session whose token this client carries.
    pub async fn sign_out(&self) -> Result<(), Error> {
        self.delete(self.address(&["v1", "sessions", "current"])).await
    }

    /// The sessions of the account.
    pub async fn sessions(&self) -> Result<Page<SessionInfo>, Error> {
        self.get(self.address(&["v1", "sessions"])).await
    }

    /// Ends one session, on whatever device it is.
    pub async fn revoke_session(&self, id: Uuid) -> Result<(), Error> {
        self.delete(self.address(&["v1", "sessions", &id.to_string()]))
            .await
    }

    /// The account and its settings.
    pub async fn me(&self) -> Result<Me, Error> {
        self.get(self.address(&["v1", "me"])).await
    }

    /// Changes settings; what is absent stays.
    pub async fn update_me(&self, update: &MeUpdate) -> Result<Me, Error> {
        self.write(Method::PATCH, self.address(&["v1", "me"]), update, Repeat::Always)
            .await
    }

    /// Deletes the account.
    pub async fn delete_me(&self) -> Result<(), Error> {
        self.delete(self.address(&["v1", "me"])).await
    }

    /// Changes the password; every other session is revoked.
    pub async fn change_password(&self, change: &PasswordChange) -> Result<(), Error> {
        let url = self.address(&["v1", "me", "password"]);
        self.write_empty(Method::PUT, url, change).await
    }

    /// People by the beginning of a name, three letters or more.
    pub async fn find_users(&self, query: &str) -> Result<Page<User>, Error> {
        let mut url = self.address(&["v1", "users"]);
        url.query_pairs_mut().append_pair("query", query);
        self.get(url).await
    }
}
