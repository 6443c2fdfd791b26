import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { faultProxy } from "./faults.js";
import { Person, eventually, launch } from "./people.js";
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

/** @param {string} [anasAddress] */
const arrive = async (anasAddress = server.base) => {
  const { browser } = chrome;
  const [ana, ben] = [await Person.signsUp(browser, anasAddress, "Ana"), await Person.signsUp(browser, server.base, "Ben")];
  await ana.startsWith(ben);
  await ben.opens("Ana");
  return [ana, ben];
};

/** What the server keeps of the only message, as samples. @param {Person} person */
async function stored(person) {
  const [message] = await person.serverMessages();
  const response = await fetch(person.base + message.audio.url);
  const sound = new Uint8Array(await response.arrayBuffer());
  return { message, samples: decode(sound, { opus: true }) };
}

/** @param {Person} person */
async function heardAsSpoken(person) {
  const { message, samples } = await stored(person);
  const { envelope, waveform } = likeness(decode(chrome.wav).subarray(0, 16 * CLIP_MS), samples);
  assert.ok(envelope > SAME.envelope && waveform > SAME.waveform, JSON.stringify({ envelope, waveform }));
  return message;
}

test("a recording goes up packet by packet, is a message when its maker lets go, and sounds as it was spoken", async () => {
  const [ana, ben] = await arrive();
  let uploads = 0;
  ana.page.on("request", (request) => (uploads += request.method() === "POST" && /\/messages$/.test(request.url()) ? 1 : 0));
  await ana.says(CLIP_MS + 600);
  await ben.sees(1);
  await ana.sees(1);
  const message = await heardAsSpoken(ben);
  assert.equal(message.source.transcoded, false);
  assert.equal(uploads, 0, "nothing was uploaded as a file");
  await ana.hadNoTrouble();
  await ben.hadNoTrouble();
});

test("a page that is reloaded in the middle offers what was said until then, and sends it with all that was acknowledged", async () => {
  const [ana, ben] = await arrive();
  await ana.records(CLIP_MS + 600);
  await ana.page.reload();
  await ana.page.getByText("You have an unsent recording").first().waitFor();
  assert.equal(await ana.page.locator("vx-message, vx-pending").count(), 0, "nothing is sent unasked");
  await ana.page.locator(".draft").getByRole("button", { name: "Send" }).click();
  await ben.sees(1);
  await ana.sees(1);
  await heardAsSpoken(ben);
  await ana.hadNoTrouble();
  await ben.hadNoTrouble();
});

test("a connection that is cut again and again while somebody speaks takes nothing of it away", async () => {
  const proxy = await faultProxy(server.base);
  const [ana, ben] = await arrive(proxy.base);
  ana.expects(/WebSocket|ERR_/);
  await ana.records(1000);
  proxy.cut();
  await ana.recorded(3000);
  proxy.cut();
  await ana.recorded(CLIP_MS + 600);
  await ana.sends();
  await ben.sees(1);
  await ana.sees(1);
  const message = await heardAsSpoken(ben);
  assert.equal(message.missing_ms, 0);
  await ana.hadNoTrouble();
  await ben.hadNoTrouble();
  await proxy.close();
});

test("a pause is not in the recording, and one that is discarded is never a message", async () => {
  const [ana, ben] = await arrive();
  await ana.records(1000);
  await ana.page.getByRole("button", { name: "Pause recording" }).click();
  const paused = await ana.page.locator(".stopwatch").textContent();
  assert.equal(await ana.page.locator(".stopwatch").textContent(), paused);
  await ana.page.getByRole("button", { name: "Go on recording" }).click();
  await ana.recorded(2000);
  await ana.page.getByRole("button", { name: "Discard the recording" }).click();
  await ana.page.reload();
  await ana.page.locator(".draft").getByRole("button", { name: "Discard" }).click();
  await eventually(async () => (await ana.calls("/v1/drafts")).items.length === 0 && (await ana.page.locator(".draft").count()) === 0, "the draft to be gone");
  assert.equal((await ben.serverMessages()).length, 0);
  await ana.hadNoTrouble();
  await ben.hadNoTrouble();
});

