/**
 * A connection to the server beside the one that keeps the page in step: sound must not wait for events.
 * @param {string} token
 * @param {{ open: () => void, message: (message: any) => void, sound?: (message: Uint8Array) => void, close: () => void }} on
 * @returns {import("./uplink.js").Line}
 */
export function openLine(token, on) {
  const url = new URL("/v1/socket", location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(url, ["voxpost.v1", `bearer.${token}`]);
  socket.binaryType = "arraybuffer";
  socket.addEventListener("open", () => on.open());
  socket.addEventListener("close", () => on.close());
  socket.addEventListener("message", ({ data }) => {
    if (typeof data === "string") on.message(JSON.parse(data));
    else on.sound?.(new Uint8Array(data));
  });
  return {
    send: (message) => {
      if (socket.readyState !== WebSocket.OPEN) return;
      socket.send(message instanceof Uint8Array ? /** @type {Uint8Array<ArrayBuffer>} */ (message) : JSON.stringify(message));
    },
    close: () => socket.close(),
  };
}
