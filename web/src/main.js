import { Client } from "./client.js";
import { define } from "./define.js";
import { make } from "./dom.js";
import { VxApp } from "./elements/vx-app.js";
import { startLocale } from "./i18n.js";

startLocale();
define();

const audio = /** @type {HTMLAudioElement} */ (document.getElementById("sound"));
const client = new Client(audio);
document.body.prepend(make(VxApp, { client }));
await client.start();
