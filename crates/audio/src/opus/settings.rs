//! How sound is encoded: all that may be chosen of Opus, in one type, for files and for live speech alike.

use opusic_sys as sys;

/// What the encoder aims at (RFC 6716 §2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Application {
    /// Intelligible speech, before faithfulness.
    #[default]
    Voip,
    /// Faithful to the input, speech or not.
    Audio,
    /// No look-ahead and no mode for speech: 5 ms less delay. Not for files.
    LowDelay,
}

/// How the bit rate may vary from packet to packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RateControl {
    /// As the sound needs it: the best for what is kept.
    #[default]
    Vbr,
    /// As the sound needs it, within what a line of this bit rate takes with a frame of delay.
    ConstrainedVbr,
    /// The same size for every packet: a listener of the encrypted line learns nothing from it.
    Cbr,
}

/// How much sound one packet holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FrameDuration {
    /// 2.5 ms.
    Ms2_5,
    /// 5 ms.
    Ms5,
    /// 10 ms.
    Ms10,
    /// 20 ms: the best trade of overhead against delay, and what every player handles.
    #[default]
    Ms20,
    /// 40 ms.
    Ms40,
    /// 60 ms: the least overhead.
    Ms60,
}

impl FrameDuration {
    /// In samples at 48 kHz.
    #[must_use]
    pub const fn samples_48k(self) -> u32 {
        match self {
            Self::Ms2_5 => 120,
            Self::Ms5 => 240,
            Self::Ms10 => 480,
            Self::Ms20 => 960,
            Self::Ms40 => 1_920,
            Self::Ms60 => 2_880,
        }
    }
}

/// The highest part of the sound that is coded (RFC 6716 table 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Bandwidth {
    /// Up to 4 kHz: a telephone.
    Narrow,
    /// Up to 6 kHz.
    Medium,
    /// Up to 8 kHz: all bits, and all of the redundancy, for what carries speech.
    Wide,
    /// Up to 12 kHz.
    SuperWide,
    /// Up to 20 kHz.
    #[default]
    Full,
}

impl Bandwidth {
    /// The highest frequency that is coded, in Hz.
    #[must_use]
    pub const fn hz(self) -> u32 {
        match self {
            Self::Narrow => 4_000,
            Self::Medium => 6_000,
            Self::Wide => 8_000,
            Self::SuperWide => 12_000,
            Self::Full => 20_000,
        }
    }
}

/// How sound is encoded.
///
/// Values out of range are brought into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncoderSettings {
    /// What the encoder aims at.
    pub application: Application,
    /// Mean bit rate in bit/s with everything, 6,000 to 128,000.
    pub bitrate_bps: u32,
    /// How it may vary.
    pub rate_control: RateControl,
    /// How much sound one packet holds. Live, the caller decides by the frames that it hands over.
    pub frame: FrameDuration,
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
    /// Code nothing above this.
    pub bandwidth: Bandwidth,
    /// Files only: measure how far up the sound goes, and spend no bits on what is not there. `bandwidth` and
    /// `bitrate_bps` are what the widest sound gets.
    pub fit: bool,
}

/// The lowest complexity of libopus 1.6 whose PESQ is within 0.02 of the highest: the table "Complexity" of docs/benchmarks.md.
const COMPLEXITY: u8 = 8;

impl Default for EncoderSettings {
    /// What is kept: 24 kbit/s VBR, 20 ms, fitted to the sound; no FEC and no DTX, since what is stored is never lost on the
    /// way, and their cost would be kept for ever.
    fn default() -> Self {
        Self {
            application: Application::Voip,
            bitrate_bps: 24_000,
            rate_control: RateControl::Vbr,
            frame: FrameDuration::Ms20,
            complexity: COMPLEXITY,
            fec: false,
            loss_percent: 0,
            dred_ms: 0,
            dtx: false,
            bandwidth: Bandwidth::Full,
            fit: true,
        }
    }
}

impl EncoderSettings {
    /// Live speech: one stream at a time, so that effort is cheap.
    #[must_use]
    pub fn live() -> Self {
        Self {
            complexity: 9,
            fit: false,
            ..Self::default()
        }
    }

    /// What libopus is asked for: request and value. The application is chosen when an encoder is made.
    pub(super) fn requests(&self) -> [(i32, i32); 10] {
        let bandwidth = match self.bandwidth {
            Bandwidth::Narrow => sys::OPUS_BANDWIDTH_NARROWBAND,
            Bandwidth::Medium => sys::OPUS_BANDWIDTH_MEDIUMBAND,
            Bandwidth::Wide => sys::OPUS_BANDWIDTH_WIDEBAND,
            Bandwidth::SuperWide => sys::OPUS_BANDWIDTH_SUPERWIDEBAND,
            Bandwidth::Full => sys::OPUS_BANDWIDTH_FULLBAND,
        };
        let signal = match self.application {
            Application::Voip => sys::OPUS_SIGNAL_VOICE,
            Application::Audio | Application::LowDelay => sys::OPUS_AUTO,
        };
        [
            (
                sys::OPUS_SET_BITRATE_REQUEST,
                self.bitrate_bps.clamp(6_000, 128_000) as i32,
            ),
            (sys::OPUS_SET_COMPLEXITY_REQUEST, self.complexity.min(10).into()),
            (sys::OPUS_SET_SIGNAL_REQUEST, signal),
            (sys::OPUS_SET_INBAND_FEC_REQUEST, self.fec.into()),
            (
                sys::OPUS_SET_PACKET_LOSS_PERC_REQUEST,
                self.loss_percent.min(100).into(),
            ),
            // libopus counts in 10 ms.
            (
                sys::OPUS_SET_DRED_DURATION_REQUEST,
                i32::from(self.dred_ms.min(1_000)) / 10,
            ),
            (sys::OPUS_SET_DTX_REQUEST, self.dtx.into()),
            (sys::OPUS_SET_MAX_BANDWIDTH_REQUEST, bandwidth),
            (
                sys::OPUS_SET_VBR_REQUEST,
                (self.rate_control != RateControl::Cbr).into(),
            ),
            (
                sys::OPUS_SET_VBR_CONSTRAINT_REQUEST,
                (self.rate_control == RateControl::ConstrainedVbr).into(),
            ),
        ]
    }

    pub(super) fn application_code(&self) -> i32 {
        match self.application {
            Application::Voip => sys::OPUS_APPLICATION_VOIP,
            Application::Audio => sys::OPUS_APPLICATION_AUDIO,
            Application::LowDelay => sys::OPUS_APPLICATION_RESTRICTED_LOWDELAY,
        }
    }
}
