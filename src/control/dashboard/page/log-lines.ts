/** Lines of the log as the page shows them, and its filter. Runs in the browser; pure. */

/** A line that was read. */
export interface LogLine {
  /** pino's number. */
  readonly level: number;
  /** Milliseconds since the epoch. */
  readonly time: number;
  /** The slot that it is about; undefined for the supervisor's own. */
  readonly instance: number | undefined;
  readonly message: string;
  /** The other fields, short. */
  readonly fields: string;
  /** A stack, where the line has one. */
  readonly stack: string;
  /** The whole line in lower case, to look for words in. */
  readonly searched: string;
}

export interface LogFilter {
  readonly text: string;
  /** pino's number of the lowest level. */
  readonly level: number;
  /** Undefined: all of them. */
  readonly instance: number | undefined;
}

const NAMES: readonly (readonly [number, string])[] = [
  [60, "fatal"],
  [50, "error"],
  [40, "warn"],
  [30, "info"],
  [20, "debug"],
];

/** Fields that have a place of their own, or say nothing that the others do not. */
const KNOWN = new Set(["level", "time", "pid", "name", "hostname", "instance", "generation", "stream", "msg", "stack"]);
const MOST_FIELDS = 400;

/** Reads a line; undefined when it is none. */
export function readLine(json: string): LogLine | undefined {
  const fields = parse(json);
  if (fields === undefined) return undefined;
  if (typeof fields["lost"] === "number" && fields["level"] === undefined) return lostLine(fields["lost"]);
  const { level, time, instance, msg } = fields;
  const error = fields["err"] ?? fields["error"];
  const stack = stackOf(fields["stack"]) || stackOf(isObject(error) ? error["stack"] : undefined);
  const ownMessage = isObject(error) && typeof error["message"] === "string" ? error["message"] : "";
  return {
    level: typeof level === "number" ? level : 30,
    time: typeof time === "number" ? time : 0,
    instance: typeof instance === "number" ? instance : undefined,
    message: typeof msg === "string" ? msg : ownMessage,
    // An event's sentence says what its fields say.
    fields: isEvent(fields) ? "" : shortFields(fields, stack !== ""),
    stack,
    searched: json.toLowerCase(),
  };
}

/** Whether a filter lets a line through. */
export function passes(line: LogLine, { text, level, instance }: LogFilter): boolean {
  return (
    line.level >= level &&
    (instance === undefined || line.instance === instance) &&
    (text === "" || line.searched.includes(text.toLowerCase()))
  );
}

/** The name of a level. */
export function levelName(level: number): string {
  return NAMES.find(([least]) => level >= least)?.[1] ?? "trace";
}

type Fields = Readonly<Record<string, unknown>>;

function lostLine(lost: number): LogLine {
  const message = `${lost} lines are missing here: they came faster than this page read them`;
  return { level: 40, time: 0, instance: undefined, message, fields: "", stack: "", searched: message };
}

/** What has no stream is no line of an instance's, whatever it says of itself. */
function isEvent(fields: Fields): boolean {
  return typeof fields["event"] === "string" && fields["stream"] === undefined;
}

function shortFields(fields: Fields, hasStack: boolean): string {
  const others = Object.entries(fields).filter(([name]) => !KNOWN.has(name) && !(hasStack && name === "err"));
  const text = others.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(" ");
  return text.length > MOST_FIELDS ? `${text.slice(0, MOST_FIELDS)}…` : text;
}

function stackOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null;
}

function parse(json: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
