/** The routes that show what happens in an app, and what is in an instance. Used in the supervisor. */
import type { LevelName } from "../events.ts";
import { quote } from "../errors.ts";
import { LEVELS } from "../logs/levels.ts";
import { BytesAnswer } from "./answers.ts";
import type { ProfileRequest } from "./controllable.ts";
import { nothingIn, numeric, queryOf, requestError, type Route, wholeNumber } from "./route.ts";
import { eventAnswer, logAnswer } from "./watch.ts";

const LEVEL_NAMES = Object.keys(LEVELS) as readonly LevelName[];
/** Between two snapshots, in milliseconds. */
const SNAPSHOT_MS = [250, 60_000] as const;
const MOST_LINES = 10_000;
/** Of a CPU profile. */
const MOST_SECONDS = 300;

export const WATCH_ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: "/v1/events",
    about:
      "every event as it happens, as server-sent events or one JSON object a line; with `?snapshots=1000` a snapshot each second",
    command: "choir top",
    status: 200,
    lasting: true,
    gives: ["text/event-stream", "application/x-ndjson"],
    takes: [
      {
        name: "snapshots",
        about: "Milliseconds between two snapshots; without it there are none",
        schema: { type: "integer", minimum: SNAPSHOT_MS[0], maximum: SNAPSHOT_MS[1] },
      },
    ],
    read(body, { query, lines }) {
      const { snapshots } = queryOf(query, ["snapshots"]);
      const ms = snapshots === undefined ? undefined : wholeNumber(numeric(snapshots), "snapshots", SNAPSHOT_MS);
      return nothingIn(body, (target) => eventAnswer(target, { snapshots: ms, form: lines ? "lines" : "sse" }));
    },
  },
  {
    method: "GET",
    path: "/v1/logs",
    about: "the log's last lines, as JSON; with `?follow=true` those to come as well",
    command: "choir logs",
    status: 200,
    lasting: true,
    gives: ["application/x-ndjson"],
    takes: [
      {
        name: "lines",
        about: "How many of the last lines, of those that are kept (256 KB)",
        schema: { type: "integer", minimum: 0, maximum: MOST_LINES, default: 100 },
      },
      { name: "follow", about: "Whether to go on", schema: { type: "boolean", default: false } },
    ],
    read(body, { query }) {
      const { lines = "100", follow = "false" } = queryOf(query, ["lines", "follow"]);
      if (follow !== "true" && follow !== "false")
        throw requestError(`"follow" must be true or false, got ${quote(follow)}`);
      const options = { lines: wholeNumber(numeric(lines), "lines", [0, MOST_LINES]), follow: follow === "true" };
      return nothingIn(body, (target) => logAnswer(target.logs, options));
    },
  },
  {
    method: "GET",
    path: "/v1/log-level",
    about: "the level below which lines and events are left out",
    command: "choir logs",
    status: 200,
    lasting: false,
    read: (body) => nothingIn(body, (target) => ({ level: target.logLevel() })),
  },
  {
    method: "POST",
    path: "/v1/log-level",
    about: 'another level: `{"level": "debug"}`',
    command: "choir logs",
    status: 200,
    lasting: false,
    takes: [{ name: "level", about: "The lowest that is logged", schema: { enum: LEVEL_NAMES }, required: true }],
    read({ level, ...others }) {
      const name = LEVEL_NAMES.find((each) => each === level);
      if (name === undefined)
        throw requestError(`"level" must be one of ${LEVEL_NAMES.join(", ")}, got ${quote(level)}`);
      return nothingIn(others, (target, by) => {
        target.setLogLevel(name, by);
        return { level: target.logLevel() };
      });
    },
  },
  {
    method: "POST",
    path: "/v1/reopen",
    about: "opens the log files anew, as SIGUSR2 does",
    command: "choir logs",
    status: 202,
    lasting: false,
    read: (body) => nothingIn(body, (target, by) => target.reopenLogs(by)),
  },
  {
    method: "POST",
    path: "/v1/profile",
    about:
      'looks into an instance: `{"instance": 0, "kind": "cpu", "seconds": 10}` or `{"instance": 0, "kind": "heap"}`',
    command: "choir profile",
    status: 200,
    lasting: false,
    gives: ["application/octet-stream"],
    takes: [
      { name: "instance", about: "The slot's number", schema: { type: "integer", minimum: 0 }, required: true },
      {
        name: "kind",
        about:
          "A CPU profile (.cpuprofile), or a snapshot of the heap (.heapsnapshot), while which the instance answers nothing",
        schema: { enum: ["cpu", "heap"] },
        required: true,
      },
      {
        name: "seconds",
        about: "How long, for a CPU profile",
        schema: { type: "integer", minimum: 1, maximum: MOST_SECONDS, default: 10 },
      },
    ],
    read({ instance, kind, seconds, ...others }) {
      const slot = wholeNumber(instance, "instance", [0, Number.MAX_SAFE_INTEGER]);
      const what = profileRequest(kind, seconds);
      return nothingIn(others, (target) => new BytesAnswer("application/octet-stream", target.profile(slot, what)));
    },
  },
];

function profileRequest(kind: unknown, seconds: unknown): ProfileRequest {
  if (kind === "cpu")
    return { about: "cpu-profile", ms: wholeNumber(seconds ?? 10, "seconds", [1, MOST_SECONDS]) * 1000 };
  if (kind !== "heap") throw requestError(`"kind" must be "cpu" or "heap", got ${quote(kind)}`);
  if (seconds !== undefined) throw requestError('"seconds" is for a CPU profile');
  return { about: "heap-snapshot" };
}
