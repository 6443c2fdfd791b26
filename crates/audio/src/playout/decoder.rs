use super::noise::ComfortNoise;
use super::queue::Queue;
use super::timescale;
use crate::opus::ffi;
use crate::packet;

/// Longest packet in samples.
const MAX_FRAME: usize = packet::MAX_SAMPLES_48K as usize;
/// Cross-fade between sound and comfort noise: 10 ms.
const FADE: usize = 480;
/// Share of what is played that may be added or removed: speech at up to 1.33 and down to 0.75 of its speed.
const MOST_CHANGE: f32 = 0.25;
/// How many samples of unused change are saved for later: one period of the lowest voice.
const MOST_SAVED: f32 = 720.0;
/// How alike two periods must be for a change that could wait, and for one that is far too late.
const ALIKE_AT_EASE: f32 = 0.85;
const ALIKE_IN_HASTE: f32 = 0.5;
/// A change of more samples than this is far too late: 150 ms.
const HASTE: f32 = 7_200.0;
/// Longest packet whose DRED is remembered without reserving more memory.
const MAX_DRED_PACKET: usize = 4_096;
/// Effort of the decoder: from 5 on the neural network conceals (libopus 1.6).
const EFFORT: i32 = 5;

/// What to decode or make up next. Sample counts are at 48 kHz.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlayoutStep<'a> {
    /// Decode a packet. `restart`: it begins another stream, what was decoded before does not count.
    Play {
        /// The packet.
        payload: &'a [u8],
        /// Another stream begins.
        restart: bool,
    },
    /// Decode a packet and make it longer, by up to `wanted` samples.
    Stretch {
        /// The packet.
        payload: &'a [u8],
        /// How much too short the delay is.
        wanted: u32,
    },
    /// Decode a packet and make it shorter, by up to `wanted` samples.
    Shrink {
        /// The packet.
        payload: &'a [u8],
        /// How much too long the delay is.
        wanted: u32,
    },
    /// Decode the copy of the packet before `payload` that is in it.
    Fec {
        /// The packet after the lost one.
        payload: &'a [u8],
        /// Length of the lost one.
        samples: u32,
    },
    /// Rebuild what was `offset` samples before `payload` from the DRED in it.
    Dred {
        /// A packet after the lost one.
        payload: &'a [u8],
        /// Where the missing sound begins, before the packet.
        offset: u32,
        /// Length of what is missing.
        samples: u32,
    },
    /// Continue what was heard.
    Conceal {
        /// For how long.
        samples: u32,
    },
    /// Comfort noise.
    Silence {
        /// For how long.
        samples: u32,
    },
}

/// What was done so far, in samples at 48 kHz.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PlayoutStats {
    /// Decoded from packets.
    pub decoded: u64,
    /// Decoded from FEC.
    pub fec: u64,
    /// Rebuilt from DRED.
    pub dred: u64,
    /// Made up.
    pub concealed: u64,
    /// Comfort noise.
    pub silence: u64,
    /// Added by playing slower.
    pub added: u64,
    /// Removed by playing faster.
    pub removed: u64,
    /// Packets that libopus could not decode; they were concealed.
    pub broken: u64,
}

/// Turns a jitter buffer's steps into samples: mono, 48 kHz, -1 to 1.
///
/// [`apply`](Self::apply) appends the sound of a step to a queue, [`pull`](Self::pull) takes it out in ticks. After
/// `new` nothing is allocated.
#[derive(Debug)]
pub struct PlayoutDecoder {
    decoder: ffi::Decoder,
    dred: ffi::Dred,
    /// The packet that `dred` was read from.
    dred_packet: Vec<u8>,
    queue: Queue,
    noise: ComfortNoise,
    frame: Box<[f32; MAX_FRAME]>,
    /// The queue ends in comfort noise.
    silent: bool,
    /// Samples that may be added or removed.
    change: f32,
    stats: PlayoutStats,
}

impl PlayoutDecoder {
    /// A decoder with nothing to play.
    pub fn new() -> Self {
        Self {
            decoder: ffi::Decoder::new(EFFORT),
            dred: ffi::Dred::new(),
            dred_packet: Vec::with_capacity(MAX_DRED_PACKET),
            queue: Queue::new(),
            noise: ComfortNoise::new(),
            frame: Box::new([0.0; MAX_FRAME]),
            silent: true,
            change: 0.0,
            stats: PlayoutStats::default(),
        }
    }

    /// Samples that wait to be pulled.
    pub fn queued(&self) -> usize {
        self.queue.pending()
    }

    /// What was done so far.
    pub fn stats(&self) -> PlayoutStats {
        self.stats
    }

