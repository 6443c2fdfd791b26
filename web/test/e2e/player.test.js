import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Speaker, anaAndBen, controls, isQuiet, serverHas, soundAt, soundReaches, speech } from "./listening.js";
import { Person, eventually, launch } from "./people.js";
import { startServer } from "./server.js";

/** @type {Awaited<ReturnType<typeof startServer>>} */
let server;
/** @type {Awaited<ReturnType<typeof launch>>} */
let chrome;
const half = speech({ parts: [{ speech: 30 }] });
const short = speech({ parts: [{ speech: 1.5 }] });

before(async () => {
  server = await startServer();
  chrome = await launch("jfk.opus");
});
after(async () => {
  await chrome?.close();
  await server?.stop();
});

test("of two tabs one plays, and a message goes on in the other where it was", async () => {
  const { ana, ben } = await anaAndBen(chrome.browser, server.base);
  const message = await ana.sends(half);
  await ana.sends(half);
  const [first, second] = [ben.page, await ben.opensTab()];
  await second.locator(".conversations a", { hasText: "Ana" }).click();
  await controls(second, 1).player.waitFor();
  await controls(first, 0).button.click();
  await soundReaches(first, 1500);
  // Another message: the first tab falls silent.
  await controls(second, 1).button.click();
  await soundReaches(second, 300);
  await isQuiet(first);
  const left = await soundAt(first);
  // The same message: it is taken over.
  await controls(second, 0).button.click();
  await soundReaches(second, left + 500);
  assert.ok((await soundAt(second)) < left + 8000, "from where it was");
  await controls(first, 0).button.click();
  await isQuiet(second);
  await soundReaches(first, left + 800);
  await controls(first, 0).button.click();
  const at = await soundAt(first);
  const held = await eventually(async () => {
    const playback = await serverHas(ben, message.id);
    return Math.abs(playback.position_ms - at) < 300 && playback;
  }, "the server to know");
  assert.equal(held.heard.length, 1, JSON.stringify(held.heard));
  await ben.hadNoTrouble();
});

test("what was not played yet plays one after the other with a chime between, and its sender learns that it was played", async () => {
  const [ana, ben] = [await Person.signsUp(chrome.browser, server.base, "Ana"), await Person.signsUp(chrome.browser, server.base, "Ben")];
  await ana.startsWith(ben);
  await ben.opens("Ana");
  const [anaTalks, benTalks] = [await Speaker.whoIs(ana), await Speaker.whoIs(ben)];
  await ben.page.evaluate(() => {
    Object.assign(window, { chimes: 0 });
    const create = AudioContext.prototype.createOscillator;
    AudioContext.prototype.createOscillator = function () {
      /** @type {any} */ (window).chimes += 1;
      return create.call(this);
    };
  });
  const messages = [await anaTalks.sends(short), await anaTalks.sends(short)];
  await benTalks.sends(short);
  messages.push(await anaTalks.sends(short));
  await ben.sees(4);
  assert.match((await controls(ben.page).button.getAttribute("aria-label")) ?? "", /Ana, not played yet$/);
  assert.equal(await ben.page.locator("vx-player .unplayed:visible").count(), 3);
  await ana.page.locator(".ticks[data-state=read]").nth(2).waitFor();
  assert.equal(await ana.page.locator(".played-by:visible").count(), 0, "read is not played");

  await ben.page.locator(".unplayed-count", { hasText: "3" }).waitFor();
  await controls(ben.page).button.click();
  await ben.page.waitForFunction(() => document.querySelectorAll("vx-message.other vx-player[data-heard=all]").length === 3);
  assert.equal(await ben.page.evaluate(() => /** @type {any} */ (window).chimes), 2);
  await ben.page.locator(".unplayed-count").waitFor({ state: "detached" });
  await isQuiet(ben.page);
  for (const { id } of messages) await eventually(async () => (await serverHas(ben, id)).played, "the server to know");
  await ana.page.locator(".played-by:visible").nth(2).waitFor();
  assert.equal(await ana.page.locator(".played-by", { hasText: "Played by Ben" }).count(), 3);
  await ben.page.reload();
  await ben.sees(4);
  assert.equal(await ben.page.locator("vx-player .unplayed:visible").count(), 0);
  await ben.hadNoTrouble();
  await ana.hadNoTrouble();
});

test("who does not want it to be known plays in silence", async () => {
  const { ana, ben } = await anaAndBen(chrome.browser, server.base);
  await ben.page.getByRole("button", { name: "Your profile" }).click();
  await ben.page.getByLabel("Tell others when I played their message").uncheck();
  await ben.page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
  const message = await ana.sends(short);
  await controls(ben.page).button.click();
  await eventually(async () => (await serverHas(ben, message.id)).played, "it to be played");
  assert.deepEqual((await ana.calls(`/v1/messages/${message.id}`)).played_by, []);
  await ben.hadNoTrouble();
});

