//! Opus in, Opus out.
