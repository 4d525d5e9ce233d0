/** The rows of the options' table that are about the place where an app is put: its users, and who asks for its health. Used where table.ts is. */
import type { Option } from "./table.ts";

/** In the order of --help. */
export const DEPLOY_ROWS = {
  user: {
    kind: "string",
    group: "general",
    placeholder: "name|uid",
    default: undefined,
    help: "User that the instances run as; the supervisor must be root, and stays it",
    more:
      "So the supervisor may bind port 443 and read a key that the app must not. Its group is the user's own unless `--group` says " +
      "otherwise; further groups are given up. The app's files must be readable by that user. A program of `choir start` has 80, 443, the port of " +
      "`--port` and the Unix sockets of `--address` bound for it by root, and ports that anybody may have. Where it can be had, a service manager's " +
      "socket ([systemd.md](systemd.md)) needs no root at all.",
  },
  group: {
    kind: "string",
    group: "general",
    placeholder: "name|gid",
    default: undefined,
    help: "Group that the instances run as, and that a Unix socket of --address belongs to; the supervisor must be root",
  },
  /** `host:port`, a port alone, or `unix:/path`. */
  healthAddress: {
    kind: "string",
    group: "address",
    placeholder: "address",
    default: undefined,
    help: "Where the supervisor answers /livez and /readyz, such as 0.0.0.0:9000, 9000 or unix:/path",
    more:
      "`/livez` is 200 as long as the supervisor runs. `/readyz` is 200 while at least one instance takes requests, and 503 from the moment " +
      "that a stop is asked for: with `--drain-delay`, a load balancer that asks every few seconds sees it before a connection is refused. " +
      "A port alone is one of 127.0.0.1.",
  },
} as const satisfies Record<string, Option>;
