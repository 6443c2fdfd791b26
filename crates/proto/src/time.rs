//! Points in time as they travel: RFC 3339, UTC, milliseconds.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

/// Milliseconds since 1970-01-01T00:00:00Z. Reads no clock: whoever has one passes it in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The latest time that can be written with a four-digit year.
    const MAX_MS: i64 = 253_402_300_799_999;

    /// From milliseconds since the Unix epoch, clamped to the years 1970 to 9999.
    pub fn from_millis(ms: i64) -> Self {
        Self(ms.clamp(0, Self::MAX_MS))
    }

    /// Milliseconds since the Unix epoch.
    pub fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch.
    pub fn seconds(self) -> i64 {
        self.0 / 1000
    }

    /// This time and `ms` milliseconds more (or fewer when negative).
    pub fn plus_millis(self, ms: i64) -> Self {
        Self::from_millis(self.0.saturating_add(ms))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format =
            format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .map_err(|_| fmt::Error)?;
        f.write_str(&at.format(&format).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for Timestamp {
    type Err = time::error::Parse;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let at = OffsetDateTime::parse(text, &Rfc3339)?;
        // Years that RFC 3339 can write fit into 64 bits of milliseconds.
        Ok(Self::from_millis(
            i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(Self::MAX_MS),
        ))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for Timestamp {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("RFC 3339, UTC, milliseconds"))
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for Timestamp {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc_with_three_digits() {
        assert_eq!(
            Timestamp::from_millis(1_767_261_600_000).to_string(),
            "2026-01-01T10:00:00.000Z"
        );
        assert_eq!(Timestamp::from_millis(1).to_string(), "1970-01-01T00:00:00.001Z");
    }

    #[test]
    fn a_time_with_an_offset_is_read_as_the_same_instant() {
        let at: Timestamp = "2026-01-01T12:00:00+02:00".parse().unwrap();
        assert_eq!(at.to_string(), "2026-01-01T10:00:00.000Z");
    }

    #[test]
    fn reading_what_was_written_gives_the_same_time() {
        for ms in [0, 999, 1_767_261_600_123, Timestamp::MAX_MS] {
            let at = Timestamp::from_millis(ms);
            assert_eq!(
                serde_json::from_str::<Timestamp>(&serde_json::to_string(&at).unwrap()).unwrap(),
                at
            );
        }
    }
}
