/**
 * The only place that makes sentences of events, for someone who reads them at three in the morning. Runs in the supervisor; pure.
 * Sentence case, values quoted, no final period.
 */
import type { ChoirEvent, Description, ExitReason, LevelName, RecycleReason } from "./events.ts";
import type { OpenRequest } from "./protocol.ts";

type Event<N extends ChoirEvent["event"]> = Extract<ChoirEvent, { readonly event: N }>;
type Describers = { readonly [N in ChoirEvent["event"]]: (event: Event<N>) => Description };

/** One sentence for each event: the compiler asks for the one that is missing. */
const DESCRIBERS: Describers = {
  starting: ({ name, version, instances, addresses }) => ({
    level: "info",
    message: `Starting ${name} with Choir ${version}: ${count(instances, "instance")}${addresses.length === 0 ? "" : ` at ${addresses.join(" and ")}`}`,
    ...(addresses.length > 0 && addresses.every((address) => LOOPBACK.test(address)) && { detail: LISTEN_FOR_ALL }),
  }),
  "sockets-passed": ({ names, addresses }) => ({
    level: "info",
    message: `Listening on ${count(names.length, "socket")} passed by the service manager (${names.join(", ")}) at ${addresses.join(" and ")}: --address and --port are not used`,
  }),
  "sockets-unused": ({ addresses, urls }) => ({
    level: "warn",
    message: `Nobody listens on ${addresses.join(" and ")}, passed by the service manager: the app listens at ${urls.join(" and ") || "no other address either"}`,
    detail: "Let the app listen on PORT, which --port sets, or write its own address into the .socket unit",
  }),
  "sockets-for-another": ({ pid }) => ({
    level: "warn",
    message: `The service manager passed its sockets to process ${pid}, not to this one: they are not used`,
    detail: "Let the unit start node itself (ExecStart=/usr/bin/node main.js), not npm or a shell without exec",
  }),
  "notify-failed": ({ error }) => ({
    level: "warn",
    message: `The service manager cannot be told how the service is doing: ${error}`,
    detail: "Install systemd-notify, which is part of systemd, or use Type=exec in the unit, without WatchdogSec",
  }),
  "metrics-listening": ({ url }) => ({ level: "info", message: `Metrics at ${url}` }),
  "dashboard-listening": ({ url, steers }) => ({
    level: "info",
    message: `Dashboard at ${url}${steers ? " (its buttons need the token: #token=… behind the URL)" : " (it only shows: it has no token)"}`,
  }),
  "log-level-changed": ({ to, was, by }) => ({ level: "info", message: `Log level ${to} on ${by}, was ${was}` }),
  "logs-reopened": ({ by }) => ({ level: "info", message: `Log files reopened on ${by}` }),
  "health-listening": ({ url }) => ({ level: "info", message: `Health endpoints /livez and /readyz at ${url}` }),
  "no-init": ({ why }) => ({
    level: "warn",
    message: `Running as PID 1 without an init, since ${why}: processes that instances leave behind stay as zombies`,
    detail:
      "Start the container with an init (docker run --init, or tini in the image), or use Node.js 22.15 or newer and an image with a shell",
  }),
  "heap-shared": ({ heapMiB, limitBytes, isNew }) => ({
    level: "info",
    message: `The heap of each ${isNew ? "new " : ""}instance may grow to ${heapMiB} MiB, its share of the ${Math.round(limitBytes / 2 ** 20)} MiB of the control group`,
    ...(isNew && { detail: "Those that run keep their limit until a rolling restart" }),
  }),
  "control-unavailable": ({ error, hint }) => ({
    level: "warn",
    message: `Running without a control socket, choir's commands cannot reach this app: ${error}`,
    detail: hint,
  }),
  "instance-ready": (event) => ({
    level: "info",
    message: `Instance ${event.instance} listening at ${urlsOf(event)} (pid ${event.pid}, ready in ${describeDuration(event.startMs)})`,
  }),
  "instance-start-failed": (event) => ({
    level: "error",
    message: `${subject(event)} could not start: ${event.error}${event.code === undefined ? "" : ` (${event.code})`}`,
    detail: event.stack,
  }),
  "instance-exited": describeExit,
  "instance-leaving": (event) => ({
    // What it has reached has just been said.
    level: isRecycled(event.reason) ? "debug" : "info",
    message: `${subject(event)} ${LEAVING[event.reason]}: it drains as soon as its replacement is ready`,
  }),
  "instance-recycled": (event) => ({
    level: event.early ? "warn" : "info",
    message: `${subject(event)} ${LIMITS[event.reason](event)}: it drains as soon as its replacement is ready`,
    ...(event.early && { detail: EARLY_ADVICE }),
  }),
  "instance-unresponsive": describeUnresponsive,
  "instance-killed": describeKill,
  "pubsub-overload": (event) => ({
    level: "warn",
    message: `${subject(event)} reads its pub/sub messages too slowly and loses the oldest until it has caught up: ${count(event.dropped, "message")} so far, ${count(event.droppedBytes, "byte")}`,
  }),
  "pubsub-recovered": (event) => ({
    level: "info",
    message: `${subject(event)} reads its pub/sub messages again: it lost ${count(event.dropped, "message")}, ${count(event.droppedBytes, "byte")}`,
  }),
  "pubsub-broken": (event) => ({
    level: "error",
    message: `${subject(event)} wrote something to its pub/sub pipe that is no frame, and is replaced: ${event.error}`,
  }),
  "engine-connected": ({ engine, url }) => ({
    level: "info",
    message: `Connected to ${ENGINES[engine] ?? engine} at ${url}: messages reach other machines`,
  }),
  "engine-unreachable": ({ engine, url, error }) => ({
    level: "error",
    message: `No connection to ${ENGINES[engine] ?? engine} at ${url}, other machines get no messages until it is back: ${error}`,
    detail:
      "Messages between the instances of this machine are not concerned; those for others wait, up to --pub-sub-buffer",
  }),
  "engine-dropped": ({ dropped, droppedBytes, over }) => ({
    level: "warn",
    message: over
      ? `Messages to other machines find room again: ${count(dropped, "message")} lost in all, ${count(droppedBytes, "byte")}`
      : `Messages to other machines find no room in --pub-sub-buffer: the oldest are dropped, ${count(dropped, "message")} so far`,
  }),
  "engine-warning": ({ engine, warning }) => ({
    level: "warn",
    message: `Messages between machines, ${ENGINES[engine] ?? engine}: ${warning}`,
  }),
  "certificate-loaded": ({ file, names, validTo }) => ({
    level: "info",
    message: `Certificate of ${names} loaded from ${file}, valid until ${dateOf(validTo)}`,
  }),
  "certificate-refused": ({ file, error }) => ({
    level: "error",
    message: `The changed certificate is refused and the one before stays in use: ${error}`,
    detail: `Correct ${file} or its key: they are looked at every few seconds`,
  }),
  "certificate-expiring": describeExpiry,
  "http1-only": ({ app }) => ({
    level: "warn",
    message: `${app} cannot speak HTTP/2: clients are offered HTTP/1.1 over TLS only`,
  }),
  "log-file-failed": ({ file, trouble, error }) => ({
    level: "error",
    message: `${TROUBLES[trouble](file)}: ${error}`,
  }),
  "log-file-recovered": ({ file, trouble, lostLines, failedMs }) => ({
    level: lostLines > 0 ? "error" : "info",
    message: `Log file ${file}: ${RECOVERIES[trouble]} after ${describeDuration(failedMs)}${lostLines > 0 ? `, ${count(lostLines, "line")} lost` : ""}`,
  }),
  "log-lines-lost": ({ sink, lines }) => ({
    level: "warn",
    message: `${count(lines, "log line")} not written to ${sink === "console" ? "the console" : sink}: its reader was too slow or its disk full`,
  }),
  "all-crashed": () => ({
    level: "fatal",
    message: "Every instance has ended and --no-respawn forbids to start new ones: stopping",
  }),
  "restart-started": ({ generation, by }) => ({
    level: "info",
    message: `Rolling restart on ${by}: starting generation ${generation}`,
  }),
  "restart-finished": describeRestart,
  "connections-moved": (event) => ({
    level: "debug",
    message: `${subject(event)} holds more than its share: ${count(event.connections, "connection")} of it will be closed, each with its next answer`,
  }),
  "options-kept": ({ generation, options }) => ({
    level: "warn",
    message: `${generation === 0 ? "Options that the code gives to the Runner do not hold under choir start" : `The code of generation ${generation} changes what a rolling restart cannot`}: ${options.map(({ option, running, wanted }) => `${option} stays ${running}, not ${wanted}`).join("; ")}`,
    detail:
      generation === 0
        ? "Give them to choir start, or run the file with node"
        : "Stop the program and start it again for that",
  }),
  scaled: ({ instances, was, by }) => ({
    level: "info",
    message: `Scaling from ${was} to ${count(instances, "instance")} on ${by}`,
  }),
  stopping: ({ by }) => ({ level: "info", message: `Stopping on ${by}: instances finish their open requests` }),
  "stop-forced": ({ by }) => ({
    level: "warn",
    message: `Stopping at once on ${by}: instances that are left are killed`,
  }),
  stopped: ({ code }) => ({
    level: code === 0 ? "info" : "error",
    message: code === 0 ? "Stopped" : `Stopped with exit code ${code}`,
  }),
  "stray-error": ({ error, stack }) => ({
    level: "error",
    message: `Uncaught error in the supervisor, which carries on: ${error}. ${STRAY_ADVICE}`,
    detail: stack,
  }),
};

