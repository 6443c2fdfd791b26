import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError } from "../../src/api.js";
import { Positions } from "../../src/playback/positions.js";
import { message } from "./fixtures.js";
import { HeardMap } from "./heard-map.js";

/** @typedef {import("../../src/playback/journal-store.js").Kept} Kept */
/** @typedef {import("../../src/playback/machine.js").Report} Report */

const DURATION = 300_000;
const HEARD = message(1, { duration_ms: DURATION, playback: { version: 0, position_ms: 0, heard_ms: 0, played: false } });

let ids = 0;

/** A server, a browser's storage and locks, and a clock that only the test moves. */
class World {
  now = Date.parse("2026-01-01T10:00:00.000Z");
  server = new HeardMap(DURATION);
  /** What the server does to a report. @type {"answers" | "is away" | "is silent" | "does not know it" | "refuses"} */
  mood = "answers";
  full = false;
  /** @type {Map<string, Kept>} */
  journals = new Map();
  /** @type {string[]} */
  log = [];
  /** @type {Report[]} */
  reports = [];
  /** @type {{ at: number, run: () => void }[]} */
  #timers = [];
  /** @type {Map<string, { tab: Positions, release: () => Promise<void> }>} */
  #held = new Map();

  /** A tab of a browser. @param {string} [device] */
  tab(device = "phone") {
    /** @type {Positions} */
    const tab = new Positions({
      ask: async () => {
        if (this.mood === "is silent") return new Promise(() => {});
        if (this.mood === "is away") throw new ApiError("network", 0);
        return this.server.playback();
      },
      send: async (_, report) => this.#take(report),
      journals: this.#storage(),
      tabs: {
        take: async (id) => {
          await this.#held.get(id)?.release();
          return this.#hold(id, tab);
        },
        takeIfFree: async (id) => (this.#held.has(id) ? null : this.#hold(id, tab)),
        answered: () => {},
      },
      now: () => this.now,
      uuid: () => `id-${(ids += 1)}`,
      schedule: (run, ms) => {
        const timer = { at: this.now + ms, run };
        this.#timers.push(timer);
        return () => (this.#timers = this.#timers.filter((other) => other !== timer));
      },
    });
    return { tab, started: tab.start("ben", device) };
  }

  /** Lets time pass, and what is due happen. @param {number} ms */
  async passes(ms) {
    const until = this.now + ms;
    for (;;) {
      await settled();
      this.#timers.sort((a, b) => a.at - b.at);
      if (!this.#timers[0] || this.#timers[0].at > until) break;
      const [{ at, run }] = this.#timers.splice(0, 1);
      this.now = Math.max(this.now, at);
      run();
    }
    this.now = until;
    await settled();
  }

  /** Plays in steps of a second. @param {Positions} tab @param {number} from ms @param {number} to ms */
  async plays(tab, from, to) {
    tab.handle(HEARD.id, { action: "play" });
    for (let at = from + 1000; at <= to; at += 1000) {
      await this.passes(1000);
      tab.handle(HEARD.id, { action: "progress", position_ms: at });
    }
    await settled();
  }

  /** @param {Report} report */
  #take(report) {
    this.log.push("report");
    if (this.mood === "is away") throw new ApiError("network", 0);
    if (this.mood === "does not know it") throw new ApiError("not_found", 404);
    if (this.mood === "refuses") throw new ApiError("invalid_request", 400);
    this.reports.push(report);
    return /** @type {import("../../src/types.js").PlaybackAnswer} */ (this.server.apply(report, this.now));
  }

  #storage() {
    return {
      get: async (/** @type {string} */ _, /** @type {string} */ id) => this.journals.get(id),
      list: async () => [...this.journals.values()],
      put: async (/** @type {Kept} */ kept) => {
        if (this.full) throw new DOMException("full", "QuotaExceededError");
        this.log.push("journal");
        this.journals.set(kept.message_id, structuredClone(kept));
      },
      remove: async (/** @type {string} */ _, /** @type {string} */ id) => void this.journals.delete(id),
    };
  }

  /** @param {string} id @param {Positions} tab */
  #hold(id, tab) {
    const release = () => tab.yield(id);
    this.#held.set(id, { tab, release });
    return () => void (this.#held.get(id)?.tab === tab && this.#held.delete(id));
  }

  /** The browser is killed: nothing of its pages is left but what is in storage. */
  kill() {
    this.#timers = [];
    this.#held.clear();
  }
}

/** Everything that follows from what has happened has happened. */
async function settled() {
  for (let i = 0; i < 20; i += 1) await new Promise((resolve) => setImmediate(resolve));
}

test("what a killed browser did not tell is told at the next start, before anybody opens the message", async () => {
  const world = new World();
  const first = world.tab().tab;
  world.mood = "is away";
  await first.begin(HEARD);
  await world.plays(first, 0, 7_000);
  world.kill();
  world.mood = "answers";
  const second = world.tab();
  await second.started;
  await settled();
  assert.equal(world.server.playback().position_ms, 7_000);
  assert.deepEqual(world.server.playback().heard, [[0, 7_000]]);
  assert.equal(await second.tab.begin(HEARD), 7_000);
  assert.equal(world.journals.size, 0, "and is kept no longer");
});

test("the journal is written before the report is sent", async () => {
  const world = new World();
  const { tab } = world.tab();
  await tab.begin(HEARD);
  tab.handle(HEARD.id, { action: "seek", position_ms: 40_000 });
  await settled();
  assert.ok(world.log.indexOf("journal") >= 0);
  assert.equal(world.server.playback().position_ms, 40_000);
});

test("a full disk stops neither listening nor reports, and once there is room the journal is written", async () => {
  const world = new World();
  const { tab } = world.tab();
  world.full = true;
  await tab.begin(HEARD);
  await world.plays(tab, 0, 12_000);
  assert.ok(world.server.playback().position_ms >= 9_000);
  world.full = false;
  await world.passes(1000);
  tab.handle(HEARD.id, { action: "progress", position_ms: 13_000 });
  await settled();
  assert.equal(world.journals.get(HEARD.id)?.journal.position_ms, 13_000);
});

test("a message that nobody touched writes nothing anywhere", async () => {
  const world = new World();
  const { tab } = world.tab();
  await tab.begin(HEARD);
  tab.handle(HEARD.id, { action: "speed", speed: 2 });
  tab.handle(HEARD.id, { action: "play" });
  tab.hide();
  await world.passes(120_000);
  assert.deepEqual([world.log, world.journals.size], [[], 0]);
});

test("after a break of more than a minute it begins three seconds earlier, also in a page that was open all the time", async () => {
  const world = new World();
  const { tab } = world.tab();
  await tab.begin(HEARD);
  await world.plays(tab, 0, 50_000);
  tab.handle(HEARD.id, { action: "pause", position_ms: 50_000 });
  await world.passes(60_000);
  assert.equal(await tab.begin(HEARD), 50_000);
  await world.passes(1_000);
  assert.equal(await tab.begin(HEARD), 47_000);
  const other = world.tab("desk").tab;
  assert.equal(await other.begin({ ...HEARD, playback: world.server.playback() }), 47_000);
});

test("a server that does not answer does not keep anybody waiting", async () => {
  const world = new World();
  const { tab } = world.tab();
  world.mood = "is silent";
  const beginning = tab.begin({ ...HEARD, playback: { version: 3, position_ms: 20_000, heard_ms: 20_000, played: false } });
  await world.passes(1_500);
  assert.equal(await beginning, 20_000);
});

test("where another device moved too, the other place is offered, and the person decides", async () => {
  const world = new World();
  const [phone, desk] = [world.tab("phone").tab, new World()];
  desk.server = world.server;
  const other = desk.tab("desk").tab;
  await phone.begin(HEARD);
  world.mood = "is away";
  await world.plays(phone, 0, 5_000);
  phone.handle(HEARD.id, { action: "pause", position_ms: 5_000 });
  await other.begin(HEARD);
  other.handle(HEARD.id, { action: "seek", position_ms: 133_000 });
  await settled();
  world.mood = "answers";
  phone.online();
  await settled();
  assert.deepEqual(phone.view(HEARD).offer, { position_ms: 133_000, device_id: "desk" });
  assert.equal(phone.view(HEARD).position_ms, 5_000);
  assert.equal(world.server.playback().position_ms, 133_000);
  phone.dismiss(HEARD.id);
  assert.equal(phone.view(HEARD).offer, null);
});

test("a tab that takes a message over goes on as the same player, with what the other had not got through", async () => {
  const world = new World();
  const [first, second] = [world.tab().tab, world.tab().tab];
  world.mood = "is away";
  await first.begin(HEARD);
  await world.plays(first, 0, 9_000);
  assert.equal(await second.begin(HEARD), 9_000);
  first.handle(HEARD.id, { action: "seek", position_ms: 1_000 });
  world.mood = "answers";
  await world.plays(second, 9_000, 20_000);
  second.handle(HEARD.id, { action: "pause", position_ms: 20_000 });
  await world.passes(60_000);
  assert.deepEqual(world.server.playback().heard, [[0, 20_000]]);
  assert.equal(world.server.playback().position_ms, 20_000);
  assert.equal(new Set(world.reports.map(({ player_id }) => player_id)).size, 1);
});

test("what is said of a deleted message, or cannot be understood, is dropped and not repeated", async () => {
  for (const mood of /** @type {const} */ (["does not know it", "refuses"])) {
    const world = new World();
    const { tab } = world.tab();
    await tab.begin(HEARD);
    world.mood = mood;
    tab.handle(HEARD.id, { action: "seek", position_ms: 40_000 });
    await world.passes(600_000);
    assert.deepEqual(world.log.filter((what) => what === "report"), ["report"], mood);
    assert.equal(world.journals.size, 0, mood);
  }
});

test("another device that plays is followed, and its older news are not", async () => {
  const world = new World();
  const { tab } = world.tab();
  await tab.begin(HEARD);
  /** @type {any[]} */
  const moved = [];
  tab.addEventListener("moved", (event) => moved.push(/** @type {CustomEvent} */ (event).detail.position_ms));
  tab.learn(HEARD.id, { version: 4, position_ms: 60_000, heard_ms: 60_000, played: false });
  tab.learn(HEARD.id, { version: 3, position_ms: 50_000, heard_ms: 50_000, played: false });
  assert.deepEqual(moved, [60_000]);
  assert.equal(tab.view(HEARD).position_ms, 60_000);
});

test("exactly what was heard is asked for once, of messages that were heard in part", async () => {
  const world = new World();
  const { tab } = world.tab();
  const report = { player_id: "x", device_id: "x", report_id: "x", base_version: 0, position_ms: 9_000, speed: 1, heard: [[1_000, 9_000]] };
  world.server.apply(/** @type {any} */ (report), world.now);
  const partly = { ...HEARD, playback: world.server.playback() };
  tab.look(partly);
  tab.look(partly);
  await settled();
  assert.deepEqual(tab.view(partly).heard, [[1_000, 9_000]]);
});
