//! What the server is, whether it is well, and what happened since.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::DATE;
use voxpost_proto::api::ServerConfig;
use voxpost_proto::socket::SyncPage;

use crate::client::Client;
use crate::error::Error;

/// The answer of `GET /readyz`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Whether database, store and bus are there.
    pub ready: bool,
    /// The server's clock, as in the answer's `Date` header: RFC 9110, whole seconds.
    pub date: Option<String>,
    /// What the server says about itself.
    pub body: String,
}

impl Client {
    /// What the server can do.
    pub async fn config(&self) -> Result<ServerConfig, Error> {
        self.get(self.address(&["v1", "config"])).await
    }

    /// Whether the server is ready to work. Asked once, never repeated.
    ///
    /// # Errors
    /// Those of a server that cannot be reached; one that is not ready is no error.
    pub async fn health(&self) -> Result<Health, Error> {
        let answer = self
            .request(Method::GET, self.address(&["readyz"]))
            .send()
            .await
            .map_err(|error| Error::from_http(&self.url(), &error))?;
        let ready = answer.status().is_success();
        let date = answer
            .headers()
            .get(DATE)
            .and_then(|date| date.to_str().ok())
            .map(str::to_owned);
        let body = answer
            .text()
            .await
            .map_err(|error| Error::from_http(&self.url(), &error))?;
        Ok(Health { ready, date, body })
    }

    /// Events after `since`, waiting up to `wait` for the first. Without `since`: no events and the present token.
    pub async fn sync(&self, since: Option<&str>, wait: Duration) -> Result<SyncPage, Error> {
        let mut url = self.address(&["v1", "sync"]);
        if let Some(token) = since {
            url.query_pairs_mut().append_pair("since", token);
        }
        url.query_pairs_mut()
            .append_pair("wait_ms", &wait.as_millis().to_string());
        self.get(url).await
    }
}
