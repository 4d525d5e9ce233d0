/**
 * Supervisors greet each other: so each knows how many there are, waits for the others after an outage before it sends, and finds
 * out when a connection takes nothing any more. Runs in the supervisor.
 */
import type { Clock, Timer } from "../../clock.ts";
import type { EngineConnection } from "./engine.ts";
import { openEnvelope, sealEnvelope } from "./envelope.ts";
import { MAX_DELAY_MS } from "./link.ts";
import type { Names } from "./names.ts";
import { HELLO_MS, Peers } from "./peers.ts";

export interface GreetingOptions {
  readonly names: Names;
  readonly origin: string;
  readonly clock: Clock;
  /** Everyone who was there before is back, or has had time to be: what waits can be sent. */
  readonly onGathered: () => void;
  /** Another supervisor has just connected. */
  readonly onJoined: (origin: string) => void;
  /** Another one has said that it is there. */
  readonly onGreeted: (origin: string) => void;
  /** Another one has ended, or has not been heard for long. */
  readonly onLeft: (origin: string) => void;
}

/** How long others are waited for after an outage: none takes longer to try again, and the rest is for connecting on a busy machine. */
const GATHER_MS = MAX_DELAY_MS + 3000;
/** A connection that takes nothing for so long is given up, in milliseconds. */
const STALLED_MS = 10_000;
/** What is said, in the payload's one byte. */
const WORD = { hello: 1, whoIsThere: 2, goodbye: 3 } as const;

export class Greeting {
  readonly #options: GreetingOptions;
  readonly #peers = new Peers();
  #connection: EngineConnection | undefined;
  #gathering: Timer | undefined;
  #beat: Timer | undefined;
  #gathered = false;

  constructor(options: GreetingOptions) {
    this.#options = options;
  }

  /** Other supervisors that are connected. */
  get peers(): number {
    return this.#peers.count;
  }

  /** Greets over a new connection, to which all subscriptions have been given. */
  connected(connection: EngineConnection): void {
    this.#connection = connection;
    this.#gathered = false;
    this.#say(WORD.whoIsThere);
    if (this.#peers.complete) this.#gather();
    else this.#gathering = this.#options.clock.after(GATHER_MS, () => this.#gather());
    this.#beatLater();
  }

  /** The connection was lost, or is about to be closed. */
  disconnected(): void {
    this.#connection = undefined;
    this.#gathering?.cancel();
    this.#beat?.cancel();
    this.#peers.disconnected();
  }

  /** Takes what another supervisor said. */
  heard(data: Uint8Array): void {
    const envelope = openEnvelope(data);
    if (envelope === undefined || envelope.origin === this.#options.origin) return;
    const { origin, payload } = envelope;
    const { clock, onJoined, onGreeted, onLeft } = this.#options;
    const [word] = payload;
    if (word === WORD.goodbye) {
      this.#peers.goodbye(origin);
      onLeft(origin);
    } else this.#peers.hello(origin, clock.now());
    if (word === WORD.whoIsThere) {
      this.#say(WORD.hello);
      onJoined(origin);
    } else if (word === WORD.hello) onGreeted(origin);
    if (this.#peers.complete && this.#connection !== undefined) this.#gather();
  }

  /** Says that this supervisor ends; resolves when the engine has it. */
  async goodbye(): Promise<void> {
    await this.#connection?.send([this.#message(WORD.goodbye)]).catch(() => {});
  }

  #gather(): void {
    if (this.#gathered) return;
    this.#gathered = true;
    this.#gathering?.cancel();
    this.#peers.giveUp();
    this.#options.onGathered();
  }

  #beatLater(): void {
    this.#beat = this.#options.clock.after(HELLO_MS, () => {
      for (const origin of this.#peers.expire(this.#options.clock.now())) this.#options.onLeft(origin);
      this.#say(WORD.hello);
      this.#beatLater();
    });
  }

  #say(word: number): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    const stalled = this.#options.clock.after(STALLED_MS, () => void connection.close());
    // A connection that was lost says so itself.
    connection
      .send([this.#message(word)])
      .catch(() => {})
      .finally(() => stalled.cancel());
  }

  #message(word: number): { subject: string; data: Buffer } {
    const head = { marks: 0, origin: this.#options.origin, sequence: 0, version: 0 };
    return { subject: this.#options.names.peers, data: sealEnvelope(head, Buffer.from([word])) };
  }
}
