/**
 * Messages of the people who run the app: publishes for them, and shows them what is published. Runs in the supervisor, beside the
 * broker, as a client of it in the same process; src/control/ calls it. No instance waits for who listens here.
 */
import { duplexPair } from "node:stream";
import type { Broker } from "./broker.ts";
import { FLAG, FRAME, FrameReader, MESSAGE_FIELD_BYTES, controlBytes, writeControl } from "./frames.ts";
import { checkPattern } from "./topics.ts";

/** Where the messages of one listener go. */
export interface ListenerSink {
  /** Takes a message as one line of JSON; false when it wants no more until `resume()`. */
  take(line: string): boolean;
  /** So many messages were lost, since it took them too slowly. */
  lost(messages: number): void;
}

export interface Listener {
  resume(): void;
  close(): void;
}

export class Operator {
  readonly #broker: Broker;
  #lastId = 0;

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  /**
   * Publishes to every instance that has subscribed; resolves when the broker has handled it.
   * @throws ChoirError as PubSub.publish, as a rejection.
   */
  async publish(topic: string, value: unknown, retain: boolean): Promise<void> {
    // Loaded when it is used: a supervisor has no other need of a client.
    const { PubSubClient } = await import("./client.ts");
    const [ours, theirs] = duplexPair();
    this.#broker.connect({ id: this.#nextId(), stream: ours, onBroken: () => {}, onOverload: () => {} });
    const client = new PubSubClient(theirs, { onHandlerError: () => {}, onLeaderError: () => {} });
    try {
      await client.publish(topic, value, { retain });
      await client.flush();
    } finally {
      await client.close();
    }
  }

  /**
   * Gives every message of a topic or pattern to the sink, retained ones first, until it is closed.
   * @throws ChoirError ERR_CHOIR_TOPIC.
   */
  listen(pattern: string, sink: ListenerSink): Listener {
    checkPattern(pattern);
    const [ours, theirs] = duplexPair();
    const peer = this.#broker.connect({
      id: this.#nextId(),
      stream: ours,
      waitMs: 0,
      onBroken: () => {},
      onOverload: () => {},
      onRecovered: ({ dropped }) => sink.lost(dropped),
    });
    const reader = new FrameReader();
    let isFull = false;
    const resume = (): void => {
      isFull = false;
      // A turn for everybody else between two chunks: a flood of messages is not to keep the supervisor from its work.
      setImmediate(() => {
        if (!isFull) theirs.resume();
      });
    };
    theirs.on("error", () => {});
    theirs.on("data", (chunk: Buffer) => {
      theirs.pause();
      reader.push(chunk);
      while (reader.next()) if (reader.type === FRAME.message && !sink.take(lineOf(reader))) isFull = true;
      if (!isFull) resume();
    });
    const frame = Buffer.allocUnsafe(controlBytes(pattern));
    writeControl(frame, 0, { type: FRAME.subscribe, id: 1, topic: pattern });
    theirs.write(frame);
    return {
      resume,
      close() {
        peer.close();
        theirs.destroy();
      },
    };
  }

  #nextId(): string {
    this.#lastId++;
    return `operator-${this.#lastId}`;
  }
}

/** The value goes into the line as it came: it is not decoded here. */
function lineOf({ buffer, body, end }: FrameReader): string {
  const flags = buffer[body] ?? 0;
  const topicStart = body + MESSAGE_FIELD_BYTES;
  const start = topicStart + (buffer[body + 1] ?? 0);
  const topic = buffer.toString("latin1", topicStart, start);
  const isBytes = (flags & FLAG.bytes) !== 0;
  const payload = isBytes ? `"${buffer.toString("base64", start, end)}"` : oneLine(buffer.toString("utf8", start, end));
  const retained = (flags & FLAG.retained) !== 0;
  return `{"topic":"${topic}","retained":${retained},"${isBytes ? "base64" : "value"}":${payload}}`;
}

/** Our own clients write no line breaks; others could, outside of strings, where a blank means the same. */
function oneLine(json: string): string {
  return /[\n\r]/.test(json) ? json.replaceAll(/[\n\r]/g, " ") : json;
}
