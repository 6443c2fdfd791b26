import assert from "node:assert/strict";
import { test } from "node:test";
import { Loudness, factor } from "../../src/loudness.js";

test("a gain in decibels becomes a factor, and none or nonsense leaves the sound as it is", () => {
  assert.equal(factor(0), 1);
  assert.ok(Math.abs(factor(6) - 1.9953) < 1e-4);
  assert.ok(Math.abs(factor(-20) - 0.1) < 1e-9);
  for (const none of [null, undefined, NaN]) assert.equal(factor(none), 1);
  assert.equal(factor(500), factor(24));
});

test("where there is no audio graph, loud messages are still made quieter", () => {
  const audio = /** @type {any} */ ({ volume: 1 });
  const loudness = new Loudness(audio);
  loudness.set(-6);
  assert.ok(Math.abs(audio.volume - 0.5012) < 1e-4);
  loudness.set(6);
  assert.equal(audio.volume, 1);
});
