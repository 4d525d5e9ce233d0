/**
 * Looks at a line's bytes for what pino writes: a JSON object that begins with `level` and `time`. This is what lets the supervisor
 * pass a million lines on without a string or a parse. Runs in the supervisor; pure.
 *
 * It accepts less than JSON has (no white space, no depth beyond 64), and nothing that is no JSON or that `escape.ts` would escape: a
 * line that it does not accept goes the long way, with the same result. Valid UTF-8 is up to the caller, who asks once for many lines.
 */

const LF = 0x0a;
const CR = 0x0d;
const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const OPEN = 0x7b;
const CLOSE = 0x7d;

const NESTING = 64;
/** What a byte is inside a string; all others (0) are plain. */
const IN_STRING = { end: 1, escape: 2, refused: 3, lead: 4 } as const;

const HEAD = Buffer.from('{"level":');
const TIME = Buffer.from(',"time":');
const LITERALS = ["true", "false", "null"].map((text) => Buffer.from(text));

/** How a scan of a line ended. */
export interface ScannedLine {
  /** pino's number. */
  level: number;
  /** Where the object's last brace is. */
  brace: number;
}

/** Scans lines; an object of this class has no memory from one to the next. */
export class JsonLineScanner {
  readonly #bytesInString = stringTable();
  readonly #result: ScannedLine = { level: 0, brace: 0 };

  /** Scans the line that begins at `start` and ends with an LF; undefined when it has to go the long way. */
  scan(bytes: Buffer, start: number): Readonly<ScannedLine> | undefined {
    if (!matches(bytes, start, HEAD)) return undefined;
    const digits = start + HEAD.length;
    const level = digitsFrom(bytes, digits);
    if (level - digits > 3 || level === digits || bytes[digits] === ZERO || !matches(bytes, level, TIME)) {
      return undefined;
    }
    const end = this.#object(bytes, start, 0);
    if (end === -1) return undefined;
    if (bytes[end] !== LF && !(bytes[end] === CR && bytes[end + 1] === LF)) return undefined;
    this.#result.level = numberOf(bytes, digits, level);
    this.#result.brace = end - 1;
    return this.#result;
  }

  /** Where an object that begins at `at` has ended; -1 when it is none. */
  #object(bytes: Buffer, at: number, depth: number): number {
    let next = at + 1;
    if (bytes[next] === CLOSE) return next + 1;
    for (;;) {
      if (bytes[next] !== QUOTE) return -1;
      next = this.#string(bytes, next + 1);
      if (next === -1 || bytes[next] !== COLON) return -1;
      next = this.#value(bytes, next + 1, depth);
      if (next === -1) return -1;
      if (bytes[next] !== COMMA) return bytes[next] === CLOSE ? next + 1 : -1;
      next += 1;
    }
  }

  #list(bytes: Buffer, at: number, depth: number): number {
    let next = at + 1;
    if (bytes[next] === CLOSE_LIST) return next + 1;
    for (;;) {
      next = this.#value(bytes, next, depth);
      if (next === -1) return -1;
      if (bytes[next] !== COMMA) return bytes[next] === CLOSE_LIST ? next + 1 : -1;
      next += 1;
    }
  }

  #value(bytes: Buffer, at: number, depth: number): number {
    const first = bytes[at] ?? LF;
    if (first === QUOTE) return this.#string(bytes, at + 1);
    if (first === MINUS || isDigit(first)) return numberFrom(bytes, at);
    if (first !== OPEN && first !== OPEN_LIST) return literalFrom(bytes, at);
    if (depth === NESTING) return -1;
    return first === OPEN ? this.#object(bytes, at, depth + 1) : this.#list(bytes, at, depth + 1);
  }

  /** Where a string has ended whose first byte after the quote is at `at`. */
  #string(bytes: Buffer, at: number): number {
    const table = this.#bytesInString;
    for (let next = at; ; next += 1) {
      const kind = table[bytes[next] ?? LF];
      if (kind === 0) continue;
      if (kind === IN_STRING.end) return next + 1;
      if (kind === IN_STRING.escape) {
        next = escapeFrom(bytes, next + 1);
        if (next === -1) return -1;
      } else if (kind === IN_STRING.refused || isUnsafe(bytes, next)) {
        return -1;
      }
    }
  }
}

/** Of the bytes in a string: control characters and DEL are refused, and three lead bytes need a look at what follows. */
function stringTable(): Uint8Array {
  const table = new Uint8Array(256);
  table.fill(IN_STRING.refused, 0, 0x20);
  table[0x7f] = IN_STRING.refused;
  table[QUOTE] = IN_STRING.end;
  table[BACKSLASH] = IN_STRING.escape;
  for (const lead of [0xc2, 0xd8, 0xe2]) table[lead] = IN_STRING.lead;
  return table;
}

/** Whether a character of several bytes is one that escape.ts escapes: C1, those that reorder what a person reads, U+2028, U+2029. */
function isUnsafe(bytes: Buffer, at: number): boolean {
  const [lead, second = 0, third = 0] = [bytes[at], bytes[at + 1], bytes[at + 2]];
  if (lead === 0xc2) return second < 0xa0;
  if (lead === 0xd8) return second === 0x9c;
  if (second === 0x80) return third === 0x8e || third === 0x8f || (third >= 0xa8 && third <= 0xae);
  return second === 0x81 && third >= 0xa6 && third <= 0xa9;
}

/** The last byte of an escape whose first byte after the backslash is at `at`; -1 when it is none. */
function escapeFrom(bytes: Buffer, at: number): number {
  const letter = String.fromCharCode(bytes[at] ?? LF);
  if (letter !== "u") return '"\\/bfnrt'.includes(letter) ? at : -1;
  for (let next = at + 1; next <= at + 4; next += 1) {
    if (!/[\da-fA-F]/.test(String.fromCharCode(bytes[next] ?? LF))) return -1;
  }
  return at + 4;
}

function numberFrom(bytes: Buffer, at: number): number {
  const whole = bytes[at] === MINUS ? at + 1 : at;
  let next = digitsFrom(bytes, whole);
  if (next === whole || (bytes[whole] === ZERO && next > whole + 1)) return -1;
  if (bytes[next] === DOT) {
    const fraction = next + 1;
    next = digitsFrom(bytes, fraction);
    if (next === fraction) return -1;
  }
  if (bytes[next] === 0x65 || bytes[next] === 0x45) {
    const signed = bytes[next + 1] === MINUS || bytes[next + 1] === 0x2b;
    const exponent = next + (signed ? 2 : 1);
    next = digitsFrom(bytes, exponent);
    if (next === exponent) return -1;
  }
  return next;
}

function literalFrom(bytes: Buffer, at: number): number {
  const literal = LITERALS.find((text) => matches(bytes, at, text));
  return literal === undefined ? -1 : at + literal.length;
}

function digitsFrom(bytes: Buffer, at: number): number {
  let next = at;
  while (isDigit(bytes[next] ?? LF)) next += 1;
  return next;
}

function numberOf(bytes: Buffer, start: number, end: number): number {
  let value = 0;
  for (let at = start; at < end; at += 1) value = value * 10 + (bytes[at] ?? ZERO) - ZERO;
  return value;
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE;
}

function matches(bytes: Buffer, at: number, wanted: Buffer): boolean {
  for (let n = 0; n < wanted.length; n += 1) if (bytes[at + n] !== wanted[n]) return false;
  return true;
}
