//! Containers: the bytes around the packets.

use std::io::{Read, Seek};

pub(crate) mod ogg;

/// Where a sound file is read from. It is streamed: a few hundred kilobytes are held at a time.
pub trait Input: Read + Seek + Send {}

impl<T: Read + Seek + Send + ?Sized> Input for T {}
