import { ApiError } from "../../src/api.js";

/** @typedef {import("../../src/uploads/request.js").Asked} Asked */
/** @typedef {import("../../src/uploads/request.js").Answer} Answer */
/** @typedef {{ length: number, metadata: string, bytes: number[], state: string, message_id?: string }} Kept */
/**
 * What goes wrong with one request: it never arrives, its answer is lost, only so much of its body arrives, or the server
 * says no.
 * @typedef {{ lost: "request" | "answer" } | { cut: number } | { says: ApiError } | null} Fault
 */

/**
 * The server's side of an upload as the contract has it, in memory, behind the interface of request.js. `fault` decides what
 * happens to each request.
 */
export class TusServer {
  /** @type {Map<string, Kept>} */
  uploads = new Map();
  /** Whole sounds that became messages, by id. @type {Map<string, number[]>} */
  messages = new Map();
  /** @type {string[]} */
  log = [];
  /** How far each upload was when its client was last told. @type {Map<string, number>} */
  #told = new Map();
  #busy = 0;
  #count = 0;
  #fault;

  /** @param {(asked: Asked) => Fault} [fault] */
  constructor(fault = () => null) {
    this.#fault = fault;
  }

  /** @type {(asked: Asked) => Promise<Answer>} */
  request = async (asked) => {
    // An upload is ended without waiting for what is cut off.
    if (this.#busy > 0 && asked.method !== "DELETE") throw new Error("two requests at a time");
    this.#busy += 1;
    try {
      await null;
      this.log.push(asked.method);
      return this.#handle(asked, this.#fault(asked));
    } finally {
      this.#busy -= 1;
    }
  };

  /** @param {Asked} asked @param {Fault} fault */
  #handle(asked, fault) {
    if (fault && "says" in fault) throw fault.says;
    if (fault && "lost" in fault && fault.lost === "request") throw new ApiError("network", 0);
    const answer = this.#answer(asked, fault && "cut" in fault ? fault.cut : Infinity);
    if (fault) throw new ApiError("network", 0);
    const at = answer.headers["Upload-Offset"];
    if (at !== undefined) this.#told.set(asked.path, Number(at));
    const header = (/** @type {string} */ name) => answer.headers[name] ?? null;
    return { status: answer.status, text: JSON.stringify(answer.body ?? ""), header };
  }

  /**
   * @param {Asked} asked
   * @param {number} cut
   * @returns {{ status: number, headers: Record<string, string>, body?: object }}
   */
  #answer({ method, path, headers = {}, body }, cut) {
    if (method === "POST" && path === "/v1/uploads") {
      const id = `/v1/uploads/u${(this.#count += 1)}`;
      this.uploads.set(id, { length: Number(headers["Upload-Length"]), metadata: headers["Upload-Metadata"], bytes: [], state: "receiving" });
      return { status: 201, headers: { Location: `https://elsewhere.example${id}` } };
    }
    const upload = this.uploads.get(path);
    if (!upload) throw new ApiError("not_found", 404);
    const told = () => ({ "Upload-Offset": String(upload.bytes.length) });
    switch (method) {
      case "HEAD":
        return { status: 200, headers: told() };
      case "GET":
        return { status: 200, headers: {}, body: { state: upload.state, message_id: upload.message_id } };
      case "DELETE":
        this.uploads.delete(path);
        return { status: 204, headers: {} };
      case "PATCH": {
        const from = Number(headers["Upload-Offset"]);
        if (from < (this.#told.get(path) ?? 0)) throw new Error(`byte ${from} of ${path} was acknowledged and is sent again`);
        if (from !== upload.bytes.length) throw new ApiError("upload_offset_mismatch", 409);
        upload.bytes.push(...new Uint8Array(/** @type {ArrayBuffer} */ (body)).slice(0, cut));
        if (upload.bytes.length < upload.length) return { status: 204, headers: told() };
        upload.message_id = `m${path.slice(-1)}`;
        upload.state = "sent";
        this.messages.set(upload.message_id, upload.bytes);
        return { status: 204, headers: { ...told(), "Voxpost-Message-Id": upload.message_id } };
      }
      default:
        throw new Error(`${method} ${path}`);
    }
  }
}

/** Numbers between 0 and 1 that are the same for the same seed (mulberry32). @param {number} seed */
export function seeded(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
