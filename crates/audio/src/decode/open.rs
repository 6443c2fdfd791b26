use std::io::{self, Read, Seek, SeekFrom};
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};

use symphonia::core::audio::Channels;
use symphonia::core::codecs::audio::well_known::{CODEC_ID_AAC, CODEC_ID_PCM_ALAW, CODEC_ID_PCM_MULAW};
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::common::Limit;
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, Track, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream};
use symphonia::core::meta::MetadataOptions;

use super::decoder::Format;
use super::gapless::{self, AAC_FRAME, Stream};
use super::library::layout;
use super::mp4::Mp4;
use super::{aac_config, ogg_end, wav_header, webm_end};
use crate::pcm::Layout;
use crate::sniff::first_frame;
use crate::{Codec, Container, Error, Input, Limits, Probe};

/// Lowest sample rate that is taken for sound.
const MIN_RATE: u32 = 4_000;

/// A file that is ready to be decoded.
pub(super) struct Opened<'a> {
    pub(super) reader: Box<dyn FormatReader + 'a>,
    pub(super) codec: Box<dyn AudioDecoder>,
    pub(super) track: u32,
    pub(super) format: Format,
    pub(super) promised: Option<u64>,
    pub(super) truncated: bool,
}

/// Finds the sound track, checks its claims against the limits, and prepares its decoder.
pub(super) fn open<'a>(
    input: &'a mut dyn Input,
    source: &Probe,
    limits: &Limits,
    cancelled: &dyn Fn() -> bool,
) -> Result<Opened<'a>, Error> {
    let mut truncated = false;
    let mut patches = Vec::new();
    let mut part = Part::default();
    let mut mp4 = None;
    match source.container {
        Container::Wav => {
            let header = wav_header::repair(input)?;
            truncated = header.truncated;
            if source.codec == Codec::Mp3 {
                // Frames as in any MP3 file: the header around them knows less than they do.
                part = header.sound;
            } else {
                patches = header.patches;
            }
        }
        Container::Mp3 | Container::Adts => part.begin = first_frame(input)?,
        Container::Mp4 => {
            let found = Mp4::read(input)?;
            truncated = found.cut.is_some();
            patches.extend(found.cut);
            mp4 = Some(found);
        }
        Container::Ogg => truncated = ogg_end::is_missing(input)?,
        Container::Aiff => {
            patches = wav_header::repair_aiff(input)?;
            truncated = !patches.is_empty();
        }
        Container::WebM => {
            patches = webm_end::repair(input)?;
            truncated = !patches.is_empty();
        }
        _ => {}
    }

    // In a WebM file that was cut, symphonia would look for the index at the end and give up.
    let seekable = !(truncated && source.container == Container::WebM);
    // The first reader only counts, so that hours of silence in a few kilobytes are refused before any is decoded.
    let counted = {
        let mut format = read(Source::new(&mut *input, part, patches.clone(), seekable)?)?;
        let (track, params) = sound_track(format.as_ref(), source)?;
        check(&params, limits)?;
        count(format.as_mut(), &track, &params, limits, cancelled)?
    };
    let mp4_edit = mp4.and_then(|mp4| mp4.edit(counted.track));

    let reader = read(Source::new(input, part, patches, seekable)?)?;
    let (track, mut params) = sound_track(reader.as_ref(), source)?;
    if let Some(core) = params.extra_data.as_deref().and_then(aac_config::lc_core) {
        params.with_extra_data(core.into());
    }
    // Their width is that of what they decode to; CAF gives that of what is stored.
    if matches!(params.codec, CODEC_ID_PCM_ALAW | CODEC_ID_PCM_MULAW) {
        (params.bits_per_sample, params.bits_per_coded_sample) = (None, None);
    }
    let codec = symphonia::default::get_codecs()
        .make_audio_decoder(&params, &AudioDecoderOptions::default())
        .map_err(|error| no_decoder(&error, &params, source))?;
    // The decoder knows better than the container.
    let params = codec.codec_params();
    let (rate, layout) = check(params, limits)?;

    let stream = Stream {
        container: source.container,
        is_aac: params.codec == CODEC_ID_AAC,
        is_mp3: source.codec == Codec::Mp3,
        rate,
        packets: counted.packets,
        samples: (counted.ticks_per_second == Some(rate.get())).then_some(counted.ticks),
        trimmed: track.delay.is_some(),
    };
    let trim = gapless::trim(&stream, mp4_edit);
    // Only what a header states outright is a promise; ADTS and plain MP3 are guessed from the bit rate.
    let promised = match source.container {
        Container::Wav | Container::Flac if source.codec != Codec::Mp3 => {
            track.num_frames.filter(|&frames| frames > 0)
        }
        _ => None,
    };
    Ok(Opened {
        reader,
        codec,
        track: track.id,
        format: Format { rate, layout, trim },
        promised,
        truncated,
    })
}

