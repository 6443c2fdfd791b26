//! Which bytes of an object a request asks for (RFC 9110 §14). Pure.

use std::ops::Range;

/// What to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Selection {
    /// All of it, also when the header is malformed or asks for several ranges: a server may ignore those.
    Whole,
    /// One part.
    Part(Range<u64>),
    /// Nothing of what exists.
    Unsatisfiable,
}

/// The part that a `Range` header selects of `len` bytes.
pub(super) fn select(header: Option<&str>, len: u64) -> Selection {
    let Some(spec) = header.and_then(|text| text.trim().strip_prefix("bytes=")) else {
        return Selection::Whole;
    };
    let Some((first, last)) = spec.trim().split_once('-') else {
        return Selection::Whole;
    };
    let (first, last) = (first.trim(), last.trim());
    let range = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(len),
        (Some(first), None) if last.is_empty() => first..len,
        (None, Some(suffix)) if first.is_empty() => {
            if suffix == 0 {
                return Selection::Unsatisfiable;
            }
            len.saturating_sub(suffix)..len
        }
        _ => return Selection::Whole,
    };
    if range.start < range.end {
        Selection::Part(range)
    } else {
        Selection::Unsatisfiable
    }
}

/// Digits alone; more than fit are very many.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

/// Whether an entity tag (with its quotes) is in an `If-None-Match` list; the comparison is weak.
pub(super) fn lists(header: &str, etag: &str) -> bool {
    header.trim() == "*"
        || header
            .split(',')
            .map(|tag| tag.trim())
            .any(|tag| tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_select_what_rfc_9110_says() {
        use Selection::*;
        for (header, expected) in [
            ("bytes=0-0", Part(0..1)),
            ("bytes=0-99", Part(0..100)),
            ("bytes=0-1000", Part(0..100)),
            ("bytes=10-", Part(10..100)),
            ("bytes=-10", Part(90..100)),
            ("bytes=-1000", Part(0..100)),
            ("bytes=99-99999999999999999999999999", Part(99..100)),
            ("bytes=100-", Unsatisfiable),
            ("bytes=100-200", Unsatisfiable),
            ("bytes=-0", Unsatisfiable),
            ("bytes=5-4", Whole),
            ("bytes=0-1,5-6", Whole),
            ("bytes=a-b", Whole),
            ("bytes=-", Whole),
            ("bytes=+1-2", Whole),
            ("items=0-1", Whole),
            ("bytes", Whole),
        ] {
            assert_eq!(select(Some(header), 100), expected, "{header}");
        }
        assert_eq!(select(None, 100), Whole);
        assert_eq!(select(Some("bytes=0-"), 0), Unsatisfiable);
    }

    #[test]
    fn entity_tags_are_compared_in_lists() {
        assert!(lists("\"a\"", "\"a\""));
        assert!(lists("\"b\", W/\"a\"", "\"a\""));
        assert!(lists("*", "\"a\""));
        assert!(!lists("\"b\"", "\"a\""));
        assert!(!lists("", "\"a\""));
    }
}
