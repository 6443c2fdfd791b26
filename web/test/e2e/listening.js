import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { Person, eventually, soundFile } from "./people.js";

/** @typedef {import("playwright-core").Page} Page */

/**
 * Speech as an Ogg Opus file: sentences of `seconds`, with silences between them.
 * @param {{ parts: { speech?: number, silence?: number }[], kbps?: number }} what
 */
export function speech({ parts, kbps = 24 }) {
  const filters = parts.map(({ speech: talk, silence }, i) =>
    talk
      ? `[0:a]aloop=-1:2000000000,atrim=0:${talk},asetpts=PTS-STARTPTS[p${i}]`
      : `anullsrc=r=48000:cl=mono,atrim=0:${silence}[p${i}]`,
  );
  const graph = `${filters.join(";")};${parts.map((_, i) => `[p${i}]`).join("")}concat=n=${parts.length}:v=0:a=1[out]`;
  const input = ["-c:a", "libopus", "-i", soundFile("jfk.opus")];
  const output = ["-map", "[out]", "-c:a", "libopus", "-b:a", `${kbps}k`, "-vbr", "off", "-ac", "1", "-f", "ogg", "-"];
  return execFileSync("ffmpeg", ["-loglevel", "error", ...input, "-filter_complex", graph, ...output], { maxBuffer: 1 << 26 });
}

/**
 * Speech as a WAV file of `bytes` (rounded up to a sample); gives its path.
 * @param {string} path
 * @param {number} bytes
 */
export function wavFile(path, bytes) {
  const seconds = bytes / (48_000 * 2 * 2);
  const input = ["-c:a", "libopus", "-i", soundFile("jfk.opus"), "-af", `aloop=-1:2000000000,atrim=0:${seconds}`];
  execFileSync("ffmpeg", ["-loglevel", "error", "-y", ...input, "-ar", "48000", "-ac", "2", "-c:a", "pcm_s16le", path]);
  return path;
}

/** Somebody who talks by another program: needs no page, and is quicker than one. */
export class Speaker {
  #conversation = "";

  /** @param {string} base @param {string} token */
  constructor(base, token) {
    this.base = base;
    this.token = token;
  }

  /** @param {string} base @param {string} name */
  static async signsUp(base, name) {
    const speaker = new Speaker(base, "");
    const account = { username: `${name.toLowerCase()}-${randomUUID().slice(0, 8)}`, display_name: name, password: randomUUID() };
    speaker.token = (await speaker.calls("/v1/accounts", "POST", account)).token;
    return speaker;
  }

  /** Opens a conversation with another program; gives its id. @param {Speaker} other */
  async talksTo(other) {
    const { username } = await other.calls("/v1/me");
    this.#conversation = (await this.calls("/v1/conversations", "POST", { kind: "direct", members: [username], client_id: randomUUID() })).id;
    return this.#conversation;
  }

  /** The person at a page, who also talks by another program. @param {Person} person */
  static async whoIs({ page, base }) {
    const session = await page.evaluate(() => localStorage.getItem("voxpost.session"));
    const speaker = new Speaker(base, JSON.parse(session ?? "{}").token);
    speaker.#conversation = new URL(page.url()).hash.replace("#/c/", "");
    return speaker;
  }

  /** @param {Person} person */
  async startsWith(person) {
    const conversation = { kind: "direct", members: [person.username], client_id: randomUUID() };
    this.#conversation = (await this.calls("/v1/conversations", "POST", conversation)).id;
  }

  /** @param {object} change */
  async changesMe(change) {
    await this.calls("/v1/me", "PATCH", change);
  }

  /** Sends a file; resolves when the server has analysed it. @param {Buffer} bytes */
  async sends(bytes) {
    const form = new FormData();
    form.set("client_id", randomUUID());
    form.set("audio", new Blob([Uint8Array.from(bytes)], { type: "audio/ogg" }), "speech.ogg");
    const { id } = await this.calls(`/v1/conversations/${this.#conversation}/messages`, "POST", form);
    return eventually(async () => {
      const message = await this.calls(`/v1/messages/${id}`);
      return message.state === "ready" && message.waveform && message.speech && message;
    }, "the message to be analysed");
  }

