//! One recording that is going on, in memory: what came and is not durable yet, who sends, who listens.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;
use voxpost_audio::packet;
use voxpost_proto::live::{Arrival, LiveReceiver, PAYLOAD_TYPE, Runs, push_entry};
use voxpost_proto::rtp::RtpHeader;
use voxpost_proto::socket::ServerMessage;

use super::Outlet;
use super::canonical::{Builder, HashedFile, Shape};
use crate::error::ApiError;
use crate::store::recordings::LogRow;

/// What may wait to be durable before no more is read from its sender.
const MAX_PENDING_BYTES: usize = 256 << 10;

/// Packets that are kept in memory for listeners: ten seconds as a rule.
const RING: usize = 512;

/// The longest RTP packet: six Opus frames of the largest size, and its header.
const MAX_PACKET_BYTES: usize = 8 << 10;

/// A packet that was taken in.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) sequence: u32,
    /// Play time at 48 kHz.
    pub(crate) samples: u32,
    /// With its RTP header.
    pub(crate) rtp: Bytes,
}

/// What became of a packet.
#[derive(Debug)]
pub(crate) enum Taken {
    /// It will be durable soon, or was there before.
    Yes,
    /// Somebody else sends this recording now.
    Fenced,
    /// The recording has so many packets and takes no more.
    Over(u32),
    /// It is no packet of a recording.
    Bad(&'static str),
}

/// Where a recording is in its life on this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    /// Being finished; nothing more is taken in.
    Finishing,
    /// Finished, cancelled, or another node's.
    Over {
        packets: u32,
    },
}

pub(crate) struct Recording {
    pub(crate) id: Uuid,
    pub(crate) conversation_id: Uuid,
    pub(crate) sender_id: Uuid,
    pub(crate) live: bool,
    pub(crate) shape: Shape,
    max_bytes: u64,
    state: Mutex<State>,
    /// Changes when packets became durable, and when it is over.
    changed: watch::Sender<u64>,
    /// Listeners that read the log.
    readers: watch::Sender<usize>,
}

/// Held by who reads the log of a recording: it stays meanwhile.
pub(super) struct Reader(Arc<Recording>);

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.readers.send_modify(|count| *count -= 1);
    }
}

pub(super) struct State {
    pub(super) receiver: LiveReceiver,
    pub(super) phase: Phase,
    pending: Vec<Packet>,
    pending_bytes: usize,
    in_flight: bool,
    dirty: bool,
    /// A packet came while it was being finished.
    missed: bool,
    /// Why the last write failed.
    pub(super) trouble: Option<ApiError>,
    /// Play time of all packets.
    sounded: u64,
    bytes: u64,
    owner: Option<Owner>,
    pub(super) without_since: Instant,
    /// The canonical file so far; `None` when it has to be made of the log.
    pub(super) grown: Option<Builder<HashedFile>>,
    pub(super) published: bool,
    ring: VecDeque<Packet>,
    /// How many packets were in the ring before its first.
    ring_start: u64,
    listeners: Vec<(Weak<Outlet>, u32)>,
    pub(super) told_samples: u64,
}

struct Owner {
    outlet: Arc<Outlet>,
    handle: u32,
}

/// What is durable of a recording when it is opened.
pub(super) struct Known {
    pub(super) runs: Runs,
    pub(super) samples: u64,
    pub(super) bytes: u64,
    pub(super) published: bool,
    pub(super) grown: Option<Builder<HashedFile>>,
}

impl Recording {
    pub(super) fn new(
        id: Uuid,
        conversation_id: Uuid,
        sender_id: Uuid,
        live: bool,
        shape: Shape,
        max_bytes: u64,
        known: Known,
    ) -> Self {
        Self {
            id,
            conversation_id,
            sender_id,
            live,
            shape,
            max_bytes,
            state: Mutex::new(State {
                receiver: LiveReceiver::restore(shape.first_sequence, known.runs.iter()),
                phase: Phase::Open,
                pending: Vec::new(),
                pending_bytes: 0,
                in_flight: false,
                dirty: false,
                missed: false,
                trouble: None,
                sounded: known.samples,
                bytes: known.bytes,
                owner: None,
                without_since: Instant::now(),
                grown: known.grown,
                published: known.published,
                ring: VecDeque::new(),
                ring_start: 0,
                listeners: Vec::new(),
                told_samples: known.samples,
            }),
            changed: watch::Sender::new(0),
            readers: watch::Sender::new(0),
        }
    }