/** Writes down what the page's live listener plays. @param {Person} person */
async function tapped({ context, page }) {
  await context.addInitScript(() => {
    /** @type {number[]} */
    const heard = [];
    Object.assign(globalThis, { heard });
    const connect = /** @type {any} */ (AudioNode.prototype.connect);
    AudioNode.prototype.connect = function (/** @type {any[]} */ ...to) {
      if (this instanceof AudioWorkletNode && to[0] === this.context.destination) {
        const tap = /** @type {AudioContext} */ (this.context).createScriptProcessor(2048, 1, 1);
        // 48 kHz → 16 kHz, in which sounds are compared.
        tap.onaudioprocess = ({ inputBuffer }) => {
          const samples = inputBuffer.getChannelData(0);
          for (let i = 0; i + 2 < 2048; i += 3) heard.push((samples[i] + samples[i + 1] + samples[i + 2]) / 3);
        };
        connect.call(this, tap);
        connect.call(tap, to[0]);
      }
      return connect.apply(this, to);
    };
  });
  await page.reload();
  await page.locator("vx-composer").waitFor();
}

test("where a conversation allows it, the other side hears it while it is spoken, and the player goes on with the stored one", async () => {
  const [ana, ben] = await arrive();
  await tapped(ben);
  ben.expects(/ScriptProcessorNode/);
  await ana.page.getByRole("button", { name: "Live listening" }).click();
  await ana.page.getByRole("checkbox", { name: "People may be heard while they record" }).check();
  await ana.page.getByRole("button", { name: "Close" }).click();
  await ana.page.getByRole("button", { name: "Be heard live" }).click();
  await ana.records(0);
  await ben.page.getByRole("button", { name: "Listen to Ana from the start" }).click();
  await ben.page.getByRole("button", { name: "Stop listening to Ana" }).waitFor();
  assert.equal(await ben.page.locator("vx-message").getAttribute("data-state"), "recording");
  const enough = 16 * (CLIP_MS + 800);
  await ben.page.waitForFunction((wanted) => /** @type {any} */ (globalThis).heard.length > wanted, enough);
  assert.equal(await ben.page.locator("vx-message").getAttribute("data-state"), "recording", "it was heard before it was sent");
  await ana.sends();
  await ben.page.locator("vx-message[data-state=ready] vx-player").waitFor();
  const heard = Float32Array.from(await ben.page.evaluate(() => /** @type {any} */ (globalThis).heard));
  // Catching up bends the beginning: what comes after it is compared.
  const spoken = decode(chrome.wav).subarray(16 * 1000, 16 * CLIP_MS);
  const { envelope } = likeness(spoken, heard);
  assert.ok(envelope > SAME.envelope, `${envelope}`);
  await heardAsSpoken(ben);
  await ana.hadNoTrouble();
  await ben.hadNoTrouble();
});

test("a recording that another device left behind is listed, can be listened to, and is sent from here", async () => {
  const own = await startServer(["--interrupted-after-ms", "500"]);
  const { browser } = chrome;
  const [ana, ben] = [await Person.signsUp(browser, own.base, "Ana"), await Person.signsUp(browser, own.base, "Ben")];
  await ana.startsWith(ben);
  await ben.opens("Ana");
  await ana.records(CLIP_MS);
  const again = await ana.atAnother(browser);
  await again.opens("Ben");
  await ana.context.close();
  const draft = again.page.locator(".draft");
  await draft.getByText("An interrupted recording").waitFor();
  await draft.getByRole("button", { name: "Listen" }).click();
  await draft.getByRole("button", { name: "Stop" }).waitFor();
  await draft.getByRole("button", { name: "Send" }).click();
  await ben.sees(1);
  await draft.waitFor({ state: "detached" });
  await again.hadNoTrouble();
  await ben.hadNoTrouble();
  await own.stop();
});
