/** A broker with clients and with bare pipes, all in this process and over a clock that stands still. */
import { duplexPair, type Duplex } from "node:stream";
import { Broker, type BrokerOptions, type BrokerPeer, type Loss } from "../../../src/messaging/broker.ts";
import { PubSubClient } from "../../../src/messaging/client.ts";
import { FRAME, FrameReader, controlBytes, writeControl, writeUint32 } from "../../../src/messaging/frames.ts";
import { FakeClock } from "../../helpers/fake-clock.ts";

export interface Reported {
  readonly error: unknown;
  readonly topic: string;
}

/** One connection, with all that the broker said of it. */
export interface Connected {
  readonly peer: BrokerPeer;
  /** The broker's end. */
  readonly ours: Duplex;
  /** The instance's end. */
  readonly theirs: Duplex;
  readonly broken: Error[];
  readonly overloads: Loss[];
  readonly recoveries: Loss[];
}

export interface Connection extends Connected {
  readonly client: PubSubClient;
  readonly reported: Reported[];
}

export interface Got {
  readonly type: number;
  readonly id: number;
  readonly bytes: Buffer;
}

export class Harness {
  readonly clock = new FakeClock();
  readonly broker: Broker;
  #id = 0;

  constructor(options: BrokerOptions = {}) {
    this.broker = new Broker({ clock: this.clock, ...options });
  }

  /** Connects a pipe at whose end nobody reads. */
  connectPipe(): Connected {
    const [ours, theirs] = duplexPair();
    const broken: Error[] = [];
    const overloads: Loss[] = [];
    const recoveries: Loss[] = [];
    const peer = this.broker.connect({
      id: `uid-${this.#id}`,
      slot: this.#id++,
      stream: ours,
      onBroken: (error) => broken.push(error),
      onOverload: (loss) => overloads.push(loss),
      onRecovered: (loss) => recoveries.push(loss),
    });
    theirs.on("error", () => {});
    return { peer, ours, theirs, broken, overloads, recoveries };
  }

  connect({ eager = false } = {}): Connection {
    const pipe = this.connectPipe();
    const reported: Reported[] = [];
    const client = new PubSubClient(pipe.theirs, {
      onHandlerError: (error, topic) => reported.push({ error, topic }),
      onLeaderError: (error, topic) => reported.push({ error, topic }),
      eager,
    });
    return { ...pipe, client, reported };
  }
}

/** Lets the event loop turn until something holds. */
export async function until(holds: () => boolean, what = holds.toString()): Promise<void> {
  for (let turn = 0; turn < 20_000; turn++) {
    if (holds()) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error(`Never came true: ${what}`);
}

/** Lets the event loop turn so often that whatever can happen without a clock has happened. */
export async function turns(count = 50): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Every message that any of them has published is then delivered. */
export async function settle(clients: readonly PubSubClient[]): Promise<void> {
  await Promise.all(clients.map((client) => client.flush()));
  await Promise.all(clients.map((client) => client.flush()));
}

/** Whether a promise is settled by now. */
export async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol("pending");
  await turns();
  return (await Promise.race([promise.catch(() => {}), Promise.resolve(pending)])) !== pending;
}

export function control(type: number, id: number, topic = ""): Buffer {
  const buffer = Buffer.alloc(controlBytes(topic));
  writeControl(buffer, 0, { type, id, topic });
  return buffer;
}

export function message(
  topic: string,
  payload: string | Uint8Array,
  flags = typeof payload === "string" ? 0 : 1,
): Buffer {
  const bytes = typeof payload === "string" ? Buffer.from(payload) : payload;
  const frame = Buffer.concat([
    Buffer.from([0, 0, 0, 0, FRAME.message, flags, topic.length]),
    Buffer.from(topic),
    bytes,
  ]);
  writeUint32(frame, frame.length - 4, 0);
  return frame;
}

/** Reads a bare pipe from now on. */
export function readFrames(pipe: Connected): Got[] {
  const got: Got[] = [];
  const reader = new FrameReader();
  pipe.theirs.on("data", (chunk: Buffer) => {
    reader.push(chunk);
    while (reader.next()) {
      const id = reader.type === FRAME.message ? -1 : reader.id();
      got.push({ type: reader.type, id, bytes: Buffer.from(reader.buffer.subarray(reader.start, reader.end)) });
    }
  });
  return got;
}

/** A frame of an id and whatever follows. */
export function request(type: number, id: number, tail: Uint8Array): Buffer {
  const frame = Buffer.concat([control(type, id), tail]);
  writeUint32(frame, frame.length - 4, 0);
  return frame;
}