const ENGINES: Readonly<Record<string, string>> = { nats: "NATS", redis: "Redis" };
const LOOPBACK = /^(?:https?:\/\/)?(?:127\.|localhost\b|\[::1\])/;
const LISTEN_FOR_ALL =
  "Only this machine can connect; to listen on all of its IPv4 addresses, start with --address 0.0.0.0";
const STRAY_ADVICE =
  "The top level of the entry file runs in the supervisor too: move what belongs to the app into configureServer";
/** How many open requests are listed one by one. */
const LISTED_REQUESTS = 20;

/** Says what happened and how serious it is. */
export function describeEvent(event: ChoirEvent): Description {
  // The table is complete by its type, but a lookup by a union's tag loses which of its functions fits.
  const describe = DESCRIBERS[event.event] as (event: ChoirEvent) => Description;
  return describe(event);
}

/** Renders a duration for a person: `85 ms`, `3.2 s`, `4 min 10 s`, `2 h 5 min`, `3 d 4 h`. */
export function describeDuration(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${Number((ms / 1000).toFixed(1))} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return two(Math.floor(seconds / 60), "min", seconds % 60, "s");
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1440) return two(Math.floor(minutes / 60), "h", minutes % 60, "min");
  return two(Math.floor(minutes / 1440), "d", Math.floor((minutes % 1440) / 60), "h");
}

