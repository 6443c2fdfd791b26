//! Boxes: a size, a four-character type, a payload.

/// Longest header: size, type and a 64-bit size.
pub(crate) const MAX_HEADER: usize = 16;

pub(crate) type Kind = [u8; 4];

/// A box's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    /// Bytes of payload; `None` = to the end of the file.
    pub(crate) size: Option<u64>,
    /// Bytes of the header itself.
    pub(crate) length: usize,
}

/// Reads a header; `None` when it is malformed or cut off.
pub(crate) fn header(bytes: &[u8]) -> Option<Header> {
    let kind = bytes.get(4..8)?.try_into().ok()?;
    let (size, length) = match u32_at(bytes, 0)? {
        0 => {
            return Some(Header {
                kind,
                size: None,
                length: 8,
            });
        }
        1 => (u64_at(bytes, 8)?, 16),
        n => (n.into(), 8),
    };
    Some(Header {
        kind,
        size: Some(size.checked_sub(length as u64)?),
        length,
    })
}

/// Calls `each` with every child in a payload that is whole in memory, up to the first malformed one.
pub(crate) fn children<'a>(mut payload: &'a [u8], mut each: impl FnMut(Kind, &'a [u8])) {
    while let Some(header) = header(payload) {
        let rest = &payload[header.length..];
        let size = header.size.map_or(Some(rest.len()), |n| usize::try_from(n).ok());
        let Some((body, after)) = size.and_then(|n| rest.split_at_checked(n)) else {
            return;
        };
        each(header.kind, body);
        payload = after;
    }
}

/// The payload of the first child of a type.
pub(crate) fn child<'a>(payload: &'a [u8], kind: &Kind) -> Option<&'a [u8]> {
    let mut found = None;
    children(payload, |k, body| {
        if k == *kind {
            found.get_or_insert(body);
        }
    });
    found
}

/// The payload at the end of a path of types.
pub(crate) fn descend<'a>(payload: &'a [u8], path: &[&Kind]) -> Option<&'a [u8]> {
    path.iter()
        .try_fold(payload, |payload, kind| child(payload, kind))
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_all_three_kinds_are_read() {
        assert_eq!(
            header(b"\0\0\0\x10ftypiso"),
            Some(Header {
                kind: *b"ftyp",
                size: Some(8),
                length: 8
            })
        );
        assert_eq!(
            header(b"\0\0\0\0mdat"),
            Some(Header {
                kind: *b"mdat",
                size: None,
                length: 8
            })
        );
        let long = b"\0\0\0\x01mdat\0\0\0\x01\0\0\0\x10";
        assert_eq!(
            header(long),
            Some(Header {
                kind: *b"mdat",
                size: Some(1 << 32),
                length: 16
            })
        );
    }

    #[test]
    fn a_size_below_its_own_header_is_malformed() {
        assert_eq!(header(b"\0\0\0\x07free"), None);
        assert_eq!(header(b"\0\0\0\x01free\0\0\0\0\0\0\0\x0F"), None);
        assert_eq!(header(b"\0\0\0\x10fre"), None);
    }

    #[test]
    fn children_are_found_by_path_and_a_child_too_large_ends_the_search() {
        let inner = b"\0\0\0\x0Aabcd\x01\x02";
        let mut outer = b"\0\0\0\x12wxyz".to_vec();
        outer.extend(inner);
        assert_eq!(descend(&outer, &[b"wxyz", b"abcd"]), Some(&[1, 2][..]));
        outer[3] += 1;
        assert_eq!(child(&outer, b"wxyz"), None);
    }
}
