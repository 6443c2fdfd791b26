import { openLine } from "./line.js";
import { RATE, extendSequence, opusSamples, packetDown, parseRtp } from "./rtp.js";

/** So much is decoded ahead, in samples. */
const AHEAD = 2 * RATE;

/** Whether packets can be decoded and played as they come; elsewhere the growing file plays. */
export const canHearPackets = () => typeof AudioDecoder === "function" && typeof AudioWorkletNode === "function";

/**
 * One live recording as it comes: socket → AudioDecoder → AudioWorklet. Events: `end` (all that came was played, or no more can
 * come).
 */
export class LiveListener extends EventTarget {
  #context = new AudioContext({ sampleRate: RATE });
  /** @type {import("./uplink.js").Line | null} */
  #line = null;
  /** @type {AudioWorkletNode | null} */
  #node = null;
  /** @type {AudioDecoder | null} */
  #decoder = null;
  /** Came, and is not decoded yet. @type {Uint8Array[]} */
  #waiting = [];
  #waitingSamples = 0;
  /** @type {number | null} */
  #handle = null;
  #next = 0;
  /** Before what was heard here. */
  #base = 0;
  #consumed = 0;
  #buffered = 0;
  /** Sent to the worklet, or about to be. */
  #decoding = 0;
  #ended = false;

  /** @param {string} messageId @param {"start" | "edge"} from @param {() => string} token */
  constructor(messageId, from, token) {
    super();
    this.#open(messageId, from, token());
  }

  /** The place in the recording. */
  get position_ms() {
    return ((this.#base + this.#consumed) * 1000) / RATE;
  }

  stop() {
    const line = this.#line;
    this.#line = null;
    line?.close();
    this.#node?.disconnect();
    if (this.#decoder?.state === "configured") this.#decoder.close();
    if (this.#context.state !== "closed") this.#context.close();
  }

  /** @param {string} messageId @param {"start" | "edge"} from @param {string} token */
  async #open(messageId, from, token) {
    try {
      this.#context.resume();
      await this.#context.audioWorklet.addModule(new URL("./playout-worklet.js", import.meta.url));
      this.#node = new AudioWorkletNode(this.#context, "voxpost-playout", { numberOfInputs: 0, outputChannelCount: [1], processorOptions: { edge: from === "edge" } });
    } catch {
      return this.#finish(); // It was stopped, or this browser cannot do it after all.
    }
    this.#node.port.onmessage = ({ data }) => this.#told(data);
    this.#node.connect(this.#context.destination);
    this.#decoder = new AudioDecoder({ output: (data) => this.#decoded(data), error: () => this.#finish() });
    this.#decoder.configure({ codec: "opus", sampleRate: RATE, numberOfChannels: 1 });
    this.#line = openLine(token, {
      open: () => {
        this.#line?.send({ type: "hello" });
        this.#line?.send({ type: "live.join", ref: "join", message_id: messageId, from });
      },
      message: (message) => this.#take(message),
      sound: (message) => this.#takePacket(message),
      close: () => this.#line && this.#allCame(),
    });
  }

  /** @param {any} message */
  #take(message) {
    if (message.type === "live.ready") {
      this.#handle = message.handle;
      this.#next = message.next_sequence;
      this.#base = message.next_sequence * 960;
    } else if (message.type === "live.ended" || message.type === "error") this.#allCame();
  }

  /** @param {Uint8Array} message */
  #takePacket(message) {
    const down = packetDown(message);
    const rtp = down && down.handle === this.#handle ? parseRtp(down.packet) : null;
    if (!rtp) return;
    const sequence = extendSequence(this.#next, rtp.sequence);
    if (sequence < this.#next) return;
    // What the server left out for a slow listener is time all the same.
    this.#base += (sequence - this.#next) * 960;
    this.#next = sequence + 1;
    this.#waiting.push(rtp.payload.slice());
    this.#waitingSamples += opusSamples(rtp.payload);
    this.#feed();
  }

  #feed() {
    while (this.#waiting.length > 0 && this.#buffered + this.#decoding < AHEAD && this.#decoder?.state === "configured") {
      const payload = /** @type {Uint8Array<ArrayBuffer>} */ (this.#waiting.shift());
      const samples = opusSamples(payload);
      this.#waitingSamples -= samples;
      this.#decoding += samples;
      this.#decoder.decode(new EncodedAudioChunk({ type: "key", timestamp: 0, data: payload }));
    }
    if (this.#ended && this.#waiting.length === 0) this.#end();
  }

  /** @param {AudioData} data */
  #decoded(data) {
    const count = data.numberOfFrames;
    const samples = new Float32Array(count);
    data.copyTo(samples, { planeIndex: 0, format: "f32-planar" });
    data.close();
    this.#node?.port.postMessage({ samples, waiting: this.#waitingSamples }, [samples.buffer]);
    // The samples are the worklet's now.
    this.#buffered += count;
    this.#decoding = Math.max(0, this.#decoding - count);
  }

  /** @param {{ consumed: number, buffered: number, done: boolean }} state */
  #told({ consumed, buffered, done }) {
    this.#consumed = consumed;
    this.#buffered = buffered;
    if (done) return this.#finish();
    this.#feed();
  }

  #allCame() {
    if (this.#ended) return;
    this.#ended = true;
    this.#feed();
  }

  async #end() {
    if (this.#decoder?.state === "configured") await this.#decoder.flush().catch(() => {});
    this.#node?.port.postMessage("end");
  }

  #finish() {
    this.stop();
    this.dispatchEvent(new CustomEvent("end"));
  }
}
