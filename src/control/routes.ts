/**
 * The one table of what the control socket answers: every route calls one method of the Supervisor and decides nothing. Used in
 * the supervisor; src/control/client.ts is the other side.
 */
import { ChoirError, quote } from "../errors.ts";
import { TextAnswer } from "./answers.ts";
import type { Controllable } from "./controllable.ts";

/** A request that was read and found right: all that is left is to carry it out; see `Answer` for what it may give. */
export type Call = (target: Controllable, by: string) => unknown;

/** What a route is told of a request besides its body. */
export interface RequestFacts {
  readonly query: URLSearchParams;
  readonly accept: string | undefined;
}

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
  /** Reads the request's body; throws ERR_CHOIR_REQUEST when it is not what the route takes. */
  read(body: Readonly<Record<string, unknown>>, facts: RequestFacts): Call;
}

/** Most instances that may be asked for, as for --concurrency. */
const MOST_INSTANCES = 1024;

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
    method: "GET",
    path: "/v1/metrics",
    about: "the metrics, for Prometheus; as OpenMetrics where `Accept` asks for it",
    command: "choir metrics",
    status: 200,
    lasting: false,
    read: (body, { accept }) => nothingIn(body, async (target) => new TextAnswer(await target.metrics(accept))),
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
];

/** Makes the error about a request that is not what a route takes. */
export function requestError(message: string): ChoirError {
  return new ChoirError("ERR_CHOIR_REQUEST", message);
}

function nothingIn(body: Readonly<Record<string, unknown>>, call: Call): Call {
  const [unknown] = Object.keys(body);
  if (unknown !== undefined) throw requestError(`Unknown field ${quote(unknown)} in the request`);
  return call;
}
