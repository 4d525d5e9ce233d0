/**
 * Long polls of Engine.IO, the transport of Socket.IO's clients that have no WebSocket (yet): the server leaves each request open
 * until it has something to say, up to 25 s. A drain ends them with the protocol's own "close". Runs in the instance.
 */

/** What answers a poll, by HTTP/1.1 or HTTP/2. */
export interface PollResponse {
  readonly headersSent: boolean;
  writeHead(status: number, headers: Record<string, string | number>): unknown;
  end(body: string): unknown;
}

/** The packet "close" as each version of the protocol writes it: on it a client begins a new session, wherever it gets one. */
const CLOSE_PACKETS: ReadonlyMap<string | null, string> = new Map([
  ["3", "1:1"],
  ["4", "1"],
]);

/** What ends the session that a request polls for; undefined when it is no such request. */
export function closePacketFor({ method, url }: { method: string; url: string }): string | undefined {
  // Every stream of HTTP/2 is looked at: what is no poll must not cost more than this.
  if (method !== "GET" || !url.includes("transport=polling")) return undefined;
  const query = new URLSearchParams(url.slice(url.indexOf("?") + 1));
  // Without a session it asks for one, and is answered at once.
  if (query.get("transport") !== "polling" || !query.has("sid")) return undefined;
  return CLOSE_PACKETS.get(query.get("EIO"));
}

/** Answers a poll in the place of the app, unless that has begun to. */
export function answerPoll(response: PollResponse, packet: string): void {
  if (response.headersSent) return;
  response.writeHead(200, {
    "Content-Type": "text/plain; charset=UTF-8",
    "Content-Length": packet.length,
    "Cache-Control": "no-store",
  });
  response.end(packet);
  // Until the request's end reaches the app it may still answer, and Node would throw in its face.
  const nothing = (): PollResponse => response;
  Object.assign(response, { setHeader: nothing, writeHead: nothing, write: () => true, end: nothing });
}
