import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Profile, Speaker, anaAndBen, controls, isQuiet, serverHas, shownAt, soundAt, soundReaches, speech } from "./listening.js";
import { eventually, launch } from "./people.js";
import { startServer } from "./server.js";

/** @type {Awaited<ReturnType<typeof startServer>>} */
let server;
/** @type {Awaited<ReturnType<typeof launch>>} */
let chrome;
const half = speech({ parts: [{ speech: 30 }] });
/** A minute that is large enough for a browser not to take all of it at once. */
const minute = speech({ parts: [{ speech: 60 }], kbps: 160 });
/** What a slow network has brought of it when the server is killed: some seconds; and the end, where browsers look for the duration. */
const ARRIVED_BYTES = 180_000;
const END_BYTES = 1_000_000;

before(async () => {
  server = await startServer();
  chrome = await launch("jfk.opus");
});
after(async () => {
  await chrome?.close();
  await server?.stop();
});

test("who is killed in the middle of a message goes on within a second of where they were", async (context) => {
  const ana = await Speaker.signsUp(server.base, "Ana");
  const profile = new Profile();
  try {
    let ben = await profile.opens(server.base, "Ben");
    await ben.signsUp();
    await ana.startsWith(ben);
    const message = await ana.sends(half);
    // Signing in is on the disk once the browser was closed properly.
    await profile.closes(ben);

    ben = await profile.opens(server.base, "Ben");
    await ben.opens("Ana");
    await controls(ben.page).button.click();
    await soundReaches(ben.page, 3500);
    const at = await soundAt(ben.page);
    const read = performance.now();
    await profile.isKilled();
    const passed = performance.now() - read;
    assert.equal((await ana.calls(`/v1/messages/${message.id}`)).played_count, 0);

    ben = await profile.opens(server.base, "Ben");
    await ben.opens("Ana");
    await ben.page.locator("vx-player[data-heard=some]").waitFor();
    const shown = await shownAt(ben.page, message.duration_ms);
    context.diagnostic(`killed at ${at} ms, resumed at ${shown.toFixed(0)} ms`);
    assert.ok(shown > at - 1000 && shown < at + passed + 1000, `${shown}`);
    await controls(ben.page).button.click();
    await soundReaches(ben.page, at + 1500);
    // What was heard before the end is told as well, without a hole.
    await controls(ben.page).button.click();
    const held = await eventually(async () => {
      const playback = await serverHas(ben, message.id);
      return playback.position_ms >= at + 1500 && playback;
    }, "the server to know");
    assert.equal(held.heard.length, 1, JSON.stringify(held.heard));
    await profile.closes(ben);
  } finally {
    await profile.remove();
  }
});

test("one who pauses here goes on there, and moves on both are an offer and not a loss", async () => {
  const { ana, ben: phone } = await anaAndBen(chrome.browser, server.base);
  const message = await ana.sends(half);
  const desk = await phone.atAnother(chrome.browser);
  await desk.opens("Ana");
  await desk.page.locator("vx-player").waitFor();

  // Pause here, go on there.
  await controls(phone.page).button.click();
  await soundReaches(phone.page, 2000);
  await controls(phone.page).button.click();
  await isQuiet(phone.page);
  const left = await soundAt(phone.page);
  await eventually(async () => Math.abs((await shownAt(desk.page, message.duration_ms)) - left) < 300, "the desk to follow");
  await controls(desk.page).button.click();
  await soundReaches(desk.page, left + 300);
  assert.ok((await soundAt(desk.page)) < left + 8000);
  await controls(desk.page).button.click();
  await eventually(async () => (await shownAt(phone.page, message.duration_ms)) >= left + 250, "the phone to follow");

  // The phone goes on without a network, the desk with one.
  phone.expects(/ERR_INTERNET_DISCONNECTED/);
  await phone.context.setOffline(true);
  const from = await shownAt(phone.page, message.duration_ms);
  await controls(phone.page).button.click();
  await soundReaches(phone.page, from + 2000);
  await controls(phone.page).button.click();
  await isQuiet(phone.page);
  const offline = await soundAt(phone.page);
  await controls(desk.page).slider.press("End");
  for (let i = 0; i < 3; i += 1) await controls(desk.page).slider.press("PageDown");
  const elsewhere = await eventually(async () => {
    const { position_ms } = await serverHas(desk, message.id);
    return Math.abs(position_ms - message.duration_ms * 0.7) < 500 && position_ms;
  }, "the desk's position to be known");
  await phone.context.setOffline(false);
  await phone.page.getByText("Continue at 0:21 from Chrome · Linux?").waitFor();
  assert.ok(Math.abs((await shownAt(phone.page, message.duration_ms)) - offline) < 300, "the phone stays where its person is");
  const merged = await serverHas(phone, message.id);
  assert.equal(merged.position_ms, elsewhere, "and does not move the desk's playhead back");
  assert.ok(merged.heard.some((/** @type {number[]} */ [a, b]) => a <= from && b >= offline - 300), `what was heard offline is merged: ${JSON.stringify(merged.heard)}`);
  await phone.page.getByRole("button", { name: "Continue there" }).click();
  await soundReaches(phone.page, elsewhere + 300);
  assert.equal(await phone.page.getByText("Continue at").count(), 0);

  await phone.hadNoTrouble();
  await desk.hadNoTrouble();
});

