//! A recording over bad networks, in virtual time: whatever happens, every packet arrives once, and what was acknowledged stays.

use std::collections::{BTreeMap, VecDeque};

use voxpost_proto::live::{Arrival, LiveReceiver, LiveSender, entries};
use voxpost_proto::rtp::RtpHeader;
use voxpost_proto::{BinaryKind, BinaryMessage};
use voxpost_testkit::net::{Jitter, Loss, Path, Rng};

const FRAME: u32 = 960;

/// What is durable at the server, and what came and is not.
struct Log {
    first: u32,
    receiver: LiveReceiver,
    waiting: Vec<(u32, Vec<u8>)>,
    durable: BTreeMap<u32, Vec<u8>>,
}

impl Log {
    fn new(first: u32) -> Self {
        Self {
            first,
            receiver: LiveReceiver::new(first),
            waiting: Vec::new(),
            durable: BTreeMap::new(),
        }
    }

    fn take(&mut self, packet: &[u8]) {
        let (header, payload) = RtpHeader::parse(packet).expect("whole packets");
        if let Arrival::New(sequence) = self.receiver.handle_packet(&header) {
            self.waiting.push((sequence, payload.to_vec()));
        }
    }

    fn take_message(&mut self, message: &[u8]) {
        let message = BinaryMessage::parse(message).expect("whole messages");
        if message.kind == BinaryKind::BundleUp {
            entries(message.body).for_each(|packet| self.take(packet.expect("whole entries")));
        } else {
            self.take(message.body);
        }
    }

    fn commit(&mut self) -> Option<u32> {
        for (sequence, payload) in self.waiting.drain(..) {
            self.receiver.handle_durable(sequence..sequence + 1);
            assert!(
                self.durable.insert(sequence, payload).is_none(),
                "{sequence} is there twice"
            );
        }
        self.receiver.poll_ack()
    }

    /// All that was not durable is gone.
    fn crash(&mut self) {
        self.waiting.clear();
        self.receiver = LiveReceiver::restore(self.first, self.receiver.durable().iter());
    }

    fn holds(&self, payloads: &[Vec<u8>]) {
        assert!(
            self.durable.values().eq(payloads),
            "other packets than were recorded"
        );
        assert!(
            self.durable
                .keys()
                .copied()
                .eq(self.first..self.first + payloads.len() as u32)
        );
    }
}

fn payload(n: u32) -> Vec<u8> {
    n.to_be_bytes().to_vec()
}

/// A connection that keeps order, with a rate that changes and times at which nothing passes. When it breaks, what is on its
/// way is lost.
struct Connection {
    /// (when it has arrived, in ms; message)
    on_its_way: VecDeque<(u64, Vec<u8>)>,
    free_at: u64,
}

impl Connection {
    fn new(now: u64) -> Self {
        Self {
            on_its_way: VecDeque::new(),
            free_at: now,
        }
    }

    fn send(&mut self, now: u64, message: Vec<u8>, bits_per_second: u64, delay: u64) {
        let begin = self.free_at.max(now);
        self.free_at = begin + message.len() as u64 * 8_000 / bits_per_second.max(1);
        self.on_its_way.push_back((self.free_at + delay, message));
    }

    fn arrived(&mut self, now: u64) -> Option<Vec<u8>> {
        if self.on_its_way.front()?.0 > now {
            return None;
        }
        self.on_its_way.pop_front().map(|(_, message)| message)
    }
}

