/**
 * The rows of the options table that only `choir start` and `choir check` have: what to run, and how node is started for it. A leaf,
 * used in the supervisor only.
 */
import type { Option } from "./table.ts";

/** In the order of --help. */
export const START_ROWS = {
  module: {
    kind: "string",
    group: "start",
    placeholder: "file",
    default: undefined,
    help: "File to run, in place of the operand",
  },
  name: {
    kind: "string",
    group: "start",
    placeholder: "name",
    default: undefined,
    defaultText: "from package.json",
    help: "Name of the app, for choir's commands and log lines",
    more: "Without it, the name in the nearest `package.json`, or else that of the file or its folder.",
  },
  serve: {
    kind: "string",
    choices: ["auto", "exports", "listen"],
    group: "start",
    placeholder: "auto|exports|listen",
    default: "auto",
    help: "What of the file is served: the app that it exports, or what it listens with; auto finds out",
    more: "See [start.md](start.md) for what `auto` does with a file that has both.",
  },
  import: {
    kind: "list",
    group: "start",
    placeholder: "module",
    default: undefined,
    help: "Module that node loads before the file, as its own --import; may be given several times",
  },
  envFile: {
    kind: "list",
    group: "start",
    placeholder: "file",
    default: undefined,
    help: "File of environment variables, as node's own --env-file; may be given several times",
    more: "Choir reads `PORT`, `HOST` and the like from it too; variables that are set already win, as they do in node.",
  },
  nodeOptions: {
    kind: "string",
    group: "start",
    placeholder: "flags",
    default: undefined,
    help: 'Flags of node for the instances: --node-options "--max-old-space-size=512"',
  },
  cwd: {
    kind: "string",
    group: "start",
    placeholder: "folder",
    default: undefined,
    help: "Working directory of the app; the file to run is looked for there",
  },
  watch: {
    kind: "boolean",
    group: "start",
    default: false,
    help: "Restart the instances when a file that they have imported changes: for development",
    more:
      "What is imported from `node_modules` is not watched. Unless they are given, `--concurrency` is 1, `--canary-time` 0s and `NODE_ENV` " +
      "is `development`; an instance that cannot start waits for the next change.",
  },
} as const satisfies Record<string, Option>;
