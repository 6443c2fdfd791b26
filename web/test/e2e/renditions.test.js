import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";
import { Speaker } from "./listening.js";
import { launch, soundFile } from "./people.js";
import { startServer } from "./server.js";

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

async function message() {
  const ana = await Speaker.signsUp(server.base, "Ana");
  const { id } = await ana.calls("/v1/conversations", "POST", { kind: "group", title: "me", members: [] });
  const form = new FormData();
  // Long enough for several clusters of WebM.
  const sound = execFileSync("ffmpeg", ["-v", "error", "-stream_loop", "3", "-c:a", "libopus", "-i", soundFile("jfk.opus"), "-c:a", "libopus", "-f", "ogg", "-"]);
  form.append("audio", new Blob([new Uint8Array(sound)]), "a");
  return ana.calls(`/v1/conversations/${id}/messages`, "POST", form);
}

test("every format that the server offers plays in an audio element from any place to the end", async () => {
  const { audio, duration_ms } = await message();
  const page = await chrome.browser.newPage();
  await page.goto(server.base);
  const seconds = duration_ms / 1000;
  assert.ok(seconds > 15, String(seconds));
  const places = [seconds / 2, 0.4, 12.3, seconds - 0.8];
  for (const format of audio.formats) {
    const found = await page.evaluate(
      async ({ url, places }) => {
        const audio = new Audio(url);
        const happens = (/** @type {string} */ type) =>
          new Promise((resolve, reject) => {
            audio.addEventListener(type, resolve, { once: true });
            audio.addEventListener("error", () => reject(new Error(audio.error?.message)), { once: true });
          });
        audio.preload = "auto";
        audio.muted = true;
        await happens("loadedmetadata");
        const range = [audio.seekable.start(0), audio.seekable.end(0)];
        const reached = [];
        for (const place of places) {
          const seeked = happens("seeked");
          audio.currentTime = place;
          await seeked;
          reached.push(audio.currentTime);
        }
        const duration = audio.duration;
        const ended = happens("ended");
        await audio.play();
        await ended;
        return { duration, range, reached, end: audio.currentTime };
      },
      { url: `${audio.url}&format=${format}`, places },
    );
    const near = (/** @type {number} */ actual, /** @type {number} */ expected) =>
      assert.ok(Math.abs(actual - expected) < 0.06, `${format}: ${actual} and not ${expected}`);
    near(found.duration, seconds);
    near(found.range[0], 0);
    near(found.range[1], seconds);
    found.reached.forEach((at, i) => near(at, places[i]));
    near(found.end, seconds);
  }
  await page.close();
});