/// Steps of 20 ms: 256, then 12, then 64 kbit/s; stalls as retransmissions make them; an outage of 20 s; crashes of either side.
fn run(seed: u64, packets: u32, kill_sender: bool, kill_server: bool) {
    let mut dice = Rng::new(seed);
    let first = dice.below(80_000) as u32;
    let mut log = Log::new(first);
    let mut sender = LiveSender::new(1, first, 5);
    let mut journal: VecDeque<(u32, Vec<u8>)> = VecDeque::new();
    let mut connection: Option<Connection> = None;
    let mut acks: VecDeque<(u64, u32)> = VecDeque::new();
    let (mut made, mut acknowledged, mut now) = (0, None, 0_u64);
    while made < packets || sender.backlog().packets > 0 {
        now += 20;
        assert!(now < 3_600_000, "it comes to an end");
        if made < packets {
            let (sequence, packet) = sender.push(&payload(made), FRAME);
            journal.push_back((sequence, packet.to_vec()));
            made += 1;
        }
        let outage = (20_000..40_000).contains(&now);
        let rate = match now {
            ..=20_000 => 256_000,
            20_001..=60_000 => 12_000,
            _ => 64_000,
        };
        // Of a TCP connection: 30 % of the segments are lost, each costs a retransmission.
        let delay = 40 + if dice.chance(0.3) { 200 } else { 0 };
        if dice.chance(0.002) || outage {
            connection = None;
            acks.clear();
            sender.handle_disconnect();
        }
        if kill_server && dice.chance(0.001) {
            log.crash();
            connection = None;
            acks.clear();
            sender.handle_disconnect();
        }
        if kill_sender && dice.chance(0.001) {
            let kept = journal.iter().map(|(_, packet)| (packet.clone(), FRAME));
            let base = journal
                .front()
                .map_or(sender.next_sequence(), |(sequence, _)| *sequence);
            let samples = u64::from(made) * u64::from(FRAME);
            sender = LiveSender::restore(first, base, kept, samples);
            connection = None;
            acks.clear();
        }
        if connection.is_none() && !outage {
            connection = Some(Connection::new(now));
            let next = log.receiver.next_sequence();
            assert!(
                acknowledged.is_none_or(|sequence| next > sequence),
                "an acknowledgement was forgotten"
            );
            sender.handle_ready(next).expect("the journal has all of it");
            let forgettable = sender.forgettable();
            journal.retain(|(sequence, _)| *sequence >= forgettable);
        }
        if let Some(connection) = &mut connection {
            while connection.free_at <= now + 200 {
                let Some(message) = sender.poll_transmit(1, 1_200) else {
                    break;
                };
                connection.send(now, message, rate, delay);
            }
            while let Some(message) = connection.arrived(now) {
                log.take_message(&message);
            }
            if now % 60 == 0
                && let Some(sequence) = log.commit()
            {
                acks.push_back((now + delay, sequence));
            }
        }
        while acks.front().is_some_and(|(at, _)| *at <= now) {
            let (_, sequence) = acks.pop_front().expect("there is one");
            acknowledged = acknowledged.max(Some(sequence));
            sender.handle_ack(sequence);
            let forgettable = sender.forgettable();
            journal.retain(|(sequence, _)| *sequence >= forgettable);
        }
    }
    let payloads: Vec<_> = (0..packets).map(payload).collect();
    log.holds(&payloads);
    assert_eq!(sender.whole().packets, packets);
    assert!(journal.is_empty(), "nothing is kept that need not be");
}

#[test]
fn stalls_outages_and_narrow_links_lose_nothing() {
    for seed in 0..20 {
        run(seed, 4_000, false, false);
    }
}

#[test]
fn crashes_of_either_side_and_of_both_lose_nothing() {
    for seed in 0..20 {
        run(100 + seed, 4_000, true, false);
        run(200 + seed, 4_000, false, true);
        run(300 + seed, 4_000, true, true);
    }
}

#[test]
fn a_hundred_thousand_packets_at_once_wrap_and_are_there() {
    let mut sender = LiveSender::new(1, 65_000, 0);
    let mut log = Log::new(65_000);
    for n in 0..100_000 {
        sender.push(&payload(n), FRAME);
    }
    sender.handle_ready(65_000).expect("all is kept");
    while let Some(message) = sender.poll_transmit(1, 60_000) {
        log.take_message(&message);
    }
    assert_eq!(log.commit(), Some(164_999));
    log.holds(&(0..100_000).map(payload).collect::<Vec<_>>());
}

#[test]
fn datagrams_that_are_lost_late_or_doubled_arrive_once() {
    for seed in 0..20 {
        let path = Path {
            jitter: Jitter::Reordering { p95_ms: 150.0 },
            loss: Loss::Random { share: 0.3 },
            duplicates: 0.1,
            stalls: vec![(3_000.0, 2_000.0)],
            ..Path::default()
        };
        let mut sender = LiveSender::new(1, 65_300, 0);
        let mut log = Log::new(65_300);
        for n in 0..600 {
            sender.push(&payload(n), FRAME);
        }
        for round in 0.. {
            assert!(round < 200, "it comes to an end");
            let next = log.receiver.next_sequence();
            sender.handle_ready(next).expect("all is kept");
            let mut sent = Vec::new();
            while let Some(message) = sender.poll_transmit(1, 0) {
                sent.push(message);
            }
            if sent.is_empty() {
                break;
            }
            for arrival in path.trace(sent.len(), 20.0, 80, seed * 1_000 + round).arrivals() {
                log.take_message(&sent[arrival.packet]);
            }
            if let Some(sequence) = log.commit() {
                sender.handle_ack(sequence);
            }
        }
        log.holds(&(0..600).map(payload).collect::<Vec<_>>());
    }
}
