import assert from "node:assert/strict";
import { test } from "node:test";
import { PlayoutQueue } from "../../src/live/playout.js";

const RATE = 48_000;
const HZ = 200;
const tone = (/** @type {number} */ seconds) => Float32Array.from({ length: seconds * RATE }, (_, i) => 0.5 * Math.sin((2 * Math.PI * HZ * i) / RATE));
/** @param {PlayoutQueue} queue @param {number} seconds */
function hear(queue, seconds) {
  const all = new Float32Array(Math.floor((seconds * RATE) / 128) * 128);
  for (let at = 0; at < all.length; at += 128) queue.pull(all.subarray(at, at + 128));
  return all;
}
/** Crossings of zero upwards per second. @param {Float32Array} samples */
const pitch = (samples) => (samples.reduce((sum, sample, i) => sum + (i > 0 && samples[i - 1] < 0 && sample >= 0 ? 1 : 0), 0) * RATE) / samples.length;

test("nothing plays before a tenth of a second is there, and after a stall it waits for more", () => {
  const queue = new PlayoutQueue(true);
  queue.push(tone(0.05));
  assert.ok(hear(queue, 0.1).every((sample) => sample === 0));
  queue.push(tone(0.1));
  assert.ok(hear(queue, 0.1).some((sample) => sample !== 0));
  hear(queue, 0.2);
  queue.push(tone(0.15));
  assert.ok(hear(queue, 0.1).every((sample) => sample === 0), "a stall may come again");
  queue.push(tone(0.1));
  assert.ok(hear(queue, 0.1).some((sample) => sample !== 0));
});

test("who is behind catches up at no more than 1.25 times the speed, and the voice keeps its pitch", () => {
  const queue = new PlayoutQueue(false);
  queue.push(tone(10), 10 * RATE);
  const heard = hear(queue, 2);
  const speed = queue.consumed / heard.length;
  assert.ok(speed > 1.15 && speed <= 1.26, `${speed}`);
  assert.ok(Math.abs(pitch(heard) - HZ) < 4, `${pitch(heard)} Hz`);
  const jumps = heard.reduce((most, sample, i) => (i > 0 ? Math.max(most, Math.abs(sample - heard[i - 1])) : most), 0);
  assert.ok(jumps < 0.02, `no click: ${jumps}`);
});

test("who listens at the edge and is three seconds behind jumps there; who listens from the start does not", () => {
  const edge = new PlayoutQueue(true);
  edge.push(tone(3.5));
  assert.equal(edge.buffered, 0.3 * RATE);
  assert.equal(edge.consumed, 3.2 * RATE);
  const start = new PlayoutQueue(false);
  start.push(tone(3.5));
  assert.equal(start.buffered, 3.5 * RATE);
});

test("the last of it is played before it is done", () => {
  const queue = new PlayoutQueue(false);
  queue.push(tone(0.05));
  queue.end();
  assert.equal(queue.done, false);
  assert.ok(hear(queue, 0.1).some((sample) => sample !== 0));
  assert.equal(queue.done, true);
  assert.equal(queue.consumed, 0.05 * RATE);
});
