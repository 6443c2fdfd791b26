//! The one way from an error to the wire: every handler fails with an [`ApiError`].

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use voxpost_proto::{ErrorCode, PROBLEM_JSON, Problem};

use crate::blob::BlobError;
use crate::store::StoreError;

/// A failed request, as the caller will see it.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    problem: Box<Problem>,
    /// There was a token, and it was no good.
    wrong_token: bool,
    /// It is the object store that is away, and nothing else.
    store_away: bool,
}

pub(crate) type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    pub(crate) fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self {
            problem: Box::new(Problem::new(code, detail)),
            wrong_token: false,
            store_away: false,
        }
    }

    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidRequest, detail)
    }

    /// Also for all that the caller may not see.
    pub(crate) fn not_found() -> Self {
        Self::new(ErrorCode::NotFound, "There is nothing here that you may see.")
    }

    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::Forbidden, detail)
    }

    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::Unavailable, detail).retry_after(1)
    }

    /// Seconds, for 429 and 503.
    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.problem.retry_after = Some(seconds);
        self
    }

    /// With a 401: there was a token, and it was no good. RFC 6750 §3.1 tells that from no token at all.
    pub(crate) fn wrong_token(mut self) -> Self {
        self.wrong_token = true;
        self
    }

    /// The codec that was found and cannot be taken.
    pub(crate) fn codec(mut self, codec: impl Into<String>) -> Self {
        self.problem.codec = Some(codec.into());
        self
    }

    /// Whether the same will do once the object store is back.
    pub(crate) fn is_store_away(&self) -> bool {
        self.store_away
    }

    /// Where a recording goes on.
    pub(crate) fn next_sequence(mut self, next_sequence: u32) -> Self {
        self.problem.next_sequence = Some(next_sequence);
        self
    }

    /// How many packets a finished recording has.
    pub(crate) fn packets(mut self, packets: u32) -> Self {
        self.problem.packets = Some(packets);
        self
    }

    pub(crate) fn code(&self) -> ErrorCode {
        self.problem.code
    }

    pub(crate) fn problem(&self) -> &Problem {
        &self.problem
    }

    /// Something that must not happen: logged in full, told without inner details.
    pub(crate) fn internal(error: impl std::fmt::Display) -> Self {
        tracing::error!(%error, "a request failed for a reason of our own");
        Self::new(
            ErrorCode::Internal,
            "The server met an error that it did not expect. Nothing was changed.",
        )
    }
}

impl From<Problem> for ApiError {
    /// A problem that was kept is told again.
    fn from(problem: Problem) -> Self {
        Self {
            problem: Box::new(problem),
            wrong_token: false,
            store_away: false,
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => Self::new(
                ErrorCode::StorageFull,
                "The server's disk is full. Keep the recording and try again later.",
            ),
            StoreError::Unavailable(reason) => {
                tracing::warn!(reason, "the database is not available");
                Self::unavailable("The database is not available right now. Try again.")
            }
            StoreError::Sql(error) => Self::internal(error),
        }
    }
}

impl From<BlobError> for ApiError {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::NotFound => Self::not_found(),
            BlobError::Full => StoreError::Full.into(),
            BlobError::Unavailable(reason) => {
                tracing::warn!(reason, "the object store is not available");
                Self::unavailable("Sounds cannot be kept or read right now. Try again.")
            }
            BlobError::Away { reason, retry_after } => {
                tracing::debug!(reason, "the object store is away");
                let mut error =
                    Self::unavailable("The object store is away. Try again.").retry_after(retry_after);
                error.store_away = true;
                error
            }
        }
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        StoreError::from(error).into()
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        Self::invalid(rejection.body_text())
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::invalid(rejection.body_text())
    }
}

impl From<PathRejection> for ApiError {
    /// An id that is no UUID names nothing.
    fn from(_: PathRejection) -> Self {
        Self::not_found()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let problem = *self.problem;
        metrics::counter!("voxpost_problems_total", "code" => problem.code.as_str()).increment(1);
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = problem.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if problem.code == ErrorCode::Unauthenticated {
            let challenge = if self.wrong_token {
                r#"Bearer error="invalid_token""#
            } else {
                "Bearer"
            };
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}
