/**
 * Looks into an instance that does not respond, before it is killed: the stack that blocks its loop and its open requests, by the
 * inspector that every Node process starts in a thread of its own at SIGUSR1. Runs in the supervisor.
 */
import { fileURLToPath } from "node:url";
import type { Clock } from "../clock.ts";
import { isOpenRequests, OPEN_REQUESTS_SYMBOL, type OpenRequest } from "../protocol.ts";
import { connectInspector, type InspectorMessage } from "./inspector-socket.ts";
import type { ThreadState } from "./thread-state.ts";

/** What was found. */
export interface Examination {
  /** The frames of the blocking stack, innermost first, as Node prints them; empty when there is none. */
  readonly stack: readonly string[];
  /** Why there is no stack. */
  readonly missing?: string;
  /** Newest first; undefined when the instance could not be asked. */
  readonly openRequests?: readonly OpenRequest[];
}

/** The process to look into. */
export interface Patient {
  kill(signal: NodeJS.Signals): void;
  /** Calls `listener` with each further line of the process's stderr; those for which it returns true are kept out of the log. */
  intercept(listener: (line: string) => boolean): void;
}

/** How long the examination may take, in milliseconds: about 100 are usual, and until then nothing replaces the instance. */
const EXAMINATION_MS = 2000;
/** As many frames as Node's own stacks have at most by `--stack-trace-limit` of a careful person. */
const MOST_FRAMES = 50;

const LISTENING = /Debugger listening on (ws:\/\/127\.0\.0\.1:\d+\/[\w-]+)$/;
/** What Node prints of its inspector; nobody asked for it. */
const CHATTER =
  /^(?:Debugger listening on |For help, see: https:\/\/nodejs\.org\/|Debugger attached\.$|Debugger ending on )/;

/** Takes the stack of a process that is about to be killed: its inspector stays open, for local users, until then. */
export async function examine(
  patient: Patient,
  { state, clock }: { state: ThreadState; clock: Clock },
): Promise<Examination> {
  if (state === "stopped") return { stack: [], missing: MISSING[state] };
  const abort = new AbortController();
  const deadline = clock.after(EXAMINATION_MS, () => abort.abort());
  try {
    const url = await Promise.race([inspectorUrl(patient), abortion(abort.signal)]);
    return await takeStack(url, abort.signal);
  } catch {
    return { stack: [], missing: MISSING[state] };
  } finally {
    deadline.cancel();
  }
}

function abortion(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(new Error("It took too long")), { once: true });
  });
}

function inspectorUrl(patient: Patient): Promise<string> {
  return new Promise((resolve) => {
    patient.intercept((line) => {
      const url = LISTENING.exec(line)?.[1];
      if (url !== undefined) resolve(url);
      return CHATTER.test(line);
    });
    patient.kill("SIGUSR1");
  });
}

/** Pauses the program where it is, and asks there for its open requests; the stack alone is worth it, should that take too long. */
async function takeStack(url: string, signal: AbortSignal): Promise<Examination> {
  const pause = new Pause();
  const inspector = await connectInspector(url, { onMessage: (message) => pause.hear(message), signal });
  try {
    inspector.send("Debugger.enable");
    inspector.send("Debugger.pause");
    const [innermost, ...outer] = await Promise.race([pause.frames, abortion(signal)]);
    if (innermost === undefined) throw new Error("A pause without frames");
    const stack = blockingStack([innermost, ...outer], pause.urls);
    const id = inspector.send("Debugger.evaluateOnCallFrame", {
      callFrameId: innermost.callFrameId,
      expression: `globalThis[Symbol.for(${JSON.stringify(OPEN_REQUESTS_SYMBOL)})]?.()`,
      returnByValue: true,
      silent: true,
    });
    const openRequests = await Promise.race([pause.value(id), abortion(signal)]).catch(() => undefined);
    return {
      stack,
      ...(stack.length === 0 && { missing: NO_CODE }),
      ...(isOpenRequests(openRequests) && { openRequests }),
    };
  } finally {
    inspector.close();
  }
}

/** What the inspector says of a pause: where the program is, and the value of the one question that follows. */
class Pause {
  readonly frames: Promise<readonly CallFrame[]>;
  /** Where the scripts that frames name come from: the inspector tells of each as soon as it is enabled. */
  readonly urls = new Map<string, string>();
  #paused: (frames: readonly CallFrame[]) => void = () => {};
  #answered: (message: InspectorMessage) => void = () => {};

  constructor() {
    this.frames = new Promise((resolve) => {
      this.#paused = resolve;
    });
  }

  hear(message: InspectorMessage): void {
    if (message.method === "Debugger.scriptParsed") {
      const { scriptId, url } = message.params as { scriptId: string; url: string };
      this.urls.set(scriptId, url);
    } else if (message.method === "Debugger.paused") {
      this.#paused((message.params as { callFrames: readonly CallFrame[] }).callFrames);
    }
    this.#answered(message);
  }

  value(id: number): Promise<unknown> {
    return new Promise((resolve) => {
      this.#answered = ({ id: answered, result }) => {
        if (answered === id) resolve((result as { result?: { value?: unknown } } | undefined)?.result?.value);
      };
    });
  }
}

/** Files through which Node's announcement goes: its own, and the instance's inboxes, which look at what process emits. */
const ANNOUNCING = /^node:(?:events|internal\/child_process)$|\/instance\/\w+-inbox\.[jt]s$/;

/**
 * What blocks the loop, innermost first. A pause that comes early finds Node still saying that its inspector was opened (an
 * `internalMessage` for `node:cluster`), called from wherever the program was: those frames are the question's, not the program's.
 */
export function blockingStack(frames: readonly CallFrame[], urls: ReadonlyMap<string, string>): string[] {
  const urlOf = (frame: CallFrame): string => urls.get(frame.location.scriptId) ?? "unknown script";
  const isAnnouncement =
    frames[0] !== undefined && /internal\/child_process$|\/instance\/\w+-inbox\.[jt]s$/.test(urlOf(frames[0]));
  const program = frames.findIndex((frame) => !ANNOUNCING.test(urlOf(frame)));
  const own = isAnnouncement ? frames.slice(program === -1 ? frames.length : program) : frames;
  return own.slice(0, MOST_FRAMES).map((frame) => describeFrame(frame, urlOf(frame)));
}

export interface CallFrame {
  readonly callFrameId: string;
  readonly functionName: string;
  readonly location: { readonly scriptId: string; readonly lineNumber: number; readonly columnNumber?: number };
}

function describeFrame({ functionName, location }: CallFrame, url: string): string {
  const place = `${pathOf(url)}:${location.lineNumber + 1}:${(location.columnNumber ?? 0) + 1}`;
  return functionName === "" ? `at ${place}` : `at ${functionName} (${place})`;
}

function pathOf(url: string): string {
  try {
    return url.startsWith("file:") ? fileURLToPath(url) : url;
  } catch {
    return url;
  }
}

const NO_CODE = "no JavaScript was running when its inspector answered: it was in native code, or had just come back";

const MISSING: Readonly<Record<ThreadState, string>> = {
  stopped: "the process was stopped, by a signal (SIGSTOP) or a debugger",
  sleeping: "the process sleeps in a system call, as in execSync, and its inspector did not answer",
  waiting: "the process waits for a device, most likely the disk, and its inspector did not answer",
  running: "its inspector did not answer: it is in native code, or handles SIGUSR1 itself",
  unknown: "its inspector did not answer: it is in native code, or handles SIGUSR1 itself",
};
