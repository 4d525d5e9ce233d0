/** What is said of a file that cannot be loaded. Pure; runs in an instance of `choir start`. */
import path from "node:path";
import { fileURLToPath } from "node:url";
import { ChoirError, describeThrown, quote } from "../errors.ts";

/** Errors of the network come and go: a start that failed by one is tried again. */
const PASSING =
  /\b(?:ECONN\w+|ETIMEDOUT|EHOST\w+|ENET\w+|ENOTFOUND|EAI_AGAIN|EPIPE|EADDRINUSE)\b|\b(?:timed out|timeout)\b/i;
const OWN_FOLDER = fileURLToPath(new URL("../", import.meta.url));
/** How many causes are looked at. */
const DEPTH = 5;

/** The file, as messages show it. */
export interface LoadedFile {
  readonly file: string;
  /** Finds where a file cannot be parsed, when the error itself does not say. */
  readonly findSyntaxError: () => string | undefined;
}

/** What a failed load comes to: trying again does not help, unless it was an error of the network. */
export function loadError(thrown: unknown, { file, findSyntaxError }: LoadedFile): unknown {
  if (thrown instanceof ChoirError) return ourError(thrown, file);
  const chain = causes(thrown);
  if (chain.some((cause) => PASSING.test(describeThrown(cause)) || PASSING.test(codeOf(cause)))) return thrown;
  const name = thrown instanceof Error && thrown.name !== "Error" ? `${thrown.name}: ` : "";
  const at = placeOf(thrown) ?? (thrown instanceof SyntaxError ? shownPlace(findSyntaxError()) : undefined);
  const place = at === undefined ? "" : ` at ${at}`;
  const hint = adviceFor(thrown);
  return new ChoirError(
    "ERR_CHOIR_MODULE",
    `${file} cannot be loaded: ${name}${firstLine(describeThrown(thrown))}${place}`,
    {
      cause: thrown,
      ...(hint !== undefined && { hint }),
    },
  );
}

/** Errors with an exit code of their own keep it; those about the app are about the file here. */
function ourError(error: ChoirError, file: string): ChoirError {
  if (error.code !== "ERR_CHOIR_NO_APP" && error.code !== "ERR_CHOIR_APP_LISTENS") return error;
  return new ChoirError("ERR_CHOIR_MODULE", `${file} cannot be served: ${error.message}`, {
    hint: error.hint,
    cause: error,
  });
}

function adviceFor(thrown: unknown): string | undefined {
  const code = codeOf(thrown);
  if (code === "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX" || code === "ERR_INVALID_TYPESCRIPT_SYNTAX") {
    return "Node only strips types: install tsx (npm install tsx) and start with --import tsx";
  }
  if (code === "ERR_UNKNOWN_BUILTIN_MODULE")
    return `This is Node.js ${process.version}: the module came with a newer one`;
  if (code === "ERR_UNKNOWN_FILE_EXTENSION") return "Install what loads such files, and name it with --import";
  if (code === "ERR_REQUIRE_ESM") return "Use import in place of require, or start with Node.js 22 or newer";
  return undefined;
}

function causes(thrown: unknown): unknown[] {
  const chain: unknown[] = [];
  for (let error = thrown; error !== undefined && error !== null && chain.length < DEPTH;) {
    chain.push(error);
    if (error instanceof AggregateError) chain.push(...(error.errors as unknown[]).slice(0, DEPTH));
    error = (error as { cause?: unknown }).cause;
  }
  return chain;
}

function codeOf(thrown: unknown): string {
  const code = (thrown as { code?: unknown } | null | undefined)?.code;
  return typeof code === "string" ? code : "";
}

/** File and line that a stack begins with: those of the code that threw, or that could not be parsed. */
function placeOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || typeof thrown.stack !== "string") return undefined;
  const lines = thrown.stack.split("\n");
  // A syntax error's stack begins with the place itself; other ones have frames.
  const [, parsed, parsedLine] = /^((?:file:\/\/)?\/.*?):(\d+)$/.exec(lines[0] ?? "") ?? [];
  if (parsed !== undefined && parsedLine !== undefined) return shown(parsed, parsedLine);
  if (thrown instanceof SyntaxError) return undefined;
  for (const line of lines) {
    const [, frame, number] = /^\s+at (?:.*\()?((?:file:\/\/)?\/[^()]*?):(\d+):\d+\)?$/.exec(line) ?? [];
    if (frame !== undefined && number !== undefined && !isOurs(frame)) return shown(frame, number);
  }
  return undefined;
}

/** Choir's own frames, as that of its listen(), are no place in the app. */
function isOurs(frame: string): boolean {
  return (frame.startsWith("file://") ? fileURLToPath(frame) : frame).startsWith(OWN_FOLDER);
}

function shownPlace(place: string | undefined): string | undefined {
  const [, file, line] = /^(.*):(\d+)$/.exec(place ?? "") ?? [];
  return file === undefined || line === undefined ? undefined : shown(file, line);
}

function shown(file: string, line: string): string {
  const name = file.startsWith("file://") ? fileURLToPath(file) : file;
  const relative = path.relative(process.cwd(), name);
  return `${relative.startsWith("..") ? name : relative}:${line}`;
}

function firstLine(text: string): string {
  const [line = ""] = text.split("\n");
  return line === "" ? quote(text) : line;
}
