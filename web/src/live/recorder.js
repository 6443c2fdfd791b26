import { microphone } from "../recorder.js";
import { FULL_SCALE, meterLevel } from "../waveform.js";
import { LADDER } from "./rate.js";
import { PACKETS_TYPE } from "./recordings.js";
import { RATE } from "./rtp.js";
import { MicrophoneVerdict } from "./verdict.js";

/** @typedef {import("./rate.js").RateStep} RateStep */

/** What the encoder looks ahead: so much silence brings the last of the sound out. */
const LOOKAHEAD = 312;
const FIRST = LADDER[4];

/** Where it is missing, MediaRecorder records, and the recording goes up as a file. */
export async function canRecordLive() {
  if (typeof AudioEncoder !== "function" || typeof AudioWorkletNode !== "function") return false;
  return AudioEncoder.isConfigSupported(settings(FIRST)).then(({ supported }) => supported === true, () => false);
}

/**
 * One recording from the microphone as Opus packets: AudioWorklet → AudioEncoder. Owns all of them, and lets go of them at its
 * end. Events: `packet` (an Opus packet), `tick` (the level 0..1), `verdict` (what is wrong with the microphone, if anything),
 * `limit`, `lost`, as of Recorder.
 */
export class LiveRecorder extends EventTarget {
  type = PACKETS_TYPE;
  paused = false;
  /** Asked for each block: what the encoder should be set to. @type {() => RateStep | null} */
  step = () => null;
  #step = FIRST;
  /** @type {number[]} */
  #levels = [];
  /** @type {MediaStream | null} */
  #stream = null;
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {AudioEncoder | null} */
  #encoder = null;
  #verdict = new MicrophoneVerdict();
  #told = "good";
  #samples = 0;
  #ended = false;
  #maxMs;

  /** @param {number} maxMs  see `limitMs` */
  constructor(maxMs) {
    super();
    this.#maxMs = maxMs;
  }

  get elapsed_ms() {
    return (this.#samples * 1000) / RATE;
  }

  get left_ms() {
    return this.#maxMs - this.elapsed_ms;
  }

  /** Sound recorded, at 48 kHz. */
  get samples() {
    return this.#samples;
  }

  async start() {
    this.#stream = await microphone();
    if (this.#ended) return this.#release();
    try {
      await this.#connect(this.#stream);
    } catch (error) {
      this.#release();
      throw error;
    }
    if (this.#ended) this.#release();
  }

  /** @param {MediaStream} stream */
  async #connect(stream) {
    this.#context = new AudioContext({ sampleRate: RATE });
    this.#context.resume();
    await this.#context.audioWorklet.addModule(new URL("./capture-worklet.js", import.meta.url));
    this.#encoder = new AudioEncoder({ output: (chunk) => this.#packet(chunk), error: () => this.#lose() });
    this.#encoder.configure(settings(this.#step));
    const capture = new AudioWorkletNode(this.#context, "voxpost-capture", { numberOfInputs: 1, numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
    capture.port.onmessage = ({ data }) => this.#block(data);
    this.#context.createMediaStreamSource(stream).connect(capture);
    for (const track of stream.getTracks()) track.addEventListener("ended", () => this.#lose());
  }

  pause() {
    this.paused = true;
  }

  resume() {
    this.paused = false;
  }

  /** Ends it; the last packets come before it resolves. Null when it never began. */
  async finish() {
    this.#ended = true;
    const encoder = this.#encoder;
    if (encoder?.state === "configured") {
      this.#encode(new Float32Array(LOOKAHEAD));
      await encoder.flush().catch(() => {});
      encoder.close();
    }
    this.#release();
    if (!encoder) return null;
    return { duration_ms: Math.round(this.elapsed_ms), levels: this.#levels, samples: this.#samples };
  }

  /** @param {Float32Array} samples */
  #block(samples) {
    if (this.#ended || this.paused || this.#encoder?.state !== "configured") return;
    const step = this.step();
    if (step && step !== this.#step) {
      this.#step = step;
      this.#encoder.configure(settings(step));
    }
    this.#encode(samples);
    this.#samples += samples.length;
    const level = meterLevel(samples);
    this.#levels.push(Math.round(level * FULL_SCALE));
    this.dispatchEvent(new CustomEvent("tick", { detail: level }));
    const verdict = this.#verdict.handleBlock(samples);
    if (verdict !== this.#told) this.dispatchEvent(new CustomEvent("verdict", { detail: (this.#told = verdict) }));
    if (this.left_ms <= 0) this.#end("limit");
  }

  /** @param {Float32Array} samples */
  #encode(samples) {
    const timestamp = Math.round((this.#samples * 1e6) / RATE);
    const data = new AudioData({
      format: "f32",
      sampleRate: RATE,
      numberOfFrames: samples.length,
      numberOfChannels: 1,
      timestamp,
      data: /** @type {Float32Array<ArrayBuffer>} */ (samples),
    });
    this.#encoder?.encode(data);
    data.close();
  }

  /** @param {EncodedAudioChunk} chunk */
  #packet(chunk) {
    const payload = new Uint8Array(chunk.byteLength);
    chunk.copyTo(payload);
    this.dispatchEvent(new CustomEvent("packet", { detail: payload }));
  }

  #lose() {
    this.#end("lost");
  }

  /** @param {"limit" | "lost"} why */
  #end(why) {
    if (this.#ended) return;
    this.#ended = true;
    this.dispatchEvent(new CustomEvent(why));
  }

  #release() {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#context?.close();
    this.#stream = null;
    this.#context = null;
  }
}

/** @param {RateStep} step */
function settings({ bitrate_bps, frame_ms, vbr, dtx }) {
  return /** @type {AudioEncoderConfig} */ ({
    codec: "opus",
    sampleRate: RATE,
    numberOfChannels: 1,
    bitrate: bitrate_bps,
    bitrateMode: vbr ? "variable" : "constant",
    opus: { frameDuration: frame_ms * 1000, application: "voip", signal: "voice", usedtx: dtx },
  });
}