test("the speed is remembered, at the pitch of the voice", async () => {
  const { ana, ben } = await anaAndBen(chrome.browser, server.base);
  await ana.sends(half);
  const { button, speed, slider } = controls(ben.page);
  await button.click();
  await soundReaches(ben.page, 300);
  assert.deepEqual(await speed.locator("option").allTextContents(), ["0.5×", "0.75×", "1×", "1.25×", "1.5×", "1.75×", "2×", "2.5×", "3×"]);
  await speed.selectOption("2.5×");
  await slider.press(">");
  const rate = () =>
    ben.page.evaluate(() => {
      const { playbackRate, preservesPitch } = /** @type {HTMLAudioElement} */ (document.getElementById("sound"));
      return { playbackRate, preservesPitch };
    });
  assert.deepEqual(await rate(), { playbackRate: 3, preservesPitch: true });
  await ben.page.reload();
  await button.click();
  await soundReaches(ben.page, 300);
  assert.deepEqual(await rate(), { playbackRate: 3, preservesPitch: true });
  assert.equal(await speed.inputValue(), "3");
  await ben.hadNoTrouble();
});

test("silence is skipped where that is wanted, and speech is not", async (context) => {
  const { ana, ben } = await anaAndBen(chrome.browser, server.base);
  const message = await ana.sends(speech({ parts: [{ speech: 3 }, { silence: 8 }, { speech: 3 }] }));
  const [from, to] = message.speech
    .map((/** @type {number[]} */ [, end], /** @type {number} */ i) => [end, message.speech[i + 1]?.[0] ?? end])
    .reduce((/** @type {number[]} */ a, /** @type {number[]} */ b) => (b[1] - b[0] > a[1] - a[0] ? b : a));
  assert.ok(to - from > 6000, `a silence in ${JSON.stringify(message.speech)}`);
  const { button, silence } = controls(ben.page);
  await button.click();
  await silence.click();
  assert.equal(await silence.getAttribute("aria-pressed"), "true");
  /** @type {number[]} */
  const seen = await ben.page.evaluate(
    () =>
      new Promise((resolve) => {
        const audio = /** @type {HTMLAudioElement} */ (document.getElementById("sound"));
        /** @type {number[]} */
        const places = [];
        const look = () => {
          places.push(Math.round(audio.currentTime * 1000));
          if (audio.ended) resolve(places);
          else setTimeout(look, 20);
        };
        look();
      }),
  );
  // A jump takes a moment: the sound may run a little into the silence before it.
  const inside = seen.filter((at) => at > from + 3000 && at < to - 500);
  context.diagnostic(`silence ${from}..${to}, seen inside: ${seen.filter((at) => at > from && at < to)}`);
  assert.deepEqual(inside, []);
  assert.ok(seen.some((at) => at > to) && seen.some((at) => at < from));
  await eventually(async () => (await serverHas(ben, message.id)).played, "it to be played");
  await ben.hadNoTrouble();
});

test("it plays on behind another conversation, and the keys of a headset reach it", async () => {
  const { ana, ben } = await anaAndBen(chrome.browser, server.base);
  const cleo = await Speaker.signsUp(server.base, "Cleo");
  await cleo.startsWith(ben);
  await ana.sends(half);
  await ben.context.addInitScript(() => {
    /** @type {Record<string, any>} */
    const handlers = {};
    Object.assign(window, { handlers });
    navigator.mediaSession.setActionHandler = (action, run) => void (handlers[action] = run);
  });
  await ben.page.reload();
  const press = (/** @type {string} */ action, details = {}) =>
    ben.page.evaluate(([name, more]) => /** @type {any} */ (window).handlers[/** @type {string} */ (name)](more), [action, details]);
  await controls(ben.page).button.click();
  await soundReaches(ben.page, 500);
  assert.equal(await ben.page.locator("vx-now-playing:visible").count(), 0);
  await ben.opens("Cleo");
  const bar = ben.page.locator("vx-now-playing");
  await bar.getByText("Ana").waitFor();
  const at = await soundAt(ben.page);
  await soundReaches(ben.page, at + 300);

  assert.deepEqual(await ben.page.evaluate(() => navigator.mediaSession.metadata?.title), "Voice message from Ana");
  await press("pause");
  await bar.getByRole("button", { name: "Play message from Ana" }).waitFor();
  assert.equal(await ben.page.evaluate(() => navigator.mediaSession.playbackState), "paused");
  await press("seekto", { seekTime: 20 });
  await press("play");
  await soundReaches(ben.page, 20_200);
  await press("seekbackward", {});
  await ben.page.waitForFunction(() => /** @type {HTMLAudioElement} */ (document.getElementById("sound")).currentTime < 15);

  await bar.getByRole("link").click();
  await controls(ben.page).player.waitFor();
  await bar.waitFor({ state: "hidden" });
  await controls(ben.page).button.click();
  await isQuiet(ben.page);
  await ben.hadNoTrouble();
});
