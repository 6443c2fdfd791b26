import assert from "node:assert/strict";
import { test } from "node:test";
import { merge, totalMs } from "../../src/playback/heard.js";
import { PlaybackMachine } from "../../src/playback/machine.js";
import { HeardMap } from "./heard-map.js";

/** @typedef {import("../../src/playback/machine.js").Action} Action */
/** @typedef {import("../../src/playback/machine.js").Journal} Journal */

const DURATION = 300_000;
const EPOCH = Date.parse("2026-01-01T10:00:00.000Z");

/** One device of a person; its journal survives the player. */
class Device {
  now = EPOCH;
  online = true;
  /** @type {Journal | null} */
  kept = null;
  /** @type {PlaybackMachine} */
  machine;
  /** @type {import("../../src/types.js").PlaybackAnswer | null} */
  answer = null;
  #ids = 0;

  /** @param {string} name @param {HeardMap} server */
  constructor(name, server) {
    this.name = name;
    this.server = server;
    this.machine = this.opens();
  }

  /** The program starts (again). */
  opens() {
    const { kept: journal, now, name } = this;
    const server = this.online ? this.server.playback() : null;
    this.machine = new PlaybackMachine({ journal, server, freshPlayerId: this.#id(), deviceId: name, durationMs: DURATION, now });
    this.#talk();
    return this.machine;
  }

  /** @param {Action} what */
  does(what) {
    this.machine.handle(this.now, what);
    this.kept = this.machine.journal(this.now);
    this.#talk();
  }

  /** Plays in steps of a second. @param {number} from ms @param {number} to ms */
  plays(from, to) {
    this.does({ action: "play" });
    for (let at = from + 1000; at <= to; at += 1000) {
      this.now += 1000;
      this.does({ action: "progress", position_ms: at });
    }
  }

  /** The network comes back. */
  connects() {
    this.online = true;
    this.machine.handleOnline(this.now);
    this.#talk();
  }

  #talk() {
    for (;;) {
      const report = this.machine.pollReport(this.now, this.#id());
      if (!report) return;
      if (!this.online) return this.machine.handleFailure(this.now, report.report_id);
      const answer = this.server.apply(report, this.now);
      assert.notEqual(answer, "invalid_request");
      this.answer = /** @type {import("../../src/types.js").PlaybackAnswer} */ (answer);
      this.machine.handleAnswer(report.report_id, this.answer);
      this.kept = this.machine.journal(this.now);
    }
  }

  #id() {
    return `${this.name}-${(this.#ids += 1)}`;
  }
}

test("an older value of the server does not overwrite progress that was made offline", () => {
  const server = new HeardMap(DURATION);
  const phone = new Device("phone", server);
  phone.plays(0, 6_000);
  phone.does({ action: "pause", position_ms: 6_000 });
  phone.online = false;
  phone.plays(6_000, 120_000);
  phone.does({ action: "pause", position_ms: 120_000 });
  phone.connects();
  assert.equal(phone.opens().begin.position_ms, 120_000);
  assert.equal(server.playback().position_ms, 120_000);
});

test("a second window that was opened long ago and only looks writes nothing over the first", () => {
  const server = new HeardMap(DURATION);
  const [first, second] = [new Device("first", server), new Device("second", server)];
  first.plays(0, 27_000);
  first.does({ action: "pause", position_ms: 27_000 });
  for (const what of /** @type {Action[]} */ ([{ action: "speed", speed: 2 }, { action: "hide" }, { action: "pause", position_ms: 0 }])) second.does(what);
  assert.equal(server.playback().position_ms, 27_000);
});

test("a stale second window that plays a little brings what was heard, and moves the playhead only from then on", () => {
  const server = new HeardMap(DURATION);
  const [first, second] = [new Device("first", server), new Device("second", server)];
  first.plays(0, 27_000);
  first.does({ action: "pause", position_ms: 27_000 });
  second.plays(0, 2_000);
  second.does({ action: "pause", position_ms: 2_000 });
  assert.equal(server.playback().position_ms, 27_000);
  assert.equal(second.answer?.playhead_applied, false);
  second.does({ action: "seek", position_ms: 60_000 });
  assert.equal(server.playback().position_ms, 60_000);
});

test("who comes back to a device goes on where they are, not where that device was", () => {
  const server = new HeardMap(DURATION);
  const [phone, desk] = [new Device("phone", server), new Device("desk", server)];
  phone.plays(0, 10_000);
  phone.does({ action: "pause", position_ms: 10_000 });
  desk.opens();
  desk.now = phone.now;
  desk.plays(10_000, 90_000);
  desk.does({ action: "pause", position_ms: 90_000 });
  phone.now = desk.now;
  assert.equal(phone.opens().begin.position_ms, 90_000);
});

test("clocks that are hours wrong lose nothing: the order of the server counts", () => {
  const server = new HeardMap(DURATION);
  const [ahead, behind] = [new Device("ahead", server), new Device("behind", server)];
  ahead.now += 9 * 3_600_000;
  behind.now -= 9 * 3_600_000;
  ahead.plays(0, 50_000);
  ahead.does({ action: "pause", position_ms: 50_000 });
  behind.opens();
  behind.plays(47_000, 70_000);
  behind.does({ action: "pause", position_ms: 70_000 });
  assert.equal(server.playback().position_ms, 70_000);
  assert.deepEqual(server.playback().heard, [[0, 70_000]]);
});

test("whatever is done on two devices that come and go: all that was heard arrives, and what was confirmed is what counts", () => {
  let seed = 7;
  const random = (/** @type {number} */ below) => (seed = (seed * 48_271) % 0x7fffffff) % below;
  for (let round = 0; round < 60; round += 1) {
    const server = new HeardMap(DURATION);
    const devices = [new Device("phone", server), new Device("desk", server)];
    /** @type {number[][]} */
    const played = [];
    for (let step = 0; step < 30; step += 1) {
      const device = devices[random(2)];
      device.now += random(90_000);
      const choice = random(6);
      if (choice === 0) device.online = false;
      else if (choice === 1) device.connects();
      else if (choice === 2) device.opens();
      else if (choice === 3) device.does({ action: "seek", position_ms: random(DURATION) });
      else {
        const from = device.machine.positionMs;
        const to = Math.min(DURATION - 1000, from + (1 + random(30)) * 1000);
        if (to <= from) continue;
        device.plays(from, to);
        if (choice === 4) device.does({ action: "pause", position_ms: device.machine.positionMs });
        played.push([from, device.machine.positionMs]);
      }
    }
    for (const device of devices) {
      device.now += 60_000;
      device.online = true;
      device.opens();
      assert.equal(device.kept?.moved ?? false, false);
    }
    const all = merge(played);
    assert.equal(totalMs(merge(all, server.playback().heard)), totalMs(server.playback().heard), `round ${round}: nothing heard was lost`);
  }
});
