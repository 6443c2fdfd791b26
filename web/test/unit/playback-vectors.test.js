import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { merge, totalMs } from "../../src/playback/heard.js";
import { PlaybackMachine } from "../../src/playback/machine.js";
import { resume } from "../../src/playback/resume.js";
import { HeardMap } from "./heard-map.js";

/** The cases that all players of Voxpost are held to. @type {any} */
const vectors = JSON.parse(readFileSync(new URL("../../../crates/proto/vectors/playback.json", import.meta.url), "utf8"));
const EPOCH = Date.parse("2026-01-01T10:00:00.000Z");

test("the file has cases of every kind", () => {
  for (const kind of ["merge", "player", "reports", "resume"]) assert.ok(vectors[kind].length >= 5, kind);
});

for (const { name, a, b, merged, heard_ms } of vectors.merge) {
  test(`merge: ${name}`, () => {
    assert.deepEqual(merge(a, b), merged);
    assert.deepEqual(merge(b, a), merged);
    assert.equal(totalMs(merged), heard_ms);
  });
}

for (const { name, steps } of vectors.reports) {
  test(`report: ${name}`, () => {
    const map = new HeardMap(vectors.duration_ms);
    steps.forEach((/** @type {any} */ { report, answer }, /** @type {number} */ i) => {
      // Each step is a second later than the one before.
      assert.deepEqual(map.apply(report, EPOCH + i * 1000), answer, `step ${i}`);
    });
  });
}

for (const { name, journal, server, now, resume: expected } of vectors.resume) {
  test(`resume: ${name}`, () => {
    assert.deepEqual(resume(journal, server, vectors.duration_ms, Date.parse(now)), expected);
  });
}

for (const { name, player_id, device_id, steps } of vectors.player) {
  test(`player: ${name}`, () => {
    const machine = new PlaybackMachine({
      journal: null,
      server: null,
      freshPlayerId: player_id,
      deviceId: device_id,
      durationMs: vectors.duration_ms,
      now: Date.parse(steps[0].at),
    });
    steps.forEach((/** @type {any} */ { at, input, report, poll_at }, /** @type {number} */ i) => {
      const now = Date.parse(at);
      if (input?.answer) machine.handleAnswer(inFlight(steps, i), input.answer);
      else if (input?.failure) machine.handleFailure(now, input.failure);
      else if (input?.refusal) machine.handleRefusal(input.refusal);
      else if (input?.elsewhere) assert.equal(machine.handleElsewhere(input.elsewhere), input.shown, `step ${i}`);
      else if (input) machine.handle(now, input);
      assert.deepEqual(machine.pollReport(now, report?.report_id ?? `unused-${i}`), report, `step ${i}`);
      const timeout = machine.pollTimeout();
      assert.equal(timeout === null ? null : new Date(timeout).toISOString(), poll_at, `step ${i}`);
    });
  });
}

/**
 * The report that an answer is for: the newest before it.
 * @param {any[]} steps
 * @param {number} at
 */
function inFlight(steps, at) {
  const reports = steps.slice(0, at).map(({ report }) => report?.report_id).filter(Boolean);
  return reports[reports.length - 1];
}