test("when the server is killed what is there plays on, the rest waits and goes on by itself, and all of it is told", async () => {
  const { ana, ben } = await anaAndBen(chrome.browser, server.base);
  const message = await ana.sends(minute);
  ben.expects(/ERR_(CONNECTION|EMPTY_RESPONSE|INCOMPLETE|FAILED)|WebSocket|503/);
  let up = true;
  /** @type {import("playwright-core").Route[]} */
  const onTheirWay = [];
  await ben.page.route("**/audio?*", async (route) => {
    const from = Number(/bytes=(\d+)-/.exec((await route.request().headerValue("range")) ?? "")?.[1] ?? 0);
    if (!up) return route.abort();
    if (from >= END_BYTES) return route.continue();
    if (from > 0) return void onTheirWay.push(route);
    const response = await route.fetch({ headers: { ...route.request().headers(), range: `bytes=0-${ARRIVED_BYTES - 1}` } });
    return route.fulfill({ response });
  });
  await controls(ben.page).button.click();
  await soundReaches(ben.page, 1000);
  up = false;
  await server.crash();
  for (const route of onTheirWay) await route.abort();
  const at = await soundAt(ben.page);
  await soundReaches(ben.page, at + 1500);
  await ben.page.locator("vx-player[data-loading]").waitFor();
  const waits = await soundAt(ben.page);
  assert.ok(waits < 15_000, `it waits at ${waits} ms`);
  assert.equal(await controls(ben.page).button.getAttribute("aria-label"), "Pause message from Ana", "and is not stopped");
  // Who seeks while it waits gets the sound from there.
  await controls(ben.page).slider.press("PageUp");
  const target = waits + message.duration_ms / 10;
  await ben.page.unroute("**/audio?*");
  await server.comeBack();
  await soundReaches(ben.page, target + 1500);
  await controls(ben.page).button.click();
  const held = await eventually(async () => {
    const playback = await serverHas(ben, message.id);
    return playback.position_ms >= target + 1400 && playback;
  }, "the server to know");
  assert.equal(held.heard.length, 2, `heard up to the gap, and from there on: ${JSON.stringify(held.heard)}`);
  assert.ok(held.heard[0][0] === 0 && held.heard[0][1] >= waits - 300 && held.heard[1][0] >= target - 300);
  await ben.hadNoTrouble();
});

test("a page that is left in the middle tells where it was, and one that only looked tells nothing", async () => {
  const { ana, ben } = await anaAndBen(chrome.browser, server.base);
  const message = await ana.sends(half);
  await ben.page.locator("vx-player").waitFor();
  await ben.page.reload();
  await ben.page.locator("vx-player").waitFor();
  assert.equal((await serverHas(ben, message.id)).version, 0);
  await controls(ben.page).button.click();
  await soundReaches(ben.page, 1500);
  const at = await soundAt(ben.page);
  const desk = await ben.atAnother(chrome.browser);
  await ben.page.goto("about:blank");
  await eventually(async () => (await serverHas(desk, message.id)).position_ms >= at - 300, "the server to know");
  await ben.hadNoTrouble();
  await desk.hadNoTrouble();
});

test("a full disk does not stop anybody from listening, and the server is told", async () => {
  const { ana, ben } = await anaAndBen(chrome.browser, server.base);
  const message = await ana.sends(half);
  const session = await ben.context.newCDPSession(ben.page);
  const here = ben.page.url();
  await ben.page.goto("about:blank");
  await session.send("Storage.overrideQuotaForOrigin", { origin: server.base, quotaSize: 1000 });
  await ben.page.goto(here);
  await eventually(async () => (await whyNothingIsStored(ben)) === "QuotaExceededError", "the disk to be full");
  await controls(ben.page).button.click();
  await soundReaches(ben.page, 1500);
  await controls(ben.page).button.click();
  await isQuiet(ben.page);
  const at = await soundAt(ben.page);
  await eventually(async () => Math.abs((await serverHas(ben, message.id)).position_ms - at) < 300, "the server to know");
  await ben.hadNoTrouble();
});

/** What a write into IndexedDB fails with, if it does. @param {import("./people.js").Person} person */
const whyNothingIsStored = ({ page }) =>
  page.evaluate(
    () =>
      new Promise((/** @type {(why: string | null) => void} */ resolve) => {
        const open = indexedDB.open("probe", 1);
        open.onupgradeneeded = () => open.result.createObjectStore("probe");
        open.onerror = () => resolve(open.error?.name ?? null);
        open.onsuccess = () => {
          const tx = open.result.transaction("probe", "readwrite");
          tx.objectStore("probe").put(0, 0);
          tx.oncomplete = () => resolve(null);
          tx.onabort = () => resolve(tx.error?.name ?? null);
        };
      }),
  );
