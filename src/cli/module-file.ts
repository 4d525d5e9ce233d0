/**
 * The file of `choir start`: where it is, what it is called, and which flags node needs for it. Runs in the supervisor, which never
 * loads the file itself.
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { ChoirError, describeThrown, quote } from "../errors.ts";
import { nearestName } from "../options/nearest.ts";
import { optionError } from "../options/origin.ts";

/** Finds the file, absolute and with its links as they were written; throws ERR_CHOIR_MODULE, saying what is there instead. */
export function findModule(module: string | undefined, cwd: string): string {
  if (module === undefined) throw optionError("There is no file to run: write choir start app.js");
  const file = path.resolve(cwd, module);
  const found = statSync(file, { throwIfNoEntry: false });
  if (found?.isFile()) return file;
  // As node has it: `node app` runs app.js.
  if (found === undefined && statSync(`${file}.js`, { throwIfNoEntry: false })?.isFile()) return `${file}.js`;
  if (found?.isDirectory()) throw moduleError(`${quote(module)} is a directory`, directoryHint(file, module));
  if (found !== undefined) throw moduleError(`${quote(module)} is not a regular file`);
  throw moduleError(`${quote(module)} does not exist (looked for ${file})`, nearestFile(file, module));
}

/** The app's name when none was given: that of its package, else of its file or folder. */
export function nameOf(file: string): string {
  const { name } = nearestPackage(file)?.content ?? {};
  const stem = path.basename(file).replace(/\.[^.]+$/, "");
  const plain = /^(?:index|main|app|server)$/.test(stem) ? path.basename(path.dirname(file)) : stem;
  const wanted = typeof name === "string" && name !== "" ? name : plain;
  return (
    wanted
      .replaceAll("/", "-")
      .replaceAll(/[^\w.@-]/g, "_")
      .slice(0, 64) || "app"
  );
}

/** Refuses a file whose package asks for a newer Node.js than the one that runs. */
export async function checkEngine(file: string, version = process.version): Promise<void> {
  const found = nearestPackage(file);
  const range = (found?.content["engines"] as { node?: unknown } | undefined)?.node;
  if (found === undefined || typeof range !== "string") return;
  // Loaded only where there is a range to compare with.
  const { default: isBelow } = await import("semver/ranges/ltr.js");
  const { default: validRange } = await import("semver/ranges/valid.js");
  if (validRange(range) === null || !isBelow(version, range)) return;
  throw moduleError(
    `${path.basename(file)} needs a newer Node.js: its package asks for ${quote(range)}, this is ${version}`,
    `From "engines" in ${found.file}`,
  );
}

export interface NodeFlags {
  /** What node was started with, and what --node-options and --import add. */
  readonly given: readonly string[];
  /** What `process.features.typescript` is. */
  readonly features: string | false | undefined;
}

/** The flags that node needs besides those given, to run a file in TypeScript; throws ERR_CHOIR_MODULE saying what to install. */
export function typeScriptFlags(file: string, { given, features }: NodeFlags): string[] {
  const { ext } = path.parse(file);
  if (!/^\.(?:[cm]?tsx?|jsx)$/.test(ext)) return [];
  // Whoever names a loader knows what it loads.
  if (given.some((flag) => /^(?:--import|--loader|--experimental-loader|--require|-r)(?:=|$)/.test(flag))) return [];
  const isNative = Boolean(features) || given.some((flag) => /^--experimental-(?:strip|transform)-types$/.test(flag));
  if (isNative && /^\.[cm]?ts$/.test(ext)) return [];
  const tsx = resolveFrom(file, "tsx");
  if (tsx !== undefined) return ["--import", pathToFileURL(tsx).href];
  const newer = /^\.[cm]?ts$/.test(ext) ? ", or start with Node.js 22.18 or newer, which strips types itself" : "";
  throw moduleError(
    `${quote(path.basename(file))} is TypeScript${ext.endsWith("x") ? " or JSX" : ""}, which Node.js ${process.version} does not run`,
    `Install tsx in the app (npm install tsx)${newer}`,
  );
}

/** Cuts flags at spaces, except within double quotes, as NODE_OPTIONS is read. */
export function splitFlags(text: string): string[] {
  return [...text.matchAll(/(?:"(?:\\.|[^"\\])*"|[^\s"])+/g)].map(([word]) =>
    word.replaceAll(/"((?:\\.|[^"\\])*)"/g, (_, quoted: string) => quoted.replaceAll(/\\(.)/g, "$1")),
  );
}

interface Package {
  readonly file: string;
  readonly content: Readonly<Record<string, unknown>>;
}

function nearestPackage(file: string): Package | undefined {
  for (let folder = path.dirname(file), last = ""; folder !== last; last = folder, folder = path.dirname(folder)) {
    const candidate = path.join(folder, "package.json");
    try {
      const content: unknown = JSON.parse(readFileSync(candidate, "utf8"));
      if (typeof content === "object" && content !== null)
        return { file: candidate, content: content as Package["content"] };
    } catch {
      // None here, or none that can be read: node would say so itself, if it mattered.
    }
  }
  return undefined;
}

function resolveFrom(file: string, specifier: string): string | undefined {
  try {
    return createRequire(file).resolve(specifier);
  } catch {
    return undefined;
  }
}

function moduleError(message: string, hint?: string): ChoirError {
  return new ChoirError("ERR_CHOIR_MODULE", message, { hint });
}

function directoryHint(folder: string, module: string): string {
  const main = nearestPackage(path.join(folder, "package.json"));
  const named = main !== undefined && path.dirname(main.file) === folder ? main.content["main"] : undefined;
  const file = typeof named === "string" ? named : "index.js";
  return `Name the file in it, for example ${path.join(module, file)}`;
}

function nearestFile(file: string, module: string): string | undefined {
  try {
    const nearest = nearestName(path.basename(file), readdirSync(path.dirname(file)));
    return nearest === undefined ? undefined : `Did you mean ${path.join(path.dirname(module), nearest)}?`;
  } catch (error) {
    return describeThrown(error);
  }
}
