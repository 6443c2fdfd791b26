//! What players take: the packets of a canonical message in other containers, or its sound in other codecs.

mod format;
#[cfg(feature = "enc-aac")]
mod m4a;
#[cfg(feature = "enc-mp3")]
mod mp3;
mod mp4;
mod plan;
mod sound;
mod wav;
mod webm;

use std::io::{self, Read, Seek, Write};

pub use format::Rendition;
use plan::Plan;

use crate::{Error, Input};

/// Where work that does not fit into memory is put down meanwhile: an empty file, or a `Cursor<Vec<u8>>`.
pub trait Scratch: Read + Write + Seek {}

impl<T: Read + Write + Seek + ?Sized> Scratch for T {}

/// Makes `rendition` of a canonical message (Ogg Opus as [`normalise`](crate::normalise()) writes it).
///
/// Opus stays as it is in `webm` and `mp4`: every packet bit-exact and in order, pre-skip and end trim in the words of that
/// container. The same input gives the same bytes. Memory: four bytes for each packet, and one packet. `scratch` is used by
/// `m4a` and `mp3` alone. `cancelled` is asked every few packets.
///
/// # Errors
/// `Unsupported` for anything but Opus and for a rendition that this build cannot make, `Corrupt` when the input has gaps,
/// `OutputTooLarge` when it plays for longer than the format can say, `OutOfTime`, and those of [`probe`](crate::probe).
pub fn render(
    mut input: impl Input,
    rendition: Rendition,
    mut output: impl Write,
    scratch: &mut dyn Scratch,
    cancelled: &dyn Fn() -> bool,
) -> Result<(), Error> {
    if rendition == Rendition::Ogg {
        input.rewind()?;
        io::copy(&mut input, &mut output)?;
        return Ok(());
    }
    let plan = Plan::of(&mut input, cancelled)?;
    let output: &mut dyn Write = &mut output;
    match rendition {
        Rendition::Webm => webm::write(&plan, &mut input, output, cancelled)?,
        Rendition::Mp4 => mp4::write(&plan, &mut input, output, cancelled)?,
        Rendition::Wav => wav::write(&plan, &mut input, output, cancelled)?,
        #[cfg(feature = "enc-aac")]
        Rendition::M4a => m4a::write(&plan, &mut input, output, scratch, cancelled)?,
        #[cfg(feature = "enc-mp3")]
        Rendition::Mp3 => mp3::write(&plan, &mut input, output, scratch, cancelled)?,
        other => {
            let _ = scratch;
            return Err(Error::unsupported(format!(
                "{} (left out of this build)",
                other.name()
            )));
        }
    }
    output.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;
    use crate::container::testing::{any_packets, samples, total};
    use crate::{OggOpusWriter, Options, OpusHead, normalise};

    fn made(canonical: &[u8], rendition: Rendition) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        let mut scratch = Cursor::new(Vec::new());
        render(Cursor::new(canonical), rendition, &mut out, &mut scratch, &|| {
            false
        })?;
        Ok(out)
    }

    fn canonical(packets: &[Vec<u8>], head: &OpusHead, trim: u64) -> (Vec<u8>, u64) {
        let mut writer = OggOpusWriter::new(Vec::new(), head, 7).unwrap();
        for packet in packets {
            writer.packet(packet, samples(packet) as u32).unwrap();
        }
        let all = total(packets).saturating_sub(head.pre_skip.into());
        let play = all.saturating_sub(trim).max(writer.least_end()).min(all);
        (writer.finish(Some(play)).unwrap(), play)
    }

    proptest! {
        #[test]
        fn what_is_repackaged_comes_back_as_the_very_same_canonical_file(
            packets in any_packets(), pre_skip in 1u16.., trim in 0u64..6000, channels in 1u8..=2, output_gain: i16,
        ) {
            let head = OpusHead { output_gain, ..OpusHead::new(channels, pre_skip) };
            let (file, play) = canonical(&packets, &head, trim);
            let trimmed = total(&packets).saturating_sub(pre_skip.into()) - play;
            for rendition in [Rendition::Webm, Rendition::Mp4] {
                // Edit lists are not believed to the last three samples, since others count in coarser ticks.
                if rendition == Rendition::Mp4 && (1..=3).contains(&trimmed) {
                    continue;
                }
                match made(&file, rendition) {
                    Ok(other) => {
                        let mut back = Vec::new();
                        let options = Options { serial: 7, ..Options::default() };
                        normalise(Cursor::new(other), &mut back, &options, &|| false).unwrap();
                        prop_assert!(back == file, "{rendition:?}");
                    }
                    Err(Error::Empty) => prop_assert_eq!(play, 0),
                    Err(e) => prop_assert!(false, "{rendition:?}: {e}"),
                }
            }
        }

        #[test]
        fn a_wav_is_as_long_as_the_message_to_the_sample(
            packets in any_packets(), pre_skip: u16, trim in 0u64..6000, channels in 1u8..=2,
        ) {
            let (file, play) = canonical(&packets, &OpusHead::new(channels, pre_skip), trim);
            match made(&file, Rendition::Wav) {
                Ok(wav) => prop_assert_eq!(wav.len() as u64, 44 + 2 * play.div_ceil(3)),
                Err(e) => prop_assert!(matches!(e, Error::Empty) && play == 0, "{e}"),
            }
        }
    }

    #[test]
    fn names_are_found_again_and_the_canonical_form_is_the_first() {
        assert_eq!(Rendition::AVAILABLE[0], Rendition::Ogg);
        for rendition in Rendition::AVAILABLE {
            assert_eq!(Rendition::by_name(rendition.name()), Some(*rendition));
        }
        assert_eq!(Rendition::by_name("aiff"), None);
    }

    #[test]
    fn work_that_nobody_waits_for_stops() {
        let (file, _) = canonical(&vec![vec![0xF8, 1, 2]; 500], &OpusHead::new(1, 312), 0);
        for rendition in Rendition::AVAILABLE.iter().filter(|r| **r != Rendition::Ogg) {
            let asked = std::cell::Cell::new(0);
            let cancelled = || asked.replace(asked.get() + 1) == 3;
            let mut out = Vec::new();
            let mut scratch = Cursor::new(Vec::new());
            let stopped = render(Cursor::new(&file), *rendition, &mut out, &mut scratch, &cancelled);
            assert!(
                matches!(stopped, Err(Error::OutOfTime)),
                "{rendition:?}: {stopped:?}"
            );
        }
    }

    #[test]
    fn what_is_no_canonical_file_is_refused() {
        for bytes in [&b""[..], b"RIFF", &[0; 100], include_bytes!("mod.rs")] {
            assert!(made(bytes, Rendition::Webm).is_err());
        }
        let (file, _) = canonical(&vec![vec![0xF8, 1, 2]; 50], &OpusHead::new(1, 312), 0);
        for keep in (0..file.len()).step_by(7) {
            for rendition in [Rendition::Webm, Rendition::Mp4, Rendition::Wav] {
                let _ = made(&file[..keep], rendition);
            }
        }
    }
}