    /// From now on this socket sends it; returns the first packet that is not durable, or how many there are when it is over.
    pub(super) fn attach(&self, outlet: &Arc<Outlet>, handle: u32) -> Result<u32, u32> {
        let mut state = self.lock();
        if let Phase::Over { packets } = state.phase {
            return Err(packets);
        }
        state.owner = Some(Owner {
            outlet: Arc::clone(outlet),
            handle,
        });
        Ok(state.receiver.next_sequence())
    }

    /// The socket of its sender is gone.
    pub(crate) fn detach(&self, outlet: &Arc<Outlet>) {
        let mut state = self.lock();
        if state
            .owner
            .as_ref()
            .is_some_and(|owner| Arc::ptr_eq(&owner.outlet, outlet))
        {
            state.owner = None;
            state.without_since = Instant::now();
        }
    }

    /// Whether this very handle may speak for it.
    pub(crate) fn is_owned(&self, outlet: &Arc<Outlet>, handle: u32) -> bool {
        self.lock().is_owned(outlet, handle)
    }

    /// Takes a packet in. True beside it when it is the first that waits to be written.
    pub(crate) fn handle_packet(&self, outlet: &Arc<Outlet>, handle: u32, rtp: &Bytes) -> (Taken, bool) {
        let (packet, header) = match read(rtp) {
            Ok(read) => read,
            Err(reason) => return (Taken::Bad(reason), false),
        };
        let mut state = self.lock();
        if !state.is_owned(outlet, handle) {
            return (Taken::Fenced, false);
        }
        match state.phase {
            Phase::Open => {}
            // It comes again, or is answered when that is done.
            Phase::Finishing => {
                state.missed = true;
                return (Taken::Yes, false);
            }
            Phase::Over { packets } => return (Taken::Over(packets), false),
        }
        let sequence = match state.receiver.handle_packet(&header) {
            Arrival::New(sequence) => sequence,
            Arrival::Duplicate(_) => {
                // Its sender did not hear of it: tell again with the next commit, or now.
                if !state.receiver.is_behind()
                    && let Some(sequence) = state.receiver.poll_ack()
                {
                    outlet.ack(handle, sequence);
                }
                return (Taken::Yes, false);
            }
            Arrival::Refused(_) => {
                return (
                    Taken::Bad("its sequence number is not one of this recording"),
                    false,
                );
            }
        };
        let packet = Packet { sequence, ..packet };
        state.sounded += u64::from(packet.samples);
        state.bytes += packet.rtp.len() as u64;
        state.pending_bytes += packet.rtp.len();
        state.relay(&packet);
        state.pending.push(packet);
        let first = !std::mem::replace(&mut state.dirty, true);
        (Taken::Yes, first)
    }

    /// Whether its sender should not be read now.
    pub(crate) fn is_full(&self) -> bool {
        let state = self.lock();
        state.pending_bytes > MAX_PENDING_BYTES && state.phase == Phase::Open
    }

    /// It could not be finished and goes on. What came meanwhile was not taken in: its sender is fenced off, resumes and
    /// sends it again.
    pub(super) fn go_on(&self) {
        let mut state = self.lock();
        if state.phase != Phase::Finishing {
            return;
        }
        state.phase = Phase::Open;
        if std::mem::take(&mut state.missed) {
            state.owner = None;
            state.without_since = Instant::now();
        }
    }

    /// Whether it is as long, or as large, as a message may be.
    pub(super) fn is_at_limit(&self) -> bool {
        let state = self.lock();
        let grown = state.grown.as_ref().map_or(0, Builder::samples);
        let sounded = state.sounded.saturating_sub(self.shape.pre_skip.into());
        state.phase == Phase::Open
            && (sounded.max(grown) >= self.shape.max_samples || state.bytes >= self.max_bytes)
    }

