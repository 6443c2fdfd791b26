use opusic_sys as sys;

use super::ffi;

/// How speech is encoded for a network that loses packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpeechSettings {
    /// Mean bit rate in bit/s with everything, 6,000 to 128,000.
    pub bitrate_bps: u32,
    /// Effort, 0 to 10.
    pub complexity: u8,
    /// Put a coarser copy of each packet into the next (in-band FEC).
    pub fec: bool,
    /// Loss to be prepared for, 0 to 100: decides what share of the bits redundancy gets.
    pub loss_percent: u8,
    /// Deep redundancy in each packet for this long before it, in ms up to 1,000; 0 for none.
    pub dred_ms: u16,
    /// Send next to nothing while nobody speaks.
    pub dtx: bool,
    /// The same size for every packet.
    pub cbr: bool,
    /// Code nothing above 8 kHz: all bits, and all of the redundancy, for what carries speech.
    pub wideband: bool,
}

impl Default for SpeechSettings {
    fn default() -> Self {
        Self {
            bitrate_bps: 24_000,
            complexity: 9,
            fec: false,
            loss_percent: 0,
            dred_ms: 0,
            dtx: false,
            cbr: false,
            wideband: false,
        }
    }
}

/// Encodes live speech, mono at 48 kHz, one packet per frame. Settings may change between any two frames.
#[derive(Debug)]
pub struct SpeechEncoder {
    encoder: ffi::Encoder,
}

/// Room for the largest packet that is asked for.
const MAX_PACKET: usize = 1_500;

impl SpeechEncoder {
    /// Samples that come out before the first that went in.
    pub const LOOKAHEAD: usize = 312;

    /// An encoder with these settings.
    pub fn new(settings: &SpeechSettings) -> Self {
        let mut encoder = Self {
            encoder: ffi::Encoder::new(),
        };
        encoder.configure(settings);
        encoder
    }

    /// Changes the settings from the next frame on.
    pub fn configure(&mut self, settings: &SpeechSettings) {
        let requests = [
            (
                sys::OPUS_SET_BITRATE_REQUEST,
                settings.bitrate_bps.clamp(6_000, 128_000) as i32,
            ),
            (
                sys::OPUS_SET_COMPLEXITY_REQUEST,
                settings.complexity.min(10).into(),
            ),
            (sys::OPUS_SET_SIGNAL_REQUEST, sys::OPUS_SIGNAL_VOICE),
            (sys::OPUS_SET_INBAND_FEC_REQUEST, settings.fec.into()),
            (
                sys::OPUS_SET_PACKET_LOSS_PERC_REQUEST,
                settings.loss_percent.min(100).into(),
            ),
            // libopus counts in 10 ms.
            (
                sys::OPUS_SET_DRED_DURATION_REQUEST,
                i32::from(settings.dred_ms.min(1_000)) / 10,
            ),
            (sys::OPUS_SET_DTX_REQUEST, settings.dtx.into()),
            (
                sys::OPUS_SET_MAX_BANDWIDTH_REQUEST,
                if settings.wideband {
                    sys::OPUS_BANDWIDTH_WIDEBAND
                } else {
                    sys::OPUS_BANDWIDTH_FULLBAND
                },
            ),
            (sys::OPUS_SET_VBR_REQUEST, (!settings.cbr).into()),
            (sys::OPUS_SET_VBR_CONSTRAINT_REQUEST, 0),
        ];
        for (request, value) in requests {
            self.encoder
                .set(request, value)
                .expect("libopus takes clamped settings");
        }
    }

    /// Encodes 2.5, 5, 10, 20, 40 or 60 ms and appends the packet to `out`.
    ///
    /// # Panics
    /// When `frame` has another length.
    pub fn encode(&mut self, frame: &[f32], out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + MAX_PACKET, 0);
        let len = self
            .encoder
            .encode(frame, &mut out[start..])
            .expect("a frame has one of the lengths of Opus");
        out.truncate(start + len);
    }
}
