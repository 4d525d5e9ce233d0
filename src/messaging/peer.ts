/**
 * One instance's pub/sub pipe as the broker sees it: reads its frames, and stops reading while those it publishes to are behind
 * or while it does not read its own answers. Runs in the supervisor; the other end is client.ts.
 */
import type { Duplex } from "node:stream";
import { ChoirError, describeThrown } from "../errors.ts";
import { FrameReader, frameError } from "./frames.ts";
import type { Member } from "./lock-authority.ts";
import { Outbox, type Loss, type OutboxOptions } from "./outbox.ts";

/** An instance's end of the pipe, and what its owner wants to hear. */
export interface BrokerConnection {
  /** Unique among those connected: names the instance in what the owner logs, and is the uid of its locks and answers. */
  readonly id: number | string;
  /** The slot's number. Default -1: no instance. */
  readonly slot?: number;
  /** The supervisor's end of the socketpair; the broker destroys it in the end. */
  readonly stream: Duplex;
  /** How long publishers wait for it at most, in milliseconds. Default: as for all. */
  readonly waitMs?: number;
  /** The pipe carried something that is no frame and has been closed. Called once at most. */
  readonly onBroken: (error: ChoirError) => void;
  /** The instance did not read in time and loses its oldest messages from now on. Once for each crossing of the limit. */
  readonly onOverload: (loss: Loss) => void;
  /** The instance reads again: all that it lost since `onOverload`. */
  readonly onRecovered?: (loss: Loss) => void;
}

/** A connected instance, as its owner sees it. */
export interface BrokerPeer {
  readonly id: number | string;
  /** Whether it is gone: closed, ended or broken. */
  readonly closed: boolean;
  /** Bytes of messages that wait for it to read. */
  readonly queuedBytes: number;
  /** Closes the pipe and forgets its subscriptions at once. */
  close(): void;
}

/** What the broker does for its desks (request-desk.ts, lock-desk.ts). */
export interface DeskHost {
  /** Sends a frame that is never dropped; the buffer is not copied. */
  answer(to: Peer, frame: Buffer): void;
  /** Sends bytes of a frame just read as a message: they wait, and may be dropped, as those do. */
  forward(to: Peer, buffer: Buffer, start: number, end: number): void;
  /** Sends what was forwarded because of something other than a frame of an instance. */
  flush(): void;
}

/** What the broker does for a peer. */
export interface PeerHost {
  /** Handles the frame that the peer's reader stands on. */
  onFrame(peer: Peer, frame: FrameReader): void;
  /** All frames that had come have been handled. */
  onRead(peer: Peer): void;
  /** The peer is gone. */
  onGone(peer: Peer): void;
}

export type PeerOptions = Pick<OutboxOptions, "clock" | "limit" | "waitMs">;

export class Peer implements BrokerPeer {
  readonly id: number | string;
  /** It is an instance of this supervisor, or the bridge. */
  readonly isAway = false;
  /** How others know it. */
  readonly member: Member;
  /** The same as JSON. */
  readonly memberText: string;
  readonly outbox: Outbox;
  readonly patterns = new Set<string>();
  /** The id of the request whose message is to be retained, between the two frames of it. */
  retaining: number | undefined;
  readonly #connection: BrokerConnection;
  readonly #host: PeerHost;
  readonly #reader = new FrameReader();
  /** Those that are behind and are waited for. */
  readonly #heldBy = new Set<Peer>();
  /** Those that wait for this one. */
  readonly #holding = new Set<Peer>();
  #running = false;
  #paused = false;
  #closed = false;

  constructor(connection: BrokerConnection, host: PeerHost, options: PeerOptions) {
    this.id = connection.id;
    this.member = { id: connection.slot ?? -1, uid: String(connection.id) };
    this.memberText = JSON.stringify(this.member);
    this.#connection = connection;
    this.#host = host;
    this.outbox = new Outbox(connection.stream, {
      ...options,
      onOverload: connection.onOverload,
      onRecovered: (loss) => connection.onRecovered?.(loss),
      onEased: () => this.#onEased(),
    });
    const { stream } = connection;
    const close = () => this.close();
    stream.on("error", close);
    stream.on("close", close);
    stream.on("end", close);
    stream.on("data", (chunk: Buffer) => {
      this.#reader.push(chunk);
      this.#run();
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  get queuedBytes(): number {
    return this.outbox.queuedBytes;
  }

  /** Stops reading until `slow` has caught up or has been waited for long enough. */
  holdFor(slow: Peer): void {
    this.#heldBy.add(slow);
    slow.#holding.add(this);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#host.onGone(this);
    this.outbox.close();
    this.#connection.stream.destroy();
  }

  get #mustStop(): boolean {
    return this.#closed || this.#heldBy.size > 0 || this.outbox.congested;
  }

  #run(): void {
    // A stream within the process delivers during our own writes.
    if (this.#running || this.#mustStop) return;
    this.#running = true;
    try {
      do {
        while (!this.#closed && !this.outbox.congested && this.#reader.next()) this.#host.onFrame(this, this.#reader);
        this.#host.onRead(this);
      } while (this.#reader.pending && !this.#mustStop);
    } catch (error) {
      this.#host.onRead(this);
      this.#break(error);
    } finally {
      this.#running = false;
    }
    this.#steer();
  }

  #steer(): void {
    if (this.#closed || this.#mustStop === this.#paused) return;
    this.#paused = !this.#paused;
    if (this.#paused) this.#connection.stream.pause();
    else this.#connection.stream.resume();
  }

  #onEased(): void {
    if (this.#holding.size > 0 && !this.outbox.holds) {
      const waiting = [...this.#holding];
      this.#holding.clear();
      for (const peer of waiting) {
        peer.#heldBy.delete(this);
        peer.#goOn();
      }
    }
    if (this.#paused) this.#goOn();
  }

  #goOn(): void {
    if (this.#running || this.#mustStop) return;
    if (this.#reader.pending) this.#run();
    this.#steer();
  }

  /** Whatever a client sends, it ends its own pipe only. */
  #break(error: unknown): void {
    if (this.#closed) return;
    const broken = error instanceof ChoirError ? error : frameError(describeThrown(error));
    this.close();
    this.#connection.onBroken(broken);
  }
}
