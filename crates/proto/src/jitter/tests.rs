//! The buffer as a whole, with a decoder that only counts.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::rtp::RtpHeader;

const FRAME: u32 = 960;

fn header(sequence: u16, timestamp: u32) -> RtpHeader {
    RtpHeader {
        marker: false,
        payload_type: 111,
        sequence,
        timestamp,
        ssrc: 1,
    }
}

fn ms(ms: f64) -> Duration {
    Duration::from_secs_f64(ms / 1_000.0)
}

/// What a step did, without its payload.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Did {
    Play { packet: u32, skip: u32, restart: bool },
    Stretch { packet: u32 },
    Shrink { packet: u32 },
    Fec { from: u32, samples: u32 },
    Dred { from: u32, offset: u32, samples: u32 },
    Conceal { samples: u32 },
    Silence { samples: u32 },
}

/// A listener whose packets hold nothing but their number.
struct Listener {
    buffer: JitterBuffer,
    queued: usize,
    did: Vec<Did>,
}

impl Listener {
    fn new() -> Self {
        Self {
            buffer: JitterBuffer::new(JitterConfig::default()),
            queued: 0,
            did: Vec::new(),
        }
    }

    fn receive(&mut self, at_ms: f64, packet: u32) -> Inserted {
        self.receive_with(at_ms, packet, PayloadInfo::plain(FRAME))
    }

    fn receive_with(&mut self, at_ms: f64, packet: u32, info: PayloadInfo) -> Inserted {
        let head = header(packet as u16, packet.wrapping_mul(FRAME));
        self.buffer
            .insert(ms(at_ms), &head, packet.to_be_bytes().to_vec(), info)
    }

    /// Plays 10 ms; a stretched or shrunk packet changes by 4 ms.
    fn tick(&mut self, now_ms: f64) {
        for _ in 0..1_000 {
            let Some(step) = self.buffer.step(ms(now_ms), self.queued) else {
                self.queued -= 480;
                return;
            };
            let (did, samples) = account(step);
            self.did.push(did);
            self.queued += samples as usize;
        }
        panic!("a tick takes more than 1,000 steps");
    }

    /// Packets in the order of being played.
    fn played(&self) -> Vec<u32> {
        self.did.iter().filter_map(played_packet).collect()
    }

    /// Runs `packets` that arrive at `arrival(i)`, `None` for lost ones, and 300 ms more.
    fn run(&mut self, packets: u32, arrival: impl Fn(u32) -> Option<f64>) {
        let mut arrivals: Vec<(f64, u32)> = (0..packets)
            .filter_map(|i| arrival(i).map(|at| (at, i)))
            .collect();
        arrivals.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut arrivals = arrivals.into_iter().peekable();
        for tick in 0..packets * 2 + 30 {
            let now = f64::from(tick) * 10.0;
            while let Some((at, packet)) = arrivals.next_if(|&(at, _)| at <= now) {
                self.receive(at, packet);
            }
            self.tick(now);
        }
    }

    fn current_ms(&self) -> f64 {
        self.buffer.delay().expect("it plays").current.as_secs_f64() * 1_000.0
    }
}

