//! The Voxpost server: accounts, conversations, voice messages, events.
//!
//! One process needs nothing but a data directory. See ARCHITECTURE.md for the map.

#![forbid(unsafe_code)]
#![allow(
    unused_qualifications,
    reason = "utoipa's derives write full paths with the spans of ours"
)]

mod access;
mod app;
mod auth;
mod blob;
mod clock;
mod config;
mod domain;
mod error;
mod housekeeping;
mod http;
mod hub;
mod ingest;
mod invites;
mod keys;
mod limits;
mod listen;
mod live;
#[cfg(test)]
mod live_testing;
mod ops;
mod playback;
mod render;
mod renditions;
mod seal;
mod serve;
mod socket;
mod store;
mod supervise;
mod telemetry;
#[cfg(test)]
mod testing;
mod tls;
mod uploads;

pub use config::{Config, ConfigFileError, S3Config};
pub use housekeeping::{DoctorReport, doctor};
pub use invites::{Invite, create_invite};
pub use serve::{ServeError, serve};
