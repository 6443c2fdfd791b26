import { RATE, messageUp, opusSamples, parseRtp, rtpPacket } from "./rtp.js";

/**
 * The sending end of a recording: packets are kept until the server has them for good, and it goes on where the server says
 * after every connection. The same rules as in `crates/proto/src/live/sender.rs`.
 */
export class LiveSender {
  /** @type {{ packet: Uint8Array, samples: number }[]} */
  #kept = [];
  #base = 0;
  #unsent = 0;
  #connected = false;
  #timestamp = 0;
  #samples = 0;
  #afterPause = true;
  #first;
  #ssrc;

  /** @param {number} ssrc  any number @param {number} [firstSequence] */
  constructor(ssrc, firstSequence = 0) {
    this.#ssrc = ssrc;
    this.#first = this.#base = this.#unsent = firstSequence;
  }

  /**
   * A sender that goes on with a journal: packets as `push` made them, in order, from the first. What cannot be read ends it.
   * @param {Iterable<Uint8Array>} packets
   * @param {number} [firstSequence]
   */
  static restore(packets, firstSequence = 0) {
    const sender = new LiveSender(0, firstSequence);
    for (const packet of packets) {
      const parsed = parseRtp(packet);
      if (!parsed || parsed.sequence !== (sender.nextSequence & 0xffff)) break;
      const samples = opusSamples(parsed.payload);
      sender.#ssrc = parsed.ssrc;
      sender.#timestamp = parsed.timestamp + samples;
      sender.#samples += samples;
      sender.#kept.push({ packet, samples });
    }
    return sender;
  }

  /** Takes an encoded packet; returns it as it goes, for the journal. @param {Uint8Array} payload */
  push(payload) {
    const samples = opusSamples(payload);
    const header = { marker: this.#afterPause, sequence: this.nextSequence, timestamp: this.#timestamp, ssrc: this.#ssrc };
    this.#afterPause = false;
    const packet = rtpPacket(header, payload);
    this.#timestamp += samples;
    this.#samples += samples;
    this.#kept.push({ packet, samples });
    return packet;
  }

  /** Nothing was recorded for a while; what follows begins a new stretch. */
  handlePause() {
    this.#afterPause = true;
  }

  /**
   * A connection is ready and the server wants this packet next.
   * @param {number} nextSequence
   * @returns {boolean} false when it is kept nowhere any more: the recording can still be finished with gaps
   */
  handleReady(nextSequence) {
    this.#connected = true;
    this.#forget(nextSequence);
    this.#unsent = this.#base;
    return nextSequence >= this.#base;
  }

  /** What is recorded meanwhile is kept. */
  handleDisconnect() {
    this.#connected = false;
  }

  /** Everything up to and with this packet is durable at the server. @param {number} sequence */
  handleAck(sequence) {
    this.#forget(sequence + 1);
    this.#unsent = Math.max(this.#unsent, this.#base);
  }

  /**
   * The next binary message: one packet, or a bundle when several wait.
   * @param {number} handle
   * @param {number} [maxBytes]
   */
  pollTransmit(handle, maxBytes = 16_384) {
    if (!this.#connected || this.#unsent >= this.nextSequence) return null;
    const packets = [];
    let bytes = 0;
    for (let at = this.#unsent - this.#base; at < this.#kept.length; at += 1) {
      const { packet } = this.#kept[at];
      if (packets.length > 0 && bytes + packet.length + 2 > maxBytes) break;
      packets.push(packet);
      bytes += packet.length + 2;
    }
    this.#unsent += packets.length;
    return messageUp(handle, packets);
  }

  /** The packets from this number on, as far as they are kept. @param {number} sequence */
  since(sequence) {
    return this.#kept.slice(Math.max(0, sequence - this.#base)).map(({ packet }) => packet);
  }

  /** The number of the next packet. */
  get nextSequence() {
    return this.#base + this.#kept.length;
  }

  /** What is not acknowledged: its sound. */
  get backlog_ms() {
    return (this.#kept.reduce((sum, { samples }) => sum + samples, 0) * 1000) / RATE;
  }

  /** What to say with `recording.finish`: packets of the whole recording, and its sound in samples at 48 kHz. */
  get whole() {
    return { packets: this.nextSequence - this.#first, samples: this.#samples };
  }

  /** Drops what is before. A server that has more than is known here sets the next number: none is used twice. @param {number} sequence */
  #forget(sequence) {
    const gone = sequence - this.#base;
    if (gone <= 0) return;
    this.#kept.splice(0, gone);
    this.#base = sequence;
  }
}
