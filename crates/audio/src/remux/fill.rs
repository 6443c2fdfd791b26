//! Packets for time in which nothing was sent (RFC 7845 §4.1): a TOC byte and a frame of no bytes, which asks the decoder
//! for concealment.

use crate::opus::packet::frame_samples_48k;

/// The shortest Opus frame: 2.5 ms. Less cannot be filled.
const SHORTEST: u64 = 120;

/// Gives packets for as much of `samples` (at 48 kHz) as frames can make up: of the size, mode, bandwidth and channels
/// of the packet whose TOC is given; what remains in shorter frames of the same mode, at last in CELT frames.
///
/// # Errors
/// Those of `emit`.
pub fn fill<E>(
    toc: u8,
    mut samples: u64,
    mut emit: impl FnMut(&[u8], u32) -> Result<(), E>,
) -> Result<(), E> {
    let toc = toc & !3;
    for candidate in std::iter::once(toc).chain(shorter(toc)) {
        let frame = u64::from(frame_samples_48k(candidate));
        while samples >= frame {
            emit(&[candidate], frame as u32)?;
            samples -= frame;
        }
    }
    debug_assert!(samples < SHORTEST);
    Ok(())
}

/// TOC bytes of ever shorter frames with the same channels: first of the same mode and bandwidth, then of CELT.
fn shorter(toc: u8) -> impl Iterator<Item = u8> {
    let (config, stereo) = (toc >> 3, toc & 4);
    let same_mode = match config {
        0..=11 => [config & !3 | 2, config & !3 | 1, config & !3],
        12..=15 => [config & !1 | 1, config & !1, config & !1],
        _ => [config, config, config],
    };
    // CELT has narrowband, wideband, super-wideband and fullband.
    let celt = match config {
        0..=3 => 16,
        4..=11 => 20,
        12..=13 => 24,
        14..=15 => 28,
        _ => config & !3,
    };
    let celt = [celt | 3, celt | 2, celt | 1, celt];
    same_mode
        .into_iter()
        .chain(celt)
        .map(move |config| config << 3 | stereo)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::opus::packet;
    use proptest::prelude::*;

    fn filled(toc: u8, samples: u64) -> Vec<u8> {
        let mut packets = Vec::new();
        fill(toc, samples, |data, n| {
            assert_eq!(packet::check(data).unwrap().samples_48k, n);
            assert_eq!(data.len(), 1);
            packets.push(data[0]);
            Ok::<_, ()>(())
        })
        .unwrap();
        packets
    }

    proptest! {
        #[test]
        fn any_gap_is_filled_to_within_one_shortest_frame_in_the_same_channels(toc: u8, samples in 0u64..100_000) {
            let packets = filled(toc, samples);
            let sum: u64 = packets.iter().map(|&p| u64::from(frame_samples_48k(p))).sum();
            prop_assert!(sum <= samples && samples - sum < SHORTEST);
            prop_assert!(packets.iter().all(|p| p & 4 == toc & 4));
        }
    }

    #[test]
    fn a_gap_of_whole_frames_takes_the_toc_of_the_packet_before() {
        // Config 9 is wideband SILK with 20 ms; code 3 and its frame count are not taken over.
        assert_eq!(filled(9 << 3 | 3, 3 * 960), [9 << 3; 3]);
    }

    #[test]
    fn what_remains_is_filled_by_the_same_mode_and_then_by_celt() {
        // 60 ms wideband SILK, a gap of 97.5 ms: 60, then 20 and 10 in SILK, then 5 and 2.5 in CELT wideband.
        let gap = 48 * 975 / 10;
        assert_eq!(filled(11 << 3, gap), [11 << 3, 9 << 3, 8 << 3, 21 << 3, 20 << 3]);
    }
}