/// What a pass over the packets found.
struct Counted {
    track: u32,
    packets: u64,
    /// Sum of the durations, in units of the time base.
    ticks: u64,
    /// Units per second, where that is a whole number.
    ticks_per_second: Option<u32>,
}

fn count(
    format: &mut dyn FormatReader,
    track: &Track,
    params: &AudioCodecParameters,
    limits: &Limits,
    cancelled: &dyn Fn() -> bool,
) -> Result<Counted, Error> {
    let time_base = track.time_base;
    let ticks_per_second = time_base
        .filter(|base| base.numer.get() == 1)
        .map(|base| base.denom.get());
    let mut counted = Counted {
        track: track.id,
        packets: 0,
        ticks: 0,
        ticks_per_second,
    };
    let rate = u64::from(params.sample_rate.unwrap_or(MIN_RATE));
    let is_aac = params.codec == CODEC_ID_AAC;
    // Trimming may take something off, so a second is left for the exact count while decoding.
    let allowance = u128::from(limits.max_duration_ms) + 1_000;
    while let Ok(Some(packet)) = format.next_packet() {
        if cancelled() {
            return Err(Error::OutOfTime);
        }
        if packet.track_id != counted.track {
            continue;
        }
        counted.packets += 1;
        counted.ticks = counted.ticks.saturating_add(packet.dur.get());
        let by_ticks = time_base.map_or(0, |base| {
            u128::from(counted.ticks) * 1_000 * u128::from(base.numer.get()) / u128::from(base.denom.get())
        });
        let by_packets = if is_aac {
            u128::from(counted.packets * AAC_FRAME * 1_000 / rate.max(1))
        } else {
            0
        };
        if by_ticks.max(by_packets) > allowance {
            return Err(Error::TooLong {
                max_ms: limits.max_duration_ms,
            });
        }
    }
    Ok(counted)
}

fn read(source: Source<'_>) -> Result<Box<dyn FormatReader + '_>, Error> {
    let stream = MediaSourceStream::new(Box::new(source), Default::default());
    // Titles and cover pictures are of no use here.
    let metadata = MetadataOptions::default()
        .limit_tag_bytes(Limit::Maximum(64 << 10))
        .limit_visual_bytes(Limit::Maximum(64 << 10));
    symphonia::default::get_probe()
        .probe(&Hint::new(), stream, FormatOptions::default(), metadata)
        .map_err(|error| match error {
            SymphoniaError::IoError(error) if error.kind() != io::ErrorKind::UnexpectedEof => error.into(),
            SymphoniaError::IoError(_) => Error::corrupt("its header is cut off"),
            SymphoniaError::Unsupported(what) => Error::unsupported(what),
            error => Error::corrupt(error.to_string()),
        })
}

fn sound_track(format: &dyn FormatReader, source: &Probe) -> Result<(Track, AudioCodecParameters), Error> {
    let track = format
        .default_track(TrackType::Audio)
        .ok_or_else(|| Error::unsupported(codec_name(source)))?;
    let params = track.codec_params.as_ref().and_then(|params| params.audio());
    let params = params
        .ok_or_else(|| Error::unsupported(codec_name(source)))?
        .clone();
    Ok((track.clone(), params))
}

/// Rate and layout, if they are known and within the limits. Unknown ones are checked again once the decoder is made.
fn check(params: &AudioCodecParameters, limits: &Limits) -> Result<(NonZeroU32, Layout), Error> {
    let rate = params.sample_rate.unwrap_or(MIN_RATE);
    if !(MIN_RATE..=limits.max_sample_rate).contains(&rate) {
        return Err(Error::unsupported(format!("sound at {rate} Hz")));
    }
    let channels = params.channels.as_ref().map_or(1, Channels::count);
    if !(1..=usize::from(limits.max_channels)).contains(&channels) {
        return Err(Error::unsupported(format!("sound with {channels} channels")));
    }
    let rate = NonZeroU32::new(rate).expect("at least MIN_RATE");
    Ok((
        rate,
        params.channels.as_ref().map_or(
            Layout {
                channels: 1,
                lfe: None,
            },
            layout,
        ),
    ))
}

fn no_decoder(error: &SymphoniaError, params: &AudioCodecParameters, source: &Probe) -> Error {
    match error {
        SymphoniaError::Unsupported(_) if params.codec == CODEC_ID_AAC => {
            Error::unsupported(aac_config::name(params.extra_data.as_deref().unwrap_or_default()))
        }
        SymphoniaError::Unsupported(_) => Error::unsupported(codec_name(source)),
        error => Error::corrupt(error.to_string()),
    }
}

fn codec_name(source: &Probe) -> String {
    match &source.codec {
        Codec::Other(name) => name.clone(),
        codec => format!("{codec:?}"),
    }
}

/// Bytes that stand at `at` instead of what the file has there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Patch {
    pub(super) at: u64,
    pub(super) bytes: [u8; 4],
}