    /// Takes what waits to be written, as rows; nothing when there is nothing, or a write is under way.
    pub(super) fn begin_flush(&self) -> Option<(Vec<Packet>, Vec<LogRow>)> {
        let mut state = self.lock();
        state.dirty = false;
        if state.in_flight || state.pending.is_empty() || matches!(state.phase, Phase::Over { .. }) {
            return None;
        }
        state.in_flight = true;
        let mut packets = std::mem::take(&mut state.pending);
        packets.sort_by_key(|packet| packet.sequence);
        let rows = rows(&packets);
        Some((packets, rows))
    }

    /// The file so far, to be appended to while a write is under way.
    pub(super) fn take_grown(&self) -> Option<Builder<HashedFile>> {
        self.lock().grown.take()
    }

    /// These packets are durable. Tells its sender and its listeners.
    pub(super) fn end_flush(&self, packets: &[Packet], grown: Option<Builder<HashedFile>>, published: bool) {
        let mut state = self.lock();
        state.in_flight = false;
        state.trouble = None;
        state.grown = grown;
        state.published |= published;
        for packet in packets {
            state.pending_bytes -= packet.rtp.len();
            state
                .receiver
                .handle_durable(packet.sequence..packet.sequence + 1);
        }
        let acked = state.receiver.poll_ack();
        if let Some(owner) = &state.owner {
            match acked {
                Some(sequence) => owner.outlet.ack(owner.handle, sequence),
                // There is room again for who was not read.
                None => owner.outlet.wake(),
            }
        }
        drop(state);
        self.changed.send_modify(|count| *count += 1);
    }

    /// The write failed: what was taken waits again.
    pub(super) fn undo_flush(&self, packets: Vec<Packet>, trouble: ApiError) {
        let mut state = self.lock();
        state.in_flight = false;
        state.dirty = true;
        state.trouble = Some(trouble);
        let newer = std::mem::replace(&mut state.pending, packets);
        state.pending.extend(newer);
        drop(state);
        self.changed.send_modify(|count| *count += 1);
    }

    /// It takes no more packets and has `packets`.
    pub(super) fn set_over(&self, packets: u32) {
        let mut state = self.lock();
        state.phase = Phase::Over { packets };
        state.pending = Vec::new();
        state.pending_bytes = 0;
        state.grown = None;
        state.wake_listeners();
        if let Some(owner) = &state.owner {
            owner.outlet.wake();
        }
        drop(state);
        self.changed.send_modify(|count| *count += 1);
    }

    /// Says something to whoever sends it.
    pub(super) fn tell_sender(&self, message: ServerMessage) {
        if let Some(owner) = &self.lock().owner {
            owner.outlet.say(message);
        }
    }

    /// Since when nobody sends it; `None` while somebody does.
    pub(super) fn without_sender_since(&self) -> Option<Instant> {
        let state = self.lock();
        (state.owner.is_none() && state.phase == Phase::Open).then_some(state.without_since)
    }

    pub(super) fn duration_ms(&self) -> i64 {
        let sounded = self.lock().sounded.saturating_sub(self.shape.pre_skip.into());
        i64::try_from(sounded / 48).unwrap_or(i64::MAX)
    }

