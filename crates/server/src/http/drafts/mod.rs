//! Recordings that were interrupted.

pub(super) mod list;
