/**
 * Many streams at once on one HTTP/2 session, by Node's http2. Runs in the test's process. A stream that the server refuses
 * (REFUSED_STREAM: it crossed the GOAWAY and was not processed) is sent again on the next session, as clients do.
 */
import http2 from "node:http2";
import { BODY, byDeadline, checkEcho, type Client, connectOptions, echoPath, repeat, type Work } from "./client.ts";

const { NGHTTP2_REFUSED_STREAM } = http2.constants;
/** How often one request may be refused: each time another instance has to be going. */
const ATTEMPTS = 5;

class Refused extends Error {}

/** Makes a client with so many streams in flight. */
export function http2Streams(streams: number): Client {
  return async (work) => {
    let session: http2.ClientHttp2Session | undefined;
    const current = (): http2.ClientHttp2Session => {
      if (session === undefined || session.closed || session.destroyed) session = open(work);
      return session;
    };
    const request = async (): Promise<void> => {
      for (let attempt = 1; ; attempt++) {
        try {
          return await stream(work, current());
        } catch (error) {
          if (!(error instanceof Refused) || attempt === ATTEMPTS) throw error;
          work.journal.retried(work.name);
        }
      }
    };
    await Promise.all(Array.from({ length: streams }, () => repeat(work, [20, 600], { request })));
    session?.destroy();
  };
}

function open({ target }: Work): http2.ClientHttp2Session {
  const { ca, servername } = connectOptions(target);
  const session = http2.connect(target.origin, { ca, servername });
  // Its streams fail with it, and they are what counts.
  session.on("error", () => {});
  return session;
}

function stream(work: Work, session: http2.ClientHttp2Session): Promise<void> {
  const requested = session.request({
    ":method": "POST",
    ":path": echoPath(work.random),
    "content-type": "application/octet-stream",
  });
  const answer = new Promise<void>((resolve, reject) => {
    let status: number | undefined;
    let failed: Error | undefined;
    const chunks: Buffer[] = [];
    requested.on("response", (headers) => (status = headers[":status"]));
    requested.on("data", (chunk: Buffer) => chunks.push(chunk));
    requested.on("error", (error) => (failed = error));
    requested.on("close", () => {
      if (requested.rstCode === NGHTTP2_REFUSED_STREAM) {
        reject(new Refused("refused"));
        return;
      }
      try {
        if (failed !== undefined) throw failed;
        checkEcho(status, Buffer.concat(chunks));
        resolve();
      } catch (error) {
        reject(error);
      }
    });
  });
  requested.end(BODY);
  return byDeadline(answer, "answer on a stream", () => requested.close());
}
