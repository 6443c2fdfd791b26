//! What a check found.

use serde::{Serialize, Serializer};

use crate::exit::Exit;
use crate::failure::Failure;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Ok,
    Warning,
    /// With the exit code that it amounts to.
    Failed(Exit),
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed(_) => "failed",
        })
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct Check {
    #[serde(rename = "check")]
    pub(crate) name: &'static str,
    pub(crate) status: Status,
    pub(crate) detail: String,
    pub(crate) advice: Option<String>,
}

impl Check {
    pub(crate) fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self {
            name,
            status: Status::Ok,
            detail: detail.into(),
            advice: None,
        }
    }

    pub(crate) fn warning(name: &'static str, detail: impl Into<String>, advice: &str) -> Self {
        Self {
            name,
            status: Status::Warning,
            detail: detail.into(),
            advice: Some(advice.to_owned()),
        }
    }

    pub(crate) fn failed(name: &'static str, exit: Exit, detail: impl Into<String>, advice: &str) -> Self {
        Self {
            name,
            status: Status::Failed(exit),
            detail: detail.into(),
            advice: Some(advice.to_owned()),
        }
    }

    pub(crate) fn failure(name: &'static str, failure: &Failure) -> Self {
        let status = Status::Failed(failure.exit());
        Self {
            name,
            status,
            detail: failure.to_string(),
            advice: failure.advice(),
        }
    }
}
