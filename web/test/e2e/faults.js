import http from "node:http";
import net from "node:net";

/** @typedef {{ method: string, path: string, offset: number | null, sent: number, status: number | null, acknowledged: number | null }} Exchange
 * A request for uploads: the offset that it began at, how many bytes of its body came, and what was answered.
 */

/**
 * Stands between browser and server, writes down what is said about uploads, and breaks it. Everything else passes.
 * @param {string} target   address of the server
 */
export async function faultProxy(target) {
  const { hostname, port } = new URL(target);
  /** @type {Exchange[]} */
  const log = [];
  /** Bytes of sound that may still pass; then the network stalls. */
  let room = Infinity;
  /** Whether that has happened. */
  let stands = false;
  /** @type {Set<() => void>} Those that stand still. */
  const stalled = new Set();
  /** @type {Set<import("node:stream").Duplex>} */
  const sockets = new Set();

  const server = http.createServer((request, response) => {
    const uploads = request.url?.startsWith("/v1/uploads") ?? false;
    /** @type {Exchange} */
    const exchange = { method: request.method ?? "", path: request.url ?? "", offset: number(request.headers["upload-offset"]), sent: 0, status: null, acknowledged: null };
    if (uploads) log.push(exchange);
    const onward = http.request({ hostname, port, method: request.method, path: request.url, headers: request.headers }, (answer) => {
      exchange.status = answer.statusCode ?? null;
      exchange.acknowledged = number(answer.headers["upload-offset"]);
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.on("error", () => response.destroy());
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    request.on("error", () => onward.destroy());
    const resume = () => void request.resume();
    response.on("close", () => {
      stalled.delete(resume);
      onward.destroy();
    });
    request.on("end", () => onward.end());
    request.on("data", (/** @type {Buffer} */ piece) => {
      exchange.sent += piece.length;
      onward.write(piece);
      if (!uploads || (room -= piece.length) > 0) return;
      request.pause();
      stands = true;
      stalled.add(resume);
    });
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  server.on("upgrade", (request, socket) => {
    const onward = net.connect(Number(port), hostname, () => {
      onward.write(`${request.method} ${request.url} HTTP/1.1\r\n${headers(request.rawHeaders)}\r\n`);
      socket.pipe(onward).pipe(socket);
    });
    for (const [one, other] of [[socket, onward], [onward, socket]]) {
      one.on("error", () => other.destroy());
      one.on("close", () => other.destroy());
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port: own } = /** @type {import("node:net").AddressInfo} */ (server.address());

  return {
    base: `http://127.0.0.1:${own}`,
    log,
    /** After so many more bytes of sound the network stalls. @param {number} bytes */
    stallAfter(bytes) {
      room = bytes;
      stands = false;
    },
    /** Whether it has stalled since. */
    get stalls() {
      return stands;
    },
    /** Lets everything pass again. */
    flow() {
      room = Infinity;
      for (const resume of stalled) resume();
      stalled.clear();
    },
    /** Cuts every connection. */
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    /** Bytes of sound that came in all. */
    get sound() {
      return log.reduce((sum, { sent }) => sum + sent, 0);
    },
    /** What was acknowledged and sent again all the same. */
    get repeated() {
      /** @type {Map<string, number>} */
      const acknowledged = new Map();
      return log.filter(({ method, path, offset, acknowledged: now }) => {
        const before = acknowledged.get(path) ?? 0;
        if (now !== null) acknowledged.set(path, Math.max(before, now));
        return method === "PATCH" && offset !== null && offset < before;
      });
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** @param {string | string[] | undefined} header */
const number = (header) => (typeof header === "string" ? Number(header) : null);

/** @param {string[]} raw   name, value, name, value… */
const headers = (raw) => raw.map((text, i) => (i % 2 === 0 ? `${text}: ` : `${text}\r\n`)).join("");
