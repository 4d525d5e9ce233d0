/** What a person is shown of a JSON line: its message, its other fields in short, its stacks in full. Runs in the supervisor; pure. */
import type { JsonFields, JsonRecord } from "../record.ts";

export interface ShownFields {
  readonly message: string;
  /** `key=value` each. */
  readonly pairs: readonly string[];
  /** Stacks, with line breaks. */
  readonly blocks: readonly string[];
}

/** What the line's prefix shows already, or what says nothing on the machine itself. */
const HIDDEN = new Set(["level", "time", "msg", "hostname", "instance", "generation"]);
const BARE = /^[\w.:/@%+-]+$/;

/** Sorts a JSON line's fields into what is shown where. */
export function showFields(record: JsonRecord): ShownFields {
  const pairs: string[] = [];
  const blocks: string[] = [];
  // pino says msg, winston says message.
  const source = typeof record.fields["msg"] === "string" ? "msg" : "message";
  const message = record.fields[source];
  for (const [name, value] of Object.entries(record.fields)) {
    if (HIDDEN.has(name) || name === source || isOurs(record, name, value)) continue;
    if (name === "stack" && typeof value === "string") {
      blocks.push(value);
      continue;
    }
    const { stack, rest } = takeStack(value);
    if (stack !== undefined) blocks.push(stack);
    pairs.push(`${compact(name)}=${compact(rest)}`);
  }
  return { message: typeof message === "string" ? message : "", pairs, blocks };
}

function isOurs(record: JsonRecord, name: string, value: unknown): boolean {
  return (name === "name" && value === record.name) || (name === "pid" && value === record.pid);
}

function takeStack(value: unknown): { stack?: string; rest: unknown } {
  if (!isObject(value)) return { rest: value };
  const { stack, ...rest } = value;
  return typeof stack === "string" ? { stack, rest } : { rest: value };
}

function isObject(value: unknown): value is JsonFields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function compact(value: unknown): string {
  if (typeof value === "string" && BARE.test(value)) return value;
  try {
    return JSON.stringify(value) ?? "";
  } catch {
    // JSON.parse has no limit of depth, JSON.stringify has that of the stack.
    return "[nested too deeply]";
  }
}
