/**
 * Takes messages from the instances' pub/sub pipes and gives them to all others that subscribed. Runs in the supervisor; the
 * other side is client.ts. It never looks into a value: what a publisher wrote is what the subscribers read.
 */
import { systemClock, type Clock } from "../clock.ts";
import {
  FLAG,
  FRAME,
  LOCK_FRAME,
  MAX_VALUE_BYTES,
  MESSAGE_FIELD_BYTES,
  REFUSAL,
  controlBytes,
  REQUEST_FRAME,
  encodeAnswer,
  encodeRefusal,
  frameError,
  type FrameReader,
  writeControl,
} from "./frames.ts";
import type { LockAuthority } from "./lock-authority.ts";
import { LockDesk } from "./lock-desk.ts";
import { LocalLocks } from "./local-locks.ts";
import { Peer, type BrokerConnection, type BrokerPeer, type DeskHost, type PeerHost } from "./peer.ts";
import type { BridgeStats } from "./bridges/reports.ts";
import { RequestDesk } from "./request-desk.ts";
import { RetainedStore } from "./retained.ts";
import { TopicTable, type Match } from "./topic-table.ts";
import { isPattern, isTopic } from "./topics.ts";

export type { BrokerConnection, BrokerPeer } from "./peer.ts";
export type { Loss } from "./outbox.ts";

export interface BrokerOptions {
  readonly clock?: Clock;
  /** Bytes of messages that an instance may leave unread before publishers wait for it. Default 1 MB. */
  readonly unreadLimit?: number;
  /** How long they wait at most before it loses its oldest messages, in milliseconds. Default 100. */
  readonly overloadWaitMs?: number;
  /** How many retained values are kept. Default 10,000. */
  readonly maxRetained?: number;
  /** How many bytes they may have together. Default 64 MB. */
  readonly maxRetainedBytes?: number;
  /** How many different patterns one instance may subscribe to. Default 100,000. */
  readonly maxPatterns?: number;
  /** How many requests of one instance may be unanswered. Default 10,000. */
  readonly maxRequests?: number;
  /** How many locks one instance may hold and wait for. Default 100,000. */
  readonly maxClaims?: number;
  /** Who grants locks of scope "app"; without an engine between machines, who grants those of scope "machine". */
  readonly locks?: LockAuthority;
}

export interface BrokerStats {
  /** Instances connected. */
  readonly peers: number;
  /** Pairs of an instance and a pattern. */
  readonly subscriptions: number;
  /** Values retained. */
  readonly retained: number;
  readonly retainedBytes: number;
  /** Messages that instances published, since the start. */
  readonly published: number;
  /** Messages handed to subscribers, since the start: one for each. */
  readonly delivered: number;
  /** Requests that wait for an answer. */
  readonly requests: number;
  /** Locks held and waited for. */
  readonly locks: number;
  /** What goes to and comes from other machines; undefined without an engine. */
  readonly engine: BridgeStats | undefined;
}

const MB = 1024 * 1024;

export class Broker {
  readonly #options: Required<Omit<BrokerOptions, "locks">>;
  readonly #topics = new TopicTable<Peer>();
  readonly #retained: RetainedStore;
  readonly #peers = new Set<Peer>();
  readonly #requests: RequestDesk;
  readonly #locks: LockDesk;
  /** Who got something that has not been flushed yet. */
  #touched: Peer[] = [];
  #published = 0;
  #delivered = 0;
  #bridge: Peer | undefined;
  #bridgeStats: (() => BridgeStats) | undefined;
  /** Whether frames are being read: all that they cause is flushed behind them. */
  #isReading = false;

  constructor(options: BrokerOptions = {}) {
    this.#options = {
      clock: systemClock,
      unreadLimit: MB,
      overloadWaitMs: 100,
      maxRetained: 10_000,
      maxRetainedBytes: 64 * MB,
      maxPatterns: 100_000,
      maxRequests: 10_000,
      maxClaims: 100_000,
      ...options,
    };
    this.#retained = new RetainedStore(this.#options);
    this.#requests = new RequestDesk(this.#desk, this.#options);
    const machine = new LocalLocks(this.#options);
    this.#locks = new LockDesk(this.#desk, { ...this.#options, machine, app: options.locks ?? machine });
  }