    /// Carries out a step. A packet that cannot be decoded is concealed; no input fails.
    pub fn apply(&mut self, step: PlayoutStep<'_>) {
        match step {
            PlayoutStep::Play { payload, restart } => {
                if restart {
                    self.decoder.reset();
                }
                self.play(payload);
            }
            PlayoutStep::Stretch { payload, wanted } => {
                self.play(payload);
                let (most, alike) = self.allowed(wanted);
                let added = timescale::stretch(&mut self.queue, most, alike);
                self.change -= added as f32;
                self.stats.added += added as u64;
            }
            PlayoutStep::Shrink { payload, wanted } => {
                self.play(payload);
                let (most, alike) = self.allowed(wanted);
                let removed = timescale::shrink(&mut self.queue, most, alike);
                self.change -= removed as f32;
                self.stats.removed += removed as u64;
            }
            PlayoutStep::Fec { payload, samples } => {
                let len = whole(samples);
                let made = self.decoder.decode_fec(payload, &mut self.frame[..len]);
                self.stats.fec += len as u64;
                self.append(made.map_or(0, |n| n.min(len)), len);
            }
            PlayoutStep::Dred {
                payload,
                offset,
                samples,
            } => {
                let len = whole(samples);
                let made = self.read_dred(payload)
                    && self
                        .decoder
                        .decode_dred(&self.dred, offset, &mut self.frame[..len])
                        .is_ok();
                self.stats.dred += len as u64;
                self.append(if made { len } else { 0 }, len);
            }
            PlayoutStep::Conceal { samples } => {
                self.stats.concealed += u64::from(samples);
                self.append(0, whole(samples));
            }
            PlayoutStep::Silence { samples } => self.silence((samples as usize).min(MAX_FRAME)),
        }
    }

    /// Moves the next samples into `out`. What is not there is filled with comfort noise; gives how many were there.
    pub fn pull(&mut self, out: &mut [f32]) -> usize {
        let len = self.queue.pull(out);
        if len < out.len() {
            self.noise.fill(&mut out[len..]);
            self.silent = true;
        }
        len
    }

    fn play(&mut self, payload: &[u8]) {
        let expected = packet::check(payload).map_or(0, |info| info.samples_48k as usize);
        let decoded = self.decoder.decode(payload, &mut self.frame[..]).unwrap_or(0);
        if decoded == 0 {
            self.stats.broken += 1;
        }
        self.stats.decoded += decoded as u64;
        self.change = (self.change + decoded as f32 * MOST_CHANGE).min(MOST_SAVED);
        self.noise.listen(&self.frame[..decoded]);
        self.append(decoded, decoded.max(expected));
    }

    /// Appends the first `made` samples of the frame, and concealment up to `len`.
    fn append(&mut self, made: usize, len: usize) {
        if made < len && self.decoder.conceal(&mut self.frame[made..len]).is_err() {
            self.frame[made..len].fill(0.0);
        }
        if self.silent {
            self.fade_in(len);
        }
        self.silent = false;
        self.queue.grow(len).copy_from_slice(&self.frame[..len]);
    }

    /// Comfort noise fades out under the first samples of the frame.
    fn fade_in(&mut self, len: usize) {
        let fade = FADE.min(len);
        let mut noise = [0.0; FADE];
        self.noise.fill(&mut noise[..fade]);
        for (i, (sample, noise)) in self.frame.iter_mut().zip(&noise[..fade]).enumerate() {
            let weight = (i as f32 + 0.5) / fade as f32;
            *sample = noise + (*sample - noise) * weight;
        }
    }

    fn silence(&mut self, len: usize) {
        self.stats.silence += len as u64;
        let fade = if self.silent { 0 } else { FADE.min(len / 120 * 120) };
        if fade > 0 && self.decoder.conceal(&mut self.frame[..fade]).is_err() {
            self.frame[..fade].fill(0.0);
        }
        self.silent = true;
        let out = self.queue.grow(len);
        self.noise.fill(out);
        for (i, (sample, speech)) in out.iter_mut().zip(&self.frame[..fade]).enumerate() {
            let weight = (i as f32 + 0.5) / fade as f32;
            *sample = speech + (*sample - speech) * weight;
        }
    }

    /// Up to how many samples may be added or removed now, and how alike periods must be for it.
    fn allowed(&self, wanted: u32) -> (usize, f32) {
        let wanted = wanted as f32;
        let haste = (wanted / HASTE).min(1.0);
        (
            wanted.min(self.change.max(0.0)) as usize,
            ALIKE_AT_EASE + (ALIKE_IN_HASTE - ALIKE_AT_EASE) * haste,
        )
    }

    fn read_dred(&mut self, payload: &[u8]) -> bool {
        if self.dred_packet == payload {
            return true;
        }
        self.dred_packet.clear();
        let found = self.dred.read(payload, true) > 0;
        if found && payload.len() <= MAX_DRED_PACKET {
            self.dred_packet.extend_from_slice(payload);
        }
        found
    }
}

impl Default for PlayoutDecoder {
    fn default() -> Self {
        Self::new()
    }
}

/// A length that libopus can make up: whole pieces of 2.5 ms, no longer than a packet.
fn whole(samples: u32) -> usize {
    (samples as usize).min(MAX_FRAME) / 120 * 120
}
