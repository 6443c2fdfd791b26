//! Pure rules: no database, no clock, no randomness, no HTTP. Everything comes in as an argument.

#![deny(clippy::disallowed_methods)]

pub(crate) mod access;
pub(crate) mod breaker;
pub(crate) mod conversations;
pub(crate) mod names;
pub(crate) mod waveform;
