//! Whether an Ogg file has its end. Symphonia plays what is there and does not tell.

use std::io::{self, Read as _, SeekFrom};

use crate::Input;

/// The largest page (RFC 3533 §6): 27 bytes of header, 255 of lacing, 255 segments of 255 bytes.
const MAX_PAGE: u64 = 27 + 255 + 255 * 255;
/// Flag of the last page of a logical stream.
const LAST: u8 = 4;

/// True when the last page is cut off or does not have the end mark.
pub(super) fn is_missing(input: &mut dyn Input) -> io::Result<bool> {
    let len = input.seek(SeekFrom::End(0))?;
    input.seek(SeekFrom::Start(len.saturating_sub(MAX_PAGE)))?;
    let mut tail = Vec::new();
    input.take(MAX_PAGE).read_to_end(&mut tail)?;
    let page = tail
        .windows(4)
        .rposition(|capture| capture == b"OggS")
        .map(|at| &tail[at..]);
    Ok(!page.is_some_and(is_whole_last_page))
}

fn is_whole_last_page(page: &[u8]) -> bool {
    let Some((header, rest)) = page.split_at_checked(27) else {
        return false;
    };
    let Some((lacing, body)) = rest.split_at_checked(header[26].into()) else {
        return false;
    };
    let size: usize = lacing.iter().map(|&segment| usize::from(segment)).sum();
    header[5] & LAST != 0 && body.len() >= size
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn page(flags: u8, body: &[u8]) -> Vec<u8> {
        let mut page = b"OggS".to_vec();
        page.resize(26, 0);
        page[5] = flags;
        page.extend([1, body.len() as u8]);
        page.extend(body);
        page
    }

    #[test]
    fn only_a_whole_page_with_the_end_mark_is_the_end() {
        let missing = |file: &[u8]| is_missing(&mut Cursor::new(file)).expect("a file in memory");
        let whole = [page(2, b"first"), page(LAST, b"last")].concat();
        assert!(!missing(&whole));
        for end in 0..whole.len() {
            assert!(missing(&whole[..end]), "{end}");
        }
    }
}