function describeRestart({
  outcome,
  generation,
  durationMs,
  error,
  lastWords,
}: Event<"restart-finished">): Description {
  const took = describeDuration(durationMs);
  const endings: Readonly<Record<typeof outcome, readonly [LevelName, string]>> = {
    done: ["info", `Rolling restart done after ${took}: all instances are of generation ${generation}`],
    failed: ["error", `Rolling restart taken back after ${took}, the old generation serves: ${error}`],
    mixed: [
      "error",
      `Rolling restart failed after ${took}, and the old code could not be started again everywhere: ${error}`,
    ],
    stopped: ["warn", `Rolling restart given up after ${took}: the supervisor stops`],
  };
  const [level, message] = endings[outcome];
  return { level, message, ...(lastWords !== undefined && { detail: lastWords.join("\n") }) };
}

function describeExit(event: Event<"instance-exited">): Description {
  const { level, what } = ENDINGS[event.reason](event);
  // The cause has been said; a line for every instance and try would bury it.
  return {
    level: event.repeated ? "debug" : level,
    message: `${subject(event)} ${what} after ${describeDuration(event.uptimeMs)}${sequel(event)}`,
  };
}

type Ending = (event: Event<"instance-exited">) => { level: LevelName; what: string };

const ENDINGS: { readonly [R in ExitReason]: Ending } = {
  asked: (event) =>
    event.code === 0
      ? { level: "info", what: "stopped" }
      : { level: "warn", what: `stopped as asked, but with ${how(event)},` },
  crashed: (event) => ({
    level: "error",
    what:
      event.signal === null
        ? `crashed: ${how(event)}`
        : `was ${how(event)} that nobody here sent${event.note === undefined ? (PERHAPS[event.signal] ?? "") : ` (${event.note})`},`,
  }),
  "start-failed": (event) => ({ level: "error", what: `ended before it was ready: ${how(event)}` }),
  "start-timeout": () => ({ level: "error", what: "was not ready by --start-timeout and was killed" }),
  killed: () => ({ level: "warn", what: "ended by the kill" }),
  unresponsive: () => ({ level: "error", what: "was killed, since it was unresponsive," }),
  "out-of-memory": (event) => ({ level: "error", what: `ran out of memory: ${event.note ?? how(event)},` }),
  "max-requests": endedRecycled,
  "max-age": endedRecycled,
  "max-memory": endedRecycled,
  heap: endedRecycled,
  left: () => ({ level: "info", what: "drained and ended, since it got a SIGTERM of its own," }),
  uncaught: (event) => ({ level: "error", what: `drained and ended after an uncaught error: ${how(event)},` }),
  "broken-pipe": (event) => ({ level: "error", what: `ended since its pub/sub pipe broke: ${how(event)}` }),
};

