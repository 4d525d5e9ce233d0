/** POSTs on a connection of its own for each, by Node's http. Runs in the test's process. */
import http from "node:http";
import https from "node:https";
import { BODY, byDeadline, checkEcho, type Client, connectOptions, echoPath, repeat, type Work } from "./client.ts";
import { CutShort } from "./journal.ts";

/** Asks without a pause worth the name. */
export const newConnection: Client = async (work) => {
  await repeat(work, [0, 30], { request: () => post(work) });
};

function post(work: Work): Promise<void> {
  const requested = (work.target.ca === undefined ? http : https).request({
    ...connectOptions(work.target),
    path: echoPath(work.random),
    method: "POST",
    agent: false,
    headers: { "content-type": "application/octet-stream", "content-length": BODY.length },
  });
  const answer = new Promise<void>((resolve, reject) => {
    requested.on("error", reject);
    requested.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("error", reject);
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        try {
          if (!response.complete) throw new CutShort("the connection ended before the answer did");
          checkEcho(response.statusCode, Buffer.concat(chunks));
          resolve();
        } catch (error) {
          reject(error);
        }
      });
    });
  });
  requested.end(BODY);
  return byDeadline(answer, "answer on a connection of its own", () => requested.destroy());
}
