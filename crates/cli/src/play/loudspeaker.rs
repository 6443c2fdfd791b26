//! The loudspeaker of this machine, by cpal.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{Device, ErrorKind, FromSample, OutputCallbackInfo, SampleFormat, SizedSample, StreamConfig};

use super::ring::Outlet;

/// Messages are at this rate; a loudspeaker that knows it needs no resampling.
const RATE: u32 = 48_000;

/// A loudspeaker that took nothing for so long is given up. What it reports meanwhile may pass: ALSA's way to PulseAudio says
/// EIO for as long as it does not know its latency (alsa-plugins#65).
const DEAD_AFTER: Duration = Duration::from_secs(5);

/// The system's own loudspeaker.
pub(crate) struct Loudspeaker {
    device: Device,
    format: SampleFormat,
    config: StreamConfig,
    rate: NonZeroU32,
}

/// A loudspeaker that sounds for as long as this lives.
pub(crate) struct Sounding {
    _stream: cpal::Stream,
    shared: Arc<Shared>,
    /// How often it had taken something when that was seen to change.
    seen: (u64, Instant),
}

#[derive(Default)]
struct Shared {
    taken: AtomicU64,
    error: Mutex<Option<cpal::Error>>,
}

impl Loudspeaker {
    /// Finds it.
    ///
    /// # Errors
    /// In words, when there is none or it plays nothing that we have.
    pub(crate) fn open() -> Result<Self, String> {
        let host = cpal::default_host();
        let device = host.default_output_device().ok_or("there is none")?;
        let ranges = device
            .supported_output_configs()
            .map_err(|error| error.to_string())?;
        let usable = |format| matches!(format, SampleFormat::F32 | SampleFormat::I16 | SampleFormat::I32);
        let best = ranges
            .filter(|range| usable(range.sample_format()) && range.contains_rate(RATE))
            .max_by(cpal::SupportedStreamConfigRange::cmp_default_heuristics)
            .and_then(|range| range.try_with_sample_rate(RATE));
        let found = match best {
            Some(found) => found,
            None => device
                .default_output_config()
                .map_err(|error| error.to_string())?,
        };
        if !usable(found.sample_format()) {
            return Err(format!("it wants samples as {}", found.sample_format()));
        }
        let config = found.config();
        let rate = NonZeroU32::new(config.sample_rate).ok_or("it has no sample rate")?;
        Ok(Self {
            format: found.sample_format(),
            device,
            config,
            rate,
        })
    }

    /// Samples a second that it takes.
    pub(crate) fn rate(&self) -> NonZeroU32 {
        self.rate
    }

    /// Begins to play.
    ///
    /// # Errors
    /// In words, when the system does not let it.
    pub(crate) fn start(self, outlet: Outlet) -> Result<Sounding, String> {
        let shared = Arc::new(Shared::default());
        let stream = match self.format {
            SampleFormat::F32 => self.stream::<f32>(outlet, &shared),
            SampleFormat::I16 => self.stream::<i16>(outlet, &shared),
            _ => self.stream::<i32>(outlet, &shared),
        };
        let stream = stream.map_err(|error| error.to_string())?;
        stream.play().map_err(|error| error.to_string())?;
        Ok(Sounding {
            _stream: stream,
            shared,
            seen: (0, Instant::now()),
        })
    }

    fn stream<T: SizedSample + FromSample<f32>>(
        &self,
        mut outlet: Outlet,
        shared: &Arc<Shared>,
    ) -> Result<cpal::Stream, cpal::Error> {
        let channels = usize::from(self.config.channels).max(1);
        let rate = f64::from(self.rate.get());
        let (called, failed) = (Arc::clone(shared), Arc::clone(shared));
        // Never grown in the callback: what is longer is filled in pieces.
        let mut mono = vec![0.0_f32; 4_096];
        self.device.build_output_stream(
            self.config,
            move |data: &mut [T], info: &OutputCallbackInfo| {
                called.taken.fetch_add(1, Ordering::AcqRel);
                let times = info.timestamp();
                let ahead = times.playback.saturating_duration_since(times.callback);
                let frames = data.len() / channels;
                outlet.set_latency((ahead.as_secs_f64() * rate) as u64 + frames as u64);
                for piece in data.chunks_mut(mono.len() * channels) {
                    let wanted = piece.len() / channels;
                    let count = outlet.take(&mut mono[..wanted]);
                    mono[count..wanted].fill(0.0);
                    for (frame, &sample) in piece.chunks_mut(channels).zip(&mono) {
                        frame.fill(T::from_sample(sample));
                    }
                }
            },
            move |error| {
                let mut last = failed.error.lock().unwrap_or_else(PoisonError::into_inner);
                // Whoever was the last to speak before the end has the word.
                if !last.as_ref().is_some_and(is_final) {
                    *last = Some(error);
                }
            },
            None,
        )
    }
}

impl Sounding {
    /// Why it is silent for good.
    pub(crate) fn failure(&mut self) -> Option<String> {
        let mut error = self.shared.error.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = error.as_ref().filter(|error| is_final(error)) {
            return Some(error.to_string());
        }
        let taken = self.shared.taken.load(Ordering::Acquire);
        if taken != self.seen.0 {
            self.seen = (taken, Instant::now());
            *error = None;
        }
        (self.seen.1.elapsed() > DEAD_AFTER).then(|| match error.as_ref() {
            Some(error) => error.to_string(),
            None => "it takes no sound".to_owned(),
        })
    }
}

fn is_final(error: &cpal::Error) -> bool {
    error.kind() == ErrorKind::DeviceNotAvailable
}
