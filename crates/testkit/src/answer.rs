//! What came back for an HTTP request, fully read.

use reqwest::header::HeaderMap;
use serde::de::DeserializeOwned;
use voxpost_proto::{ErrorCode, PROBLEM_JSON, Problem};

/// Status, headers and body of an answer, and the request line that it belongs to.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Method and address, for messages of failed checks.
    pub request: String,
    /// The status code.
    pub status: u16,
    /// All headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Answer {
    /// Reads the whole answer; an error when the connection broke.
    pub async fn read(request: String, response: reqwest::Response) -> Result<Self, reqwest::Error> {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = response.bytes().await?.to_vec();
        Ok(Self {
            request,
            status,
            headers,
            body,
        })
    }

    /// Fails unless the status is `status`.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.request, self.text());
        self
    }

    /// The body as `T`.
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("{}: {error} in: {}", self.request, self.text()),
        }
    }

    /// Fails unless this is a well-formed problem of that code, with the code's own status; gives it.
    #[track_caller]
    pub fn problem(&self, code: ErrorCode) -> Problem {
        assert_eq!(self.status, code.status(), "{}: {}", self.request, self.text());
        assert_eq!(self.header("content-type"), PROBLEM_JSON, "{}", self.request);
        let problem: Problem = self.json();
        assert_eq!(problem.code, code, "{}: {}", self.request, self.text());
        assert_eq!(problem.status, self.status, "{}", self.request);
        assert!(
            !problem.detail.is_empty(),
            "{} says nothing for people",
            self.request
        );
        problem
    }

    /// A header's text, empty when absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap_or("(not text)"))
    }

    /// The body as text for messages, shortened.
    pub fn text(&self) -> String {
        let end = self.body.len().min(600);
        String::from_utf8_lossy(&self.body[..end]).into_owned()
    }
}
