/**
 * Tells the supervisor of --watch what node itself leaves out of its reports: modules of CommonJS that others re-export, and those that
 * are required and not there. Runs in an instance of `choir start --watch`.
 */
import { createRequire } from "node:module";
import path from "node:path";

/** What a name without an extension may stand for. */
const ENDINGS = ["", ".js", ".cjs", ".json", ".ts", "/index.js"];

/** Reports, in the words of node's own --watch, what is loaded, and what `thrown` says is missing. */
export function reportRequired(thrown?: unknown): void {
  const loaded = Object.keys(createRequire(import.meta.url).cache);
  const files = [...loaded, ...missingModules(thrown)];
  if (process.connected) process.send?.({ "watch:require": files }, undefined, undefined, () => {});
}

/** The files that a relative `require` has looked for in vain. */
export function missingModules(thrown: unknown): string[] {
  const { code, message, requireStack } = (thrown ?? {}) as Readonly<Record<string, unknown>>;
  if (code !== "MODULE_NOT_FOUND" || !Array.isArray(requireStack)) return [];
  const [from] = requireStack as unknown[];
  const [, wanted] = /^Cannot find module '(\.{0,2}\/[^']*)'/.exec(String(message)) ?? [];
  if (typeof from !== "string" || wanted === undefined) return [];
  const file = path.resolve(path.dirname(from), wanted);
  return ENDINGS.map((ending) => `${file}${ending}`);
}
