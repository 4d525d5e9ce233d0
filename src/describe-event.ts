/**
 * The only place that makes sentences of events, for someone who reads them at three in the morning. Runs in the supervisor; pure.
 * Sentence case, values quoted, no final period.
 */
import type { ChoirEvent, Description, ExitReason, LevelName } from "./events.ts";

type Event<N extends ChoirEvent["event"]> = Extract<ChoirEvent, { readonly event: N }>;
type Describers = { readonly [N in ChoirEvent["event"]]: (event: Event<N>) => Description };

/** One sentence for each event: the compiler asks for the one that is missing. */
const DESCRIBERS: Describers = {
  starting: ({ name, version, instances, addresses }) => ({
    level: "info",
    message: `Starting ${name} with Choir ${version}: ${count(instances, "instance")} at ${addresses.join(" and ")}`,
    ...(addresses.every((address) => LOOPBACK.test(address)) && { detail: LISTEN_FOR_ALL }),
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
    level: "info",
    message: `${subject(event)} ${event.reason === "left" ? "got a SIGTERM of its own" : "has no pub/sub any more"}: it drains as soon as its replacement is ready`,
  }),
  "instance-killed": describeKill,
  "pubsub-overload": (event) => ({
    level: "warn",
    message: `${subject(event)} reads its pub/sub messages too slowly: the oldest ${count(event.dropped, "message")} dropped, ${count(event.droppedBytes, "byte")}`,
  }),
  "pubsub-broken": (event) => ({
    level: "error",
    message: `${subject(event)} wrote something to its pub/sub pipe that is no frame, and is replaced: ${event.error}`,
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
  "log-lines-lost": ({ sink, lines }) => ({
    level: "warn",
    message: `${count(lines, "log record")} not written to the ${sink}: its reader was too slow or its disk full`,
  }),
  "all-crashed": () => ({
    level: "fatal",
    message: "Every instance has ended and --no-respawn forbids to start new ones: stopping",
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
        : `was ${how(event)} that nobody here sent${PERHAPS[event.signal] ?? ""},`,
  }),
  "start-failed": (event) => ({ level: "error", what: `ended before it was ready: ${how(event)}` }),
  "start-timeout": () => ({ level: "error", what: "was not ready by --start-timeout and was killed" }),
  killed: () => ({ level: "warn", what: "ended by the kill" }),
  left: () => ({ level: "info", what: "drained and ended, since it got a SIGTERM of its own," }),
  "broken-pipe": (event) => ({ level: "error", what: `ended since its pub/sub pipe broke: ${how(event)}` }),
};

/** The usual senders of signals that come from nowhere. */
const PERHAPS: Readonly<Record<string, string>> = {
  SIGKILL: " (perhaps the kernel's, out of memory)",
  SIGABRT: " (perhaps its own, out of heap memory)",
};

function how({ code, signal }: Event<"instance-exited">): string {
  return signal === null ? `exit code ${code}` : `killed by ${signal}`;
}

function sequel({ reason, respawnMs }: Event<"instance-exited">): string {
  if (respawnMs !== null)
    return respawnMs === 0 ? "; respawning at once" : `; respawning in ${describeDuration(respawnMs)}`;
  return reason === "asked" || reason === "killed" ? "" : "; not respawned";
}

function describeKill(event: Event<"instance-killed">): Description {
  const { openRequests } = event;
  const message = `${subject(event)} killed: ${event.why}`;
  if (openRequests.length === 0) return { level: "error", message };
  const listed = openRequests
    .slice(0, LISTED_REQUESTS)
    .map(({ method, path, ageMs }) => `${method} ${path} open for ${describeDuration(ageMs)}`);
  if (openRequests.length > listed.length) listed.push(`and ${openRequests.length - listed.length} more`);
  return {
    level: "error",
    message: `${message}; ${count(openRequests.length, "request")} still open`,
    detail: listed.join("\n"),
  };
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
