//! What every handler shares.

use std::ops::Deref;
use std::sync::Arc;

use crate::auth::{Issuers, Passwords, Sessions};
use crate::blob::Blobs;
use crate::config::Config;
use crate::http::health::Readiness;
use crate::hub::Hub;
use crate::ingest::Ingest;
use crate::keys::Keys;
use crate::limits::Limits;
use crate::live::Recordings;
use crate::renditions::Renditions;
use crate::store::Store;
use crate::uploads::Uploads;

/// Cheap to clone; handlers get it as their state.
#[derive(Clone)]
pub(crate) struct App(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) keys: Keys,
    pub(crate) store: Store,
    pub(crate) sessions: Sessions,
    pub(crate) issuers: Issuers,
    pub(crate) passwords: Passwords,
    pub(crate) hub: Arc<Hub>,
    pub(crate) limits: Limits,
    pub(crate) blobs: Blobs,
    pub(crate) ingest: Ingest,
    pub(crate) uploads: Uploads,
    pub(crate) renditions: Renditions,
    pub(crate) recordings: Recordings,
    pub(crate) readiness: Readiness,
}

impl App {
    pub(crate) fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }
}

impl Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
