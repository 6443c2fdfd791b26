//! What decodes ahead of the loudspeaker.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use voxpost_audio::{Resampler, Tempo, VoiceReader};

use super::ring::{self, Outlet, Ring};
use super::silence::Silences;
use super::timeline::{Heard, Timeline};

/// Messages are at this rate, in Hz.
const RATE: NonZeroU32 = NonZeroU32::new(48_000).expect("not zero");

/// What is decoded at a time: 10 ms.
const BLOCK: usize = 480;

/// How far ahead of the loudspeaker it decodes: a machine that is busy for less is not heard to be.
const AHEAD: Duration = Duration::from_millis(500);

/// How often it looks for room.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The speeds that a key leads through.
pub(crate) const SPEEDS: [f32; 8] = [0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 3.0];

/// A message that plays, from wherever it is wanted.
pub(crate) struct Playout {
    reader: VoiceReader,
    speed: f32,
    tempo: Tempo,
    to_device: Resampler,
    device_rate: NonZeroU32,
    gain: f32,
    silences: Silences,
    skips_silence: bool,
    timeline: Timeline,
    ring: Ring,
    /// A place to go on at, as soon as the ring is empty.
    going_to: Option<u64>,
    /// All is in the ring.
    ended: bool,
    /// Since when all was taken.
    taken_since: Option<Instant>,
    block: Vec<f32>,
    changed: Vec<f32>,
    out: Vec<f32>,
}

