import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

/** @typedef {import("playwright-core").Browser} Browser */
/** @typedef {import("playwright-core").BrowserContext} BrowserContext */
/** @typedef {import("playwright-core").Page} Page */

const PATIENCE_MS = 20_000;
const PASSWORD = "correct horse battery";

export const soundFile = (/** @type {string} */ name) => fileURLToPath(new URL(`../sounds/${name}`, import.meta.url));

/**
 * A chromium whose microphone says what is in a file, once, and is silent afterwards.
 * @param {string} name  of a file in test/sounds
 * @param {string[]} [args]
 */
export async function launch(name, args = []) {
  const folder = mkdtempSync(join(tmpdir(), "voxpost-mic-"));
  const wav = join(folder, "mic.wav");
  execFileSync("ffmpeg", ["-loglevel", "error", "-c:a", "libopus", "-i", soundFile(name), "-ar", "48000", "-ac", "1", wav]);
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-component-update",
      "--disable-sync",
      "--disable-background-networking",
      "--use-fake-ui-for-media-stream",
      "--use-fake-device-for-media-stream",
      `--use-file-for-fake-audio-capture=${wav}%noloop`,
      ...args,
    ],
  });
  const close = async () => {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  };
  return { browser, wav, close };
}

let count = 0;

/** Somebody at a browser of their own. Everything that goes wrong in it is written down and must be looked at. */
export class Person {
  /** @type {string[]} */
  #troubles = [];
  /** @type {RegExp[]} */
  #expected = [];

  /**
   * @param {BrowserContext} context
   * @param {Page} page
   * @param {string} base
   * @param {string} name
   */
  constructor(context, page, base, name) {
    this.context = context;
    this.page = page;
    this.base = base;
    this.name = name;
    this.username = `${name.toLowerCase().replace(/\W+/g, "") || "someone"}-${(count += 1)}-${process.pid}`;
    this.#watch(page);
  }

  /**
   * Opens the page.
   * @param {Browser} browser
   * @param {string} base
   * @param {string} name
   * @param {import("playwright-core").BrowserContextOptions} [options]
   */
  static async arrives(browser, base, name, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1080, height: 720 }, locale: "en-GB", ...options });
    context.setDefaultTimeout(PATIENCE_MS);
    const page = await context.newPage();
    const person = new Person(context, page, base, name);
    await page.goto(base);
    return person;
  }

  /**
   * Opens the page and signs up.
   * @param {Browser} browser
   * @param {string} base
   * @param {string} name
   * @param {import("playwright-core").BrowserContextOptions} [options]
   */
  static async signsUp(browser, base, name, options = {}) {
    const person = await Person.arrives(browser, base, name, options);
    await person.signsUp();
    return person;
  }

  /** At the page that is open. */
  async signsUp() {
    const { page } = this;
    await page.getByRole("button", { name: "New here?" }).click();
    await page.locator("input[name=username]").fill(this.username);
    await page.locator("input[name=display_name]").fill(this.name);
    await page.locator("input[name=password]").fill(PASSWORD);
    await page.getByRole("button", { name: "Sign up", exact: true }).click();
    await page.locator("vx-main").waitFor();
  }

  /**
   * The same person at another browser.
   * @param {Browser} browser
   */
  async atAnother(browser) {
    const again = await Person.arrives(browser, this.base, this.name);
    again.username = this.username;
    await again.signsIn();
    return again;
  }

  async signsIn() {
    await this.page.locator("input[name=username]").fill(this.username);
    await this.page.locator("input[name=password]").fill(PASSWORD);
    await this.page.getByRole("button", { name: "Sign in", exact: true }).click();
    await this.page.locator("vx-main").waitFor();
  }

  /** A second window of the same browser. */
  async opensTab() {
    const page = await this.context.newPage();
    this.#watch(page);
    await page.goto(this.base);
    await page.locator("vx-main").waitFor();
    return page;
  }

  /** Starts a conversation by name and opens it. @param {...Person} others */
  async startsWith(...others) {
    const { page } = this;
    await page.getByRole("button", { name: "New conversation" }).click();
    for (const other of others) {
      await page.getByLabel("Find people by name").fill(other.username);
      await page.getByRole("dialog").getByText(`@${other.username}`).click();
    }
    if (others.length > 1) await page.getByLabel("Group name").fill("Choir");
    await page.getByRole("dialog").locator("button[type=submit]").click();
    await page.locator("vx-composer").waitFor();
  }

  /** Opens the conversation of this name. @param {string} name */
  async opens(name) {
    await this.page.locator(".conversations a", { hasText: name }).click();
    await this.page.locator("vx-composer").waitFor();
  }

  /** Presses the microphone and waits until so much was recorded. @param {number} ms */
  async records(ms) {
    await this.page.getByRole("button", { name: "Record a voice message" }).click();
    await this.recorded(ms);
  }

  /** @param {number} ms */
  async recorded(ms) {
    await this.page.waitForFunction((wanted) => {
      const [minutes, seconds] = (document.querySelector(".stopwatch")?.textContent ?? "0:00").split(":").map(Number);
      return (minutes * 60 + seconds) * 1000 >= wanted;
    }, ms);
  }

  async sends() {
    await this.page.locator("vx-composer button.send").click();
  }

  /** Records for so long and sends. @param {number} ms */
  async says(ms) {
    await this.records(ms);
    await this.sends();
  }

  get messages() {
    return this.page.locator("vx-message");
  }

  /** Waits until there are exactly so many messages, on their way or not. @param {number} wanted */
  async sees(wanted) {
    await this.page.waitForFunction(
      (number) => document.querySelectorAll("vx-message").length === number && !document.querySelector("vx-pending"),
      wanted,
    );
  }

  /** Calls the server as this person's page does. @param {string} path @param {string} [method] */
  async calls(path, method = "GET") {
    const session = await this.page.evaluate(() => localStorage.getItem("voxpost.session"));
    const { token } = JSON.parse(session ?? "{}");
    const response = await fetch(this.base + path, { method, headers: { Authorization: `Bearer ${token}` } });
    assert.ok(response.ok, `${method} ${path}: ${response.status}`);
    return response.status === 204 ? null : response.json();
  }

  /** The messages of the conversation that is open, as the server has them. */
  async serverMessages() {
    const id = new URL(this.page.url()).hash.replace("#/c/", "");
    return (await this.calls(`/v1/conversations/${id}/messages`)).items;
  }

  /** Trouble of this kind belongs to the test. @param {RegExp} pattern */
  expects(pattern) {
    this.#expected.push(pattern);
  }

  /** Nothing was written to a console that should not be there, and no rule of the CSP was broken. */
  async hadNoTrouble() {
    const left = this.#troubles.filter((text) => !this.#expected.some((pattern) => pattern.test(text)));
    assert.deepEqual(left, [], this.name);
    await this.context.close();
  }

  /** @param {Page} page */
  #watch(page) {
    page.on("pageerror", (error) => this.#troubles.push(`page error: ${error.stack ?? error}`));
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") this.#troubles.push(`${message.type()}: ${message.text()} ${message.location().url}`);
    });
  }
}

/**
 * Waits for something that no page can tell.
 * @template T
 * @param {() => Promise<T | null | undefined | false>} condition
 * @param {string} what
 * @returns {Promise<T>}
 */
export async function eventually(condition, what) {
  const end = Date.now() + PATIENCE_MS;
  while (Date.now() < end) {
    const value = await condition();
    if (value) return value;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`waited in vain for ${what}`);
}