const TROUBLES: Readonly<Record<Event<"log-file-failed">["trouble"], (file: string) => string>> = {
  write: (file) => `Log file ${file} cannot be written, and is tried again; lines are kept as far as there is room`,
  rotate: (file) => `Log file ${file} cannot be renamed, and grows until it can`,
  "clean-up": (file) => `Files rotated from ${file} cannot be compressed or deleted`,
};

const RECOVERIES: Readonly<Record<Event<"log-file-recovered">["trouble"], string>> = {
  write: "written again",
  rotate: "rotated again",
  "clean-up": "rotated files compressed and deleted again",
};

/** The usual senders of signals that come from nowhere. */
const PERHAPS: Readonly<Record<string, string>> = {
  SIGKILL: " (perhaps the kernel's, out of memory)",
  SIGABRT: " (perhaps its own, out of heap memory)",
};

/** What an instance that leaves has, or has done. */
const LEAVING: Readonly<Record<Event<"instance-leaving">["reason"], string>> = {
  left: "got a SIGTERM of its own",
  uncaught: "had an uncaught error",
  "broken-pipe": "has no pub/sub any more",
  "max-requests": "has reached --max-requests",
  "max-age": "has reached --max-age",
  "max-memory": "is over --max-memory",
  heap: "has little JavaScript heap left",
};

function isRecycled(reason: ExitReason): reason is RecycleReason {
  return reason === "max-requests" || reason === "max-age" || reason === "max-memory" || reason === "heap";
}

function endedRecycled(event: Event<"instance-exited">): { level: LevelName; what: string } {
  const why = isRecycled(event.reason) ? LEAVING[event.reason].replace(/^(has|is) /, "") : "";
  return event.code === 0
    ? { level: "info", what: `drained and ended, as planned (${why}),` }
    : { level: "warn", what: `ended as planned (${why}), but with ${how(event)},` };
}

const EARLY_ADVICE =
  "It has hardly begun: the limit seems to be little more than the app needs, and would have it replaced again and again. " +
  "For the next minute no instance is replaced for its memory; raise the limit";

