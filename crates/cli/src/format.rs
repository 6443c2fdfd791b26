//! Durations, times and sizes for people.

use jiff::tz::TimeZone;
use voxpost_client::Timestamp;

/// `0:04`, `12:34`, `1:02:03`: whole seconds, rounded.
pub(crate) fn duration(ms: i64) -> String {
    let seconds = (ms.max(0) + 500) / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// `12.5 KiB`.
pub(crate) fn size(bytes: u64) -> String {
    let mut amount = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if amount < 1024.0 {
            return if unit == "B" {
                format!("{bytes} B")
            } else {
                format!("{amount:.1} {unit}")
            };
        }
        amount /= 1024.0;
    }
    format!("{amount:.1} TiB")
}

/// A point in time where the caller lives: `2026-01-01 10:00`.
pub(crate) fn time(at: Timestamp) -> String {
    time_in(at, TimeZone::system(), "%Y-%m-%d %H:%M")
}

/// The same for the name of a file: `2026-01-01-100000`.
pub(crate) fn time_for_file(at: Timestamp) -> String {
    time_in(at, TimeZone::system(), "%Y-%m-%d-%H%M%S")
}

fn time_in(at: Timestamp, zone: TimeZone, format: &str) -> String {
    match jiff::Timestamp::from_millisecond(at.millis()) {
        Ok(instant) => instant.to_zoned_datetime(zone).strftime(format).to_string(),
        Err(_) => at.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_players_write_them() {
        let cases = [
            (-5, "0:00"),
            (0, "0:00"),
            (499, "0:00"),
            (4_180, "0:04"),
            (59_500, "1:00"),
            (3_723_000, "1:02:03"),
        ];
        for (ms, text) in cases {
            assert_eq!(duration(ms), text);
        }
    }

    #[test]
    fn sizes_use_binary_units() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (12_800, "12.5 KiB"),
            (10 << 20, "10.0 MiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(size(u64::MAX), "16777216.0 TiB");
    }

    #[test]
    fn times_are_local() {
        let at: Timestamp = "2026-01-01T22:30:00.000Z".parse().unwrap();
        let east = TimeZone::fixed(jiff::tz::offset(8));
        assert_eq!(time_in(at, east, "%Y-%m-%d %H:%M"), "2026-01-02 06:30");
    }
}
