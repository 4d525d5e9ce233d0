/**
 * Passes requests to those who respond and their answers back. Runs in the supervisor, at the broker; the other side is
 * request-client.ts. It reads no value, and copies neither request nor answer: id and type are changed in place.
 *
 * Both travel as messages do: whoever does not read them holds those who send, and loses the oldest after that. Who asks keeps
 * the deadline, so that a lost one is a late one.
 *
 * With an engine, instances of other machines respond here as strangers, and requests of other machines come as strangers too:
 * to the desk they differ from instances only in that one of this machine is asked first.
 */
import {
  FLAG,
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
import {
  encodeGone,
  readRequest,
  refusalOf,
  type Desk,
  type Elsewhere,
  type Party,
  type Pending,
  type Responding,
  type Stranger,
} from "./request-party.ts";
import { TopicTable, type Match } from "./topic-table.ts";
import { isPattern } from "./topics.ts";

export interface RequestDeskOptions {
  /** How many patterns one instance may respond to. */
  readonly maxPatterns: number;
  /** How many requests of one instance may be unanswered. */
  readonly maxRequests: number;
}

/** Who is asked at a time: their list must fit into a frame, and their places into two bytes. */
const MOST_ASKED = 4000;

export class RequestDesk {
  readonly #host: DeskHost;
  readonly #options: RequestDeskOptions;
  readonly #responders = new TopicTable<Party>();
  readonly #desks = new Map<Party, Desk>();
  /** The instances of this supervisor that have responded, by uid. */
  readonly #here = new Map<string, Peer>();
  /** Whose turn it is, for as long as the responders of a topic stay the same. */
  readonly #turns = new WeakMap<Match<Party>, number>();
  #elsewhere: Elsewhere | undefined;
  #lastId = 0;

  constructor(host: DeskHost, options: RequestDeskOptions) {
    this.#host = host;
    this.#options = options;
  }

  /** Connects it with other machines. */
  connect(elsewhere: Elsewhere): void {
    this.#elsewhere = elsewhere;
  }

  /** Requests that wait for an answer. */
  get pending(): number {
    let count = 0;
    for (const { asking } of this.#desks.values()) count += asking.size;
    return count;
  }

  /** The instances of this supervisor that respond. */
  get responding(): readonly Responding[] {
    return [...this.#here.values()].flatMap((peer) => {
      const patterns = [...(this.#desks.get(peer)?.patterns ?? [])];
      return patterns.length === 0 ? [] : [{ member: peer.member, patterns }];
    });
  }

  onFrame(peer: Peer, frame: FrameReader): void {
    const id = frame.id();
    switch (frame.type) {
      case REQUEST_FRAME.respond:
        this.#respond(peer, id, frame.topic());
        return;
      case REQUEST_FRAME.endRespond: {
        const topic = frame.topic();
        if (this.#desks.get(peer)?.patterns.delete(topic) === true) {
          this.#responders.remove(topic, peer);
          this.#elsewhere?.changed();
        }
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

  /** It is gone: its requests are forgotten, and who waits for it is told. */
  onGone(party: Party): void {
    const desk = this.#desks.get(party);
    if (desk === undefined) return;
    this.#desks.delete(party);
    if (!party.isAway && this.#here.delete(party.member.uid)) this.#elsewhere?.changed();
    for (const pattern of desk.patterns) this.#responders.remove(pattern, party);
    for (const pending of desk.asking.values()) this.#forget(pending);
    for (const pending of desk.asked.values()) this.#leave(pending, party);
  }

  /** Has an instance of another machine respond to these, and to nothing else. */
  setResponding(stranger: Stranger, patterns: ReadonlySet<string>): void {
    const desk = this.#deskOf(stranger);
    for (const pattern of desk.patterns) if (!patterns.has(pattern)) this.#responders.remove(pattern, stranger);
    for (const pattern of patterns) if (!desk.patterns.has(pattern)) this.#responders.add(pattern, stranger);
    desk.patterns.clear();
    for (const pattern of patterns) desk.patterns.add(pattern);
  }

  /** Whether an answer of it is waited for. */
  isAwaited(party: Party): boolean {
    return (this.#desks.get(party)?.asked.size ?? 0) > 0;
  }

  /** An answer of another machine's instance, or that there will be none. Throws as `onFrame`. */
  onStranger(stranger: Stranger, frame: FrameReader): void {
    const id = frame.id();
    if (frame.type === REQUEST_FRAME.answer) this.#answer(stranger, id, frame);
    else if (frame.type === REQUEST_FRAME.gone) {
      const pending = this.#desks.get(stranger)?.asked.get(id);
      if (pending !== undefined) this.#leave(pending, stranger);
    } else throw frameError(`type ${frame.type} between machines`);
    this.#host.flush();
  }

  /**
   * A request of another machine for an instance of this one. When that has ended or responds no more, which the other machine
   * did not know yet, another one is asked, unless all were. Throws as `onFrame`.
   */
  ask(visitor: Stranger, uid: string, frame: FrameReader): void {
    const id = frame.id();
    const { match, isForAll } = this.#requested(frame);
    const meant = this.#here.get(uid);
    const isHere = meant !== undefined && match.targets.includes(meant);
    const [other] = isHere || isForAll ? [] : this.#choose(match, visitor);
    const target = isHere ? meant : other;
    if (target === undefined || target.isAway) visitor.take(encodeGone(id, 0));
    else this.#pass({ from: visitor, fromId: id, targets: [target] }, frame);
    this.#host.flush();
  }

  #deskOf(party: Party): Desk {
    let desk = this.#desks.get(party);
    if (desk === undefined)
      this.#desks.set(party, (desk = { patterns: new Set(), asking: new Map(), asked: new Map() }));
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
    this.#here.set(peer.member.uid, peer);
    this.#responders.add(pattern, peer);
    this.#elsewhere?.changed();
    this.#host.answer(peer, encodeAnswer(FRAME.ack, id));
  }

  #requested(frame: FrameReader): { match: Match<Party>; isForAll: boolean } {
    const { topicStart, topicEnd, isForAll } = readRequest(frame);
    return { match: this.#responders.matchBytes(frame.buffer, topicStart, topicEnd), isForAll };
  }

  #request(from: Peer, fromId: number, frame: FrameReader): void {
    const { match, isForAll } = this.#requested(frame);
    const asking = this.#desks.get(from)?.asking;
    if (asking?.has(fromId) === true) throw frameError("a request whose id is in use");
    const unreached = this.#elsewhere?.isReached === false;
    const others = (): readonly Party[] => match.targets.filter((party) => party !== from).slice(0, MOST_ASKED);
    const targets = isForAll ? others() : this.#choose(match, from);
    const refusal = refusalOf(fromId, {
      topic: match.topic,
      isAsked: isForAll || targets.length > 0,
      asking: asking?.size ?? 0,
      maxRequests: this.#options.maxRequests,
      unreached,
    });
    if (refusal !== undefined) {
      this.#host.answer(from, refusal);
      return;
    }
    const members = targets.map(({ memberText }) => memberText).join();
    const asked = `{"members":[${members}]${unreached ? ',"unreached":true' : ""}}`;
    this.#host.answer(from, encodeText(REQUEST_FRAME.asked, fromId, asked));
    if (targets.length > 0) this.#pass({ from, fromId, targets }, frame);
  }

  #pass({ from, fromId, targets }: Passed, { buffer, start, body, end }: FrameReader): void {
    this.#lastId = (this.#lastId + 1) >>> 0;
    const id = this.#lastId;
    const pending = { id, from, fromId, waiting: new Map(targets.map((party, place) => [party, place])) };
    this.#deskOf(from).asking.set(fromId, pending);
    writeUint32(buffer, id, body);
    for (const to of targets) {
      this.#deskOf(to).asked.set(id, pending);
      this.#forward(to, buffer, start, end);
    }
  }

  /**
   * The next in turn of this machine, one that reads what it gets if there is such; then who asks itself; and only then the next
   * of other machines: what can be answered here costs no network, and goes on without one.
   */
  #choose(match: Match<Party>, from: Party): readonly Party[] {
    const { targets } = match;
    const turn = this.#turns.get(match) ?? 0;
    this.#turns.set(match, (turn + 1) % (targets.length || 1));
    let slow: Party | undefined;
    let away: Party | undefined;
    for (let step = 0; step < targets.length; step++) {
      const party = targets[(turn + step) % targets.length];
      if (party === undefined || party === from) continue;
      if (party.isAway) away ??= party;
      else if (party.outbox.behind) slow ??= party;
      else return [party];
    }
    const last = slow ?? (targets.includes(from) ? from : away);
    return last === undefined ? [] : [last];
  }

  #answer(party: Party, id: number, { buffer, start, body, end }: FrameReader): void {
    const flags = buffer[body + 6] ?? 0;
    if (body + 7 > end) throw frameError("an answer without its flags");
    if ((flags & ~(FLAG.bytes | FLAG.failed | FLAG.none)) !== 0) throw frameError("an answer with unknown flags");
    if (end - body - 7 > MAX_VALUE_BYTES) throw frameError(`a value of ${end - body - 7} bytes`);
    const pending = this.#desks.get(party)?.asked.get(id);
    const place = pending?.waiting.get(party);
    // Nobody waits any more, or never did: an answer too late is no fault.
    if (pending === undefined || place === undefined) return;
    this.#settle(pending, party);
    writeUint32(buffer, pending.fromId, body);
    buffer[body + 4] = place >>> 8;
    buffer[body + 5] = place;
    this.#forward(pending.from, buffer, start, end);
  }

  /** It will not answer any more, and who waits for it is told. */
  #leave(pending: Pending, party: Party): void {
    const gone = encodeGone(pending.fromId, pending.waiting.get(party) ?? 0);
    this.#settle(pending, party);
    if (pending.from.isAway) pending.from.take(gone);
    else this.#host.answer(pending.from, gone);
  }

  #settle(pending: Pending, party: Party): void {
    pending.waiting.delete(party);
    this.#desks.get(party)?.asked.delete(pending.id);
    if (pending.waiting.size === 0) this.#desks.get(pending.from)?.asking.delete(pending.fromId);
  }

  #forget(pending: Pending | undefined): void {
    if (pending === undefined) return;
    for (const party of pending.waiting.keys()) {
      this.#desks.get(party)?.asked.delete(pending.id);
      // Its own supervisor is to forget it as well.
      if (party.isAway) party.take(encodeAnswer(REQUEST_FRAME.cancel, pending.id));
    }
    pending.waiting.clear();
    this.#desks.get(pending.from)?.asking.delete(pending.fromId);
  }

  #forward(to: Party, buffer: Buffer, start: number, end: number): void {
    if (to.isAway) to.take(buffer.subarray(start, end));
    else this.#host.forward(to, buffer, start, end);
  }
}

/** A request and those whom it goes to. */
interface Passed {
  readonly from: Party;
  readonly fromId: number;
  readonly targets: readonly Party[];
}
