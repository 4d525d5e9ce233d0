/** The rows of the options' table that decide when an instance is replaced that still runs. Used where table.ts is. */
import type { Option } from "./table.ts";

export const HEALTH_OPTIONS = {
  /** 0 lets an instance be blocked for ever. */
  unresponsiveTimeout: {
    kind: "duration",
    group: "life",
    placeholder: "time",
    // A heartbeat comes ten times a second at most: below this an instance that does nothing but wait would be killed.
    min: 500,
    orZero: true,
    default: 30_000,
    help: "How long an instance's event loop may be blocked before it is killed and replaced; 0s is for ever",
    more:
      "The stack that blocks it and its open requests are in the log. Time in which the supervisor itself was held up does not count, " +
      "and an instance that waits for a CPU or for the disk gets three times as long. Raise it, or set `0s`, to stop at a debugger's " +
      "breakpoint for longer.",
  },
  /** Each instance's own limit is up to 10 % above or below, so that they do not all reach it at once. */
  maxRequests: {
    kind: "integer",
    group: "life",
    min: 1,
    placeholder: "n",
    default: undefined,
    help: "Replace an instance once it has answered about this many requests",
    more: "Looked at once a second. As with `--max-age`, each instance's own limit is up to 10 % above or below, and one is replaced at a time.",
  },
  /** Each instance's own limit is up to 10 % above or below, so that they do not all reach it at once. */
  maxAge: {
    kind: "duration",
    group: "life",
    min: 1,
    placeholder: "time",
    default: undefined,
    help: "Replace an instance once it has been ready for about this long",
  },
  /** Bytes, or a percentage of the memory there is, as `"25%"`. */
  maxMemory: {
    kind: "memory",
    group: "life",
    min: 1,
    placeholder: "size|n%",
    default: undefined,
    help: "Replace an instance whose resident memory is above this, three seconds in a row",
    more:
      "A percentage is of the control group's memory limit, or of the machine's memory where there is none. An instance whose JavaScript " +
      "heap is nearly full is replaced without this option too.",
  },
} as const satisfies Record<string, Option>;