type Limited = Event<"instance-recycled">;

const LIMITS: Readonly<Record<RecycleReason, (event: Limited) => string>> = {
  "max-requests": ({ value, limit }) =>
    `has answered ${count(value, "request")} (--max-requests, here ${limit.toLocaleString("en-US")})`,
  "max-age": ({ value, limit }) =>
    `has been ready for ${describeDuration(value)} (--max-age, here ${describeDuration(limit)})`,
  "max-memory": ({ value, limit }) => `uses ${describeBytes(value)} of memory (--max-memory ${describeBytes(limit)})`,
  heap: ({ value }) => `has filled ${Math.round(100 * value)} % of its JavaScript heap (--max-old-space-size)`,
};

function describeBytes(bytes: number): string {
  return `${Math.round(bytes / 1e6).toLocaleString("en-US")} MB`;
}

function describeUnresponsive(event: Event<"instance-unresponsive">): Description {
  const { stack, missing = "unknown", openRequests } = event;
  const why = event.state === "stopped" ? "its process is stopped" : "its event loop is blocked";
  const evidence = stack.length > 0 ? ["Blocked", ...stack.map((frame) => `    ${frame}`)] : [`No stack: ${missing}`];
  const requests = openRequests.length > 0 ? ["Open requests:", ...listRequests(openRequests, "    ")] : [];
  return {
    level: "error",
    message: `${subject(event)} has not been heard of for ${describeDuration(event.silentMs)}, ${why}: it is killed`,
    detail: [...evidence, ...requests].join("\n"),
  };
}

function how({ code, signal }: Event<"instance-exited">): string {
  return signal === null ? `exit code ${code}` : `killed by ${signal}`;
}

function sequel({ reason, respawnMs }: Event<"instance-exited">): string {
  if (respawnMs !== null)
    return respawnMs === 0 ? "; respawning at once" : `; respawning in ${describeDuration(respawnMs)}`;
  // Those that were replaced before they drained are not followed by another one.
  return isRecycled(reason) || ["asked", "killed", "left", "uncaught"].includes(reason) ? "" : "; not respawned";
}

function describeKill(event: Event<"instance-killed">): Description {
  const { openRequests } = event;
  const message = `${subject(event)} killed: ${event.why}`;
  if (openRequests.length === 0) return { level: "error", message };
  return {
    level: "error",
    message: `${message}; ${count(openRequests.length, "request")} still open`,
    detail: listRequests(openRequests).join("\n"),
  };
}

function listRequests(openRequests: readonly OpenRequest[], indent = ""): string[] {
  const listed = openRequests
    .slice(0, LISTED_REQUESTS)
    .map(({ method, path, ageMs }) => `${indent}${method} ${path} open for ${describeDuration(ageMs)}`);
  if (openRequests.length > listed.length) listed.push(`${indent}and ${openRequests.length - listed.length} more`);
  return listed;
}

function describeExpiry({ file, state, validFrom, validTo }: Event<"certificate-expiring">): Description {
  if (state === "expiring") {
    return { level: "warn", message: `The certificate in ${file} expires on ${dateOf(validTo)}: renew it` };
  }
  const since = state === "expired" ? `expired on ${dateOf(validTo)}` : `is not valid before ${dateOf(validFrom)}`;
  return { level: "error", message: `The certificate in ${file} ${since}: clients refuse it` };
}

/** The minute is enough for a person. */
function dateOf(iso: string): string {
  return `${iso.slice(0, 16).replace("T", " ")} UTC`;
}

function subject({ instance, pid }: { readonly instance: number; readonly pid: number }): string {
  return `Instance ${instance} (pid ${pid})`;
}

function urlsOf({ url, urls }: Event<"instance-ready">): string {
  return urls.length === 0 ? url : urls.join(" and ");
}

function count(amount: number, noun: string): string {
  return `${amount.toLocaleString("en-US")} ${noun}${amount === 1 ? "" : "s"}`;
}

function two(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}
