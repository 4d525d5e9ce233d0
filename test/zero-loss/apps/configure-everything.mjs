// All that the clients of test/zero-loss ask for, on a default app: echoes, streams, slow bodies, a WebSocket.
import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { WebSocketServer } from "ws";

/** Puts the routes on an app. */
export function configureEverything(app) {
  app.addHook("onRequest", (_request, reply, done) => {
    reply.header("x-pid", process.pid);
    done();
  });
  app.addContentTypeParser("application/octet-stream", { parseAs: "buffer" }, (_request, body, done) =>
    done(null, body),
  );
  app.addContentTypeParser("application/x-chunks", (_request, payload, done) => done(null, payload));

  app.post("/echo", async (request, reply) => {
    if (request.query.delay !== undefined) await delay(Number(request.query.delay));
    reply.type("application/octet-stream");
    return request.body;
  });
  app.post("/upload", async (request) => {
    let bytes = 0;
    for await (const chunk of request.body) bytes += chunk.length;
    return String(bytes);
  });
  app.get("/download", (request) => Readable.from(chunks(Number(request.query.bytes)), { objectMode: false }));
  app.get("/events", (request, reply) => {
    reply.type("text/event-stream");
    return Readable.from(events(Number(request.query.count), Number(request.query.every)));
  });
  app.get("/pid", () => String(process.pid));
  app.get("/block", (request) => {
    // From here on it accepts nothing.
    console.log("blocking");
    const end = performance.now() + Number(request.query.ms);
    while (performance.now() < end);
    return "unblocked";
  });

  new WebSocketServer({ server: app.server, path: "/socket", perMessageDeflate: false }).on("connection", (socket) => {
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
}

function* chunks(bytes) {
  const chunk = Buffer.alloc(65_536, "d");
  for (let left = bytes; left > 0; left -= chunk.length) yield left >= chunk.length ? chunk : chunk.subarray(0, left);
}

async function* events(count, every) {
  for (let n = 0; n < count; n++) {
    yield `data: ${n}\n\n`;
    await delay(every);
  }
}
