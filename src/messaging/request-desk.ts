/**
 * Passes requests to those who respond and their answers back. Runs in the supervisor, at the broker; the other side is
 * request-client.ts. It reads no value, and copies neither request nor answer: id and type are changed in place.
 *
 * Both travel as messages do: whoever does not read them holds those who send, and loses the oldest after that. Who asks keeps
 * the deadline, so that a lost one is a late one.
 */
import {
  FLAG,
  HEAD_BYTES,
  MAX_VALUE_BYTES,
  REFUSAL,
  REQUEST_FRAME,
  FRAME,
  encodeAnswer,
  encodeRefusal,
  encodeText,
  frameError,
  writeUint32,
  type FrameReader,
} from "./frames.ts";
import type { DeskHost, Peer } from "./peer.ts";
import { TopicTable, type Match } from "./topic-table.ts";
import { isPattern } from "./topics.ts";

export interface RequestDeskOptions {
  /** How many patterns one instance may respond to. */
  readonly maxPatterns: number;
  /** How many requests of one instance may be unanswered. */
  readonly maxRequests: number;
}

/** A request that has not been answered by everyone. */
interface Pending {
  readonly id: number;
  readonly from: Peer;
  /** Its id at `from`. */
  readonly fromId: number;
  /** The place of each who has not answered. */
  readonly waiting: Map<Peer, number>;
}

/** What the desk knows of one instance. */
interface Desk {
  readonly patterns: Set<string>;
  /** Its own requests, by its ids. */
  readonly asking: Map<number, Pending>;
  /** What it is to answer, by our ids. */
  readonly asked: Map<number, Pending>;
}

export class RequestDesk {
  readonly #host: DeskHost;
  readonly #options: RequestDeskOptions;
  readonly #responders = new TopicTable<Peer>();
  readonly #desks = new Map<Peer, Desk>();
  /** Whose turn it is, for as long as the responders of a topic stay the same. */
  readonly #turns = new WeakMap<Match<Peer>, number>();
  #lastId = 0;

  constructor(host: DeskHost, options: RequestDeskOptions) {
    this.#host = host;
    this.#options = options;
  }

  /** Requests that wait for an answer. */
  get pending(): number {
    let count = 0;
    for (const { asking } of this.#desks.values()) count += asking.size;
    return count;
  }

  onFrame(peer: Peer, frame: FrameReader): void {
    const id = frame.id();
    switch (frame.type) {
      case REQUEST_FRAME.respond:
        this.#respond(peer, id, frame.topic());
        return;
      case REQUEST_FRAME.endRespond: {
        const topic = frame.topic();
        if (this.#desks.get(peer)?.patterns.delete(topic) === true) this.#responders.remove(topic, peer);
        this.#host.answer(peer, encodeAnswer(FRAME.ack, id));
        return;
      }
      case REQUEST_FRAME.request:
        this.#request(peer, id, frame);
        return;
      case REQUEST_FRAME.cancel:
        this.#forget(this.#desks.get(peer)?.asking.get(id));
        return;
      case REQUEST_FRAME.answer:
        this.#answer(peer, id, frame);
        return;
      default:
        throw frameError(`type ${frame.type}, which only the broker sends`);
    }
  }

  /** The instance is gone: its requests are forgotten, and who waits for it is told. */
  onGone(peer: Peer): void {
    const desk = this.#desks.get(peer);
    if (desk === undefined) return;
    this.#desks.delete(peer);
    for (const pattern of desk.patterns) this.#responders.remove(pattern, peer);
    for (const pending of desk.asking.values()) this.#forget(pending);
    for (const pending of desk.asked.values()) {
      this.#host.answer(pending.from, encodeGone(pending.fromId, pending.waiting.get(peer) ?? 0));
      this.#settle(pending, peer);
    }
  }

  #deskOf(peer: Peer): Desk {
    let desk = this.#desks.get(peer);
    if (desk === undefined)
      this.#desks.set(peer, (desk = { patterns: new Set(), asking: new Map(), asked: new Map() }));
    return desk;
  }

  #respond(peer: Peer, id: number, pattern: string): void {
    if (!isPattern(pattern)) throw frameError("a responder without a valid pattern");
    const { patterns } = this.#deskOf(peer);
    const { maxPatterns } = this.#options;
    if (patterns.size >= maxPatterns && !patterns.has(pattern)) {
      const text = `Cannot respond to "${pattern}": the instance responds to ${maxPatterns} different patterns, which is the limit`;
      this.#host.answer(peer, encodeRefusal(id, REFUSAL.subscriptionLimit, text));
      return;
    }
    patterns.add(pattern);
    this.#responders.add(pattern, peer);
    this.#host.answer(peer, encodeAnswer(FRAME.ack, id));
  }

