/**
 * Topics and patterns: their rules, and who gets a topic. Used in both processes: the broker finds the instances that a message
 * goes to, the client finds the subscriptions.
 */
import { ChoirError, quote } from "../errors.ts";
import { MAX_TOPIC_LENGTH } from "./frames.ts";

const TOPIC = /^[A-Za-z0-9_=/-]+(?:\.[A-Za-z0-9_=/-]+)*$/;
const PATTERN = /^(?:[A-Za-z0-9_=/-]+|\*)(?:\.(?:[A-Za-z0-9_=/-]+|\*))*(?:\.>)?$|^>$/;
const WRONG_CHARACTER = /[^A-Za-z0-9_=/-]/u;
const RULES = "letters, digits, _ = / and -";

/** Whether messages can be published to `topic`. */
export function isTopic(topic: string): boolean {
  return topic.length <= MAX_TOPIC_LENGTH && TOPIC.test(topic);
}

/** Whether `pattern` can be subscribed to. */
export function isPattern(pattern: string): boolean {
  return pattern.length <= MAX_TOPIC_LENGTH && PATTERN.test(pattern);
}

/**
 * Refuses what messages cannot be published to.
 * @throws ChoirError ERR_CHOIR_TOPIC that says what is wrong where.
 */
export function checkTopic(topic: string): void {
  if (typeof topic !== "string" || !isTopic(topic)) throw topicError("Topic", topic);
}

/**
 * Refuses what cannot be subscribed to.
 * @throws ChoirError ERR_CHOIR_TOPIC that says what is wrong where.
 */
export function checkPattern(pattern: string): void {
  if (typeof pattern !== "string" || !isPattern(pattern)) throw topicError("Pattern", pattern);
}

/** Whether a message of `topic` goes to a subscription of `pattern`; both are valid. */
export function matches(pattern: string, topic: string): boolean {
  const wanted = pattern.split(".");
  const tokens = topic.split(".");
  for (const [at, token] of wanted.entries()) {
    if (token === ">") return tokens.length > at;
    if (at >= tokens.length || (token !== "*" && token !== tokens[at])) return false;
  }
  return wanted.length === tokens.length;
}

/** Whether `pattern` stands for more than one topic. */
export function hasWildcard(pattern: string): boolean {
  return pattern.includes("*") || pattern.endsWith(">");
}

function topicError(noun: "Topic" | "Pattern", text: unknown): ChoirError {
  if (typeof text !== "string") {
    return new ChoirError("ERR_CHOIR_TOPIC", `${noun} must be a string, got ${quote(text)}`);
  }
  return new ChoirError("ERR_CHOIR_TOPIC", `${noun} ${quote(text)} ${fault(text, noun === "Pattern")}`);
}

function fault(text: string, pattern: boolean): string {
  if (text === "") return "is empty";
  if (text.length > MAX_TOPIC_LENGTH) return `has ${text.length} characters, at most ${MAX_TOPIC_LENGTH} are allowed`;
  let at = 0;
  const tokens = text.split(".");
  for (const [index, token] of tokens.entries()) {
    const found = tokenFault(token, { at, pattern, last: index === tokens.length - 1 });
    if (found !== undefined) return found;
    at += token.length + 1;
  }
  return "is malformed";
}

interface TokenPlace {
  /** Where it begins, 0-based. */
  readonly at: number;
  readonly pattern: boolean;
  readonly last: boolean;
}

function tokenFault(token: string, { at, pattern, last }: TokenPlace): string | undefined {
  if (token === "") return `has an empty token at position ${at}`;
  if (pattern && token === "*") return undefined;
  if (pattern && token === ">")
    return last ? undefined : `has ">" at position ${at}, which is allowed as the last token only`;
  const wrong = WRONG_CHARACTER.exec(token);
  if (wrong === null) return undefined;
  const position = at + wrong.index;
  if (wrong[0] === "*" || wrong[0] === ">") {
    return pattern
      ? `has ${quote(wrong[0])} at position ${position}, which must be a token of its own`
      : `has the wildcard ${quote(wrong[0])} at position ${position}, which is for subscriptions only`;
  }
  return `has ${quote(wrong[0])} at position ${position}; tokens are of ${RULES}, joined by dots`;
}
