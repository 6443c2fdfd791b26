import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Person, launch } from "./people.js";
import { startServer } from "./server.js";
import { SAME, decode, likeness } from "./sound.js";

const CLIP_MS = 4200;

/** @type {Awaited<ReturnType<typeof startServer>>} */
let server;
/** @type {Awaited<ReturnType<typeof launch>>} */
let chrome;

before(async () => {
  [server, chrome] = await Promise.all([startServer(), launch("jfk.opus")]);
});
after(async () => {
  await chrome?.close();
  await server?.stop();
});

const arrive = async () => {
  const { browser } = chrome;
  const [ana, ben] = [await Person.signsUp(browser, server.base, "Ana"), await Person.signsUp(browser, server.base, "Ben")];
  await ana.startsWith(ben);
  await ben.opens("Ana");
  return [ana, ben];
};

/** The loudness of the waveform that a message shows: heights of its bars. @param {Person} person */
const barHeights = (person) =>
  person.page.evaluate(() => {
    const d = document.querySelector("vx-player .wave path")?.getAttribute("d") ?? "";
    return [...d.matchAll(/M[\d.]+ ([\d.]+)V([\d.]+)/g)].map(([, top, bottom]) => Number(bottom) - Number(top));
  });

test("what one says arrives live in the other's window, plays, can be sought in, and sounds as it was spoken", async (context) => {
  const [ana, ben] = await arrive();
  await ana.says(CLIP_MS + 600);

  await ben.messages.first().waitFor();
  assert.match((await ben.page.locator("vx-player .time").textContent()) ?? "", /^0:0[45]$/);
  await ben.page.locator("vx-player:not([data-flat])").waitFor();
  const heights = await barHeights(ben);
  assert.ok(Math.max(...heights) > 20 && Math.min(...heights) < 8, `a waveform that rises and falls: ${heights}`);

  await ben.page.getByRole("button", { name: "Play message from Ana" }).click();
  await ben.page.waitForFunction(() => /** @type {HTMLAudioElement} */ (document.getElementById("sound")).currentTime > 0.3);
  await ben.page.getByRole("button", { name: "Pause message from Ana" }).click();

  const slider = ben.page.getByRole("slider", { name: "Position" });
  const box = await slider.boundingBox();
  assert.ok(box);
  await ben.page.mouse.click(box.x + box.width * 0.75, box.y + box.height / 2);
  const [message] = await ben.serverMessages();
  const at = await ben.page.evaluate(() => /** @type {HTMLAudioElement} */ (document.getElementById("sound")).currentTime * 1000);
  assert.ok(Math.abs(at - message.duration_ms * 0.75) < message.duration_ms * 0.03, `${at} of ${message.duration_ms}`);
  await slider.press("ArrowLeft");
  assert.match((await slider.getAttribute("aria-valuetext")) ?? "", /^0:0[12] of 0:0[45]$/);
  await slider.press("Home");
  assert.match((await slider.getAttribute("aria-valuetext")) ?? "", /^0:00 of/);

  await ben.page.reload();
  await ben.page.getByRole("button", { name: "Play message from Ana" }).click();
  await ben.page.waitForFunction(() => /** @type {HTMLAudioElement} */ (document.getElementById("sound")).currentTime > 0.3);

  const bytes = await ben.page.evaluate(async (url) => [...new Uint8Array(await (await fetch(url)).arrayBuffer())], message.audio.url);
  const { envelope, waveform } = likeness(decode(chrome.wav), decode(Uint8Array.from(bytes), { opus: true }));
  context.diagnostic(`likeness to what was spoken: envelope ${envelope.toFixed(3)}, waveform ${waveform.toFixed(3)}`);
  assert.ok(envelope > SAME.envelope && waveform > SAME.waveform, `envelope ${envelope}, waveform ${waveform}`);

  await ana.hadNoTrouble();
  await ben.hadNoTrouble();
});

test("holding the microphone talks and letting go sends; the other one sees that somebody is recording", async () => {
  const [ana, ben] = await arrive();
  await ana.page.getByRole("button", { name: "Record a voice message" }).hover();
  await ana.page.mouse.down();
  await ana.recorded(1000);
  await ben.page.locator("header .line", { hasText: "Ana is recording…" }).waitFor();
  await ana.page.mouse.up();
  await ben.sees(1);
  await ben.page.locator("header .line", { hasText: ana.username }).waitFor();
  await ana.hadNoTrouble();
  await ben.hadNoTrouble();
});

test("dragging to the left while holding discards, and Undo takes that back", async () => {
  const [ana, ben] = await arrive();
  const mic = await ana.page.getByRole("button", { name: "Record a voice message" }).boundingBox();
  assert.ok(mic);
  await ana.page.mouse.move(mic.x + 30, mic.y + 30);
  await ana.page.mouse.down();
  await ana.recorded(1000);
  await ana.page.mouse.move(mic.x - 100, mic.y + 30, { steps: 5 });
  await ana.page.getByText("Recording discarded").waitFor();
  await ana.page.mouse.up();
  assert.equal(await ana.page.locator(".draft").count(), 0);
  await ana.page.getByRole("button", { name: "Undo" }).click();
  await ana.page.locator(".draft").getByRole("button", { name: "Send" }).click();
  await ben.sees(1);
  await ana.hadNoTrouble();
  await ben.hadNoTrouble();
});

