use std::time::Duration;

use voxpost_audio::{PacketInspector, PlayoutDecoder, PlayoutStats, PlayoutStep};
use voxpost_proto::jitter::{
    Inserted, JitterBuffer, JitterConfig, JitterStats, LossReport, PayloadInfo, PlayoutDelay, Step,
};
use voxpost_proto::rtp::RtpHeader;

/// Plays a live voice stream from RTP packets: a jitter buffer and a decoder, put together.
///
/// The caller has the socket, the clock and the loudspeaker: it hands over each datagram with the time of its arrival
/// ([`receive`](Self::receive)) and asks for sound once per tick ([`tick`](Self::tick)).
#[derive(Debug)]
pub struct VoicePlayer {
    jitter: JitterBuffer,
    decoder: PlayoutDecoder,
    inspector: PacketInspector,
}

/// What happened so far, in the buffer and in the decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VoicePlayerStats {
    /// Packets.
    pub jitter: JitterStats,
    /// Sound.
    pub playout: PlayoutStats,
}

impl VoicePlayer {
    /// A player without sound.
    pub fn new(config: JitterConfig) -> Self {
        Self {
            jitter: JitterBuffer::new(config),
            decoder: PlayoutDecoder::new(),
            inspector: PacketInspector::new(),
        }
    }

    /// Takes a datagram that arrived at `arrival`. What is no RTP packet with Opus inside is `Refused`.
    pub fn receive(&mut self, arrival: Duration, datagram: &[u8]) -> Inserted {
        let Ok((header, payload)) = RtpHeader::parse(datagram) else {
            return Inserted::Refused;
        };
        let Ok(content) = self.inspector.inspect(payload) else {
            return Inserted::Refused;
        };
        let info = PayloadInfo {
            samples: content.samples,
            fec: content.fec,
            dred_samples: content.dred_samples,
            dtx: content.dtx,
        };
        self.jitter.insert(arrival, &header, payload.to_vec(), info)
    }

    /// Fills `out` with the next tick of sound: mono, 48 kHz, as long as the configured tick.
    pub fn tick(&mut self, now: Duration, out: &mut [f32]) {
        while let Some(step) = self.jitter.step(now, self.decoder.queued()) {
            self.decoder.apply(playout_step(step));
        }
        self.decoder.pull(out);
    }

    /// How far behind the fastest packet playback is, and should be.
    pub fn delay(&self) -> Option<PlayoutDelay> {
        self.jitter.delay()
    }

    /// Losses of the last seconds, for the sender.
    pub fn loss_report(&self) -> LossReport {
        self.jitter.loss_report()
    }

    /// Packets worth asking for again.
    pub fn nacks(&mut self, now: Duration, round_trip: Duration) -> Vec<u16> {
        self.jitter.nacks(now, round_trip)
    }

    /// What happened so far.
    pub fn stats(&self) -> VoicePlayerStats {
        VoicePlayerStats {
            jitter: self.jitter.stats(),
            playout: self.decoder.stats(),
        }
    }
}

/// Buffer and decoder do not know each other, so their steps are two types.
fn playout_step(step: Step<'_>) -> PlayoutStep<'_> {
    match step {
        Step::Play {
            payload,
            skip,
            restart,
        } => PlayoutStep::Play {
            payload,
            skip,
            restart,
        },
        Step::Stretch { payload, wanted } => PlayoutStep::Stretch { payload, wanted },
        Step::Shrink { payload, wanted } => PlayoutStep::Shrink { payload, wanted },
        Step::Fec { payload, samples } => PlayoutStep::Fec { payload, samples },
        Step::Dred {
            payload,
            offset,
            samples,
        } => PlayoutStep::Dred {
            payload,
            offset,
            samples,
        },
        Step::Conceal { samples } => PlayoutStep::Conceal { samples },
        Step::Silence { samples } => PlayoutStep::Silence { samples },
    }
}