    /// Whether it grew since this was asked last.
    pub(super) fn has_news(&self) -> bool {
        let mut state = self.lock();
        let sounded = state.sounded;
        state.phase == Phase::Open && std::mem::replace(&mut state.told_samples, sounded) != sounded
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub(super) fn read_log(self: &Arc<Self>) -> Reader {
        self.readers.send_modify(|count| *count += 1);
        Reader(Arc::clone(self))
    }

    /// Returns when nobody reads the log any more.
    pub(super) async fn unread(&self) {
        let _ = self.readers.subscribe().wait_for(|count| *count == 0).await;
    }

    /// How many packets it has, once it is over.
    pub(crate) fn over(&self) -> Option<u32> {
        match self.lock().phase {
            Phase::Over { packets } => Some(packets),
            _ => None,
        }
    }

    /// A listener wants packets from now on; returns (the first that is not received yet, where the ring is). Until
    /// [`leave`](Self::leave).
    pub(super) fn listen(&self, outlet: &Arc<Outlet>, handle: u32) -> (u32, u64) {
        let mut state = self.lock();
        if state.listeners.is_empty() {
            // From here on packets are kept for a while; those that are not durable yet belong to it.
            state.ring = state.pending.iter().cloned().collect();
        }
        state.listeners.push((Arc::downgrade(outlet), handle));
        let next = state
            .receiver
            .durable()
            .end()
            .max(state.pending.iter().map(|packet| packet.sequence + 1).max())
            .unwrap_or(self.shape.first_sequence);
        (next, state.ring_start + state.ring.len() as u64)
    }

    /// The listener is gone.
    pub(super) fn leave(&self, outlet: &Arc<Outlet>, handle: u32) {
        self.lock()
            .listeners
            .retain(|(other, of)| *of != handle || !std::ptr::eq(other.as_ptr(), Arc::as_ptr(outlet)));
    }

    /// Packets of the ring from a place on, at most `limit`, and the place after them. A listener that fell behind the ring
    /// skips: it goes on with what is still there.
    pub(crate) fn ring_from(&self, place: u64, limit: usize) -> (Vec<Packet>, u64) {
        let state = self.lock();
        let skip = usize::try_from(place.saturating_sub(state.ring_start)).unwrap_or(usize::MAX);
        let packets: Vec<Packet> = state.ring.iter().skip(skip).take(limit).cloned().collect();
        let from = place.max(state.ring_start);
        let after = from + packets.len() as u64;
        (packets, after)
    }

    /// Where the ring begins, and the lowest number in it.
    pub(crate) fn ring_begin(&self) -> (u64, Option<u32>) {
        let state = self.lock();
        let lowest = state.ring.iter().map(|packet| packet.sequence).min();
        (state.ring_start, lowest)
    }

    /// A packet by its number, if it is still in memory.
    pub(crate) fn ring_find(&self, sequence: u32) -> Option<Packet> {
        let state = self.lock();
        state
            .ring
            .iter()
            .find(|packet| packet.sequence == sequence)
            .cloned()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_owned(&self, outlet: &Arc<Outlet>, handle: u32) -> bool {
        self.owner
            .as_ref()
            .is_some_and(|owner| Arc::ptr_eq(&owner.outlet, outlet) && owner.handle == handle)
    }

    fn wake_listeners(&self) {
        for (outlet, _) in &self.listeners {
            if let Some(outlet) = outlet.upgrade() {
                outlet.wake();
            }
        }
    }

    /// On arrival, before it is durable.
    fn relay(&mut self, packet: &Packet) {
        if self.listeners.is_empty() {
            return;
        }
        self.wake_listeners();
        self.ring.push_back(packet.clone());
        if self.ring.len() > RING {
            self.ring.pop_front();
            self.ring_start += 1;
        }
    }
}

/// Checks a packet as far as it can be checked without decoding (RFC 6716 §3). Kept is a plain header and the payload.
fn read(rtp: &Bytes) -> Result<(Packet, RtpHeader), &'static str> {
    if rtp.len() > MAX_PACKET_BYTES {
        return Err("it is longer than any Opus packet");
    }
    let (header, payload) = RtpHeader::parse(rtp).map_err(|_| "it is no RTP packet")?;
    if header.payload_type != PAYLOAD_TYPE {
        return Err("its payload type is not 111");
    }
    let info = packet::check(payload).map_err(|_| "its payload is no Opus packet (RFC 6716 §3)")?;
    let plain = header.to_bytes();
    let rtp = if rtp.len() == plain.len() + payload.len() && rtp.starts_with(&plain) {
        rtp.clone()
    } else {
        Bytes::from([&plain[..], payload].concat())
    };
    let packet = Packet {
        sequence: 0,
        samples: info.samples_48k,
        rtp,
    };
    Ok((packet, header))
}

/// Packets in order as rows of consecutive ones.
fn rows(packets: &[Packet]) -> Vec<LogRow> {
    packets
        .chunk_by(|a, b| a.sequence + 1 == b.sequence)
        .map(|run| {
            let mut bytes = Vec::new();
            for packet in run {
                let fits = push_entry(&mut bytes, &packet.rtp);
                debug_assert!(fits, "packets are bounded");
            }
            LogRow {
                first_sequence: run[0].sequence.into(),
                packet_count: run.len() as i64,
                samples: run.iter().map(|packet| i64::from(packet.samples)).sum(),
                packets: bytes,
            }
        })
        .collect()
}
