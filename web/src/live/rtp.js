/**
 * Opus in RTP (RFC 3550, RFC 7587), and how packets stand in the socket's binary messages. Everything is big-endian.
 *
 * @typedef {{ marker: boolean, sequence: number, timestamp: number, ssrc: number }} RtpHeader  `sequence` 16 bits,
 *   `timestamp` 32 bits in samples at 48 kHz
 */

export const RATE = 48_000;
const PAYLOAD_TYPE = 111;
const HEADER_BYTES = 12;
const PACKET_UP = 0x01;
const PACKET_DOWN = 0x02;
const BUNDLE_UP = 0x04;
const HEAD_BYTES = 5;

/** @param {RtpHeader} header @param {Uint8Array} payload */
export function rtpPacket({ marker, sequence, timestamp, ssrc }, payload) {
  const packet = new Uint8Array(HEADER_BYTES + payload.length);
  const view = new DataView(packet.buffer);
  view.setUint8(0, 0x80);
  view.setUint8(1, (marker ? 0x80 : 0) | PAYLOAD_TYPE);
  view.setUint16(2, sequence & 0xffff);
  view.setUint32(4, timestamp >>> 0);
  view.setUint32(8, ssrc >>> 0);
  packet.set(payload, HEADER_BYTES);
  return packet;
}

/**
 * Null when it is none. Sources, extension and padding are stepped over.
 * @param {Uint8Array} packet
 * @returns {(RtpHeader & { payload: Uint8Array }) | null}
 */
export function parseRtp(packet) {
  if (packet.length < HEADER_BYTES) return null;
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  const flags = view.getUint8(0);
  if (flags >> 6 !== 2) return null;
  let from = HEADER_BYTES + (flags & 0x0f) * 4;
  if (flags & 0x10) {
    if (from + 4 > packet.length) return null;
    from += 4 + view.getUint16(from + 2) * 4;
  }
  let to = packet.length;
  if (flags & 0x20) {
    const padding = packet[to - 1];
    if (padding === 0) return null;
    to -= padding;
  }
  if (from > to) return null;
  const marker = (view.getUint8(1) & 0x80) !== 0;
  return { marker, sequence: view.getUint16(2), timestamp: view.getUint32(4), ssrc: view.getUint32(8), payload: packet.subarray(from, to) };
}

/** The 16-bit number as the whole number nearest to `reference`. @param {number} reference @param {number} sequence */
export function extendSequence(reference, sequence) {
  const step = (sequence - reference) & 0xffff;
  return reference + (step < 0x8000 ? step : step - 0x10000);
}

/** The message that carries these packets: alone, one is no bundle. @param {number} handle @param {Uint8Array[]} packets */
export function messageUp(handle, packets) {
  const single = packets.length === 1;
  const body = single ? packets[0] : bundle(packets);
  const message = new Uint8Array(HEAD_BYTES + body.length);
  message[0] = single ? PACKET_UP : BUNDLE_UP;
  new DataView(message.buffer).setUint32(1, handle);
  message.set(body, HEAD_BYTES);
  return message;
}

/** A packet for a listener; null when the message is none. @param {Uint8Array} message */
export function packetDown(message) {
  if (message.length < HEAD_BYTES || message[0] !== PACKET_DOWN) return null;
  const handle = new DataView(message.buffer, message.byteOffset).getUint32(1);
  return { handle, packet: message.subarray(HEAD_BYTES) };
}

/** Packets one after the other, each behind its length in 16 bits. @param {Uint8Array[]} packets */
export function bundle(packets) {
  const bytes = new Uint8Array(packets.reduce((sum, packet) => sum + 2 + packet.length, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const packet of packets) {
    view.setUint16(at, packet.length);
    bytes.set(packet, at + 2);
    at += 2 + packet.length;
  }
  return bytes;
}

/** What a bundle holds; what was cut off at its end is left out. @param {Uint8Array} bytes @returns {Generator<Uint8Array>} */
export function* entries(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + 2 <= bytes.length; ) {
    const length = view.getUint16(at);
    if (at + 2 + length > bytes.length) return;
    yield bytes.subarray(at + 2, at + 2 + length);
    at += 2 + length;
  }
}

/** How long an Opus packet plays, in samples at 48 kHz; 0 when it is none (RFC 6716 §3.1). @param {Uint8Array} payload */
export function opusSamples(payload) {
  if (payload.length === 0) return 0;
  const config = payload[0] >> 3;
  const frame = config < 12 ? [480, 960, 1920, 2880][config & 3] : config < 16 ? [480, 960][config & 1] : [120, 240, 480, 960][config & 3];
  const code = payload[0] & 3;
  const frames = code === 0 ? 1 : code < 3 ? 2 : payload.length > 1 ? payload[1] & 0x3f : 0;
  const samples = frame * frames;
  return samples <= 5760 ? samples : 0;
}
