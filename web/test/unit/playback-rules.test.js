import assert from "node:assert/strict";
import { randomUUID as uuid } from "node:crypto";
import { test } from "node:test";
import { nextUnplayed } from "../../src/playback/advance.js";
import { isWhole } from "../../src/playback/journal-store.js";
import { PlaybackMachine } from "../../src/playback/machine.js";
import { PlaybackSettings } from "../../src/playback/settings.js";
import { nextSilence, silences, skipFrom } from "../../src/playback/silence.js";
import { heardMask } from "../../src/waveform.js";
import { ana, ben, cleo, message } from "./fixtures.js";

const playback = (/** @type {boolean} */ played) => ({ version: 1, position_ms: 0, heard_ms: 0, played });

test("silences lie between speech, with a breath left of each, and short ones are kept", () => {
  const list = silences([[2_000, 4_000], [4_500, 6_000], [9_000, 10_000]], 12_000);
  assert.deepEqual(list, [[0, 1_850], [6_200, 8_850], [10_200, 12_000]]);
  assert.equal(skipFrom(list, 1_000), 1_850);
  assert.equal(skipFrom(list, 1_850), null);
  assert.equal(skipFrom(list, 5_000), null);
  assert.equal(skipFrom(list, 11_000), 12_000);
  assert.equal(nextSilence(list, 1_000), 6_200);
  assert.equal(nextSilence(list, 11_000), null);
});

test("speech that overlaps or lies beyond the end leaves no silence where somebody speaks", () => {
  assert.deepEqual(silences([[0, 5_000], [1_000, 2_000], [8_000, 9_000]], 9_000), [[5_200, 7_850]]);
  assert.deepEqual(silences([[0, 20_000]], 10_000), []);
});

test("where no speech was found nothing is skipped", () => {
  for (const none of [[], null, undefined]) assert.deepEqual(silences(none, 60_000), []);
});

test("after a message comes the next one of others, if it was not played", () => {
  const items = [
    message(1),
    message(2, { sender: ana }),
    message(3, { state: "deleted" }),
    message(4, { sender: cleo, playback: playback(false) }),
    message(5, { playback: playback(true) }),
    message(6),
  ];
  assert.equal(nextUnplayed(items, items[0], ana.id)?.id, "m4");
  assert.equal(nextUnplayed(items, items[3], ana.id), null, "the row ends at one that was played");
  assert.equal(nextUnplayed(items, items[1], ana.id), null, "nor does anything follow what one said oneself");
  assert.equal(nextUnplayed(items, items[5], ana.id), null);
  assert.equal(nextUnplayed(items, items[4], ana.id)?.id, "m6");
});

test("how one listens is remembered for each person, and nonsense in storage does no harm", () => {
  /** @type {Map<string, string>} */
  const kept = new Map([["voxpost.playback.cleo", '{"speed": 99, "skips_silence": "yes"}'], ["voxpost.playback.ana", "{"]]);
  const storage = { getItem: (/** @type {string} */ key) => kept.get(key) ?? null, setItem: (/** @type {string} */ key, /** @type {string} */ value) => void kept.set(key, value) };
  const settings = new PlaybackSettings(storage);
  settings.load(ben.id);
  settings.set({ speed: 2.5 });
  settings.set({ skipsSilence: true });
  for (const person of [cleo, ana]) {
    settings.load(person.id);
    assert.deepEqual([settings.speed, settings.skipsSilence], [1, false]);
  }
  settings.load(ben.id);
  assert.deepEqual([settings.speed, settings.skipsSilence], [2.5, true]);
});

test("without room in storage a choice holds for the page", () => {
  const settings = new PlaybackSettings({
    getItem: () => null,
    setItem: () => {
      throw new DOMException("full", "QuotaExceededError");
    },
  });
  settings.load(ben.id);
  settings.set({ speed: 1.5 });
  assert.equal(settings.speed, 1.5);
});

test("a mask lets through what was heard", () => {
  assert.equal(
    heardMask([[0, 1_000], [5_000, 7_500]], 10_000),
    "linear-gradient(to right, transparent 0%, #000 0%, #000 10%, transparent 10%, transparent 50%, #000 50%, #000 75%, transparent 75%)",
  );
  for (const nothing of [heardMask([], 10_000), heardMask([[0, 10]], 0)]) assert.ok(!nothing.includes("#000"));
});

test("a journal that a machine writes is whole, and a damaged one is not taken", () => {
  const machine = new PlaybackMachine({ journal: null, server: null, freshPlayerId: uuid(), deviceId: uuid(), durationMs: 9_000, now: 0 });
  machine.handle(0, { action: "seek", position_ms: 5_000 });
  const journal = machine.journal(0);
  const kept = { user_id: "ben", message_id: "m1", duration_ms: 9_000, journal };
  assert.ok(isWhole(kept));
  for (const damage of [
    { player_id: "" },
    { player_id: undefined },
    { position_ms: 1.5 },
    { position_ms: -1 },
    { base_version: "7" },
    { sequence: NaN },
    { speed: Infinity },
    { heard: null },
    { heard: [[0]] },
    { heard: [[0, "x"]] },
    { moved: 1 },
    { at: "yesterday" },
  ]) {
    assert.equal(isWhole({ ...kept, journal: { ...journal, ...damage } }), false, JSON.stringify(damage));
  }
  for (const nothing of [undefined, null, {}, { journal: null }, { ...kept, duration_ms: undefined }]) assert.equal(isWhole(nothing), false);
});
