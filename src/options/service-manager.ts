/**
 * What a service manager hands to the supervisor in its environment: listening sockets (sd_listen_fds(3)) and where it wants to hear
 * how the service is doing (sd_notify(3), sd_watchdog_enabled(3)). A leaf, used in the supervisor only.
 */

/** A listening socket that was passed, open since before the process began. */
export interface PassedSocket {
  readonly fd: number;
  /** FileDescriptorName= of its unit, which is the unit's name unless set. */
  readonly name: string;
}

/** Where the service manager listens. */
export interface NotifyAddress {
  /** A path, or `@` and an abstract name. */
  readonly socket: string;
  /** How often it wants to hear that the supervisor lives, in milliseconds; undefined for never. */
  readonly watchdogMs: number | undefined;
}

export interface ServiceManager {
  readonly sockets: readonly PassedSocket[];
  /** The process that the sockets were meant for, when it is not this one. */
  readonly strangerPid?: number;
  /** Undefined when nobody wants to hear. */
  readonly notify: NotifyAddress | undefined;
}

/** Passed sockets begin here. */
const FIRST_PASSED_FD = 3;
/** No unit has more, and a number that some mishap has written must not be believed. */
const MOST_SOCKETS = 256;

const VARIABLES = [
  "LISTEN_PID",
  "LISTEN_PIDFDID",
  "LISTEN_FDS",
  "LISTEN_FDNAMES",
  "NOTIFY_SOCKET",
  "WATCHDOG_PID",
  "WATCHDOG_USEC",
];

/** Reads what was passed and deletes it: an instance, or what the app starts, would take it for its own. */
export function takeServiceManager(
  environment: NodeJS.ProcessEnv = process.env,
  pid: number = process.pid,
): ServiceManager {
  const listenPid = wholeNumber(environment["LISTEN_PID"]);
  const count = Math.min(wholeNumber(environment["LISTEN_FDS"]) ?? 0, MOST_SOCKETS);
  const names = (environment["LISTEN_FDNAMES"] ?? "").split(":");
  const socket = environment["NOTIFY_SOCKET"];
  const watchdogMs = watchdogOf(environment, pid);
  for (const variable of VARIABLES) delete environment[variable];
  const passed = Array.from({ length: count }, (_, index) => ({
    fd: FIRST_PASSED_FD + index,
    // "unknown" is what sd_listen_fds_with_names(3) says where there is no name.
    name: names[index] || "unknown",
  }));
  return {
    sockets: listenPid === pid ? passed : [],
    ...(count > 0 && listenPid !== undefined && listenPid !== pid && { strangerPid: listenPid }),
    notify: isNotifyAddress(socket) ? { socket, watchdogMs } : undefined,
  };
}

function watchdogOf(environment: NodeJS.ProcessEnv, pid: number): number | undefined {
  const usec = wholeNumber(environment["WATCHDOG_USEC"]);
  const watched = wholeNumber(environment["WATCHDOG_PID"]) ?? pid;
  return usec === undefined || usec === 0 || watched !== pid ? undefined : usec / 1000;
}

/** `vsock:` addresses exist too, for whole virtual machines. */
function isNotifyAddress(text: string | undefined): text is string {
  return text !== undefined && /^[/@]./.test(text);
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
