//! How long the disk takes to make a write durable.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use crate::stats::Latencies;

/// One page, as databases write it.
const BLOCK: [u8; 4096] = [0x5a; 4096];

/// Appends a block and calls fsync, `times` times, in a temporary file in `dir`.
pub(crate) fn fsync_latency(dir: &Path, times: usize) -> io::Result<Latencies> {
    let mut file: File = tempfile::tempfile_in(dir)?;
    let mut latencies = Latencies::default();
    for _ in 0..times {
        file.write_all(&BLOCK)?;
        let start = Instant::now();
        file.sync_all()?;
        latencies.add(start.elapsed());
    }
    Ok(latencies)
}
