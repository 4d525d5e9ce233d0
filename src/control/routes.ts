/**
 * The one table of what the control socket answers: every route calls one method of the Supervisor and decides nothing. Used in
 * the supervisor; src/control/client.ts is the other side.
 */
import { ChoirError, describeThrown, quote } from "../errors.ts";
import { checkPattern, checkTopic } from "../messaging/topics.ts";
import type { Controllable } from "./controllable.ts";

/** A request that was read and found right: all that is left is to carry it out. */
export type Call = (target: Controllable, by: string) => unknown;

export interface Route {
  readonly method: "GET" | "POST";
  readonly path: string;
  /** One sentence for docs/commands.md. */
  readonly about: string;
  /** What a `choir` command is called that asks for it. */
  readonly command: string;
  /** Status of an answer that is one JSON document. */
  readonly status: 200 | 202;
  /** A stream of its events goes on until the supervisor has ended. */
  readonly lasting: boolean;
  /** Most bytes of the request's body. Default 16 KB. */
  readonly mostBytes?: number;
  /** Set where the answer is what is published, line by line, until somebody ends it. */
  listens?(body: Readonly<Record<string, unknown>>): string;
  /** Reads the request's body; throws ERR_CHOIR_REQUEST when it is not what the route takes. */
  read(body: Readonly<Record<string, unknown>>): Call;
}

/** Most instances that may be asked for, as for --concurrency. */
const MOST_INSTANCES = 1024;

/** A value of 1 MB, and some more for its topic and for JSON that has blanks. */
const MOST_PUBLISHED_BYTES = 2 * 1024 * 1024;

export const ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: "/v1/status",
    about: "the snapshot: the app, its slots and their instances",
    command: "choir status",
    status: 200,
    lasting: false,
    read: (body) => nothingIn(body, (target) => target.snapshot()),
  },
  {
    method: "POST",
    path: "/v1/restart",
    about: "a rolling restart; answers when it has ended, also when it was taken back",
    command: "choir restart",
    status: 200,
    lasting: false,
    read: (body) => nothingIn(body, (target, by) => target.restart(by)),
  },
  {
    method: "POST",
    path: "/v1/scale",
    about: 'another number of instances: `{"instances": 4}`',
    command: "choir scale",
    status: 200,
    lasting: false,
    read(body) {
      const { instances, ...others } = body;
      if (
        typeof instances !== "number" ||
        !Number.isInteger(instances) ||
        instances < 1 ||
        instances > MOST_INSTANCES
      ) {
        throw requestError(`"instances" must be a whole number from 1 to ${MOST_INSTANCES}, got ${quote(instances)}`);
      }
      return nothingIn(others, (target, by) => target.scale(instances, by));
    },
  },
  {
    method: "POST",
    path: "/v1/stop",
    about: "drains all instances and ends; a stream lasts until it has ended",
    command: "choir stop",
    status: 202,
    lasting: true,
    read: (body) => nothingIn(body, (target, by) => target.stop(by)),
  },
  {
    method: "POST",
    path: "/v1/publish",
    about: 'publishes to all instances: `{"topic": "news", "value": 1, "retain": false}`',
    command: "choir publish",
    status: 202,
    lasting: false,
    mostBytes: MOST_PUBLISHED_BYTES,
    read(body) {
      const { topic, value, retain = false, ...others } = body;
      const name = topicIn(topic, checkTopic);
      if (value === undefined) throw requestError('"value" is missing: what is to be published');
      if (typeof retain !== "boolean") throw requestError(`"retain" must be true or false, got ${quote(retain)}`);
      return nothingIn(others, async ({ messages }) => {
        await messages.publish(name, value, retain).catch((error: unknown) => {
          throw error instanceof ChoirError ? requestError(error.message) : error;
        });
      });
    },
  },
  {
    method: "POST",
    path: "/v1/subscribe",
    about: 'a line for each message of a topic or pattern, as long as the client stays: `{"topic": "news.*"}`',
    command: "choir subscribe",
    status: 200,
    lasting: true,
    listens({ topic, ...others }) {
      const pattern = topicIn(topic, checkPattern);
      nothingIn(others, () => {});
      return pattern;
    },
    read: (body) => nothingIn(body, () => {}),
  },
];

function topicIn(topic: unknown, check: (topic: string) => void): string {
  try {
    // It says itself of anything else that it must be a string.
    check(topic as string);
    return topic as string;
  } catch (error) {
    throw requestError(describeThrown(error));
  }
}

/** Makes the error about a request that is not what a route takes. */
export function requestError(message: string): ChoirError {
  return new ChoirError("ERR_CHOIR_REQUEST", message);
}

function nothingIn(body: Readonly<Record<string, unknown>>, call: Call): Call {
  const [unknown] = Object.keys(body);
  if (unknown !== undefined) throw requestError(`Unknown field ${quote(unknown)} in the request`);
  return call;
}
