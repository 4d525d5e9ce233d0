/** The dashboard's token: kept as its hash, and compared in constant time. Runs in the supervisor. */
import { createHash, timingSafeEqual } from "node:crypto";
import { optionError } from "../../options/origin.ts";

/** Fewer characters could be found by trying. */
const LEAST_CHARACTERS = 16;

export class Token {
  readonly #digest: Buffer;

  /** Throws ERR_CHOIR_OPTION, which does not quote it, when it is too short or cannot travel in a header. */
  constructor(text: string) {
    if (!/^[\x21-\x7E]*$/.test(text) || text.length < LEAST_CHARACTERS) {
      throw optionError(
        `--dashboard-token must have at least ${LEAST_CHARACTERS} characters, without spaces and of ASCII only: openssl rand -hex 32 makes one`,
      );
    }
    this.#digest = digestOf(text);
  }

  /** Whether it is the one. How long this takes says nothing of the token: digests are of one length. */
  matches(given: string): boolean {
    return timingSafeEqual(digestOf(given), this.#digest);
  }
}

function digestOf(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
