/** POSTs on one connection that is kept alive, by undici, which never sends a POST twice. Runs in the test's process. */
import { Client as Connection } from "undici";
import { BODY, byDeadline, checkEcho, type Client, connectOptions, echoPath, repeat } from "./client.ts";

/** Makes a client that rests between its requests for a time between the two given, in milliseconds. */
export function keepAlive(pause: readonly [min: number, max: number]): Client {
  return async (work) => {
    const { socketPath, ca, servername } = connectOptions(work.target);
    const connection = new Connection(work.target.origin, {
      ...(socketPath === undefined ? {} : { socketPath }),
      ...(ca === undefined ? {} : { connect: { ca, servername } }),
    });
    let pid: number | undefined;
    connection.on("disconnect", () => (pid = undefined));
    const request = async (): Promise<void> => {
      const given = new AbortController();
      const answer = async (): Promise<void> => {
        const { statusCode, headers, body } = await connection.request({
          path: echoPath(work.random),
          method: "POST",
          headers: { "content-type": "application/octet-stream" },
          body: BODY,
          signal: given.signal,
        });
        if (headers["connection"] !== "close") pid = Number(headers["x-pid"]);
        checkEcho(statusCode, Buffer.from(await body.arrayBuffer()));
      };
      await byDeadline(answer(), "answer on a kept connection", () => given.abort());
    };
    await repeat(work, pause, { request, pid: () => pid });
    await connection.destroy();
  };
}
