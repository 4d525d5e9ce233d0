/** What `new Runner(name, configureServer, options)` takes. Used in both processes; types and their split, no checks. */
import type { HeaderPolicyOptions } from "./http/headers.ts";
import type { FastifyOptions } from "./instance/fastify-app.ts";
import type { TableOptions } from "./options/table.ts";
import type { Declaration } from "./protocol.ts";

/** Runs in every instance; a promise is waited for. */
export type Hook = () => unknown;

export interface Hooks {
  /** After configureServer and before the instance listens; one that throws fails the start. */
  readonly startup?: Hook | readonly Hook[];
  /** When the instance has drained, after those that `onShutdown` registered. */
  readonly shutdown?: Hook | readonly Hook[];
}

/** The options that are no rows of the table, since no command line could hold them. */
export interface RunnerExtras extends Pick<HeaderPolicyOptions, "responseHeaders" | "removeResponseHeaders"> {
  /** Fastify's own options for the default app: `bodyLimit`, `trustProxy` and so on. */
  readonly fastify?: FastifyOptions;
  readonly hooks?: Hooks;
}

export type RunnerOptions = TableOptions & RunnerExtras;

/** The names of RunnerExtras, for the messages about an unknown one. */
export const EXTRA_NAMES = [
  "responseHeaders",
  "removeResponseHeaders",
  "fastify",
  "hooks",
] as const satisfies readonly (keyof RunnerExtras)[];

/** Tells the table's options from the others. */
export function splitOptions(options: RunnerOptions): { table: TableOptions; extras: RunnerExtras } {
  const isExtra = ([name]: [string, unknown]): boolean => (EXTRA_NAMES as readonly string[]).includes(name);
  const entries = Object.entries(options);
  return {
    table: Object.fromEntries(entries.filter((entry) => !isExtra(entry))),
    extras: Object.fromEntries(entries.filter(isExtra)),
  };
}

/** What a Runner is given of the table's options, for a comparison. */
export function declarationOf(name: string, options: RunnerOptions): Declaration {
  const given = Object.entries(splitOptions(options).table).filter(([, value]) => value !== undefined);
  return { name, options: Object.fromEntries(given.map(([option, value]) => [option, JSON.stringify(value)])) };
}

/** One hook or several, as a list. */
export function hookList(hooks: Hook | readonly Hook[] | undefined): readonly Hook[] {
  if (hooks === undefined) return [];
  return typeof hooks === "function" ? [hooks] : hooks;
}
