use super::{ffi, packet};

/// What a packet holds besides its own sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PacketContent {
    /// Play time in samples at 48 kHz.
    pub samples: u32,
    /// A second, coarser copy of the packet before it (LBRR, RFC 6716 §2.1.7).
    pub fec: bool,
    /// Samples before it for which it holds deep redundancy (DRED); 0 for none.
    pub dred_samples: u32,
    /// It is too short to hold sound: discontinuous transmission begins.
    pub dtx: bool,
}

/// Tells what Opus packets hold, without decoding them: what a jitter buffer wants to know.
#[derive(Debug)]
pub struct PacketInspector {
    dred: ffi::Dred,
}

impl PacketInspector {
    /// Reserves what it needs once.
    pub fn new() -> Self {
        Self {
            dred: ffi::Dred::new(),
        }
    }

    /// Looks into a packet.
    ///
    /// # Errors
    /// The rule of RFC 6716 §3.4 that the packet breaks.
    pub fn inspect(&mut self, packet: &[u8]) -> Result<PacketContent, packet::Malformed> {
        let info = packet::check(packet)?;
        let reach = self.dred.read(packet, false);
        Ok(PacketContent {
            samples: info.samples_48k,
            fec: ffi::has_fec(packet),
            dred_samples: reach,
            dtx: packet.len() <= 2,
        })
    }
}

impl Default for PacketInspector {
    fn default() -> Self {
        Self::new()
    }
}