impl Patch {
    /// Writes the part of the patch that falls into `buffer`, which holds the bytes from `position` on.
    pub(super) fn apply(&self, position: u64, buffer: &mut [u8]) {
        for (i, byte) in (self.at..).zip(self.bytes) {
            let index = i
                .checked_sub(position)
                .and_then(|index| usize::try_from(index).ok());
            if let Some(to) = index.and_then(|index| buffer.get_mut(index)) {
                *to = byte;
            }
        }
    }
}

/// Which bytes of a file hold the sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) begin: u64,
    pub(super) end: u64,
}

impl Default for Part {
    fn default() -> Self {
        Self {
            begin: 0,
            end: u64::MAX,
        }
    }
}

/// The file, or a part of it, as symphonia wants it, with a few bytes of its header put right.
struct Source<'a> {
    /// Never locked: it makes the source `Sync`, which symphonia asks for, out of an input that is only `Send`.
    input: Mutex<&'a mut dyn Input>,
    begin: u64,
    len: u64,
    /// Counted from `begin`.
    position: u64,
    patches: Vec<Patch>,
    seekable: bool,
}

impl<'a> Source<'a> {
    fn new(input: &'a mut dyn Input, part: Part, patches: Vec<Patch>, seekable: bool) -> io::Result<Self> {
        let end = input.seek(SeekFrom::End(0))?.min(part.end);
        let begin = part.begin.min(end);
        input.seek(SeekFrom::Start(begin))?;
        Ok(Self {
            input: Mutex::new(input),
            begin,
            len: end - begin,
            position: 0,
            patches,
            seekable,
        })
    }

    fn input(&mut self) -> &mut dyn Input {
        *self.input.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.len.saturating_sub(self.position);
        let want = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let count = self.input().read(&mut buffer[..want])?;
        let position = self.position;
        for patch in &self.patches {
            patch.apply(position, &mut buffer[..count]);
        }
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Source<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => self.len.checked_add_signed(by),
        };
        let place = position.and_then(|position| Some((position, position.checked_add(self.begin)?)));
        let (position, place) = place.ok_or(io::ErrorKind::InvalidInput)?;
        self.input().seek(SeekFrom::Start(place))?;
        self.position = position;
        Ok(position)
    }
}

impl MediaSource for Source<'_> {
    fn is_seekable(&self) -> bool {
        self.seekable
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_falls_on_its_bytes_wherever_a_read_begins_and_ends() {
        let patch = Patch {
            at: 4,
            bytes: *b"abcd",
        };
        for split in 0..=12 {
            let mut file = *b"____________";
            let (first, second) = file.split_at_mut(split);
            patch.apply(0, first);
            patch.apply(split as u64, second);
            assert_eq!(&file, b"____abcd____");
        }
    }
}
