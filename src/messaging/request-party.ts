/**
 * Who asks and who answers, as the desk of requests sees them: the instances of this supervisor (peer.ts), and strangers, which
 * stand for those of other machines (bridges/shared-requests.ts). Used in the supervisor.
 */
import {
  FLAG,
  HEAD_BYTES,
  MAX_VALUE_BYTES,
  REFUSAL,
  REQUEST_FRAME,
  encodeRefusal,
  frameError,
  writeUint32,
  type FrameReader,
} from "./frames.ts";
import type { Member } from "./lock-authority.ts";
import type { Peer } from "./peer.ts";

/** An instance of another machine that responds, or one request that came from another machine. */
export interface Stranger {
  readonly isAway: true;
  /** How others know it, as JSON. */
  readonly memberText: string;
  /** Sends a frame to its machine. The bytes hold during the call, which calls nothing of the desk's but `onGone` of its own. */
  take(frame: Buffer): void;
}

export type Party = Peer | Stranger;

/** The desks of other machines, where there is an engine. */
export interface Elsewhere {
  /** Whether they can be asked at the moment. */
  readonly isReached: boolean;
  /** What `RequestDesk.responding` gives has changed. */
  changed(): void;
}

/** An instance of this supervisor and what it responds to. */
export interface Responding {
  readonly member: Member;
  readonly patterns: readonly string[];
}

/** A request that has not been answered by everyone. */
export interface Pending {
  readonly id: number;
  readonly from: Party;
  /** Its id at `from`. */
  readonly fromId: number;
  /** The place of each who has not answered. */
  readonly waiting: Map<Party, number>;
}

/** What the desk knows of one party. */
export interface Desk {
  readonly patterns: Set<string>;
  /** Its own requests, by its ids. */
  readonly asking: Map<number, Pending>;
  /** What it is to answer, by our ids. */
  readonly asked: Map<number, Pending>;
}

/** Says that who has this place will not answer. */
export function encodeGone(id: number, place: number): Buffer {
  const buffer = Buffer.allocUnsafe(HEAD_BYTES + 6);
  writeUint32(buffer, buffer.length - 4, 0);
  buffer[4] = REQUEST_FRAME.gone;
  writeUint32(buffer, id, HEAD_BYTES);
  buffer[HEAD_BYTES + 4] = place >>> 8;
  buffer[HEAD_BYTES + 5] = place;
  return buffer;
}

/** Checks the fields of a request, and tells where its topic lies. */
export function readRequest({ buffer, body, end }: FrameReader): {
  topicStart: number;
  topicEnd: number;
  isForAll: boolean;
} {
  const flags = buffer[body + 4] ?? 0;
  const topicStart = body + 6;
  const topicEnd = topicStart + (buffer[body + 5] ?? 0);
  if (topicStart > end || topicEnd > end) throw frameError("a request that ends within its topic");
  if ((flags & ~(FLAG.bytes | FLAG.all)) !== 0) throw frameError("a request with unknown flags");
  if (end - topicEnd > MAX_VALUE_BYTES) throw frameError(`a value of ${end - topicEnd} bytes`);
  return { topicStart, topicEnd, isForAll: (flags & FLAG.all) !== 0 };
}

interface Refusable {
  readonly topic: string;
  /** Whether somebody responds, or nobody has to. */
  readonly isAsked: boolean;
  /** Requests of this instance that are unanswered, and how many may be. */
  readonly asking: number;
  readonly maxRequests: number;
  /** Whether there are other machines that cannot be asked. */
  readonly unreached: boolean;
}

/** Why a request is not passed on; undefined when it is. */
export function refusalOf(
  id: number,
  { topic, isAsked, asking, maxRequests, unreached }: Refusable,
): Buffer | undefined {
  if (!isAsked) {
    const text = unreached ? `${NOBODY_HERE} "${topic}", ${UNREACHED}` : `No instance responds to "${topic}"`;
    return encodeRefusal(id, REFUSAL.noResponder, text);
  }
  if (asking < maxRequests) return undefined;
  const text = `Request "${topic}" was not sent: ${maxRequests} requests of this instance are unanswered, which is the limit`;
  return encodeRefusal(id, REFUSAL.requestLimit, text);
}

const NOBODY_HERE = "No instance of this machine responds to";
const UNREACHED = "and other machines cannot be asked: the engine between them cannot be reached";
