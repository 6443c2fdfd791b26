use super::ffi;
use super::settings::EncoderSettings;

/// Encodes live speech, mono at 48 kHz, one packet per frame. Settings may change between any two frames.
#[derive(Debug)]
pub struct SpeechEncoder {
    encoder: ffi::Encoder,
}

/// Room for the largest packet that is asked for.
const MAX_PACKET: usize = 1_500;

impl SpeechEncoder {
    /// Samples that come out before the first that went in; 120 for the application of low delay.
    pub const LOOKAHEAD: usize = 312;

    /// An encoder with these settings; [`EncoderSettings::live`] is where to begin.
    pub fn new(settings: &EncoderSettings) -> Self {
        let mut encoder = Self {
            encoder: ffi::Encoder::new(48_000, settings.application_code()),
        };
        encoder.configure(settings);
        encoder
    }

    /// Changes the settings from the next frame on, all but the application.
    pub fn configure(&mut self, settings: &EncoderSettings) {
        for (request, value) in settings.requests() {
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
