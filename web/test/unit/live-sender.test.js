import assert from "node:assert/strict";
import { test } from "node:test";
import { oggOf } from "../../src/live/ogg.js";
import { bundle, entries, extendSequence, opusSamples, packetDown, parseRtp } from "../../src/live/rtp.js";
import { LiveSender } from "../../src/live/sender.js";

/** TOC of a 20 ms packet, one frame, CELT full band. */
const opus = (/** @type {number[]} */ ...rest) => Uint8Array.of(0xf8, ...rest);

/** @param {number} count */
function recorded(count) {
  const sender = new LiveSender(9, 65_534);
  const packets = Array.from({ length: count }, (_, n) => sender.push(opus(n)));
  return { sender, packets };
}

/** @param {Uint8Array | null} message */
function sequences(message) {
  assert.ok(message);
  const body = message.subarray(5);
  return (message[0] === 1 ? [body] : [...entries(body)]).map((packet) => parseRtp(packet)?.sequence);
}

test("nothing is sent before the server is ready, and then all in bundles", () => {
  const { sender } = recorded(5);
  assert.equal(sender.pollTransmit(1), null);
  assert.equal(sender.handleReady(65_534), true);
  assert.deepEqual(sequences(sender.pollTransmit(1)), [65_534, 65_535, 0, 1, 2]);
  assert.equal(sender.pollTransmit(1), null);
  sender.push(opus(7));
  const alone = sender.pollTransmit(0x01020304);
  assert.deepEqual([...(alone?.subarray(0, 5) ?? [])], [1, 1, 2, 3, 4]);
  assert.deepEqual(sequences(alone), [3]);
});

test("what is not acknowledged is sent again on the next connection, from where the server stands", () => {
  const { sender } = recorded(10);
  sender.handleReady(65_534);
  while (sender.pollTransmit(1, 60));
  sender.handleAck(65_536);
  assert.equal(sender.backlog_ms, 140);
  sender.handleDisconnect();
  assert.equal(sender.pollTransmit(1), null);
  sender.handleReady(65_539);
  assert.deepEqual(sequences(sender.pollTransmit(2)), [3, 4, 5, 6, 7]);
  assert.deepEqual(sender.whole, { packets: 10, samples: 9_600 });
});

test("a sender made of its journal goes on with the same packets, clock and numbers", () => {
  const { packets } = recorded(10);
  const cut = bundle(packets).subarray(0, -1);
  assert.equal([...entries(cut)].length, 9, "a piece that was cut off ends before the cut");
  const again = LiveSender.restore(entries(bundle(packets)), 65_534);
  again.handleReady(65_540);
  const next = parseRtp(again.push(opus(1)));
  assert.deepEqual([next?.timestamp, next?.ssrc, next?.sequence], [9_600, 9, 8]);
  assert.equal(again.whole.packets, 11);
});

test("a server that has more than is known here sets the next number, and a lost journal is told", () => {
  const fresh = new LiveSender(1);
  fresh.handleReady(500);
  assert.equal(parseRtp(fresh.push(opus()))?.sequence, 500);
  const { sender } = recorded(10);
  sender.handleAck(65_540);
  assert.equal(sender.handleReady(65_535), false);
  assert.equal(sender.since(65_542).length, 2);
});

test("damaged packets are none", () => {
  const [packet] = recorded(1).packets;
  for (let n = 0; n < 12; n += 1) assert.equal(parseRtp(packet.subarray(0, n)), null);
  assert.equal(parseRtp(Uint8Array.from(packet, (byte, i) => (i === 0 ? 0x40 : byte))), null);
  assert.equal(parseRtp(Uint8Array.from(packet, (byte, i) => (i === 0 ? 0x9f : byte))), null);
  assert.equal(packetDown(Uint8Array.of(2, 0, 0)), null);
  assert.equal(opusSamples(Uint8Array.of()), 0);
  assert.deepEqual([0x00, 0x78, 0xf8, 0x1b].map((toc) => opusSamples(Uint8Array.of(toc, 2))), [480, 960, 960, 5_760]);
  assert.deepEqual([extendSequence(65_535, 2), extendSequence(65_540, 65_533), extendSequence(3, 4)], [65_538, 65_533, 4]);
});

test("a journal becomes an Ogg file with right checksums, lacing and times", async () => {
  const { packets } = recorded(120);
  const bytes = Buffer.from(await (await oggOf(new Blob([bundle(packets)]))).arrayBuffer());
  const pages = [];
  for (let at = 0; at < bytes.length; ) {
    assert.equal(bytes.toString("latin1", at, at + 4), "OggS");
    const count = bytes[at + 26];
    const size = bytes.subarray(at + 27, at + 27 + count).reduce((sum, n) => sum + n, 0);
    pages.push({ granule: Number(bytes.readBigUInt64LE(at + 6)), packets: count, flags: bytes[at + 5] });
    at += 27 + count + size;
  }
  assert.deepEqual(pages.map(({ granule }) => granule), [0, 0, 48_000, 96_000, 115_200]);
  assert.deepEqual(pages.map(({ flags }) => flags), [2, 0, 0, 0, 4]);
});
