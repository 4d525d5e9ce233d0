/**
 * The one table of what the control socket answers: every route calls one method of the Supervisor and decides nothing. Used in
 * the supervisor; src/control/client.ts is the other side.
 */
import { quote } from "../errors.ts";
import { TextAnswer } from "./answers.ts";
import { OPEN_METRICS, PROMETHEUS_TEXT } from "./metrics/family.ts";
import { MESSAGE_ROUTES } from "./message-routes.ts";
import { nothingIn, requestError, type Route } from "./route.ts";
import { WATCH_ROUTES } from "./watch-routes.ts";

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
    gives: [PROMETHEUS_TEXT.contentType, OPEN_METRICS.contentType],
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
    takes: [
      {
        name: "instances",
        about: "How many",
        schema: { type: "integer", minimum: 1, maximum: MOST_INSTANCES },
        required: true,
      },
    ],
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
  ...MESSAGE_ROUTES,
  ...WATCH_ROUTES,
];
