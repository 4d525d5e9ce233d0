/**
 * The way of messages through the bridge: out of the broker into what waits for the engine, and from the engine into the broker,
 * each once. Runs in the supervisor. It knows neither connection nor time.
 */
import type { Clock } from "../../clock.ts";
import { FLAG, MAX_VALUE_BYTES } from "../frames.ts";
import type { Outbound } from "./engine.ts";
import { MARK, openEnvelope, sealEnvelope, type Envelope } from "./envelope.ts";
import { Incoming } from "./incoming.ts";
import { Interest } from "./interest.ts";
import type { Names } from "./names.ts";
import { Outgoing, type Lost } from "./outgoing.ts";
import { BridgePipe } from "./pipe.ts";
import { SharedValues } from "./shared-values.ts";

export interface TrafficOptions {
  readonly names: Names;
  /** This supervisor: 16 hexadecimal digits. */
  readonly origin: string;
  readonly clock: Clock;
  /** Bytes that may wait for the engine. */
  readonly limit: number;
  /** Something waits for the engine. */
  readonly onWaiting: () => void;
  /** The oldest of what waits is lost: from now on, or all of it now that it is `over`. */
  readonly onLost: (lost: Lost, over: boolean) => void;
  readonly onWarning: (text: string) => void;
}

const NO_PAYLOAD = Buffer.alloc(0);
/** The bits that frame and envelope have in common. */
const BYTES = FLAG.bytes & MARK.bytes;

export class Traffic {
  readonly interest: Interest;
  readonly outgoing: Outgoing;
  readonly values: SharedValues;
  readonly pipe: BridgePipe;
  readonly #options: TrafficOptions;
  readonly #incoming: Incoming;
  /** Topics whose retained value was lost on its way out: the latest is sent when there is room. */
  readonly #unannounced = new Set<string>();
  #sequence = 0;
  #received = 0;
  #receivedBytes = 0;
  #malformed = 0;

  constructor(options: TrafficOptions) {
    this.#options = options;
    const { names, clock, onLost, onWarning } = options;
    this.#incoming = new Incoming(options.origin);
    this.interest = new Interest(names);
    this.outgoing = new Outgoing({
      limit: options.limit,
      onOverload: (lost) => onLost(lost, false),
      onRecovered: (lost) => this.#onRoom(lost),
      onDropped: (message) => this.#onDropped(message),
    });
    this.values = new SharedValues({
      clock,
      onNewer: (topic, envelope) => this.#bring(topic, envelope),
      onWarning,
    });
    this.pipe = new BridgePipe({
      message: (topic, payload, isBytes) => this.#send(topic, payload, { marks: isBytes ? BYTES : 0, version: 0 }),
      retain: (topic, payload, isBytes) => this.#share(topic, payload, MARK.retain | (isBytes ? BYTES : 0)),
      clear: (topic) => this.#share(topic, NO_PAYLOAD, MARK.clear),
      subscribe: (pattern) => this.interest.add(pattern),
      unsubscribe: (pattern) => this.interest.remove(pattern),
      refused: () => onWarning("A retained value of another machine was not kept: as many as this one keeps are"),
    });
  }

  /** What came from other machines. */
  get counts(): { received: number; receivedBytes: number; receivedLost: number; malformed: number } {
    return {
      received: this.#received,
      receivedBytes: this.#receivedBytes,
      receivedLost: this.pipe.lost,
      malformed: this.#malformed,
    };
  }

  /** Takes a message that the engine delivered. */
  receive(subject: string, data: Uint8Array): void {
    const topic = this.#options.names.topic(subject);
    const opened = openEnvelope(data);
    if (topic === undefined || opened === undefined || opened.payload.length > MAX_VALUE_BYTES) {
      this.refuse(subject);
      return;
    }
    const envelope = this.#incoming.take(opened);
    if (envelope === undefined) return;
    this.#received++;
    this.#receivedBytes += envelope.payload.length;
    const isShared = (envelope.marks & (MARK.retain | MARK.clear)) !== 0;
    const rank = isShared ? this.values.merge(topic, envelope) : "newest";
    if (rank === "newest") this.#bring(topic, envelope);
    // Out of date as a value to retain, but a message like any other.
    else if (rank === "older" && (envelope.marks & MARK.retain) !== 0) {
      this.#bring(topic, { ...envelope, marks: envelope.marks & BYTES });
    }
  }

  /** Somebody else publishes on our subjects. One line, since it may be in a loop. */
  refuse(subject: string): void {
    if (this.#malformed++ === 0) this.#options.onWarning(`A message on ${subject} is none of Choir's and is ignored`);
  }

  #bring(topic: string, { marks, payload }: Envelope): void {
    const brought = { topic, payload, isBytes: (marks & MARK.bytes) !== 0 };
    if ((marks & MARK.clear) !== 0) this.pipe.bringClear(topic);
    else if ((marks & MARK.retain) !== 0) this.pipe.bringRetained(brought);
    else this.pipe.bring(brought);
  }

  #share(topic: string, payload: Buffer, marks: number): void {
    const record = this.#send(topic, payload, { marks, version: this.values.nextVersion() });
    this.values.keep(topic, record);
  }

  #send(topic: string, payload: Buffer, { marks, version }: { marks: number; version: number }): Buffer {
    const { names, origin } = this.#options;
    const data = sealEnvelope({ marks, origin, sequence: ++this.#sequence, version }, payload);
    const subject = version === 0 ? names.subject(topic) : names.retained(topic);
    this.outgoing.push({ subject, data });
    this.#options.onWaiting();
    return data;
  }

  #onDropped({ subject, data }: Outbound): void {
    const topic = this.#options.names.topic(subject);
    const isShared = ((data[1] ?? 0) & (MARK.retain | MARK.clear)) !== 0;
    if (isShared && topic !== undefined) this.#unannounced.add(topic);
  }

  #onRoom(lost: Lost): void {
    const topics = [...this.#unannounced];
    this.#unannounced.clear();
    for (const topic of topics) this.#announce(topic);
    this.#options.onLost(lost, true);
  }

  /** Sends the topic's last value or clear once more, as a message of its own: its old number has been passed by others. */
  #announce(topic: string): void {
    const record = this.values.record(topic);
    const envelope = record === undefined ? undefined : openEnvelope(record);
    // Another supervisor's value is that one's to announce.
    if (envelope?.origin !== this.#options.origin) return;
    this.#send(topic, envelope.payload, envelope);
  }
}
