//! Figures beside their aims.

use crate::failure::Failure;
use crate::screen::{Ink, Screen};
use crate::stats::Summary;

/// In place of what only a server of our own tells, on a system that has /proc.
pub(super) const UNKNOWN: &str = "not measured";

/// A line of the table.
pub(super) struct Row {
    what: String,
    figure: String,
    aim: Option<(String, bool)>,
}

impl Row {
    pub(super) fn new(what: impl Into<String>, figure: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            figure: figure.into(),
            aim: None,
        }
    }

    /// With what was aimed at, and whether it was met.
    pub(super) fn aim(mut self, aim: impl Into<String>, met: bool) -> Self {
        self.aim = Some((aim.into(), met));
        self
    }
}

/// Prints the table.
pub(super) fn table(screen: &mut Screen, title: &str, rows: &[Row]) -> Result<(), Failure> {
    screen.line(screen.paint(Ink::Strong, title))?;
    let width = rows.iter().map(|row| row.what.chars().count()).max().unwrap_or(0);
    for row in rows {
        let pad = " ".repeat(width - row.what.chars().count());
        let aim = match &row.aim {
            Some((aim, true)) => screen.paint(Ink::Good, format_args!("  aim {aim}: met")),
            Some((aim, false)) => screen.paint(Ink::Warning, format_args!("  aim {aim}: missed")),
            None => String::new(),
        };
        screen.line(format_args!("  {}{pad}  {}{aim}", row.what, row.figure))?;
    }
    Ok(())
}

pub(super) fn latency(summary: &Summary) -> String {
    format!(
        "p50 {:.1} ms, p90 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
        summary.p50_ms, summary.p90_ms, summary.p99_ms, summary.max_ms
    )
}

/// Resident memory, which may have an aim of so many bytes.
pub(super) fn memory(what: &str, bytes: Option<u64>, aim: Option<(&str, u64)>) -> Row {
    let Some(bytes) = bytes else {
        return Row::new(what, UNKNOWN);
    };
    let row = Row::new(what, format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)));
    match aim {
        Some((aim, most)) => row.aim(aim, bytes <= most),
        None => row,
    }
}

pub(super) fn seconds(value: Option<f64>) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), |value| format!("{value:.2} s"))
}
