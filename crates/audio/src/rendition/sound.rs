use std::num::NonZeroU32;

use super::plan::{Plan, each_packet};
use crate::opus::decode::Decoder;
use crate::pcm::{Layout, downmix, sanitise};
use crate::{Error, Input};

/// Decodes a message to mono at `rate`, a divisor of 48 kHz that libopus decodes to: calls `each` with block after block of
/// finite samples, full scale at ±1. Pre-skip and end trim are applied; there are [`length`] samples in all.
pub(super) fn each_block(
    plan: &Plan,
    input: &mut dyn Input,
    rate: NonZeroU32,
    cancelled: &dyn Fn() -> bool,
    mut each: impl FnMut(&[f32]) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut decoder = Decoder::new(rate, &plan.head);
    let layout = Layout {
        channels: plan.head.channels.into(),
        lfe: None,
    };
    let mut skip = usize::from(plan.head.pre_skip) / step(rate) as usize;
    let mut left = usize::try_from(length(plan, rate)).unwrap_or(usize::MAX);
    let mut mono = Vec::new();
    each_packet(input, cancelled, |packet| {
        mono.clear();
        downmix(decoder.decode(packet), layout, &mut mono);
        sanitise(&mut mono);
        let skipped = skip.min(mono.len());
        skip -= skipped;
        let heard = &mono[skipped..];
        let heard = &heard[..heard.len().min(left)];
        left -= heard.len();
        each(heard)
    })?;
    // What rounding took from the end: a sample or two.
    each(&vec![0.0; left.min(2)])
}

/// `⌈play time · rate⌉`.
pub(super) fn length(plan: &Plan, rate: NonZeroU32) -> u64 {
    plan.play().div_ceil(step(rate))
}

/// Samples at 48 kHz for each one at `rate`.
fn step(rate: NonZeroU32) -> u64 {
    u64::from(48_000 / rate.get())
}

pub(super) fn pcm(x: f32) -> i16 {
    (x * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16
}