fn number(payload: &[u8]) -> u32 {
    payload
        .first_chunk()
        .map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

fn account(step: Step<'_>) -> (Did, u32) {
    match step {
        Step::Play {
            payload,
            skip,
            restart,
        } => {
            let packet = number(payload);
            (
                Did::Play {
                    packet,
                    skip,
                    restart,
                },
                FRAME - skip,
            )
        }
        Step::Stretch { payload, .. } => (
            Did::Stretch {
                packet: number(payload),
            },
            FRAME + 192,
        ),
        Step::Shrink { payload, .. } => (
            Did::Shrink {
                packet: number(payload),
            },
            FRAME - 192,
        ),
        Step::Fec { payload, samples } => {
            let from = number(payload);
            (Did::Fec { from, samples }, samples)
        }
        Step::Dred {
            payload,
            offset,
            samples,
        } => {
            let from = number(payload);
            (
                Did::Dred {
                    from,
                    offset,
                    samples,
                },
                samples,
            )
        }
        Step::Conceal { samples } => (Did::Conceal { samples }, samples),
        Step::Silence { samples } => (Did::Silence { samples }, samples),
    }
}

fn played_packet(did: &Did) -> Option<u32> {
    match *did {
        Did::Play { packet, .. } | Did::Stretch { packet } | Did::Shrink { packet } => Some(packet),
        _ => None,
    }
}

#[test]
fn on_a_perfect_network_every_packet_is_played_at_a_small_delay_and_nothing_is_made_up() {
    let mut listener = Listener::new();
    listener.run(500, |i| Some(f64::from(i) * 20.0 + 30.0));
    assert_eq!(listener.played(), (0..500).collect::<Vec<_>>());
    assert!(listener.current_ms() < 130.0, "{} ms", listener.current_ms());
    let before_the_end = listener
        .did
        .iter()
        .rposition(|did| played_packet(did).is_some())
        .expect("played");
    assert!(
        !listener.did[..before_the_end]
            .iter()
            .any(|did| matches!(did, Did::Conceal { .. }))
    );
    assert_eq!(listener.buffer.stats().lost, 0);
}

#[test]
fn packets_out_of_order_and_twice_are_played_once_and_in_order() {
    let mut listener = Listener::new();
    // Every third comes 45 ms late, behind two others.
    let arrival = |i: u32| Some(f64::from(i) * 20.0 + if i.is_multiple_of(3) { 45.0 } else { 0.0 });
    listener.run(300, arrival);
    listener.run(300, arrival);
    assert_eq!(listener.played(), (0..300).collect::<Vec<_>>());
    assert!(listener.buffer.stats().late + listener.buffer.stats().duplicates >= 300);
}

#[test]
fn a_lost_packet_is_taken_from_the_copy_in_the_next_when_that_is_there() {
    let mut listener = Listener::new();
    let fec = PayloadInfo {
        fec: true,
        ..PayloadInfo::plain(FRAME)
    };
    for packet in [0, 1, 3, 4] {
        listener.receive_with(f64::from(packet) * 20.0, packet, fec);
    }
    (8..20).for_each(|tick| listener.tick(f64::from(tick) * 10.0));
    let wanted = Did::Fec {
        from: 3,
        samples: FRAME,
    };
    assert!(listener.did.contains(&wanted), "{:?}", listener.did);
    assert_eq!(listener.played(), [0, 1, 3, 4]);
}

#[test]
fn what_was_begun_to_be_made_up_is_completed_so_that_the_copy_of_the_next_packet_is_used_whole() {
    let mut listener = Listener::new();
    let fec = PayloadInfo {
        fec: true,
        ..PayloadInfo::plain(FRAME)
    };
    for packet in [0, 1] {
        listener.receive_with(f64::from(packet) * 20.0, packet, fec);
    }
    let made_up = |did: &Did| matches!(did, Did::Conceal { .. });
    let mut tick = 8;
    while !listener.did.iter().any(made_up) {
        listener.tick(f64::from(tick) * 10.0);
        tick += 1;
    }
    listener.receive_with(f64::from(tick) * 10.0, 4, fec);
    (tick..tick + 6).for_each(|tick| listener.tick(f64::from(tick) * 10.0));
    let begun = listener.did.iter().position(made_up).expect("made up");
    let copy = Did::Fec {
        from: 4,
        samples: FRAME,
    };
    let half = Did::Conceal { samples: 480 };
    assert_eq!(
        listener.did[begun..begun + 3],
        [half, half, copy],
        "{:?}",
        listener.did
    );
}

#[test]
fn a_burst_is_rebuilt_from_the_dred_of_the_packet_after_it() {
    let mut listener = Listener::new();
    let dred = PayloadInfo {
        dred_samples: 4_800,
        ..PayloadInfo::plain(FRAME)
    };
    for packet in [0, 1, 5] {
        listener.receive_with(f64::from(packet), packet, dred);
    }
    (8..22).for_each(|tick| listener.tick(f64::from(tick) * 10.0));
    let rebuilt: Vec<u32> = listener
        .did
        .iter()
        .filter_map(|did| match *did {
            Did::Dred { from: 5, offset, .. } => Some(offset),
            _ => None,
        })
        .collect();
    assert_eq!(rebuilt, [2_880, 1_920, 960]);
}

#[test]
fn a_pause_of_the_sender_is_silent_and_what_follows_is_not_late() {
    let mut listener = Listener::new();
    let mut stream = Vec::new();
    for packet in 0..50_u32 {
        // After packet 24 the sender pauses for a second; its sequence numbers go on.
        let pause = if packet < 25 { 0 } else { 1_000 };
        stream.push((
            f64::from(packet * 20 + pause),
            packet,
            packet * FRAME + pause * 48,
        ));
    }
    let mut stream = stream.into_iter().peekable();
    for tick in 0..220 {
        let now = f64::from(tick) * 10.0;
        while let Some((at, packet, timestamp)) = stream.next_if(|&(at, ..)| at <= now) {
            let info = PayloadInfo {
                dtx: packet == 24,
                ..PayloadInfo::plain(FRAME)
            };
            let payload = packet.to_be_bytes().to_vec();
            listener
                .buffer
                .insert(ms(at), &header(packet as u16, timestamp), payload, info);
        }
        listener.tick(now);
    }
    assert_eq!(listener.played(), (0..50).collect::<Vec<_>>());
    let from = listener
        .did
        .iter()
        .position(|did| played_packet(did) == Some(24))
        .expect("played");
    let to = listener
        .did
        .iter()
        .position(|did| played_packet(did) == Some(25))
        .expect("played");
    assert!(
        listener.did[from + 1..to]
            .iter()
            .all(|did| matches!(did, Did::Silence { .. }))
    );
    let silence = (to - from - 1) * 10;
    assert!((900..=1_020).contains(&silence), "{silence} ms");
}

#[test]
fn after_a_spike_everything_is_played_and_the_delay_comes_down_again() {
    let mut listener = Listener::new();
    let stall = 4_000.0..4_400.0;
    listener.run(1_000, |i| {
        let at = f64::from(i) * 20.0 + 30.0;
        Some(if stall.contains(&at) {
            stall.end + (at - stall.start) * 0.02
        } else {
            at
        })
    });
    assert_eq!(listener.played(), (0..1_000).collect::<Vec<_>>());
    let high = listener
        .did
        .iter()
        .filter(|did| matches!(did, Did::Shrink { .. }))
        .count();
    assert!(high > 50, "it caught up with {high} packets");
    assert!(listener.current_ms() < 120.0, "{} ms", listener.current_ms());
}

#[test]
fn a_longer_route_is_followed_and_so_is_a_shorter_one() {
    for (before, after) in [(30.0, 130.0), (130.0, 30.0)] {
        let mut listener = Listener::new();
        listener.run(3_000, |i| {
            Some(f64::from(i) * 20.0 + if i < 500 { before } else { after })
        });
        let position = listener.buffer.delay().expect("it plays");
        assert!(
            position.current < Duration::from_millis(120),
            "{before} to {after}: {position:?}"
        );
        let stats = listener.buffer.stats();
        assert!(
            stats.concealed_samples < 48 * 400,
            "{before} to {after}: {stats:?}"
        );
    }
}

#[test]
fn clocks_that_drift_apart_by_200_ppm_cost_a_thousandth_of_the_sound_at_most() {
    for ppm in [200.0, -200.0] {
        let mut listener = Listener::new();
        listener.run(15_000, |i| Some(f64::from(i) * 20.0 / (1.0 + ppm * 1e-6) + 30.0));
        let stats = listener.buffer.stats();
        assert_eq!((stats.lost, stats.late), (0, 0), "{ppm}");
        assert!(
            listener.current_ms() < 160.0,
            "{ppm}: {} ms",
            listener.current_ms()
        );
        // Half a second of 5 minutes, 100 ms at the very end included, when nothing comes any more.
        assert!(
            stats.concealed_samples <= 24_000,
            "{ppm}: {}",
            stats.concealed_samples
        );
    }
}

#[test]
fn a_new_stream_is_played_after_the_old_one_and_the_decoder_is_told() {
    let mut listener = Listener::new();
    (0..20_u32).for_each(|i| {
        listener.receive(f64::from(i) * 20.0, i);
    });
    let mut new = |i: u32, at: f64| {
        let head = RtpHeader {
            ssrc: 2,
            ..header(i as u16, i.wrapping_mul(FRAME).wrapping_add(77))
        };
        let payload = i.to_be_bytes().to_vec();
        listener
            .buffer
            .insert(ms(at), &head, payload, PayloadInfo::plain(FRAME))
    };
    assert_eq!(new(60_000, 400.0), Inserted::Suspect);
    assert_eq!(new(60_001, 420.0), Inserted::Restarted);
    (2..20).for_each(|i| assert_eq!(new(60_000 + i, 400.0 + f64::from(i) * 20.0), Inserted::Queued));
    (40..120).for_each(|tick| listener.tick(f64::from(tick) * 10.0));
    assert_eq!(
        listener.played(),
        (0..20).chain(60_001..60_020).collect::<Vec<_>>()
    );
    let restarts = listener
        .did
        .iter()
        .filter(|did| matches!(did, Did::Play { restart: true, .. }));
    assert_eq!(restarts.collect::<Vec<_>>().len(), 1);
}

#[test]
fn a_missing_packet_is_asked_for_while_it_can_come_in_time() {
    let mut listener = Listener::new();
    for packet in [0, 1, 2, 4, 5] {
        listener.receive(f64::from(packet), packet);
    }
    (8..10).for_each(|tick| listener.tick(f64::from(tick) * 10.0));
    fn asked(listener: &mut Listener, now: f64, round_trip: u64) -> Vec<u16> {
        listener.buffer.nacks(ms(now), Duration::from_millis(round_trip))
    }
    assert_eq!(
        asked(&mut listener, 90.0, 400),
        Vec::<u16>::new(),
        "too late for this round trip"
    );
    assert_eq!(asked(&mut listener, 90.0, 20), [3]);
    assert_eq!(
        asked(&mut listener, 95.0, 20),
        Vec::<u16>::new(),
        "asked a moment ago"
    );
    assert_eq!(asked(&mut listener, 110.0, 20), [3]);
    listener.receive(115.0, 3);
    assert_eq!(asked(&mut listener, 131.0, 5), Vec::<u16>::new());
}

#[test]
fn playback_that_is_hopelessly_behind_jumps_to_the_edge() {
    let mut listener = Listener::new();
    listener.run(1_500, |i| {
        let at = f64::from(i) * 20.0 + 30.0;
        Some(if (5_000.0..12_000.0).contains(&at) {
            12_000.0
        } else {
            at
        })
    });
    let stats = listener.buffer.stats();
    assert!(stats.skipped > 150, "{stats:?}");
    assert!(listener.current_ms() < 400.0, "{} ms", listener.current_ms());
}

/// One thing that can happen to a buffer.
#[derive(Debug, Clone)]
enum Event {
    Packet {
        by: i32,
        stamp: i64,
        ssrc: bool,
        info: PayloadInfo,
        bytes: usize,
    },
    Wait(u32),
    Tick,
}

fn event() -> impl Strategy<Value = Event> {
    let info = (0_u32..7_000, any::<bool>(), 0_u32..60_000, any::<bool>()).prop_map(
        |(samples, fec, dred_samples, dtx)| PayloadInfo {
            samples,
            fec,
            dred_samples,
            dtx,
        },
    );
    let usual = Just(PayloadInfo::plain(FRAME));
    prop_oneof![
        6 => (1_i32..4, Just(0_i64), Just(false), usual, Just(40_usize))
            .prop_map(|(by, stamp, ssrc, info, bytes)| Event::Packet { by, stamp, ssrc, info, bytes }),
        2 => (-40_000_i32..40_000, any::<i64>(), any::<bool>(), info, 0_usize..5_000)
            .prop_map(|(by, stamp, ssrc, info, bytes)| Event::Packet { by, stamp, ssrc, info, bytes }),
        2 => (0_u32..200_000).prop_map(Event::Wait),
        6 => Just(Event::Tick),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_it_does_not_panic_and_its_memory_is_bounded(
        events in proptest::collection::vec(event(), 1..400),
    ) {
        let config = JitterConfig { max_packets: 32, ..JitterConfig::default() };
        let mut buffer = JitterBuffer::new(config);
        let (mut now, mut newest, mut queued) = (Duration::ZERO, 0_i32, 0_usize);
        for event in events {
            match event {
                Event::Wait(us) => now += Duration::from_micros(us.into()),
                Event::Packet { by, stamp, ssrc, info, bytes } => {
                    newest = newest.wrapping_add(by);
                    let head = RtpHeader {
                        ssrc: ssrc.into(),
                        ..header(newest as u16, (i64::from(newest) * 960).wrapping_add(stamp) as u32)
                    };
                    buffer.insert(now, &head, vec![0; bytes], info);
                    prop_assert!(buffer.len() <= 32);
                }
                Event::Tick => {
                    now += Duration::from_millis(10);
                    let mut steps = 0;
                    while let Some(step) = buffer.step(now, queued) {
                        queued += match step {
                            Step::Fec { samples, .. } | Step::Dred { samples, .. }
                            | Step::Conceal { samples } | Step::Silence { samples } => {
                                prop_assert!((1..=5_760).contains(&samples));
                                samples as usize
                            }
                            _ => 0,
                        };
                        steps += 1;
                        prop_assert!(steps < 100);
                    }
                    queued = queued.saturating_sub(480);
                    prop_assert!(buffer.nacks(now, Duration::from_millis(50)).len() <= 64);
                }
            }
        }
    }

    #[test]
    fn every_packet_is_played_at_most_once_and_in_order(
        delays in proptest::collection::vec(proptest::option::weighted(0.85, 0.0_f64..250.0), 20..300),
    ) {
        let mut listener = Listener::new();
        listener.run(delays.len() as u32, |i| delays[i as usize].map(|d| f64::from(i) * 20.0 + d));
        let played = listener.played();
        prop_assert!(played.windows(2).all(|pair| pair[0] < pair[1]), "{played:?}");
        let came = delays.iter().flatten().count() as u64;
        let stats = listener.buffer.stats();
        prop_assert_eq!(stats.received, came);
        prop_assert_eq!(stats.played + stats.late + stats.skipped + listener.buffer.len() as u64, came);
    }

    #[test]
    fn the_same_input_gives_the_same_steps(
        delays in proptest::collection::vec(proptest::option::weighted(0.8, 0.0_f64..120.0), 20..100),
    ) {
        let run = || {
            let mut listener = Listener::new();
            listener.run(delays.len() as u32, |i| delays[i as usize].map(|d| f64::from(i) * 20.0 + d));
            listener.did
        };
        prop_assert_eq!(run(), run());
    }
}
