//! What encoders put around the sound. Vorbis, CAF and MP3 with a LAME tag are trimmed by symphonia; the rest here.

use std::num::NonZeroU32;

use crate::Container;

/// Samples per AAC packet.
pub(super) const AAC_FRAME: u64 = 1_024;
/// The first frame that an AAC decoder gives has no left half to overlap with (ISO/IEC 14496-3 §4.6.11), so every
/// encoder primes with at least one; it is taken off where the file does not say how many.
const AAC_PRIMING: u64 = AAC_FRAME;
/// What LAME and its ports put before the sound (576) and every decoder adds (529). Taken off where no tag tells it:
/// small frames have no room for one, and recorders in browsers write none.
const MP3_PRIMING: u64 = 576 + 529;

/// The part of the decoded sound that was recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Trim {
    /// Frames to drop at the start.
    pub(super) skip: u64,
    /// Frames to keep after that; `None` = all.
    pub(super) frames: Option<u64>,
}

/// What is known of the stream that is trimmed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stream {
    pub(super) container: Container,
    pub(super) is_aac: bool,
    pub(super) is_mp3: bool,
    pub(super) rate: NonZeroU32,
    pub(super) packets: u64,
    /// Samples by the clock of the container, if it counts in samples.
    pub(super) samples: Option<u64>,
    /// The container told the priming in a way that symphonia knows: it has been taken off.
    pub(super) trimmed: bool,
}

/// What an MP4 file says about its sound track.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Mp4Edit {
    /// The edit list (ISO/IEC 14496-12 §8.6.6): start and length in seconds.
    List { start: f64, length: Option<f64> },
    /// Apple's `iTunSMPB`: priming and sound in samples.
    Samples { priming: u64, sound: u64 },
}

/// Puts together what is known.
pub(super) fn trim(stream: &Stream, edit: Option<Mp4Edit>) -> Trim {
    let samples = |seconds: f64| (seconds * f64::from(stream.rate.get())).round() as u64;
    let from_start = |skip| Trim { skip, frames: None };
    let trim = match (edit, stream.container) {
        (Some(Mp4Edit::Samples { priming, sound }), _) => Trim {
            skip: priming,
            frames: Some(sound),
        },
        (Some(Mp4Edit::List { start, length }), _) => Trim {
            skip: samples(start),
            frames: length.map(samples),
        },
        (None, Container::Mp4 | Container::Adts) if stream.is_aac => from_start(AAC_PRIMING),
        (None, Container::Mp3 | Container::Wav) if stream.is_mp3 && !stream.trimmed => {
            from_start(MP3_PRIMING)
        }
        (None, _) => Trim::default(),
    };
    if !stream.is_aac {
        return trim;
    }
    // MP4 may tell the padding by a last sample that is shorter than a frame. Elsewhere a difference between the
    // clock and the frames is jitter of the recorder, not padding.
    let decoded = stream.packets * AAC_FRAME;
    let end = stream
        .samples
        .filter(|end| (decoded.saturating_sub(2 * AAC_FRAME)..decoded).contains(end));
    let frames = [trim.frames, end.map(|end| end.saturating_sub(trim.skip))]
        .into_iter()
        .flatten()
        .min();
    // An edit that leaves nothing is not believed.
    if trim.skip >= decoded || frames == Some(0) {
        Trim::default()
    } else {
        Trim {
            skip: trim.skip,
            frames,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    fn stream(container: Container, packets: u64, samples: Option<u64>) -> Stream {
        let rate = NonZeroU32::new(16_000).expect("not zero");
        let is_aac = matches!(container, Container::Mp4 | Container::Adts);
        Stream {
            container,
            is_aac,
            is_mp3: container == Container::Mp3,
            rate,
            packets,
            samples,
            trimmed: false,
        }
    }

    fn trimmed(edit: Option<Mp4Edit>, packets: u64, samples: Option<u64>) -> Trim {
        trim(&stream(Container::Mp4, packets, samples), edit)
    }

    #[test]
    fn without_an_edit_the_first_frame_is_priming() {
        assert_eq!(
            trimmed(None, 60, None),
            Trim {
                skip: 1_024,
                frames: None
            }
        );
        assert_eq!(trim(&stream(Container::Wav, 60, None), None), Trim::default());
    }

    #[test]
    fn mp3_without_a_tag_has_the_priming_of_lame() {
        let mp3 = stream(Container::Mp3, 60, None);
        assert_eq!(trim(&mp3, None).skip, 1_105);
        assert_eq!(trim(&Stream { trimmed: true, ..mp3 }, None), Trim::default());
    }

    #[test]
    fn a_short_last_sample_is_padding_and_a_wrong_clock_is_not() {
        assert_eq!(trimmed(None, 60, Some(61_000)).frames, Some(61_000 - 1_024));
        assert_eq!(trimmed(None, 60, Some(50_000)).frames, None);
        assert_eq!(trimmed(None, 60, Some(61_440)).frames, None);
    }

    #[test]
    fn an_edit_that_leaves_nothing_is_not_believed() {
        let all = Some(Mp4Edit::List {
            start: 100.0,
            length: Some(1.0),
        });
        assert_eq!(trimmed(all, 60, None), Trim::default());
    }
}
