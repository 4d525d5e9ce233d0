/**
 * Requests between machines. Each supervisor tells the others who responds to what at it; so the broker's desk (request-desk.ts)
 * knows whom it can ask, and asks an instance of another machine as it asks its own. Runs in the supervisor.
 *
 * A request goes to the supervisor of who is asked, and its answer back to the supervisor of who asked, as the frames that an
 * instance sends and gets, each to a subject that only that supervisor takes. Neither waits for a connection: when it is lost,
 * everyone who was asked over it counts as gone.
 */
import type { Clock, Timer } from "../../clock.ts";
import { FrameReader, MAX_TOPIC_LENGTH, MAX_VALUE_BYTES, REQUEST_FRAME, frameError } from "../frames.ts";
import type { RequestDesk } from "../request-desk.ts";
import type { Elsewhere, Stranger } from "../request-party.ts";
import { decodeDirectory, encodeDirectory } from "./directory.ts";
import type { EngineConnection } from "./engine.ts";
import { openEnvelope, sealEnvelope } from "./envelope.ts";
import { Incoming } from "./incoming.ts";
import type { Names } from "./names.ts";
import { Post } from "./post.ts";

export interface SharedRequestsOptions {
  readonly desk: RequestDesk;
  readonly names: Names;
  /** This supervisor: 16 hexadecimal digits. */
  readonly origin: string;
  /** What people call it: of `machineName`. */
  readonly machine: string;
  readonly clock: Clock;
  /** Bytes that may wait for the engine. */
  readonly limit: number;
  /** Whether the engine is there, and those who were there before. */
  readonly isReached: () => boolean;
  /** Something came that is none of Choir's. */
  readonly onMalformed: (subject: string) => void;
  readonly onWarning: (text: string) => void;
}

/** What a message between supervisors is, in its first byte. */
const KIND = {
  /** Uid's length u8, uid of the instance asked, then a frame: a request and its cancel there, an answer or `gone` back. */
  frame: 1,
  /** To all: a directory. */
  directory: 2,
  /** Tell your directory. */
  tell: 3,
} as const;

/** Changes within this time are told together, in milliseconds: an instance that starts responds to one topic after another. */
const TELL_MS = 10;
/** The longest of these messages: a frame with the longest topic, value and uid. */
const MAX_BYTES = MAX_VALUE_BYTES + 2 * MAX_TOPIC_LENGTH + 100;
/** Requests of one other machine that are unanswered here. */
const MOST_VISITORS = 100_000;
/** Other supervisors that are known; who reaches the engine is trusted, but memory has its bounds. */
const MOST_MACHINES = 1000;

/** Another supervisor. */
interface Machine {
  /** Whether it has been heard before. */
  isMet: boolean;
  /** Whether it has told its directory. */
  isKnown: boolean;
  /** Its instances, by uid. */
  readonly responders: Map<string, Stranger>;
  /** Its requests that are unanswered here, by uid and id. */
  readonly visitors: Map<string, Stranger>;
}

export class SharedRequests implements Elsewhere {
  readonly #options: SharedRequestsOptions;
  readonly #post: Post;
  readonly #incoming: Incoming;
  readonly #machines = new Map<string, Machine>();
  #sequence = 0;
  #telling: Timer | undefined;
  #isConnected = false;

  constructor(options: SharedRequestsOptions) {
    this.#options = options;
    this.#post = new Post(options.limit);
    this.#incoming = new Incoming(options.origin, MAX_BYTES);
    options.desk.connect(this);
  }

  get isReached(): boolean {
    return this.#options.isReached();
  }

