import { entries, opusSamples, parseRtp } from "./rtp.js";

const PRE_SKIP = 312;
const PAGE_PACKETS = 50;
const SERIAL = 1;
const FIRST_PAGE = 2;
const LAST_PAGE = 4;

/** CRC of Ogg pages (RFC 3533 §6): polynomial 0x04c11db7, no reflection. */
const CRC = Uint32Array.from({ length: 256 }, (_, i) => {
  let value = i << 24;
  for (let bit = 0; bit < 8; bit += 1) value = value & 0x80000000 ? (value << 1) ^ 0x04c11db7 : value << 1;
  return value >>> 0;
});

/**
 * A recording's packets as a file that a browser plays (RFC 7845), to be listened to before it is sent.
 * @param {Blob} journal  bundles of RTP packets
 */
export async function oggOf(journal) {
  const payloads = [];
  for (const packet of entries(new Uint8Array(await journal.arrayBuffer()))) {
    const payload = parseRtp(packet)?.payload;
    if (payload && opusSamples(payload) > 0) payloads.push(payload);
  }
  return new Blob(pages(payloads), { type: "audio/ogg; codecs=opus" });
}

/** @param {Uint8Array[]} payloads */
function pages(payloads) {
  const head = new Uint8Array([...text("OpusHead"), 1, 1, PRE_SKIP & 0xff, PRE_SKIP >> 8, 0x80, 0xbb, 0, 0, 0, 0, 0]);
  const tags = new Uint8Array([...text("OpusTags"), 7, 0, 0, 0, ...text("voxpost"), 0, 0, 0, 0]);
  const all = [page([head], 0, 0, FIRST_PAGE), page([tags], 0, 1, 0)];
  let granule = 0;
  for (let at = 0; at < payloads.length; at += PAGE_PACKETS) {
    const some = payloads.slice(at, at + PAGE_PACKETS);
    granule += some.reduce((sum, payload) => sum + opusSamples(payload), 0);
    all.push(page(some, granule, all.length, at + PAGE_PACKETS >= payloads.length ? LAST_PAGE : 0));
  }
  return all;
}

/** @param {Uint8Array[]} packets @param {number} granule @param {number} number @param {number} flags */
function page(packets, granule, number, flags) {
  const lacing = packets.flatMap(({ length }) => [...new Array(Math.floor(length / 255)).fill(255), length % 255]);
  const bytes = new Uint8Array(27 + lacing.length + packets.reduce((sum, { length }) => sum + length, 0));
  const view = new DataView(bytes.buffer);
  bytes.set(text("OggS"));
  view.setUint8(5, flags);
  view.setUint32(6, granule % 2 ** 32, true);
  view.setUint32(10, Math.floor(granule / 2 ** 32), true);
  view.setUint32(14, SERIAL, true);
  view.setUint32(18, number, true);
  view.setUint8(26, lacing.length);
  bytes.set(lacing, 27);
  let at = 27 + lacing.length;
  for (const packet of packets) {
    bytes.set(packet, at);
    at += packet.length;
  }
  view.setUint32(22, bytes.reduce((crc, byte) => ((crc << 8) ^ CRC[(crc >>> 24) ^ byte]) >>> 0, 0), true);
  return bytes;
}

/** @param {string} value */
const text = (value) => [...value].map((char) => char.charCodeAt(0));