/// A playout and the thread that keeps its ring full.
pub(crate) struct PlayoutThread {
    playout: Arc<Mutex<Playout>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Playout {
    /// Of a message, for a loudspeaker at `device_rate`; `gain_db` makes it as loud as the others.
    pub(crate) fn new(
        reader: VoiceReader,
        speech: &[[i64; 2]],
        gain_db: f32,
        device_rate: NonZeroU32,
    ) -> (Self, Outlet) {
        let ahead = device_rate.get() as usize * AHEAD.as_millis() as usize / 1_000;
        let (ring, outlet) = ring::ring(ahead);
        let gain_db = if gain_db.is_finite() {
            gain_db.clamp(-60.0, 60.0)
        } else {
            0.0
        };
        let playout = Self {
            silences: Silences::new(speech, reader.len()),
            reader,
            speed: 1.0,
            tempo: Tempo::new(1.0),
            to_device: Resampler::new(RATE, device_rate),
            device_rate,
            gain: 10.0_f32.powf(gain_db / 20.0),
            skips_silence: false,
            timeline: Timeline::default(),
            ring,
            going_to: None,
            ended: false,
            taken_since: None,
            block: vec![0.0; BLOCK],
            changed: Vec::new(),
            out: Vec::new(),
        };
        (playout, outlet)
    }

    /// Goes on at this sample.
    pub(crate) fn seek(&mut self, sample: u64) {
        self.going_to = Some(sample.min(self.reader.len()));
        self.ended = false;
        self.taken_since = None;
        self.ring.finish(false);
        self.ring.empty();
    }

    /// Speaks faster or slower from the sample on that is heard now.
    pub(crate) fn set_speed(&mut self, speed: f32) {
        self.speed = speed;
        let position = self.heard().position;
        self.seek(position);
    }

    pub(crate) fn speed(&self) -> f32 {
        self.speed
    }

    /// Leaves silence out, or no more.
    pub(crate) fn skip_silence(&mut self, skips: bool) {
        self.skips_silence = skips;
    }

    pub(crate) fn skips_silence(&self) -> bool {
        self.skips_silence
    }

    /// Stops the sound where it is, and lets it go on.
    pub(crate) fn pause(&mut self, paused: bool) {
        self.ring.pause(paused);
    }

    /// What was heard since the last time, and where it is.
    pub(crate) fn heard(&mut self) -> Heard {
        match self.going_to {
            Some(position) => Heard {
                stretches: Vec::new(),
                position,
            },
            None => {
                let heard = self.ring.taken().saturating_sub(self.unheard());
                self.timeline.advance(heard)
            }
        }
    }

    /// Whether the last sample was heard.
    pub(crate) fn is_over(&mut self) -> bool {
        self.ended && self.timeline.pushed() + self.unheard() <= self.ring.taken()
    }

    /// How often the loudspeaker found nothing to play.
    pub(crate) fn underruns(&self) -> u64 {
        self.ring.underruns()
    }

    /// Decodes as much as there is room for.
    pub(crate) fn fill(&mut self) {
        if let Some(target) = self.going_to {
            if !self.ring.is_emptied() {
                return;
            }
            self.going_to = None;
            self.reader.seek(target);
            self.tempo = Tempo::new(self.speed.into());
            self.to_device = Resampler::new(RATE, self.device_rate);
            self.timeline.reset(self.ring.taken(), target);
        }
        // What a block becomes at half the speed and at the highest rate has room, and what is held back besides.
        while !self.ended && self.ring.room() >= self.most_per_block() {
            self.decode_block();
        }
    }

    fn most_per_block(&self) -> usize {
        let block = 4 * (BLOCK + 1_440) + 4_096;
        (block * self.device_rate.get() as usize / RATE.get() as usize).min(self.ring_capacity())
    }

    fn ring_capacity(&self) -> usize {
        self.device_rate.get() as usize * AHEAD.as_millis() as usize / 1_000
    }

    fn decode_block(&mut self) {
        let position = self.reader.position();
        let silence = self.skips_silence.then(|| self.silences.next(position)).flatten();
        let most = match silence {
            Some((from, to)) if from <= position => {
                self.hand_out(true);
                self.reader.seek(to);
                self.timeline.jump(to);
                return;
            }
            Some((from, _)) => BLOCK.min((from - position) as usize),
            None => BLOCK,
        };
        let count = self.reader.read(&mut self.block[..most]);
        self.tempo.push(&self.block[..count], &mut self.changed);
        if count < most {
            self.hand_out(true);
            let rest = std::mem::replace(&mut self.to_device, Resampler::new(RATE, self.device_rate));
            rest.finish(&mut self.out);
            self.send(self.reader.len());
            self.ended = true;
            self.ring.finish(true);
        } else {
            self.hand_out(false);
        }
    }

    /// Hands out what the change of speed gave, and what it holds back too when `all`.
    fn hand_out(&mut self, all: bool) {
        if all {
            self.tempo.finish(&mut self.changed);
        }
        let to = self.reader.position() - self.tempo.held() as u64;
        for sample in &mut self.changed {
            *sample = (*sample * self.gain).clamp(-1.0, 1.0);
        }
        self.to_device.push(&self.changed, &mut self.out);
        self.changed.clear();
        self.send(to);
    }

    fn send(&mut self, to: u64) {
        self.ring.push(&self.out);
        // What a filter still holds belongs to the next samples.
        if !self.out.is_empty() {
            self.timeline.push(self.out.len(), to);
        }
        self.out.clear();
    }

    /// Samples that were taken and have not left the loudspeaker. When all was taken they leave it with time.
    fn unheard(&mut self) -> u64 {
        let latency = self.ring.latency();
        if !(self.ended && self.ring.is_empty()) {
            self.taken_since = None;
            return latency;
        }
        let since = self.taken_since.get_or_insert_with(Instant::now).elapsed();
        latency.saturating_sub((since.as_secs_f64() * f64::from(self.device_rate.get())) as u64)
    }
}

impl PlayoutThread {
    pub(crate) fn start(playout: Playout) -> std::io::Result<Self> {
        let playout = Arc::new(Mutex::new(playout));
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::Builder::new().name("decode".into()).spawn({
            let (playout, stop) = (Arc::clone(&playout), Arc::clone(&stop));
            move || {
                while !stop.load(Ordering::Acquire) {
                    lock(&playout).fill();
                    std::thread::park_timeout(LOOK_EVERY);
                }
            }
        })?;
        Ok(Self {
            playout,
            stop,
            thread: Some(thread),
        })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Playout> {
        lock(&self.playout)
    }
}

impl Drop for PlayoutThread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic there was printed where it happened.
            let _ = thread.join();
        }
    }
}

fn lock(playout: &Mutex<Playout>) -> MutexGuard<'_, Playout> {
    playout.lock().unwrap_or_else(PoisonError::into_inner)
}
