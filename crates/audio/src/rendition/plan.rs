use crate::container::{Event, Track};
use crate::opus::packet;
use crate::sniff::open;
use crate::{Error, Input, OpusHead};

/// How often `cancelled` is asked, in packets.
const ASK_EVERY: usize = 64;

/// What has to be known of a message before its first byte can be written.
pub(super) struct Plan {
    pub(super) head: OpusHead,
    pub(super) packets: Vec<Planned>,
    /// Samples at 48 kHz of all packets, pre-skip and what is trimmed included.
    pub(super) total: u64,
    /// Samples at 48 kHz that are trimmed from the end.
    pub(super) discard: u64,
}

/// One packet to come.
#[derive(Clone, Copy)]
pub(super) struct Planned {
    /// At most `MAX_PACKET_BYTES`.
    pub(super) bytes: u16,
    /// At 48 kHz, at most `MAX_SAMPLES_48K`.
    pub(super) samples: u16,
}

impl Plan {
    /// Looks through the whole file.
    pub(super) fn of(input: &mut dyn Input, cancelled: &dyn Fn() -> bool) -> Result<Self, Error> {
        let mut packets = Vec::new();
        let mut total = 0;
        let (head, discard) = each_packet(input, cancelled, |data| {
            let info = packet::check(data).map_err(|malformed| Error::corrupt(malformed.to_string()))?;
            let bytes = u16::try_from(data.len()).map_err(|_| Error::corrupt("a packet is too long"))?;
            packets.push(Planned {
                bytes,
                samples: info.samples_48k as u16,
            });
            total += u64::from(info.samples_48k);
            Ok(())
        })?;
        let plan = Plan {
            discard: discard.min(total.saturating_sub(head.pre_skip.into())),
            head,
            packets,
            total,
        };
        if plan.play() == 0 {
            return Err(Error::Empty);
        }
        Ok(plan)
    }

    /// Samples at 48 kHz that are heard.
    pub(super) fn play(&self) -> u64 {
        self.total
            .saturating_sub(self.head.pre_skip.into())
            .saturating_sub(self.discard)
    }
}

/// Calls `each` with every packet of a canonical file; gives its head and what is trimmed from its end.
pub(super) fn each_packet(
    input: &mut dyn Input,
    cancelled: &dyn Fn() -> bool,
    mut each: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(OpusHead, u64), Error> {
    let mut demux = match open(input)? {
        (_, Track::Opus(demux)) => demux,
        (source, _) => return Err(Error::unsupported(source.mime)),
    };
    let mut seen = 0_usize;
    while let Some(event) = demux.next()? {
        if seen.is_multiple_of(ASK_EVERY) && cancelled() {
            return Err(Error::OutOfTime);
        }
        seen += 1;
        match event {
            Event::Packet { data, .. } => each(data)?,
            Event::Gap { .. } => return Err(Error::corrupt("a canonical file has no gaps")),
        }
    }
    Ok((demux.head(), demux.ending().discard))
}
