/**
 * Asks other instances and answers them, over the pipe to the broker. Runs in the instance; its other side is request-desk.ts.
 * The deadline is kept here: the broker forgets a request when it has its answers or is told to.
 */
import { ChoirError, quote } from "../errors.ts";
import type { ValuedHead } from "./batch.ts";
import { FLAG, REQUEST_FRAME, frameError, type FrameReader } from "./frames.ts";
import type { Member } from "./lock-authority.ts";
import type { Pipe } from "./pipe.ts";
import type { Subscription } from "./pubsub.ts";
import { decodeError, encodeError } from "./remote-error.ts";
import { checkTimeout, goneError, timeoutError } from "./request-errors.ts";
import type { Answer, Answers, Asked, FailedAnswer, RequestHandler, RequestOptions } from "./requests.ts";
import { TopicTable } from "./topic-table.ts";
import { checkPattern, checkTopic } from "./topics.ts";
import { decodePayload, encodeValue, type Encoded } from "./value.ts";

/** A request that is under way. */
interface Asking {
  readonly topic: string;
  /** Who was asked, in the order of their places; undefined until the broker has said. */
  members: readonly Member[] | undefined;
  /** Whether only this machine's instances could be asked. */
  unreached: boolean;
  /** The places that have answered or are gone. */
  readonly settled: Set<number>;
  readonly answers: Answer[];
  readonly failed: FailedAnswer[];
  ends: Ends;
  reject(error: unknown): void;
  readonly timer: NodeJS.Timeout;
  readonly stopListening: () => void;
}

/** How a request may end. */
interface Ends {
  /** The last answer came. */
  came(): void;
  /** The last one who could have answered is gone. */
  left(from: Member): void;
  /** The deadline has passed. */
  late(): void;
}

interface Responder {
  readonly topic: string;
  readonly handler: RequestHandler;
}

export class RequestClient {
  readonly #pipe: Pipe;
  readonly #asking = new Map<number, Asking>();
  readonly #responders = new TopicTable<Responder>();
  readonly #patterns = new Map<string, Responder>();

