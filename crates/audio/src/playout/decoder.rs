use super::noise::ComfortNoise;
use super::queue::Queue;
use super::timescale;
use crate::opus::ffi;
use crate::packet;

/// Longest packet in samples.
const MAX_FRAME: usize = packet::MAX_SAMPLES_48K as usize;
/// Cross-fade between sound and comfort noise: 10 ms.
const FADE: usize = 480;
/// Cross-fade from concealment to what came late: 5 ms.
const SHORT_FADE: usize = 240;
/// Share of what is played that may be added or removed: speech at up to 1.33 and down to 0.75 of its speed.
const MOST_CHANGE: f32 = 0.25;
/// How many samples of unused change are saved for later: one period of the lowest voice.
const MOST_SAVED: f32 = 720.0;
/// A delay that is wrong by less than this is put right in pauses only: 60 ms.
const CAN_WAIT: f32 = 2_880.0;
/// A delay that is wrong by more than this is put right whatever it sounds like: 150 ms.
const HASTE: f32 = 7_200.0;
/// How alike two periods must be in between, from the one end to the other.
const ALIKE: [f32; 2] = [0.9, 0.5];
/// A frame is a pause when it is so much softer than the loudest of late: 30 dB.
const PAUSE: f32 = 1e-3;
/// How fast the loudest is forgotten, per frame of 20 ms: 3 dB in 7 s.
const LOUDEST_DECAY: f32 = 0.998;
/// Longest packet whose DRED is remembered without reserving more memory.
const MAX_DRED_PACKET: usize = 4_096;
/// Effort of the decoder: from 5 on the neural network conceals (libopus 1.6).
const EFFORT: i32 = 5;

/// What to decode or make up next. Sample counts are at 48 kHz.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlayoutStep<'a> {
    /// Decode a packet.
    Play {
        /// The packet.
        payload: &'a [u8],
        /// Leave out so many samples at its start, perhaps all: they have been concealed.
        skip: u32,
        /// Another stream begins, what was decoded before does not count.
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
    /// What goes on under the beginning of the next sound, fading out.
    under: [f32; FADE],
    under_len: usize,
    /// The queue ends in comfort noise.
    silent: bool,
    /// Samples that may be added or removed.
    change: f32,
    /// Mean square of the loudest packet of late, and of the last one.
    loudest: f32,
    power: f32,
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
            under: [0.0; FADE],
            under_len: 0,
            silent: true,
            change: 0.0,
            loudest: 0.0,
            power: 0.0,
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
            PlayoutStep::Play {
                payload,
                skip,
                restart,
            } => {
                if restart {
                    self.decoder.reset();
                }
                self.play(payload, skip as usize);
            }
            PlayoutStep::Stretch { payload, wanted } => {
                self.play(payload, 0);
                let (most, alike) = self.allowed(wanted);
                let added = timescale::stretch(&mut self.queue, most, alike);
                self.change = (self.change - added as f32).max(0.0);
                self.stats.added += added as u64;
            }
            PlayoutStep::Shrink { payload, wanted } => {
                self.play(payload, 0);
                let (most, alike) = self.allowed(wanted);
                let removed = timescale::shrink(&mut self.queue, most, alike);
                self.change = (self.change - removed as f32).max(0.0);
                self.stats.removed += removed as u64;
            }
            PlayoutStep::Fec { payload, samples } => {
                self.stats.fec += u64::from(samples);
                self.fec(payload, whole(samples));
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

    fn play(&mut self, payload: &[u8], skip: usize) {
        let expected = packet::check(payload).map_or(0, |info| info.samples_48k as usize);
        let decoded = self.decoder.decode(payload, &mut self.frame[..]).unwrap_or(0);
        if decoded == 0 {
            self.stats.broken += 1;
        }
        self.stats.decoded += decoded as u64;
        self.change = (self.change + decoded as f32 * MOST_CHANGE).min(MOST_SAVED);
        let frame = &self.frame[..decoded];
        self.noise.listen(frame);
        self.power = frame.iter().map(|s| s * s).sum::<f32>() / decoded.max(1) as f32;
        self.loudest = (self.loudest * LOUDEST_DECAY).max(self.power);
        let len = decoded.max(expected);
        let skip = skip.min(decoded);
        self.leave_out(skip, len);
        self.append(decoded - skip, len - skip);
    }

    /// The last `len` samples before `payload`, from the copy in it. A copy is of a whole frame, and for less than that libopus
    /// only conceals: when the beginning of the frame has been made up already, it is decoded all the same and left out.
    fn fec(&mut self, payload: &[u8], len: usize) {
        let frame =
            packet::check(payload).map_or(0, |info| info.samples_48k as usize / usize::from(info.frames));
        let full = frame.clamp(len, MAX_FRAME);
        let made = self.decoder.decode_fec(payload, &mut self.frame[..full]);
        if made.is_ok_and(|made| made >= full) {
            self.leave_out(full - len, full);
            self.append(len, len);
        } else {
            self.append(0, len);
        }
    }

    /// Leaves out the first `skip` samples of the frame, `len` long: they have been concealed, and the concealment goes on
    /// under the beginning of what follows.
    fn leave_out(&mut self, skip: usize, len: usize) {
        if skip == 0 {
            return;
        }
        timescale::continuation(self.queue.all(), &mut self.under[..SHORT_FADE]);
        self.under_len = SHORT_FADE;
        self.frame.copy_within(skip..len, 0);
    }

    /// Appends the first `made` samples of the frame, and concealment up to `len`.
    fn append(&mut self, made: usize, len: usize) {
        if made < len && self.decoder.conceal(&mut self.frame[made..len]).is_err() {
            self.frame[made..len].fill(0.0);
        }
        if len == 0 {
            return;
        }
        if self.silent {
            self.silent = false;
            self.under_len = FADE;
            self.noise.fill(&mut self.under);
        }
        let fade = self.under_len.min(len);
        self.under_len = 0;
        cross_fade(&self.under[..fade], &mut self.frame[..fade]);
        self.queue.grow(len).copy_from_slice(&self.frame[..len]);
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
        cross_fade(&self.frame[..fade], &mut out[..fade]);
    }

    /// Up to how many samples may be added or removed now, and how alike periods must be for it.
    fn allowed(&self, wanted: u32) -> (usize, f32) {
        if self.power <= self.loudest * PAUSE {
            return (wanted as usize, -1.0);
        }
        let wanted = wanted as f32;
        if wanted < CAN_WAIT {
            return (0, 1.0);
        }
        let haste = ((wanted - CAN_WAIT) / (HASTE - CAN_WAIT)).min(1.0);
        (
            wanted.min(self.change) as usize,
            ALIKE[0] + (ALIKE[1] - ALIKE[0]) * haste,
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

/// Fades `to` in over `from`, which fades out.
fn cross_fade(from: &[f32], to: &mut [f32]) {
    let len = from.len() as f32;
    for (i, (to, from)) in to.iter_mut().zip(from).enumerate() {
        let weight = (i as f32 + 0.5) / len;
        *to = from + (*to - from) * weight;
    }
}

/// A length that libopus can make up: whole pieces of 2.5 ms, no longer than a packet.
fn whole(samples: u32) -> usize {
    (samples as usize).min(MAX_FRAME) / 120 * 120
}