  #request(from: Peer, fromId: number, frame: FrameReader): void {
    const { buffer, start, body, end } = frame;
    const flags = buffer[body + 4] ?? 0;
    const topicStart = body + 6;
    const topicEnd = topicStart + (buffer[body + 5] ?? 0);
    if (topicStart > end || topicEnd > end) throw frameError("a request that ends within its topic");
    if ((flags & ~(FLAG.bytes | FLAG.all)) !== 0) throw frameError("a request with unknown flags");
    if (end - topicEnd > MAX_VALUE_BYTES) throw frameError(`a value of ${end - topicEnd} bytes`);
    const match = this.#responders.matchBytes(buffer, topicStart, topicEnd);
    const { asking } = this.#deskOf(from);
    if (asking.has(fromId)) throw frameError("a request whose id is in use");
    const isForAll = (flags & FLAG.all) !== 0;
    const targets = isForAll ? match.targets.filter((peer) => peer !== from) : this.#choose(match, from);
    const refusal = this.#refusal(fromId, {
      topic: match.topic,
      isForAll,
      targets: targets.length,
      asking: asking.size,
    });
    if (refusal !== undefined) {
      this.#host.answer(from, refusal);
      return;
    }
    this.#host.answer(
      from,
      encodeText(REQUEST_FRAME.asked, fromId, `[${targets.map(({ memberText }) => memberText).join()}]`),
    );
    if (targets.length === 0) return;
    const pending = { id: this.#nextId(), from, fromId, waiting: new Map(targets.map((peer, place) => [peer, place])) };
    asking.set(fromId, pending);
    writeUint32(buffer, pending.id, body);
    for (const to of targets) {
      this.#deskOf(to).asked.set(pending.id, pending);
      this.#host.forward(to, buffer, start, end);
    }
  }

  /** The next in turn, one that reads what it gets if there is such; who asks is the last choice. */
  #choose(match: Match<Peer>, from: Peer): readonly Peer[] {
    const { targets } = match;
    const turn = this.#turns.get(match) ?? 0;
    this.#turns.set(match, (turn + 1) % (targets.length || 1));
    let second: Peer | undefined;
    for (let step = 0; step < targets.length; step++) {
      const peer = targets[(turn + step) % targets.length];
      if (peer === undefined || peer === from) continue;
      if (!peer.outbox.behind) return [peer];
      second ??= peer;
    }
    if (second !== undefined) return [second];
    return targets.length === 0 ? [] : [from];
  }

  #refusal(id: number, { topic, isForAll, targets, asking }: Refusable): Buffer | undefined {
    const { maxRequests } = this.#options;
    if (targets === 0 && !isForAll) {
      return encodeRefusal(id, REFUSAL.noResponder, `No instance responds to "${topic}"`);
    }
    if (asking < maxRequests) return undefined;
    const text = `Request "${topic}" was not sent: ${maxRequests} requests of this instance are unanswered, which is the limit`;
    return encodeRefusal(id, REFUSAL.requestLimit, text);
  }

  #answer(peer: Peer, id: number, { buffer, start, body, end }: FrameReader): void {
    const flags = buffer[body + 6] ?? 0;
    if (body + 7 > end) throw frameError("an answer without its flags");
    if ((flags & ~(FLAG.bytes | FLAG.failed | FLAG.none)) !== 0) throw frameError("an answer with unknown flags");
    if (end - body - 7 > MAX_VALUE_BYTES) throw frameError(`a value of ${end - body - 7} bytes`);
    const pending = this.#desks.get(peer)?.asked.get(id);
    const place = pending?.waiting.get(peer);
    // Nobody waits any more, or never did: an answer too late is no fault.
    if (pending === undefined || place === undefined) return;
    this.#settle(pending, peer);
    writeUint32(buffer, pending.fromId, body);
    buffer[body + 4] = place >>> 8;
    buffer[body + 5] = place;
    this.#host.forward(pending.from, buffer, start, end);
  }

  #settle(pending: Pending, peer: Peer): void {
    pending.waiting.delete(peer);
    this.#desks.get(peer)?.asked.delete(pending.id);
    if (pending.waiting.size === 0) this.#desks.get(pending.from)?.asking.delete(pending.fromId);
  }

  #forget(pending: Pending | undefined): void {
    if (pending === undefined) return;
    for (const peer of pending.waiting.keys()) this.#desks.get(peer)?.asked.delete(pending.id);
    pending.waiting.clear();
    this.#desks.get(pending.from)?.asking.delete(pending.fromId);
  }

  #nextId(): number {
    this.#lastId = (this.#lastId + 1) >>> 0;
    return this.#lastId;
  }
}

interface Refusable {
  readonly topic: string;
  readonly isForAll: boolean;
  readonly targets: number;
  readonly asking: number;
}

function encodeGone(id: number, place: number): Buffer {
  const buffer = Buffer.allocUnsafe(HEAD_BYTES + 6);
  writeUint32(buffer, buffer.length - 4, 0);
  buffer[4] = REQUEST_FRAME.gone;
  writeUint32(buffer, id, HEAD_BYTES);
  buffer[HEAD_BYTES + 4] = place >>> 8;
  buffer[HEAD_BYTES + 5] = place;
  return buffer;
}