  constructor(pipe: Pipe) {
    this.#pipe = pipe;
    pipe.use(REQUEST_FRAME.request, {
      onFrame: (frame) => this.#onFrame(frame),
      onClosed: (error) => {
        for (const id of this.#asking.keys()) this.#end(id)?.reject(error);
      },
    });
  }

  /** Resolves with the answer of one. */
  one(topic: string, value: unknown, options?: RequestOptions): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#begin({ topic, value, options, flags: 0 }, reject, (asking) => ({
        came() {
          const [failure] = asking.failed;
          if (failure === undefined) resolve(asking.answers[0]?.value);
          else reject(failure.error);
        },
        left: (from) => reject(goneError(topic, from)),
        late: () => reject(timeoutError(asking, options?.timeout)),
      }));
    });
  }

  /** Resolves with what all have answered by the deadline. */
  all(topic: string, value: unknown, options?: RequestOptions): Promise<Answers> {
    return new Promise((resolve, reject) => {
      this.#begin({ topic, value, options, flags: FLAG.all }, reject, (asking) => {
        const { answers, failed } = asking;
        const finish = (): void => {
          const heard = new Set([...answers, ...failed].map(({ from }) => from));
          const silent = (asking.members ?? []).filter((member) => !heard.has(member));
          resolve({ answers, failed, silent, unreached: asking.unreached });
        };
        const late = (): void => {
          if (asking.members === undefined) reject(timeoutError(asking, options?.timeout));
          else finish();
        };
        return { came: finish, left: finish, late };
      });
    });
  }

  async respond(topic: string, handler: RequestHandler): Promise<Subscription> {
    checkPattern(topic);
    if (typeof handler !== "function") {
      throw new TypeError(`Handler of requests ${quote(topic)} must be a function, got ${quote(handler)}`);
    }
    if (this.#patterns.has(topic)) {
      throw new ChoirError("ERR_CHOIR_TOPIC", `Requests ${quote(topic)} have a responder in this instance already`);
    }
    const responder = { topic, handler };
    // Before the broker knows: a request may come right behind its answer.
    this.#patterns.set(topic, responder);
    this.#responders.add(topic, responder);
    try {
      await this.#pipe.request(REQUEST_FRAME.respond, topic);
    } catch (error) {
      this.#remove(responder);
      throw error;
    }
    return { topic, unsubscribe: () => this.#unsubscribe(responder) };
  }

  /** Has requests go to others from now on; what has been asked of this one is still answered. */
  async retire(): Promise<void> {
    const told = [...this.#patterns.keys()].map((topic) => this.#pipe.request(REQUEST_FRAME.endRespond, topic));
    await Promise.allSettled(told);
  }

  async #unsubscribe(responder: Responder): Promise<void> {
    if (this.#patterns.get(responder.topic) !== responder || this.#pipe.closed !== undefined) return;
    await this.#pipe.request(REQUEST_FRAME.endRespond, responder.topic).catch(() => {});
    // Not before: what was asked until then is answered.
    this.#remove(responder);
  }

  #remove(responder: Responder): void {
    if (this.#patterns.get(responder.topic) === responder) this.#patterns.delete(responder.topic);
    this.#responders.remove(responder.topic, responder);
  }

  #begin(wish: Wish, reject: (error: unknown) => void, endsOf: (asking: Asking) => Ends): void {
    const { topic, value, options = {}, flags } = wish;
    checkTopic(topic);
    const timeout = checkTimeout(options.timeout);
    // A request without a value is one with null.
    const encoded = encodeValue(value ?? null);
    const pipe = this.#pipe;
    if (pipe.closed !== undefined) throw pipe.closed;
    options.signal?.throwIfAborted();
    const id = pipe.nextId();
    const ended = (): void => {
      pipe.send({ type: REQUEST_FRAME.cancel, id });
    };
    const abort = (): void => {
      this.#end(id);
      ended();
      reject(options.signal?.reason);
    };
    options.signal?.addEventListener("abort", abort);
    const asking: Asking = {
      topic,
      members: undefined,
      unreached: false,
      settled: new Set(),
      answers: [],
      failed: [],
      ends: NOTHING,
      reject,
      timer: setTimeout(() => {
        this.#end(id);
        ended();
        asking.ends.late();
      }, timeout),
      stopListening: () => options.signal?.removeEventListener("abort", abort),
    };
    asking.ends = endsOf(asking);
    this.#asking.set(id, asking);
    pipe.expect(id, { resolve: () => {}, reject: (error) => this.#end(id)?.reject(error) });
    this.#send({ type: REQUEST_FRAME.request, id, flags, topic }, encoded);
  }

  #send(head: ValuedHead, encoded: Encoded): void {
    try {
      this.#pipe.send(head, encoded);
    } catch (error) {
      // It is too long.
      this.#end(head.id);
      throw error;
    }
  }

  /** Forgets a request: nothing that comes for it matters any more. */
  #end(id: number): Asking | undefined {
    const asking = this.#asking.get(id);
    if (asking === undefined) return undefined;
    this.#asking.delete(id);
    this.#pipe.unexpect(id);
    clearTimeout(asking.timer);
    asking.stopListening();
    return asking;
  }

  #onFrame(frame: FrameReader): void {
    const id = frame.id();
    if (frame.type === REQUEST_FRAME.request) {
      this.#answer(id, frame);
      return;
    }
    const asking = this.#asking.get(id);
    if (asking === undefined) return;
    if (frame.type === REQUEST_FRAME.asked) {
      const asked = JSON.parse(frame.buffer.toString("utf8", frame.body + 4, frame.end)) as Asked;
      asking.members = asked.members;
      asking.unreached = asked.unreached === true;
      // Nobody responds; for one alone that is a refusal.
      if (asking.members.length === 0) this.#end(id)?.ends.came();
      return;
    }
    const place = ((frame.buffer[frame.body + 4] ?? 0) << 8) | (frame.buffer[frame.body + 5] ?? 0);
    const from = asking.members?.[place];
    if (from === undefined || asking.settled.has(place)) return;
    asking.settled.add(place);
    const isGone = frame.type === REQUEST_FRAME.gone;
    if (!isGone) take(asking, from, frame);
    if (asking.settled.size < (asking.members?.length ?? 0)) return;
    this.#end(id);
    if (isGone) asking.ends.left(from);
    else asking.ends.came();
  }

  #answer(id: number, frame: FrameReader): void {
    const { buffer, body, end } = frame;
    const flags = buffer[body + 4] ?? 0;
    const topicStart = body + 6;
    const start = topicStart + (buffer[body + 5] ?? 0);
    const { topic, targets } = this.#responders.matchBytes(buffer, topicStart, start);
    const [responder] = targets;
    if (responder === undefined) {
      this.#reply(
        id,
        encodeError(new ChoirError("ERR_CHOIR_NO_RESPONDER", `Nobody responds to ${quote(topic)} any more`)),
        true,
      );
      return;
    }
    void this.#handle(id, { topic, responder, value: () => decodePayload(buffer, { flags, start, end }) });
  }

  async #handle(id: number, { topic, responder, value }: Incoming): Promise<void> {
    try {
      const result = await responder.handler(value(), { topic });
      // What is too long for a frame throws here too.
      this.#reply(id, result === undefined ? undefined : encodeValue(result), false);
    } catch (error) {
      this.#reply(id, encodeError(error), true);
    }
  }

  #reply(id: number, encoded: Encoded | undefined, failed: boolean): void {
    if (this.#pipe.closed !== undefined) return;
    this.#pipe.send({ type: REQUEST_FRAME.answer, id, hasPlace: true, flags: failed ? FLAG.failed : 0 }, encoded);
  }
}

interface Wish {
  readonly topic: string;
  readonly value: unknown;
  readonly options: RequestOptions | undefined;
  readonly flags: number;
}

interface Incoming {
  readonly topic: string;
  readonly responder: Responder;
  /** Decodes; to be called before anything is awaited, since it reads the frame. */
  readonly value: () => unknown;
}

const NOTHING: Ends = { came() {}, left() {}, late() {} };

/** Reads an answer. */
function take(asking: Asking, from: Member, { buffer, body, end }: FrameReader): void {
  const flags = buffer[body + 6];
  if (flags === undefined || body + 7 > end) throw frameError("an answer without its flags");
  try {
    const value = decodePayload(buffer, { flags, start: body + 7, end });
    if ((flags & FLAG.failed) === 0) asking.answers.push({ from, value });
    else asking.failed.push({ from, error: decodeError(value, from) });
  } catch (error) {
    asking.failed.push({ from, error: decodeError(error, from) });
  }
}
