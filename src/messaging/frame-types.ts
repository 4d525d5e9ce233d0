/**
 * What goes over the pub/sub pipe: the frames' types, fields and bounds. Used in both processes; frames.ts reads and writes them.
 *
 * A frame is a u32 (big-endian) length of what follows, a type byte, then its fields:
 *
 *     message                      flags u8, topic length u8, topic, payload
 *     retain                       id u32; the next frame is the message to retain
 *     subscribe unsubscribe clear  id u32, topic
 *     flush ack begin              id u32
 *     refused                      id u32, code u8, text
 *     requests, from 0x10          id u32, then what is said at each
 *     locks, from 0x20             id u32, then what is said at each
 *
 * A message travels to its subscribers as the very same bytes; a request and its answer do so too, with id and type changed in place.
 */

/** The most bytes that a value may have once it is encoded. */
export const MAX_VALUE_BYTES = 1024 * 1024;

/** The most characters of a topic or pattern: its length travels in one byte. */
export const MAX_TOPIC_LENGTH = 255;

/** The most bytes of a lock's name or the key of something done once, in UTF-8. */
export const MAX_LOCK_NAME = 255;

/** The most bytes of what is kept of something done once. */
export const MAX_OUTCOME_BYTES = 64 * 1024;

/** Bytes of a frame before its fields: the length and the type. */
export const HEAD_BYTES = 5;

/** Bytes of a message between its head and its topic: the flags and the topic's length. */
export const MESSAGE_FIELD_BYTES = 2;

/** What a frame is, in its type byte. */
export const FRAME = {
  /** Both ways: a published value. */
  message: 1,
  /** To the broker: retain the message that follows, and acknowledge it. */
  retain: 2,
  /** To the broker. */
  subscribe: 3,
  /** To the broker. */
  unsubscribe: 4,
  /** To the broker: acknowledge when all before it has been handled. */
  flush: 5,
  /** To the broker: forget the retained value. */
  clear: 6,
  /** To the client: the request with this id is done. */
  ack: 7,
  /** To the client: the subscription holds from here; its retained values follow, then the ack. */
  begin: 8,
  /** To the client: the request with this id was not done, and why. */
  refused: 9,
} as const;

/** Frames of requests and answers; the first of their range is the one that `Pipe.use` takes. */
export const REQUEST_FRAME = {
  /** To the broker: answer requests of this topic or pattern from now on. */
  respond: 0x10,
  /** To the broker: no longer. */
  endRespond: 0x11,
  /** To the broker, and on to the one or all who respond: flags u8, topic length u8, topic, payload. */
  request: 0x12,
  /** To the broker: nobody waits for this request's answers any more. */
  cancel: 0x13,
  /** To the broker, and on to who asked: place u16, flags u8, payload. The place is the broker's to fill in. */
  answer: 0x14,
  /** To the client: who was asked, as JSON of `Asked`; the index in its members is the place in answers. */
  asked: 0x15,
  /** To the client: who has this place is gone and will not answer: place u16. */
  gone: 0x16,
} as const;

/** Frames of locks. */
export const LOCK_FRAME = {
  /** To the broker: flags u8, name. */
  lock: 0x20,
  /** To the broker: give the lock with this id back, or stop waiting for it. */
  unlock: 0x21,
  /** To the broker: run once for a key: flags u8, key. */
  once: 0x22,
  /** To the broker: what came of it: flags u8, payload. */
  onceDone: 0x23,
  /** To the broker: which locks are there. */
  query: 0x24,
  /** To the client: it is held, or (runOnce) it is the one that runs: token f64. */
  granted: 0x25,
  /** To the client: it cannot be had at once. */
  unavailable: 0x26,
  /** To the client: it is held no longer: an error as JSON. */
  lost: 0x27,
  /** To the client: others can have it. */
  unlocked: 0x28,
  /** To the client: it cannot be had: an error as JSON. */
  lockRefused: 0x29,
  /** To the client: what came of it elsewhere: flags u8, payload. */
  outcome: 0x2a,
  /** To the client: JSON of `LockSnapshot`. */
  locks: 0x2b,
  /** To the client: until when its locks of scope "app" hold unless this comes again: id 0, time f64 of lease.ts. */
  lease: 0x2c,
} as const;

/** The bits of a message's flags. */
export const FLAG = {
  /** The payload is raw bytes; otherwise it is JSON text. */
  bytes: 1,
  /** It is a retained value, sent because of a new subscription. */
  retained: 2,
  /** The payload of an answer or outcome is an error, as JSON. */
  failed: 4,
  /** A request goes to all who respond. */
  all: 8,
  /** An answer or outcome without a payload is undefined, which JSON cannot hold. */
  none: 16,
} as const;

/** The bits of a lock's flags; for `once` only the last. */
export const LOCK_FLAG = { shared: 1, ifAvailable: 2, steal: 4, machine: 8 } as const;

/** Why the broker refused a request, in the code byte of `refused`. */
export const REFUSAL = { retainedLimit: 1, subscriptionLimit: 2, requestLimit: 3, noResponder: 4 } as const;

/** What types there are, by their number. */
export const KNOWN_TYPES: Readonly<Uint8Array> = knownTypes();

function knownTypes(): Uint8Array {
  const known = new Uint8Array(256);
  for (const types of [FRAME, REQUEST_FRAME, LOCK_FRAME]) for (const type of Object.values(types)) known[type] = 1;
  return known;
}
