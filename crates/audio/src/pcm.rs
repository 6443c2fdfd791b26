//! Plain samples: mixing channels down and keeping hostile floats out.

/// The channel layout of a block of interleaved samples, as far as mixing down needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Samples per frame, at least 1.
    pub(crate) channels: usize,
    /// Index of the low-frequency effects channel, below `channels`.
    pub(crate) lfe: Option<usize>,
}

/// Appends the mono mix of `interleaved` to `mono`, one sample per whole frame.
///
/// The matrix: every channel has the same weight 1/N, and an LFE channel has none (as in ITU-R BS.775-4, where LFE is
/// optional in a downmix). Equal weights cannot clip, keep the level of sound that is in all channels, and do not
/// depend on a layout that recorders often get wrong; a voice in one channel only becomes quieter, which the message's
/// `gain_db` makes up for.
pub(crate) fn downmix(interleaved: &[f32], layout: Layout, mono: &mut Vec<f32>) {
    match layout {
        Layout { channels: 0 | 1, .. } => mono.extend_from_slice(interleaved),
        Layout { channels: 2, .. } => {
            mono.extend(
                interleaved
                    .as_chunks::<2>()
                    .0
                    .iter()
                    .map(|[left, right]| 0.5 * (left + right)),
            );
        }
        Layout { channels, lfe } => {
            let weight = 1.0 / (channels - usize::from(lfe.is_some())) as f32;
            mono.extend(
                interleaved
                    .chunks_exact(channels)
                    .map(|frame| weight * (frame.iter().sum::<f32>() - lfe.map_or(0.0, |i| frame[i]))),
            );
        }
    }
}

/// Makes samples that arithmetic can trust: what is not finite becomes silence, the rest is limited to full scale, as
/// every player would.
pub(crate) fn sanitise(samples: &mut [f32]) {
    for x in samples {
        *x = if x.is_finite() { x.clamp(-1.0, 1.0) } else { 0.0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mix(interleaved: &[f32], channels: usize, lfe: Option<usize>) -> Vec<f32> {
        let mut mono = Vec::new();
        downmix(interleaved, Layout { channels, lfe }, &mut mono);
        mono
    }

    #[test]
    fn stereo_is_the_mean_of_both_sides() {
        assert_eq!(mix(&[1.0, 0.0, 0.5, 0.5, -1.0, 1.0], 2, None), [0.5, 0.5, 0.0]);
    }

    #[test]
    fn five_point_one_leaves_the_lfe_out() {
        // FL FR FC LFE BL BR, WAVEFORMATEXTENSIBLE order.
        assert_eq!(mix(&[0.5, 0.5, 0.5, 1.0, 0.5, 0.5], 6, Some(3)), [0.5]);
    }

    #[test]
    fn eight_channels_of_one_signal_keep_their_level() {
        assert_eq!(mix(&[0.25; 16], 8, None), [0.25, 0.25]);
    }

    #[test]
    fn a_frame_that_is_cut_short_is_left_out() {
        assert_eq!(mix(&[0.5, 0.5, 0.5], 2, None), [0.5]);
    }

    #[test]
    fn floats_that_are_no_sound_become_silence_or_full_scale() {
        let mut samples = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3.0, -1e30, 0.5];
        sanitise(&mut samples);
        assert_eq!(samples, [0.0, 0.0, 0.0, 1.0, -1.0, 0.5]);
    }
}