test("the keyboard is enough: record, discard with Escape, record again, pause, send, play and seek", async () => {
  const [ana, ben] = await arrive();
  const { page } = ana;
  await page.getByRole("button", { name: "Record a voice message" }).focus();
  await page.keyboard.press("Enter");
  await ana.recorded(500);
  await page.keyboard.press("Escape");
  await page.getByText("Recording discarded").waitFor();
  await page.keyboard.press("Space");
  await ana.recorded(800);
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Go on recording" }).waitFor();
  await page.keyboard.press("Enter");
  await ana.recorded(1600);
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await ana.sees(1);
  await ben.sees(1);
  const slider = page.getByRole("slider");
  await slider.focus();
  await page.keyboard.press("Space");
  await page.getByRole("button", { name: "Pause message from Ana" }).waitFor();
  await page.keyboard.press("Space");
  await page.keyboard.press("End");
  assert.match((await slider.getAttribute("aria-valuetext")) ?? "", /^0:0(\d) of 0:0\1$/);
  await ana.hadNoTrouble();
  await ben.hadNoTrouble();
});

test("what was deleted becomes a tombstone in the other window, and its sound is gone", async () => {
  const [ana, ben] = await arrive();
  await ana.says(800);
  await ben.sees(1);
  const [{ audio }] = await ben.serverMessages();
  await ana.messages.first().hover();
  await ana.page.getByRole("button", { name: "Delete", exact: true }).click();
  await ana.page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
  await ana.messages.first().hover();
  await ana.page.getByRole("button", { name: "Delete", exact: true }).click();
  await ana.page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  for (const { page } of [ana, ben]) {
    await page.locator("vx-message", { hasText: "This message was deleted" }).waitFor();
    assert.equal(await page.locator("vx-player").count(), 0);
  }
  assert.equal((await fetch(new URL(audio.url, server.base))).status, 404);
  await ana.hadNoTrouble();
  await ben.hadNoTrouble();
});

test("ticks tell that it was delivered and read; unread messages are counted until they are looked at", async () => {
  const [ana, ben] = await arrive();
  await ben.page.goto(`${server.base}/#`);
  await ben.page.getByText("Choose a conversation").waitFor();
  await ana.says(600);
  await ben.page.locator(".badge", { hasText: "1" }).waitFor();
  await ana.page.locator(".ticks[data-state=delivered]").waitFor();
  await ben.page.bringToFront();
  await ben.opens("Ana");
  await ana.page.locator(".ticks[data-state=read]").waitFor();
  await ben.page.locator(".badge").waitFor({ state: "detached" });
  assert.equal(await ben.page.title(), "Voxpost");
  await ana.hadNoTrouble();
  await ben.hadNoTrouble();
});

test("an audio file can be sent as well", async () => {
  const [ana, ben] = await arrive();
  await ana.page.locator("vx-composer input[type=file]").setInputFiles(chrome.wav);
  await ben.sees(1);
  assert.match((await ben.page.locator("vx-player .time").textContent()) ?? "", /^0:04$/);
  await ana.hadNoTrouble();
  await ben.hadNoTrouble();
});

test("an address of a sound that has run out is renewed when it is played", async () => {
  const [ana, ben] = await arrive();
  await ana.says(1500);
  await ben.sees(1);
  ben.expects(/status of 404/);
  // The signature of what the page holds is spoilt once, as if its 15 minutes were over.
  let spoilt = 0;
  await ben.page.route("**/audio?*", (route) => (spoilt++ === 0 ? route.fulfill({ status: 404 }) : route.continue()));
  await ben.page.getByRole("button", { name: "Play message from Ana" }).click();
  await ben.page.waitForFunction(() => /** @type {HTMLAudioElement} */ (document.getElementById("sound")).currentTime > 0.2);
  assert.ok(spoilt > 1);
  await ana.hadNoTrouble();
  await ben.hadNoTrouble();
});

test("every message is played at the loudness that the server has measured", async () => {
  const [ana, ben] = await arrive();
  await ben.page.evaluate(() => {
    const create = AudioContext.prototype.createGain;
    AudioContext.prototype.createGain = function () {
      const node = create.call(this);
      Object.assign(window, { gainNode: node });
      return node;
    };
  });
  await ana.says(2000);
  await ben.page.locator("vx-player:not([data-flat])").waitFor();
  await ben.page.getByRole("button", { name: "Play message from Ana" }).click();
  await ben.page.waitForFunction(() => /** @type {HTMLAudioElement} */ (document.getElementById("sound")).currentTime > 0.3);
  const [message] = await ben.serverMessages();
  assert.ok(Math.abs(message.gain_db) > 0.1, `a gain that can be told from none: ${message.gain_db}`);
  const applied = await ben.page.evaluate(() => /** @type {any} */ (window).gainNode.gain.value);
  assert.ok(Math.abs(20 * Math.log10(applied) - message.gain_db) < 0.01, `${applied} for ${message.gain_db} dB`);
  await ana.hadNoTrouble();
  await ben.hadNoTrouble();
});
