/**
 * Asks an app something before it listens, over a connection that only exists inside the process. Runs in the instance, and in
 * tests.
 */
import type { Server } from "node:net";
import { duplexPair } from "node:stream";
import tls from "node:tls";
import { http } from "./node-http.ts";

/** Sends `GET path` to the server and resolves with the status of its answer. */
function askPrivately(server: Server, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const [ours, theirs] = duplexPair();
    const isTls = server instanceof tls.Server;
    // Nobody else is on this connection, so the certificate's name does not matter.
    const connection = isTls
      ? tls.connect({ socket: ours, rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] })
      : ours;
    const end = (): void => {
      connection.destroy();
      theirs.destroy();
    };
    const headers = { host: "localhost", connection: "close" };
    const request = http.request({ path, headers, createConnection: () => connection }, (response) => {
      response.resume().on("end", () => {
        end();
        resolve(response.statusCode ?? 0);
      });
      response.on("error", reject);
    });
    request.on("error", (error) => {
      end();
      reject(error);
    });
    request.end();
    server.emit("connection", theirs);
  });
}

/** What `until` waits between two questions, in milliseconds. */
const ASK_EVERY_MS = 100;

/** Asks until the answer is 2xx or 3xx, and notes every other one that differs from the one before. Who calls it sets the deadline. */
export async function askUntilReady(server: Server, path: string, note: (answer: string) => void): Promise<void> {
  let last: string | undefined;
  for (;;) {
    const status = await askPrivately(server, path).catch((error: Error) => error.message);
    if (typeof status === "number" && status >= 200 && status < 400) return;
    const answer = typeof status === "number" ? `status ${status}` : status;
    if (answer !== last) note(answer);
    last = answer;
    await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
  }
}
