/** Requests that take long: server-sent events, a slow upload and a slow download, by Node's http. Runs in the test's process. */
import http, { type IncomingMessage } from "node:http";
import https from "node:https";
import { byDeadline, type Client, connectOptions, repeat, rest, type Work } from "./client.ts";
import { CutShort } from "./journal.ts";

const EVENTS = 20;
const UPLOADED_CHUNKS = 40;
const DOWNLOADED_BYTES = 6_000_000;
/** What a slow download reads before it rests. */
const READ_AT_ONCE = 128 * 1024;

/** Reads a stream of events to its end. */
export const serverSentEvents: Client = (work) =>
  repeat(work, [0, 200], {
    request: () =>
      ask(work, `/events?count=${EVENTS}&every=75`, {}, async (response) => {
        const seen = (await text(response)).match(/^data: \d+$/gm) ?? [];
        if (seen.length !== EVENTS) throw new CutShort(`${seen.length} of ${EVENTS} events`);
      }),
  });

/** Sends 1 KB at a time for some two seconds. */
export const slowUpload: Client = (work) =>
  repeat(work, [0, 200], {
    request: () => {
      const chunk = Buffer.alloc(1024, "u");
      const send = async (request: http.ClientRequest): Promise<void> => {
        for (let n = 0; n < UPLOADED_CHUNKS && !request.destroyed; n++) {
          request.write(chunk);
          // Not work's own rest: an upload that is stopped early would be a short one.
          await new Promise((resolve) => setTimeout(resolve, 20 + 60 * work.random()));
        }
        request.end();
      };
      return ask(work, "/upload", { method: "POST", send }, async (response) => {
        const counted = await text(response);
        if (Number(counted) !== UPLOADED_CHUNKS * chunk.length) throw new CutShort(`the server read ${counted} bytes`);
      });
    },
  });

/** Reads an answer that no socket buffer holds, a little at a time. */
export const slowDownload: Client = (work) =>
  repeat(work, [0, 200], {
    request: () =>
      ask(work, `/download?bytes=${DOWNLOADED_BYTES}`, {}, async (response) => {
        let bytes = 0;
        let unrested = 0;
        for await (const chunk of response as AsyncIterable<Buffer>) {
          bytes += chunk.length;
          unrested += chunk.length;
          if (unrested < READ_AT_ONCE) continue;
          unrested = 0;
          await rest(work, 30);
        }
        if (bytes !== DOWNLOADED_BYTES) throw new CutShort(`${bytes} of ${DOWNLOADED_BYTES} bytes`);
      }),
  });

interface Asking {
  readonly method?: string;
  readonly send?: (request: http.ClientRequest) => Promise<void>;
}

function ask(
  { target }: Work,
  path: string,
  { method = "GET", send }: Asking,
  read: (response: IncomingMessage) => Promise<void>,
): Promise<void> {
  const requested = (target.ca === undefined ? http : https).request({
    ...connectOptions(target),
    path,
    method,
    agent: false,
    headers: { "content-type": "application/x-chunks" },
  });
  const answer = new Promise<void>((resolve, reject) => {
    requested.on("error", reject);
    requested.on("response", (response) => {
      if (response.statusCode === 200) read(response).then(resolve, reject);
      else reject(new CutShort(`status ${response.statusCode}`));
    });
  });
  if (send === undefined) requested.end();
  else send(requested).catch(() => {});
  return byDeadline(answer, `end of ${path}`, () => requested.destroy());
}

async function text(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
