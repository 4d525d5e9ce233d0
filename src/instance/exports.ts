/** Finds what a file exports to be served. Pure: it loads nothing. Runs in an instance of `choir start`. */
import { ChoirError, quote } from "../errors.ts";
import { recogniseApp } from "./app.ts";

/** What a file exports to be served. */
export type ExportedApp =
  /** As a Runner takes it: it gets the default app, or returns one. */
  | { readonly kind: "configure"; readonly value: unknown }
  /** A function without parameters that makes an app, or listens by itself. */
  | { readonly kind: "factory"; readonly value: () => unknown }
  | { readonly kind: "app"; readonly value: unknown };

/** The names that are looked at, in the order of messages. */
const NAMES = ["configureServer", "default", "app", "handler"] as const;
type Name = (typeof NAMES)[number];

/**
 * Finds the one app that a module exports; undefined when none of the names is there. Throws ERR_CHOIR_MODULE when there are two, or
 * when what is there is no app.
 */
export function findExportedApp(module: object, file: string): ExportedApp | undefined {
  const values = valuesOf(module);
  const apps = new Map<unknown, { name: Name; app: ExportedApp }>();
  const failures: unknown[] = [];
  for (const [name, value] of values) {
    try {
      if (!apps.has(value)) apps.set(value, { name, app: appOf(name, value) });
    } catch (error) {
      failures.push(error);
    }
  }
  const [first, second] = apps.values();
  if (second !== undefined && first !== undefined) throw severalApps(file, [first.name, second.name]);
  if (first !== undefined) return first.app;
  const [failure] = failures;
  if (failure === undefined) return undefined;
  throw wrongExport(failure, file);
}

export interface FoundExports {
  readonly names: readonly string[];
  /** A worker thread has called listen(). */
  readonly inWorker: boolean;
}

/** What the error is when a file neither exports an app nor listens. */
export function nothingToServe(file: string, { names, inWorker }: FoundExports): ChoirError {
  const got = names.length === 0 ? "exports nothing" : `exports ${names.map((name) => quote(name)).join(", ")}`;
  const listens = inWorker ? "calls listen() in a worker thread only, which is not seen" : "does not call listen()";
  return new ChoirError("ERR_CHOIR_MODULE", `${file} has no app to serve: it ${got}, and ${listens}`, {
    hint: WHAT_TO_EXPORT,
  });
}

/** The names that a module exports, for messages; a module of CommonJS has those of `module.exports`. */
export function exportNames(module: object): string[] {
  const own = ownExports(module) as Readonly<Record<string, unknown>>;
  const isSaid = (name: string): boolean => name !== "__esModule" && name !== "module.exports";
  return Object.keys(own).filter((name) => isSaid(name) && own[name] !== undefined && !isEmpty(own[name]));
}

const WHAT_TO_EXPORT =
  'Export a Fastify, Express, Koa, Hono, NestJS or h3 app, a (request, response) listener, an object with fetch or an http.Server as default, "app" or "handler"; or a function configureServer; or call listen()';

function valuesOf(module: object): Map<Name, unknown> {
  const own = ownExports(module) as Readonly<Record<string, unknown>>;
  const found = new Map<Name, unknown>();
  for (const name of NAMES) {
    // What is transpiled to CommonJS has its default export in `exports.default`.
    const value = own[name];
    if (value !== undefined && value !== null && !isEmpty(value)) found.set(name, value);
  }
  return found;
}

/** The module's exports by name. `module.exports = app` is a default export, and an object that is no app holds named ones. */
function ownExports(module: object): object {
  const { default: whole } = module as { default?: unknown };
  const isCommonJs = "module.exports" in module || "__esModule" in module;
  if (typeof whole === "object" && whole !== null && "__esModule" in whole) return whole;
  if (typeof whole === "object" && whole !== null && !isApp(whole) && (isCommonJs || isPlain(whole))) {
    const named = Object.fromEntries(Object.entries(whole).filter(([name]) => name !== "default"));
    return NAMES.some((name) => name in named) ? { ...module, ...named, default: undefined } : module;
  }
  return module;
}

/** What a file of CommonJS exports that exports nothing. */
function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && isPlain(value) && Object.keys(value).length === 0;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function isApp(value: unknown): boolean {
  try {
    recogniseApp(value);
    return true;
  } catch {
    return false;
  }
}

function appOf(name: Name, value: unknown): ExportedApp {
  if (name === "configureServer") {
    if (typeof value === "function") return { kind: "configure", value };
    throw new ChoirError("ERR_CHOIR_NO_APP", `configureServer must be a function, got ${quote(value)}`);
  }
  if (typeof value === "function" && value.length === 0 && !isClass(value) && !isExpressLike(value)) {
    return { kind: "factory", value: value as () => unknown };
  }
  recogniseApp(value);
  return { kind: "app", value };
}

/** An app that is a function has methods. */
function isExpressLike(value: Function): boolean {
  return Object.keys(value).length > 0;
}

function isClass(value: Function): boolean {
  return Object.getOwnPropertyDescriptor(value, "prototype")?.writable === false && !isGenerator(value);
}

function isGenerator(value: Function): boolean {
  return value.constructor.name.endsWith("GeneratorFunction");
}

function severalApps(file: string, names: readonly string[]): ChoirError {
  return new ChoirError(
    "ERR_CHOIR_MODULE",
    `${file} exports several apps: ${names.map((name) => quote(name)).join(" and ")}`,
    {
      hint: "Export one of them only, or the same one under both names",
    },
  );
}

function wrongExport(failure: unknown, file: string): unknown {
  if (!(failure instanceof ChoirError)) return failure;
  const message = failure.message.replace(
    /^configureServer must return an app(?: to serve)?/,
    "what it exports must be an app",
  );
  return new ChoirError("ERR_CHOIR_MODULE", `${file} cannot be served: ${message}`, {
    hint: failure.hint ?? WHAT_TO_EXPORT,
    cause: failure,
  });
}