  /** What this supervisor responds to has changed: the others are told, with what else changes in the next moment. */
  changed(): void {
    if (!this.#isConnected || this.#telling !== undefined) return;
    this.#telling = this.#options.clock.after(TELL_MS, () => {
      this.#telling = undefined;
      this.#tell();
    });
  }

  /** Takes a new connection, to which all subscriptions but its own have been given. */
  connect(connection: EngineConnection): void {
    const { names, origin } = this.#options;
    this.#isConnected = true;
    connection.subscribe(names.requests);
    connection.subscribe(names.requestsTo(origin));
    this.#post.open(connection);
    this.changed();
  }

  disconnect(): void {
    this.#isConnected = false;
    this.#telling?.cancel();
    this.#telling = undefined;
    this.#post.shut();
    for (const origin of this.#machines.keys()) this.left(origin);
  }

  /** Another supervisor has connected: what it asked over its last connection it waits for no more. */
  joined(origin: string): void {
    const machine = this.#machine(origin);
    if (machine === undefined) return;
    machine.isMet = true;
    for (const visitor of machine.visitors.values()) this.#options.desk.onGone(visitor);
    machine.visitors.clear();
    this.changed();
  }

  /** Another supervisor lives: one whose directory was missed is asked for it. */
  greeted(origin: string): void {
    const machine = this.#machine(origin);
    if (machine === undefined || machine.isKnown) return;
    if (machine.isMet) this.#send(this.#options.names.requestsTo(origin), [Uint8Array.of(KIND.tell)]);
    machine.isMet = true;
  }

  /** Another supervisor has ended, or cannot be reached. */
  left(origin: string): void {
    const machine = this.#machines.get(origin);
    if (machine === undefined) return;
    this.#machines.delete(origin);
    const { desk } = this.#options;
    for (const stranger of machine.responders.values()) desk.onGone(stranger);
    for (const visitor of machine.visitors.values()) desk.onGone(visitor);
  }

  /** Takes a message on one of the subjects of requests; others' are no business of this supervisor. */
  heard(subject: string, data: Uint8Array): void {
    const { names, origin, onMalformed } = this.#options;
    if (subject !== names.requests && subject !== names.requestsTo(origin)) return;
    const opened = openEnvelope(data);
    if (opened === undefined) {
      onMalformed(subject);
      return;
    }
    const envelope = this.#incoming.take(opened);
    const machine = envelope === undefined ? undefined : this.#machine(envelope.origin);
    if (envelope === undefined || machine === undefined) return;
    try {
      // Copied: a frame is changed and kept, and these bytes are the engine's client's.
      this.#take(envelope.origin, machine, Buffer.from(envelope.payload));
    } catch {
      onMalformed(subject);
    }
  }

  #take(origin: string, machine: Machine, payload: Buffer): void {
    switch (payload[0]) {
      case KIND.directory:
        this.#learn(origin, machine, payload.subarray(1));
        return;
      case KIND.tell:
        this.changed();
        return;
      case KIND.frame: {
        const start = 2 + (payload[1] ?? 0);
        this.#pass({ origin, machine, uid: payload.toString("latin1", 2, start) }, payload.subarray(start));
        return;
      }
      default:
        throw frameError(`a message of kind ${payload[0]} between machines`);
    }
  }

  /** Handles one frame, as the broker does for an instance's. */
  #pass({ origin, machine, uid }: Way, bytes: Buffer): void {
    const { desk } = this.#options;
    const frame = new FrameReader();
    frame.push(bytes);
    if (!frame.next()) throw frameError("a frame that is cut short");
    const key = `${uid} ${frame.id()}`;
    if (frame.type === REQUEST_FRAME.request) {
      if (machine.visitors.has(key)) throw frameError("a request whose id is in use");
      if (machine.visitors.size >= MOST_VISITORS) return;
      const visitor = this.#visitor({ origin, machine, uid }, key);
      machine.visitors.set(key, visitor);
      try {
        desk.ask(visitor, uid, frame);
      } catch (error) {
        machine.visitors.delete(key);
        throw error;
      }
    } else if (frame.type === REQUEST_FRAME.cancel) {
      const visitor = machine.visitors.get(key);
      machine.visitors.delete(key);
      if (visitor !== undefined) desk.onGone(visitor);
    } else {
      const stranger = machine.responders.get(uid);
      if (stranger !== undefined) desk.onStranger(stranger, frame);
    }
  }

  /** One request of another machine: it ends with its answer. */
  #visitor({ origin, machine, uid }: Way, key: string): Stranger {
    const visitor: Stranger = {
      isAway: true,
      memberText: "{}",
      take: (frame) => {
        this.#sendFrame(origin, uid, frame);
        machine.visitors.delete(key);
        this.#options.desk.onGone(visitor);
      },
    };
    return visitor;
  }

  #learn(origin: string, machine: Machine, bytes: Buffer): void {
    const { desk } = this.#options;
    const directory = decodeDirectory(bytes);
    if (directory === undefined) throw frameError("a directory that is none");
    machine.isKnown = true;
    for (const [uid, stranger] of machine.responders) {
      if (directory.has(uid)) continue;
      // Whoever was asked may still answer, or another one in its place.
      desk.setResponding(stranger, NOTHING);
      if (desk.isAwaited(stranger)) continue;
      machine.responders.delete(uid);
      desk.onGone(stranger);
    }
    for (const [uid, { member, patterns }] of directory) {
      let stranger = machine.responders.get(uid);
      if (stranger === undefined) {
        const take = (frame: Buffer): void => this.#sendFrame(origin, uid, frame);
        machine.responders.set(uid, (stranger = { isAway: true, memberText: JSON.stringify(member), take }));
      }
      desk.setResponding(stranger, patterns);
    }
  }

  #machine(origin: string): Machine | undefined {
    let machine = this.#machines.get(origin);
    if (machine !== undefined || !this.#isConnected || this.#machines.size >= MOST_MACHINES) return machine;
    machine = { isMet: false, isKnown: false, responders: new Map(), visitors: new Map() };
    this.#machines.set(origin, machine);
    return machine;
  }

  #tell(): void {
    const { desk, machine, names, onWarning } = this.#options;
    let directory = encodeDirectory(machine, desk.responding);
    if (directory.length > MAX_VALUE_BYTES) {
      onWarning("Other machines cannot ask this one: what its instances respond to is more than 1 MB of topics");
      directory = encodeDirectory(machine, []);
    }
    this.#send(names.requests, [Uint8Array.of(KIND.directory), directory]);
  }

  #sendFrame(origin: string, uid: string, frame: Buffer): void {
    const head = Buffer.from(`\u0000\u0000${uid}`, "latin1");
    head[0] = KIND.frame;
    head[1] = uid.length;
    this.#send(this.#options.names.requestsTo(origin), [head, frame]);
  }

  #send(subject: string, parts: readonly Uint8Array[]): void {
    const head = { marks: 0, origin: this.#options.origin, sequence: ++this.#sequence, version: 0 };
    this.#post.add({ subject, data: sealEnvelope(head, Buffer.concat(parts)) });
  }
}

const NOTHING: ReadonlySet<string> = new Set();

/** Where a frame came from, and whom it is about. */
interface Way {
  readonly origin: string;
  readonly machine: Machine;
  /** The instance that is asked. */
  readonly uid: string;
}
