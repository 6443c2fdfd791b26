//! The listeners that are compared. All use the same decoder; they differ in what they know and when they play.

use std::time::Duration;

use voxpost_audio::{PacketInspector, PlayoutDecoder, PlayoutStep};
use voxpost_client::VoicePlayer;
use voxpost_proto::jitter::JitterConfig;
use voxpost_testkit::net::Trace;

pub(crate) const FRAME: usize = 960;
const TICK: usize = 480;
/// The RTP header of the datagrams is stepped over.
const HEADER: usize = 12;

/// What a listener heard, and how late: ms behind the fastest packet, one number per tick in which sound was played.
pub(crate) struct Heard {
    pub(crate) samples: Vec<f32>,
    pub(crate) delays_ms: Vec<f64>,
    /// How long packets waited between arrival and turn, in ms.
    pub(crate) waited_ms: Vec<f64>,
    /// Share of the sound that was made up, 0 to 1.
    pub(crate) concealed: f64,
}

/// The jitter buffer.
pub(crate) fn adaptive(datagrams: &[Vec<u8>], trace: &Trace) -> Heard {
    let mut player = VoicePlayer::new(JitterConfig::default());
    let mut arrivals = trace.arrivals().peekable();
    let (mut samples, mut delays_ms, mut waited_ms) = (Vec::new(), Vec::new(), Vec::new());
    let end = trace.sent_ms(datagrams.len()) + 1_000.0;
    for tick in 0..(end / 10.0) as u64 {
        let now = Duration::from_millis(tick * 10);
        while let Some(arrival) = arrivals.next_if(|arrival| arrival.at_ms <= (tick * 10) as f64) {
            player.receive(
                Duration::from_secs_f64(arrival.at_ms / 1_000.0),
                &datagrams[arrival.packet],
            );
        }
        let mut out = [0.0; TICK];
        player.tick(now, &mut out);
        samples.extend(out);
        if let Some(delay) = player.delay().filter(|_| arrivals.peek().is_some()) {
            delays_ms.push(delay.current.as_secs_f64() * 1_000.0);
            waited_ms.push(delay.waited.as_secs_f64() * 1_000.0);
        }
    }
    let stats = player.stats();
    Heard {
        samples,
        delays_ms,
        waited_ms,
        concealed: share(stats.jitter.concealed_samples, datagrams.len()),
    }
}

/// A buffer with a fixed delay after the fastest packet. What comes later is lost.
pub(crate) fn fixed(datagrams: &[Vec<u8>], trace: &Trace, delay_ms: f64) -> Heard {
    let fastest = trace.delays_ms().flatten().fold(f64::INFINITY, f64::min);
    let delays: Vec<_> = trace.delays_ms().collect();
    let in_time =
        |packet: usize, due: f64| delays[packet].is_some_and(|delay| trace.sent_ms(packet) + delay <= due);
    let due = |packet: usize| trace.sent_ms(packet) + fastest + delay_ms;
    let mut heard = decode(datagrams, |packet, by| in_time(packet, due(by)));
    heard.delays_ms = vec![delay_ms; datagrams.len()];
    heard.waited_ms = trace
        .delays_ms()
        .flatten()
        .map(|delay| fastest + delay_ms - delay)
        .filter(|&waited| waited >= 0.0)
        .collect();
    heard
}

/// Every packet that ever comes is there in time, and so is every copy.
pub(crate) fn perfect(datagrams: &[Vec<u8>], trace: &Trace) -> Heard {
    let here: Vec<bool> = trace.delays_ms().map(|delay| delay.is_some()).collect();
    decode(datagrams, |packet, _| here[packet])
}

/// Decodes on a clock that never changes; `here(packet, turn)` says whether a packet has come when it is another's turn.
fn decode(datagrams: &[Vec<u8>], here: impl Fn(usize, usize) -> bool) -> Heard {
    let mut decoder = PlayoutDecoder::new();
    let mut inspector = PacketInspector::new();
    let mut samples = Vec::new();
    let mut concealed = 0;
    for turn in 0..datagrams.len() {
        let payload = |packet: usize| &datagrams[packet][HEADER..];
        let step = if here(turn, turn) {
            PlayoutStep::Play {
                payload: payload(turn),
                skip: 0,
                restart: false,
            }
        } else {
            let copy = (turn + 1..datagrams.len().min(turn + 8))
                .filter(|&later| here(later, turn))
                .find_map(|later| {
                    let content = inspector.inspect(payload(later)).ok()?;
                    let offset = ((later - turn) * FRAME) as u32;
                    if later == turn + 1 && content.fec {
                        return Some(PlayoutStep::Fec {
                            payload: payload(later),
                            samples: FRAME as u32,
                        });
                    }
                    (content.dred_samples >= offset).then_some(PlayoutStep::Dred {
                        payload: payload(later),
                        offset,
                        samples: FRAME as u32,
                    })
                });
            copy.unwrap_or(PlayoutStep::Conceal {
                samples: FRAME as u32,
            })
        };
        if matches!(step, PlayoutStep::Conceal { .. }) {
            concealed += FRAME as u64;
        }
        decoder.apply(step);
        let mut out = [0.0; FRAME];
        decoder.pull(&mut out);
        samples.extend(out);
    }
    Heard {
        samples,
        delays_ms: Vec::new(),
        waited_ms: Vec::new(),
        concealed: share(concealed, datagrams.len()),
    }
}

fn share(samples: u64, packets: usize) -> f64 {
    samples as f64 / (packets * FRAME) as f64
}