  /** Connects an instance; from then on the stream is the broker's. */
  connect(connection: BrokerConnection): BrokerPeer {
    return this.#connect(connection);
  }

  /**
   * Connects what carries messages between machines, before any instance: it is told as well what instances retain, clear and
   * subscribe to, by the frames that they sent.
   */
  connectBridge(connection: BrokerConnection, stats: () => BridgeStats): BrokerPeer {
    this.#bridge = this.#connect(connection);
    this.#bridgeStats = stats;
    return this.#bridge;
  }

  #connect(connection: BrokerConnection): Peer {
    const { clock, unreadLimit, overloadWaitMs } = this.#options;
    const peer = new Peer(connection, this.#host, {
      clock,
      limit: unreadLimit,
      waitMs: connection.waitMs ?? overloadWaitMs,
    });
    this.#peers.add(peer);
    return peer;
  }

  /** Requests, for what connects them with other machines. */
  get requests(): RequestDesk {
    return this.#requests;
  }

  /** What it holds at the moment. */
  get stats(): BrokerStats {
    // The bridge is no instance, and its subscription nobody's.
    const bridges = this.#bridge === undefined || this.#bridge.closed ? 0 : 1;
    return {
      peers: this.#peers.size - bridges,
      subscriptions: this.#topics.size - bridges,
      retained: this.#retained.size,
      retainedBytes: this.#retained.bytes,
      requests: this.#requests.pending,
      locks: this.#locks.claims,
      published: this.#published,
      delivered: this.#delivered,
      engine: this.#bridgeStats?.(),
    };
  }

  /** Closes every pipe. */
  close(): void {
    for (const peer of this.#peers) peer.close();
  }

  readonly #host: PeerHost = {
    onFrame: (peer, frame) => {
      if (peer.retaining !== undefined && frame.type !== FRAME.message) throw frameError("retain without its message");
      this.#isReading = true;
      if (frame.type === FRAME.message) this.#message(peer, frame);
      else if (frame.type < REQUEST_FRAME.respond) this.#request(peer, frame);
      else if (frame.type < LOCK_FRAME.lock) this.#requests.onFrame(peer, frame);
      else this.#locks.onFrame(peer, frame);
    },
    onRead: (peer) => {
      this.#isReading = false;
      this.#flush(peer);
    },
    onGone: (peer) => {
      this.#peers.delete(peer);
      for (const pattern of peer.patterns) {
        this.#topics.remove(pattern, peer);
        this.#repeat(peer, FRAME.unsubscribe, pattern);
      }
      peer.patterns.clear();
      this.#requests.onGone(peer);
      this.#locks.onGone(peer);
    },
  };

  readonly #desk: DeskHost = {
    answer: (to, frame) => {
      this.#answer(to, frame);
      // An engine's answer, or one to somebody's end.
      if (!this.#isReading) this.#flush();
    },
    forward: (to, buffer, start, end) => {
      if (!to.outbox.touched) this.#touched.push(to);
      to.outbox.message(buffer, start, end);
    },
    flush: () => {
      if (!this.#isReading) this.#flush();
    },
  };

  /** Sends what was added; who has sent it is held for those that are behind. */
  #flush(sender?: Peer): void {
    const touched = this.#touched;
    if (touched.length === 0) return;
    this.#touched = [];
    for (const to of touched) {
      to.outbox.flush();
      if (sender !== undefined && to !== sender && to.outbox.holds) sender.holdFor(to);
    }
  }

  /** The hot path: one look-up, and a few fields for each receiver. */
  #message(from: Peer, frame: FrameReader): void {
    const { buffer, start, body, end } = frame;
    const topicStart = body + MESSAGE_FIELD_BYTES;
    const topicEnd = topicStart + (buffer[body + 1] ?? 0);
    // A topic that reaches beyond the frame would also read what is not this frame's.
    if (topicStart > end || topicEnd > end) throw frameError("a message that ends within its topic");
    if (((buffer[body] ?? 0) & ~FLAG.bytes) !== 0) throw frameError("a message with unknown flags");
    if (end - topicEnd > MAX_VALUE_BYTES) throw frameError(`a value of ${end - topicEnd} bytes`);
    const match = this.#topics.matchBytes(buffer, topicStart, topicEnd);
    if (from.retaining !== undefined && !this.#retain(from, frame, match)) return;
    this.#published += 1;
    for (const to of match.targets) {
      if (to === from) continue;
      this.#delivered += 1;
      if (!to.outbox.touched) this.#touched.push(to);
      to.outbox.message(buffer, start, end);
    }
  }

  #retain(from: Peer, frame: FrameReader, { topic }: Match<Peer>): boolean {
    const id = from.retaining ?? 0;
    from.retaining = undefined;
    const refused = this.#retained.put(topic, frame);
    if (refused === undefined) this.#repeat(from, FRAME.retain);
    this.#answer(
      from,
      refused === undefined ? encodeAnswer(FRAME.ack, id) : encodeRefusal(id, REFUSAL.retainedLimit, refused),
    );
    return refused === undefined;
  }

  #request(peer: Peer, frame: FrameReader): void {
    const id = frame.id();
    switch (frame.type) {
      case FRAME.retain:
        peer.retaining = id;
        return;
      case FRAME.subscribe:
        this.#subscribe(peer, id, frame.topic());
        return;
      case FRAME.unsubscribe:
        this.#unsubscribe(peer, frame.topic());
        break;
      case FRAME.clear:
        this.#clear(peer, frame.topic());
        break;
      case FRAME.flush:
        break;
      default:
        throw frameError(`type ${frame.type}, which only the broker sends`);
    }
    this.#answer(peer, encodeAnswer(FRAME.ack, id));
  }

  #subscribe(peer: Peer, id: number, pattern: string): void {
    if (!isPattern(pattern)) throw frameError("a subscription without a valid pattern");
    const { maxPatterns } = this.#options;
    if (peer.patterns.size >= maxPatterns && !peer.patterns.has(pattern)) {
      const text = `Cannot subscribe to "${pattern}": the instance has ${maxPatterns} different patterns, which is the limit`;
      this.#answer(peer, encodeRefusal(id, REFUSAL.subscriptionLimit, text));
      return;
    }
    if (!peer.patterns.has(pattern)) {
      peer.patterns.add(pattern);
      this.#topics.add(pattern, peer);
      this.#repeat(peer, FRAME.subscribe, pattern);
    }
    // Nothing comes between these in the outbox: so the client knows which values belong to which subscription.
    this.#answer(peer, encodeAnswer(FRAME.begin, id));
    for (const retained of this.#retained.matching(pattern)) this.#answer(peer, retained);
    this.#answer(peer, encodeAnswer(FRAME.ack, id));
  }

  #unsubscribe(peer: Peer, pattern: string): void {
    if (!peer.patterns.delete(pattern)) return;
    this.#topics.remove(pattern, peer);
    this.#repeat(peer, FRAME.unsubscribe, pattern);
  }

  #clear(peer: Peer, topic: string): void {
    if (!isTopic(topic)) throw frameError("clear without a valid topic");
    this.#retained.delete(topic);
    this.#repeat(peer, FRAME.clear, topic);
  }

  /** Tells the bridge what an instance asked for. */
  #repeat(from: Peer, type: number, topic = ""): void {
    const bridge = this.#bridge;
    if (bridge === undefined || from === bridge) return;
    const frame = Buffer.allocUnsafe(controlBytes(topic));
    writeControl(frame, 0, { type, id: 0, topic });
    this.#desk.answer(bridge, frame);
  }

  #answer(peer: Peer, frame: Buffer): void {
    if (!peer.outbox.touched) this.#touched.push(peer);
    peer.outbox.answer(frame);
  }
}