  /** @param {string} path @param {string} [method] @param {FormData | object} [body] */
  async calls(path, method = "GET", body) {
    /** @type {Record<string, string>} */
    const headers = this.token ? { Authorization: `Bearer ${this.token}` } : {};
    if (body && !(body instanceof FormData)) headers["Content-Type"] = "application/json";
    const text = body instanceof FormData ? body : JSON.stringify(body);
    const response = await fetch(this.base + path, { method, headers, body: text });
    assert.ok(response.ok, `${method} ${path}: ${response.status}`);
    return response.json();
  }
}

/**
 * Ana talks by a program, Ben has their conversation open.
 * @param {import("playwright-core").Browser} browser
 * @param {string} base
 */
export async function anaAndBen(browser, base) {
  const [ana, ben] = await Promise.all([Speaker.signsUp(base, "Ana"), Person.signsUp(browser, base, "Ben")]);
  await ana.startsWith(ben);
  await ben.opens("Ana");
  return { ana, ben };
}

/** Where the sound is, in ms. @param {Page} page */
export const soundAt = (page) => page.evaluate(() => Math.round(/** @type {HTMLAudioElement} */ (document.getElementById("sound")).currentTime * 1000));

/** Waits until the sound has come so far. @param {Page} page @param {number} ms */
export const soundReaches = (page, ms) =>
  page.waitForFunction((wanted) => /** @type {HTMLAudioElement} */ (document.getElementById("sound")).currentTime * 1000 >= wanted, ms);

/** Waits until no sound is made. @param {Page} page */
export const isQuiet = (page) => page.waitForFunction(() => /** @type {HTMLAudioElement} */ (document.getElementById("sound")).paused);

/** The controls of the message that came `nth`. @param {Page} page @param {number} [nth] */
export const controls = (page, nth = 0) => {
  const player = page.locator("vx-player").nth(nth);
  return {
    player,
    button: player.locator("button.play"),
    slider: player.getByRole("slider"),
    speed: player.getByLabel("Speed"),
    silence: player.getByRole("button", { name: "Skip silence" }),
  };
};

/** Where the controls show the playhead, in ms, exact to a thousandth of the message. @param {Page} page @param {number} durationMs @param {number} [nth] */
export async function shownAt(page, durationMs, nth = 0) {
  const progress = await controls(page, nth).player.evaluate((element) => /** @type {HTMLElement} */ (element).style.getPropertyValue("--progress"));
  return Number(progress) * durationMs;
}

/** What the server holds of this person's listening. @param {Person} person @param {string} messageId */
export const serverHas = (person, messageId) => person.calls(`/v1/messages/${messageId}/playback`);

/** Chromium with a profile on disk that outlives it, as a process of its own that can be killed. */
export class Profile {
  #folder = mkdtempSync(join(tmpdir(), "voxpost-profile-"));
  /** @type {import("node:child_process").ChildProcess | null} */
  #process = null;
  /** @type {Promise<unknown>} */
  #ended = Promise.resolve();

  /** Starts it; gives its first window. @param {string} base @param {string} name */
  async opens(base, name) {
    const portFile = join(this.#folder, "DevToolsActivePort");
    rmSync(portFile, { force: true });
    const args = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"];
    args.push("--disable-component-update", "--mute-audio", "--remote-debugging-port=0", `--user-data-dir=${this.#folder}`, "about:blank");
    // A group of its own, so that all of its processes can be killed at once.
    const child = spawn(process.env.CHROMIUM ?? "/usr/bin/chromium", args, { detached: true, stdio: "ignore" });
    this.#process = child;
    this.#ended = new Promise((resolve) => child.once("exit", resolve));
    const port = await eventually(async () => existsSync(portFile) && readFileSync(portFile, "utf8").split("\n")[0], "chromium to listen");
    const browser = await chromium.connectOverCDP(`http://127.0.0.1:${port}`);
    const [context] = browser.contexts();
    context.setDefaultTimeout(20_000);
    const page = await context.newPage();
    await page.goto(base);
    return new Person(context, page, base, name);
  }

  /** @param {Person} person */
  async closes(person) {
    const session = await /** @type {import("playwright-core").Browser} */ (person.context.browser()).newBrowserCDPSession();
    await session.send("Browser.close").catch(() => {});
    await this.#ended;
  }

  /** SIGKILL to all of it. */
  async isKilled() {
    process.kill(-(/** @type {number} */ (this.#process?.pid)), "SIGKILL");
    await this.#ended;
  }

  async remove() {
    if (this.#process?.exitCode === null && this.#process.signalCode === null) await this.isKilled();
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
