//! What symphonia demuxes and decodes.

use symphonia::core::audio::{Channels, Position};
use symphonia::core::codecs::audio::AudioDecoder;
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::FormatReader;
use symphonia::core::packet::Packet;

use super::decoder::{Engine, EngineEnding, Format, guarded};
use super::open::{Opened, open};
use crate::pcm::{Layout, sanitise};
use crate::{Error, Input, Limits, Probe};

/// Packets in a row that may be beyond repair before the rest is given up.
const MAX_BAD_PACKETS: u32 = 500;
/// Longest packet of any codec here, so that a claimed duration makes no hours of silence.
const MAX_LOST_FRAMES: u64 = 65_536;

/// A track that symphonia decodes.
pub(super) struct Library<'a> {
    reader: Box<dyn FormatReader + 'a>,
    codec: Box<dyn AudioDecoder>,
    track: u32,
    format: Format,
    /// Frames that the file promised, where it can be trusted to know.
    promised: Option<u64>,
    missing: u64,
    bad_in_a_row: u32,
    good_packets: u64,
    /// What was wrong with the first packet that could not be decoded.
    failure: Option<Error>,
    truncated: bool,
}

impl<'a> Library<'a> {
    pub(super) fn open(
        input: &'a mut dyn Input,
        source: &Probe,
        limits: &Limits,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<(Self, Format), Error> {
        let Opened {
            reader,
            codec,
            track,
            format,
            promised,
            truncated,
        } = open(input, source, limits, cancelled)?;
        let library = Self {
            reader,
            codec,
            track,
            format,
            promised,
            missing: 0,
            bad_in_a_row: 0,
            good_packets: 0,
            failure: None,
            truncated,
        };
        Ok((library, format))
    }

    /// Fills `interleaved` with the sound of a packet, or with silence where it is damaged; false when the stream
    /// becomes another one.
    fn decode(&mut self, packet: &Packet, interleaved: &mut Vec<f32>) -> bool {
        let Format { rate, layout, .. } = self.format;
        let decoded = guarded(|| match self.codec.decode(packet) {
            Ok(buffer) => {
                let spec = buffer.spec();
                let same = spec.rate() == rate.get() && spec.channels().count() == layout.channels;
                if same {
                    buffer.copy_to_vec_interleaved(interleaved);
                    sanitise(interleaved);
                }
                Ok(same)
            }
            Err(error) => Err(error),
        });
        match decoded.unwrap_or(Err(SymphoniaError::DecodeError("it breaks the decoder"))) {
            Ok(true) => {
                self.good_packets += 1;
                self.bad_in_a_row = 0;
                true
            }
            // A stream that changes its format half way is two recordings; the first one is the message.
            Ok(false) | Err(SymphoniaError::ResetRequired) => {
                self.truncated = true;
                false
            }
            // AAC calls damage "unsupported" when it looks like a tool of another profile.
            Err(error) => {
                self.codec.reset();
                let frames = packet.dur.get().min(MAX_LOST_FRAMES);
                interleaved.clear();
                interleaved.resize(frames as usize * layout.channels, 0.0);
                self.missing += frames;
                self.bad_in_a_row += 1;
                self.failure.get_or_insert_with(|| match error {
                    SymphoniaError::Unsupported(what) => Error::unsupported(what),
                    error => Error::corrupt(error.to_string()),
                });
                true
            }
        }
    }

    /// The next packet of the sound track.
    fn next_packet(&mut self) -> Result<Option<Packet>, Error> {
        while self.bad_in_a_row < MAX_BAD_PACKETS {
            match self.reader.next_packet() {
                Ok(Some(packet)) if packet.track_id == self.track => return Ok(Some(packet)),
                Ok(Some(_)) => {}
                Ok(None) => return Ok(None),
                Err(SymphoniaError::IoError(error)) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
                    return Err(error.into());
                }
                // Live WebM, WAV from a pipe and cut files end like this; whether something is missing is told by
                // `promised`, or here when a packet was announced.
                Err(SymphoniaError::IoError(_)) => {
                    self.truncated |= self.promised.is_some();
                    return Ok(None);
                }
                // MPEG audio and ADTS find their way back by themselves, so ask again.
                Err(SymphoniaError::DecodeError(_)) => {
                    self.truncated = true;
                    self.bad_in_a_row += 1;
                }
                // ResetRequired is a chained stream: another recording begins.
                Err(_) => {
                    self.truncated = true;
                    return Ok(None);
                }
            }
        }
        Ok(None)
    }
}

impl Engine for Library<'_> {
    fn next(&mut self, interleaved: &mut Vec<f32>) -> Result<bool, Error> {
        interleaved.clear();
        // What was decoded before a panic stands.
        let packet = guarded(|| self.next_packet()).unwrap_or_else(|| {
            self.truncated = true;
            Ok(None)
        })?;
        if packet.is_some_and(|packet| self.decode(&packet, interleaved)) {
            return Ok(true);
        }
        match self.failure.take() {
            // Nothing but damage is no message.
            Some(failure) if self.good_packets == 0 => Err(failure),
            _ => Ok(false),
        }
    }

    fn ending(&self, given: u64) -> EngineEnding {
        EngineEnding {
            truncated: self.truncated || self.promised.is_some_and(|promised| given < promised),
            missing: self.missing,
        }
    }
}

/// The layout of symphonia's channels.
pub(super) fn layout(channels: &Channels) -> Layout {
    let lfe = match channels {
        // A file that does not say which channels it has gets the usual positions in order; under six of them are
        // more likely microphones than a set of loudspeakers with a subwoofer.
        Channels::Positioned(positions) if channels.count() >= 6 && positions.contains(Position::LFE1) => {
            channels.get_canonical_index_for_positioned_channel(Position::LFE1)
        }
        _ => None,
    };
    Layout {
        channels: channels.count(),
        lfe,
    }
}
