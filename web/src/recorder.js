import { FULL_SCALE, meterLevel } from "./waveform.js";

/** What MediaRecorder is asked for, best first: the server takes all of them and keeps Opus packets as they are. */
const TYPES = ["audio/webm;codecs=opus", "audio/ogg;codecs=opus", "audio/mp4;codecs=opus", "audio/mp4", "audio/webm"];
const PIECE_MS = 1000;
const METER_MS = 50;
const BITS_PER_SECOND = 32_000;

/** @typedef {{ blob: Blob, type: string, duration_ms: number, levels: number[] }} Recording */

/** @param {string} type */
export function extension(type) {
  return type.includes("webm") ? "webm" : type.includes("ogg") ? "ogg" : "m4a";
}

/** A browser hands out the microphone only to https and localhost. */
export const canRecord = () => navigator.mediaDevices !== undefined && "MediaRecorder" in globalThis;

/**
 * When a recording has to end so that the server takes all of it: a little before its limit, because a piece of sound that
 * is already on its way still comes.
 * @param {number} maxDurationMs
 */
export function limitMs(maxDurationMs) {
  return maxDurationMs - Math.min(2000, maxDurationMs / 10);
}

/** Asks for the microphone. Rejects with the DOMException of `getUserMedia` when there is none. */
export const microphone = () =>
  navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true } });

/**
 * One recording from the microphone. Owns the stream, the meter and the MediaRecorder, and lets go of all of them at its
 * end. Events: `piece` (a Blob, about every second), `tick` (the level 0..1), `limit` (the longest time is reached),
 * `lost` (the microphone went away; what was said until then is there).
 */
export class Recorder extends EventTarget {
  /** @type {number[]} */
  #levels = [];
  /** @type {Blob[]} */
  #pieces = [];
  /** @type {MediaStream | null} */
  #stream = null;
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {MediaRecorder | null} */
  #recorder = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #meter;
  #startedAt = 0;
  #before = 0;
  #ended = false;
  #maxMs;

  /** @param {number} maxMs  see `limitMs` */
  constructor(maxMs) {
    super();
    this.#maxMs = maxMs;
  }

  /** Sound recorded so far, without pauses. */
  get elapsed_ms() {
    return this.#before + (this.#recorder?.state === "recording" ? performance.now() - this.#startedAt : 0);
  }

  get left_ms() {
    return this.#maxMs - this.elapsed_ms;
  }

  get paused() {
    return this.#recorder?.state === "paused";
  }

  get type() {
    return this.#recorder?.mimeType ?? "";
  }

  /** Asks for the microphone and starts. Rejects with the DOMException of `getUserMedia` when there is none. */
  async start() {
    this.#stream = await microphone();
    if (this.#ended) return this.#release();
    const mimeType = TYPES.find((type) => MediaRecorder.isTypeSupported(type));
    this.#recorder = new MediaRecorder(this.#stream, { mimeType, audioBitsPerSecond: BITS_PER_SECOND });
    this.#recorder.addEventListener("dataavailable", ({ data }) => this.#take(data));
    this.#recorder.addEventListener("error", () => this.#lose());
    for (const track of this.#stream.getTracks()) track.addEventListener("ended", () => this.#lose());
    this.#startMeter(this.#stream);
    this.#recorder.start(PIECE_MS);
    this.#startedAt = performance.now();
  }

  pause() {
    if (this.#recorder?.state !== "recording") return;
    this.#before = this.elapsed_ms;
    this.#recorder.pause();
  }

  resume() {
    if (this.#recorder?.state !== "paused") return;
    this.#startedAt = performance.now();
    this.#recorder.resume();
  }

  /** Hands out what there is at once: the page may be about to go. */
  flush() {
    if (this.#recorder?.state === "recording") this.#recorder.requestData();
  }

  /** Ends it and gives what was recorded; null when it never began. @returns {Promise<Recording | null>} */
  async finish() {
    const recorder = this.#recorder;
    this.#ended = true;
    if (!recorder) {
      this.#release();
      return null;
    }
    const duration_ms = Math.round(this.elapsed_ms);
    if (recorder.state !== "inactive") {
      await new Promise((resolve) => {
        recorder.addEventListener("stop", resolve, { once: true });
        recorder.stop();
      });
    }
    this.#release();
    const type = recorder.mimeType;
    return { blob: new Blob(this.#pieces, { type }), type, duration_ms, levels: this.#levels };
  }

  /** @param {Blob} data */
  #take(data) {
    if (data.size === 0) return;
    this.#pieces.push(data);
    this.dispatchEvent(new CustomEvent("piece", { detail: data }));
    // Timers sleep in a hidden tab, pieces of sound do not.
    this.#checkLimit();
  }

  /** @param {MediaStream} stream */
  #startMeter(stream) {
    this.#context = new AudioContext();
    // Safari starts it asleep when the question for the microphone took a while.
    this.#context.resume();
    const analyser = this.#context.createAnalyser();
    analyser.fftSize = 2048;
    this.#context.createMediaStreamSource(stream).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    this.#meter = setInterval(() => {
      if (this.paused) return;
      analyser.getFloatTimeDomainData(samples);
      const level = meterLevel(samples);
      this.#levels.push(Math.round(level * FULL_SCALE));
      this.dispatchEvent(new CustomEvent("tick", { detail: level }));
      this.#checkLimit();
    }, METER_MS);
  }

  #checkLimit() {
    if (this.#ended || this.left_ms > 0) return;
    this.#ended = true;
    this.dispatchEvent(new CustomEvent("limit"));
  }

  #lose() {
    if (this.#ended) return;
    this.#ended = true;
    this.dispatchEvent(new CustomEvent("lost"));
  }

  #release() {
    clearInterval(this.#meter);
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#context?.close();
    this.#stream = null;
    this.#context = null;
  }
}
