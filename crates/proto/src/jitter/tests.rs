//! The buffer as a whole, with a decoder that only counts.
use super::*;
