/** All kinds of clients at once against one program, from a seed, and what they saw. Runs in the test's process. */
import { setMaxListeners } from "node:events";
import { seededRandom } from "../helpers/random.ts";
import { within } from "../helpers/within.ts";
import { byteByByte, pipelining } from "./clients/pipelining.ts";
import { type Client, DEADLINE_MS, type Target } from "./clients/client.ts";
import { http2Streams } from "./clients/http2-streams.ts";
import { Journal } from "./clients/journal.ts";
import { keepAlive } from "./clients/keep-alive.ts";
import { newConnection } from "./clients/new-connection.ts";
import { serverSentEvents, slowDownload, slowUpload } from "./clients/streams.ts";
import { webSocket } from "./clients/web-socket.ts";

/** A kind of client and how many of it. */
export interface Crowd {
  readonly name: string;
  readonly client: Client;
  readonly count: number;
}

export const KEEP_ALIVE: Crowd = { name: "keep-alive", client: keepAlive([5, 150]), count: 40 };
export const KEEP_ALIVE_SLOW: Crowd = { name: "keep-alive, slow", client: keepAlive([5, 2000]), count: 60 };
export const NEW_CONNECTION: Crowd = { name: "new connection", client: newConnection, count: 4 };
export const WEB_SOCKET: Crowd = { name: "WebSocket", client: webSocket, count: 6 };
export const PIPELINING: Crowd = { name: "pipelining", client: pipelining, count: 10 };
const BYTE_BY_BYTE: Crowd = { name: "byte by byte", client: byteByByte, count: 6 };
export const SERVER_SENT_EVENTS: Crowd = { name: "server-sent events", client: serverSentEvents, count: 3 };
export const SLOW_UPLOAD: Crowd = { name: "slow upload", client: slowUpload, count: 3 };
const SLOW_DOWNLOAD: Crowd = { name: "slow download", client: slowDownload, count: 2 };
/** 100 streams in sum. */
const HTTP2: Crowd = { name: "HTTP/2", client: http2Streams(25), count: 4 };

/** Whatever speaks HTTP/1.1. */
export const EVERYONE: readonly Crowd[] = [
  KEEP_ALIVE,
  KEEP_ALIVE_SLOW,
  NEW_CONNECTION,
  PIPELINING,
  BYTE_BY_BYTE,
  WEB_SOCKET,
  SERVER_SENT_EVENTS,
  SLOW_UPLOAD,
  SLOW_DOWNLOAD,
];

/** Every kind of client that a target can have; half as many of each where they have to encrypt, since they share the two cores. */
export function everyoneFor(target: Target): readonly Crowd[] {
  if (target.ca === undefined) return EVERYONE;
  const fewer = EVERYONE.map((crowd) => ({ ...crowd, count: Math.ceil(crowd.count / 2) }));
  return target.http2 ? [...fewer, HTTP2] : fewer;
}

export interface Load {
  readonly journal: Journal;
  readonly seed: number;
  /** Lets every client finish what it began. */
  stop(): Promise<void>;
}

/** Starts the clients; the same seed gives each the same dice. */
export function startLoad(target: Target, crowds: readonly Crowd[], seed: number): Load {
  const journal = new Journal();
  const stopping = new AbortController();
  // Each resting client listens to it, HTTP/2's streams one by one.
  setMaxListeners(0, stopping.signal);
  const clients = crowds.flatMap(({ name, client, count }, kind) =>
    Array.from({ length: count }, (_, n) => {
      const random = seededRandom(seed * 1_000_003 + kind * 1009 + n);
      return client({ name, target, journal, random, stopped: stopping.signal });
    }),
  );
  const done = Promise.all(clients);
  return {
    journal,
    seed,
    async stop() {
      stopping.abort();
      await within(done, "the clients to finish", DEADLINE_MS + 10_000);
    },
  };
}
