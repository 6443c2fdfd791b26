//! Ogg pages (RFC 3533 §6): found, bounded, their checksums verified.

use crate::Error;
use crate::container::source::Source;

use super::crc;

const HEADER: usize = 27;
const CAPTURE: &[u8] = b"OggS";
/// Checksums of broken pages may cost this many bytes more than whole pages bring.
const DAMAGE_ALLOWANCE: u64 = 4 << 20;

/// A page whose checksum is right.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    pub(crate) header: PageHeader,
    /// One length per segment: 255 means that the packet goes on.
    pub(crate) lacing: &'a [u8],
    /// The segments.
    pub(crate) body: &'a [u8],
}

/// The fixed part of a page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageHeader {
    /// Its first packet began on an earlier page.
    pub(crate) continued: bool,
    /// First page of its logical stream.
    pub(crate) first: bool,
    /// Last page of its logical stream.
    pub(crate) last: bool,
    /// Samples up to the end of the last packet that ends here; `None` when none does.
    pub(crate) granule: Option<u64>,
    pub(crate) serial: u32,
    pub(crate) sequence: u32,
}

/// Reads pages and steps over what is damaged.
pub(crate) struct PageReader<'a> {
    source: Source<'a>,
    /// The header of the last page that was dropped for its checksum, until the next whole page. Not to be trusted.
    pub(crate) damaged: Option<PageHeader>,
    whole_bytes: u64,
    damaged_bytes: u64,
}

impl<'a> PageReader<'a> {
    pub(crate) fn new(source: Source<'a>) -> Self {
        PageReader {
            source,
            damaged: None,
            whole_bytes: 0,
            damaged_bytes: 0,
        }
    }

    /// The next whole page; `None` at the end of the file.
    pub(crate) fn next(&mut self) -> Result<Option<Page<'_>>, Error> {
        loop {
            let head = self.source.peek(HEADER)?;
            if head.len() < HEADER {
                return Ok(None);
            }
            if !head.starts_with(CAPTURE) || head[4] != 0 {
                self.resync()?;
                continue;
            }
            let segments = usize::from(head[26]);
            let header = PageHeader::parse(head);
            let lacing = self.source.peek(HEADER + segments)?.get(HEADER..).unwrap_or(&[]);
            let body = lacing.iter().map(|&n| usize::from(n)).sum::<usize>();
            let size = HEADER + segments + body;
            let page = self.source.peek(size)?;
            if page.len() < size || !checksum_is_right(page) {
                self.damaged = Some(header);
                self.damaged_bytes += size as u64 + 512;
                if self.damaged_bytes > self.whole_bytes + DAMAGE_ALLOWANCE {
                    return Err(Error::corrupt("more Ogg pages are broken than whole"));
                }
                self.resync()?;
                continue;
            }
            self.whole_bytes += size as u64;
            let page = self.source.take(size)?.unwrap_or(&[]);
            let (lacing, body) = page[HEADER..].split_at(segments);
            return Ok(Some(Page { header, lacing, body }));
        }
    }

    /// Goes to the next capture pattern after this place.
    fn resync(&mut self) -> Result<(), Error> {
        self.source.skip(1)?;
        self.source.find(CAPTURE[..1].as_ref(), CAPTURE.len(), |bytes| {
            bytes.starts_with(CAPTURE)
        })?;
        Ok(())
    }
}

impl PageHeader {
    /// Reads a header of at least 27 bytes.
    fn parse(head: &[u8]) -> Self {
        let long = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let granule = u64::from(long(6)) | u64::from(long(10)) << 32;
        PageHeader {
            continued: head[5] & 1 != 0,
            first: head[5] & 2 != 0,
            last: head[5] & 4 != 0,
            granule: (granule != u64::MAX).then_some(granule),
            serial: long(14),
            sequence: long(18),
        }
    }
}

/// The checksum is taken with its own field as zero.
fn checksum_is_right(page: &[u8]) -> bool {
    let crc = crc::update(0, &page[..22]);
    let crc = crc::update(crc, &[0; 4]);
    crc::update(crc, &page[26..]).to_le_bytes() == page[22..26]
}
