//! EBML elements (RFC 8794): an id, a size, a payload.

/// Longest header: an id of 4 and a size of 8 bytes.
pub(crate) const MAX_HEADER: usize = 12;

/// An element's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// With its marker bits, as the specifications write it.
    pub(crate) id: u32,
    /// Bytes of payload; `None` = unknown: until something begins that does not belong inside.
    pub(crate) size: Option<u64>,
    /// Bytes of the header itself.
    pub(crate) length: usize,
}

/// Reads a header; `None` when it is malformed or cut off.
pub(crate) fn header(bytes: &[u8]) -> Option<Header> {
    let (id, id_length) = id(bytes)?;
    let (size, size_length) = vint(&bytes[id_length..])?;
    Some(Header {
        id,
        size,
        length: id_length + size_length,
    })
}

/// Calls `each` with every child in a payload that is whole in memory, up to the first malformed one.
pub(crate) fn children<'a>(mut payload: &'a [u8], mut each: impl FnMut(u32, &'a [u8])) {
    while let Some(header) = header(payload) {
        let rest = &payload[header.length..];
        let size = header.size.and_then(|n| usize::try_from(n).ok());
        let Some((body, after)) = size.and_then(|n| rest.split_at_checked(n)) else {
            return;
        };
        each(header.id, body);
        payload = after;
    }
}

/// A variable-size number: (value, `None` when all ones = unknown; bytes used).
pub(crate) fn vint(bytes: &[u8]) -> Option<(Option<u64>, usize)> {
    let first = *bytes.first()?;
    let length = first.leading_zeros() as usize + 1;
    if length > 8 {
        return None;
    }
    let ones = (1u64 << (7 * length)) - 1;
    let value = bytes
        .get(..length)?
        .iter()
        .fold(0, |value, &b| value << 8 | u64::from(b))
        & ones;
    Some(((value != ones).then_some(value), length))
}

/// An unsigned integer of at most 8 bytes; longer is malformed.
pub(crate) fn uint(payload: &[u8]) -> Option<u64> {
    (payload.len() <= 8).then(|| payload.iter().fold(0, |value, &b| value << 8 | u64::from(b)))
}

/// A signed integer of at most 8 bytes.
pub(crate) fn int(payload: &[u8]) -> Option<i64> {
    let shift = 64 - 8 * u32::try_from(payload.len()).ok()?.min(8);
    let value = uint(payload)? as i64;
    Some(if shift == 64 { 0 } else { value << shift >> shift })
}

fn id(bytes: &[u8]) -> Option<(u32, usize)> {
    let length = bytes.first()?.leading_zeros() as usize + 1;
    if length > 4 {
        return None;
    }
    let id = bytes
        .get(..length)?
        .iter()
        .fold(0, |id, &b| id << 8 | u32::from(b));
    Some((id, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_every_length_are_read_and_all_ones_means_unknown() {
        assert_eq!(vint(&[0x81]), Some((Some(1), 1)));
        assert_eq!(vint(&[0x40, 0x02]), Some((Some(2), 2)));
        assert_eq!(vint(&[0x01, 0, 0, 0, 0, 0, 0, 3]), Some((Some(3), 8)));
        assert_eq!(vint(&[0xFF]), Some((None, 1)));
        assert_eq!(vint(&[0x01, 255, 255, 255, 255, 255, 255, 255]), Some((None, 8)));
        assert_eq!(vint(&[0x7F, 0xFF]), Some((None, 2)));
        assert_eq!(vint(&[0x00, 1]), None);
        assert_eq!(vint(&[0x40]), None);
    }

    #[test]
    fn signed_numbers_of_every_length_keep_their_sign() {
        assert_eq!(int(&[]), Some(0));
        assert_eq!(int(&[0xFF]), Some(-1));
        assert_eq!(int(&[0x7F, 0xFF]), Some(32_767));
        assert_eq!(int(&[0x80, 0, 0, 0, 0, 0, 0, 0]), Some(i64::MIN));
        assert_eq!(int(&[0; 9]), None);
    }

    #[test]
    fn children_end_at_the_first_that_does_not_fit() {
        let mut seen = Vec::new();
        children(
            &[0xE7, 0x81, 5, 0x22, 0xB5, 0x9C, 0x80, 0xE7, 0x83, 1],
            |id, body| seen.push((id, body.len())),
        );
        assert_eq!(seen, [(0xE7, 1), (0x22B59C, 0)]);
    }
}
