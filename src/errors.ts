/**
 * Every error that Choir makes: one table of codes, one class. Used in both processes; `docs/errors.md` is generated from the table.
 *
 * A message says what was wrong, what was got and what to do: sentence case, values quoted, no final period.
 */

/** The process's exit codes, as in sysexits(3). */
export const EXIT = {
  /** Asked to stop, and did. */
  ok: 0,
  /** Fatal, a kill at the deadline or by a second signal, or all crashed under --no-respawn. */
  fatal: 1,
  /** The command line or an environment value cannot be understood. */
  usage: 64,
  /** No instance could be started, the address or the name stayed in use, or no app answers a command. */
  unavailable: 69,
  /** Certificate, address, header or configuration file is wrong: trying again does not help. */
  config: 78,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** What each exit code says, for --help and docs/errors.md. */
export const EXIT_MEANINGS: Readonly<Record<ExitCode, string>> = {
  0: "asked to stop, and did",
  1: "fatal error, killed at the deadline or by a second signal, or all crashed under --no-respawn",
  64: "an option is unknown or has a wrong value",
  69: "no instance could be started, or the address or the name stayed in use",
  78: "wrong certificate, address, header or configuration",
};

interface ErrorKind {
  /** What the supervisor exits with when this error ends it. */
  exit: ExitCode;
  /** When it is thrown: one sentence for docs/errors.md. */
  about: string;
  /** What its reader can do: one sentence for docs/errors.md. */
  remedy: string;
}

export const ERRORS = {
  ERR_CHOIR_OPTION: {
    exit: EXIT.usage,
    about:
      "An option on the command line, in the environment or in the Runner's options is unknown or has a wrong value.",
    remedy:
      "The message names the option, the value, where it came from and what is expected; --help lists all options.",
  },
  ERR_CHOIR_RUNNER: {
    exit: EXIT.config,
    about:
      "The Runner was constructed or run in a way it cannot work: a wrong name, no function, or no file to run again in the instances.",
    remedy: "Construct it as new Runner(name, configureServer, options) in the file that node is started with.",
  },
  ERR_CHOIR_CONFIG: {
    exit: EXIT.config,
    about:
      "The configuration file, or a file of environment variables, cannot be read, or holds an option that is unknown or has a wrong value.",
    remedy:
      "The message names the file, with the line where there is one; docs/config.schema.json tells editors what it may hold.",
  },
  ERR_CHOIR_MODULE: {
    exit: EXIT.config,
    about:
      "The file of choir start cannot be served: it is not there, cannot be loaded, exports no app or several, and listens with none.",
    remedy: "The message says what was found; docs/start.md has what a file may export.",
  },
  ERR_CHOIR_HEADER: {
    exit: EXIT.config,
    about: "responseHeaders or removeResponseHeaders holds a name or value that HTTP does not allow.",
    remedy: "Names are tokens (RFC 9110 section 5.1), values have no line breaks or control characters.",
  },
  ERR_CHOIR_CERTIFICATE: {
    exit: EXIT.config,
    about:
      "The certificate, its key or the file of a password cannot be used: missing, unreadable, damaged, encrypted with another password, or the key of another certificate.",
    remedy:
      "The message names the file and what is wrong with it. While the service runs, the certificate before it stays in use.",
  },
  ERR_CHOIR_USER: {
    exit: EXIT.config,
    about:
      "The instances cannot run as --user and --group say: there is none of that name, or the supervisor is not root.",
    remedy: "Create the user or the group, start the supervisor as root, or leave the options away.",
  },
  ERR_CHOIR_LOG_FILE: {
    exit: EXIT.config,
    about: "A log file cannot be written when the program starts, or its owner is not known.",
    remedy: "The message names the file and the system's reason. What fails later is said on stderr and tried again.",
  },
  ERR_CHOIR_ADDRESS: {
    exit: EXIT.config,
    about:
      "An address cannot be listened on: not an address of this machine, not permitted, or a path that is no socket.",
    remedy: "The message names the address and what the system said of it; correct --address or --port.",
  },
  ERR_CHOIR_ADDRESS_IN_USE: {
    exit: EXIT.unavailable,
    about: "Another process listens on the address, and still did when --bind-retry ended.",
    remedy: "Stop the other process, choose another --port, or raise --bind-retry.",
  },
  ERR_CHOIR_CONTROL: {
    exit: EXIT.config,
    about:
      "The control socket cannot be opened: its folder is missing, belongs to another user or can be written by others, or something else is at its path.",
    remedy:
      "The message names the path. Ends the program only when --control gave it; otherwise the app runs without a control socket, with a warning.",
  },
  ERR_CHOIR_NAME_IN_USE: {
    exit: EXIT.unavailable,
    about: "An app of the same name is running and has the control socket, and still did when --bind-retry ended.",
    remedy: "Stop the other one, or give this one another name, or a --control path of its own.",
  },
  ERR_CHOIR_REQUEST: {
    exit: EXIT.fatal,
    about: "A request on the control socket is not one of its routes, or its body is not what the route takes.",
    remedy: "The message says what the route takes; docs/commands.md has all routes.",
  },
  ERR_CHOIR_UNREACHABLE: {
    exit: EXIT.unavailable,
    about: "A choir command found no running app of that name, or the app does not answer.",
    remedy:
      "The message says where it looked; an app with a --control path of its own is found with the same --control.",
  },
  ERR_CHOIR_START: {
    exit: EXIT.unavailable,
    about: "No instance could be started: configureServer threw, never returned, or the process ended first.",
    remedy: "The cause is in the message and, with its stack, in the log line of the first failure.",
  },
  ERR_CHOIR_NO_APP: {
    exit: EXIT.config,
    about: "configureServer returned something that is no app.",
    remedy:
      "Return a Fastify or Express app, a (request, response) listener, an object with fetch, or an http.Server; or take the app as a parameter.",
  },
  ERR_CHOIR_APP_LISTENS: {
    exit: EXIT.config,
    about: "configureServer returned an app or server that listens already, on a socket of its own.",
    remedy: "Leave listen() away: the instance listens on the sockets that the supervisor has bound.",
  },
  ERR_CHOIR_ALL_CRASHED: {
    exit: EXIT.fatal,
    about: "Every instance has ended and --no-respawn forbids to start new ones.",
    remedy: "The log says why each one ended; leave --no-respawn away to have them respawned.",
  },
  ERR_CHOIR_INTERNAL: {
    exit: EXIT.fatal,
    about: "Choir's own code failed: a bug.",
    remedy:
      "Please report it with the stack, which NODE_DEBUG=choir prints; the instances were drained before the end.",
  },
  ERR_CHOIR_ENGINE_PACKAGE: {
    exit: EXIT.config,
    about: "--pub-sub-url names an engine whose client is not installed, or cannot be loaded.",
    remedy:
      "The message has the npm install that is missing: the clients of NATS and Redis are no dependencies of Choir.",
  },
  ERR_CHOIR_NOT_IN_INSTANCE: {
    exit: EXIT.fatal,
    about: 'Something of "choir/instance" was used in the supervisor\'s process, which runs no user code.',
    remedy: "Use it inside configureServer, or in code that configureServer calls.",
  },
  ERR_CHOIR_TOPIC: {
    exit: EXIT.fatal,
    about: "A topic or a subscription's pattern is malformed.",
    remedy:
      "Topics are tokens of letters, digits, _ = / and - joined by dots; subscriptions may use * for one token and > for the rest.",
  },
  ERR_CHOIR_VALUE: {
    exit: EXIT.fatal,
    about: "A value cannot be published: it is neither JSON nor a Uint8Array, or it is over 1 MB.",
    remedy: "The message names the path inside the value that cannot be sent.",
  },
  ERR_CHOIR_RETAINED_LIMIT: {
    exit: EXIT.fatal,
    about: "publish with retain would exceed the number or bytes of retained values that the broker keeps.",
    remedy: "Clear topics that are no longer needed with pubSub.clear(topic), or retain less.",
  },
  ERR_CHOIR_SUBSCRIPTION_LIMIT: {
    exit: EXIT.fatal,
    about: "An instance subscribed to more different topics and patterns than the broker keeps for it.",
    remedy: "Subscribe to a wildcard instead of to each topic, and unsubscribe what is no longer needed.",
  },
  ERR_CHOIR_SLOW_READER: {
    exit: EXIT.fatal,
    about:
      "A subscription without a handler is not read with for await, and its buffer is full: its oldest messages are dropped.",
    remedy: "Read it without long pauses, unsubscribe it, or subscribe with a handler.",
  },
  ERR_CHOIR_PUBSUB_CLOSED: {
    exit: EXIT.fatal,
    about: "The instance's connection to the broker is closed, since the instance or its supervisor is ending.",
    remedy: "Stop publishing when the instance drains: onShutdown tells.",
  },
  ERR_CHOIR_TIMEOUT: {
    exit: EXIT.fatal,
    about: "A request was not answered within its timeout.",
    remedy:
      "The message names the instance that was silent; raise `timeout`, or see in the log what that instance does.",
  },
  ERR_CHOIR_NO_RESPONDER: {
    exit: EXIT.fatal,
    about: "A request was sent to a topic that no instance responds to.",
    remedy: "Call pubSub.respond(topic, handler) in configureServer, so that every instance responds once it is ready.",
  },
  ERR_CHOIR_RESPONDER_GONE: {
    exit: EXIT.fatal,
    about: "The instance that was asked ended before it answered; whether it did what it was asked for is not known.",
    remedy: "Ask again if doing it twice does no harm.",
  },
  ERR_CHOIR_REQUEST_LIMIT: {
    exit: EXIT.fatal,
    about: "An instance has more unanswered requests than the broker keeps.",
    remedy: "Await answers before sending more, or shorten the requests' timeout.",
  },
  ERR_CHOIR_LOCK: {
    exit: EXIT.fatal,
    about: "A lock, leader or key was asked for with a wrong name, wrong options or no callback.",
    remedy: "The message says what was wrong; names have 1 to 255 bytes and do not begin with a hyphen.",
  },
  ERR_CHOIR_LOCK_LOST: {
    exit: EXIT.fatal,
    about:
      "A lock that was held is held no longer: the connection to who grants it broke, or its lease could not be renewed.",
    remedy: "Stop what the lock protects when its signal aborts, and pass its token to what you write to.",
  },
  ERR_CHOIR_LOCK_STOLEN: {
    exit: EXIT.fatal,
    about: "A lock that was held was taken by another request with `steal: true`.",
    remedy: "Stop what the lock protects when its signal aborts; steal only to recover from a holder that hangs.",
  },
  ERR_CHOIR_LOCK_ENGINE: {
    exit: EXIT.fatal,
    about:
      "A lock, leader or key of all machines was asked for, and the engine between them keeps no locks or cannot be reached.",
    remedy:
      'The message says which: locks between machines need NATS with JetStream. With scope: "machine" they are this machine\'s alone.',
  },
  ERR_CHOIR_LOCK_LIMIT: {
    exit: EXIT.fatal,
    about:
      "An instance has more locks held and waited for, or runOnce has more results to keep, than the supervisor allows.",
    remedy: "Let go of locks that are not needed; let runOnce return a reference instead of a large result.",
  },
  ERR_CHOIR_FRAME: {
    exit: EXIT.fatal,
    about: "Bytes on the pub/sub pipe are no frame of Choir's: something else wrote to the descriptor.",
    remedy: "Find what in the app writes to a descriptor it did not open; the instance is replaced.",
  },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERRORS;

export interface ChoirErrorOptions extends ErrorOptions {
  /** One line that says what to do, when the message alone does not. */
  hint?: string;
}

/** An error with a stable `code` of the table above. */
export class ChoirError extends Error {
  override readonly name = "ChoirError";
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: ChoirErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.hint = options.hint;
  }

  /** What the supervisor exits with when this error ends it. */
  get exitCode(): ExitCode {
    return ERRORS[this.code].exit;
  }
}

/** Renders any thrown value as one line, for a message that quotes it. */
export function describeThrown(thrown: unknown): string {
  try {
    // An error's message may be anything that was assigned to it.
    const text: unknown = thrown instanceof Error ? thrown.message || thrown.name : thrown;
    return String(text);
  } catch {
    return "something that has no text";
  }
}

/** Renders a value as it is quoted in a message: short, on one line, never throwing. */
export function quote(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 80 ? `${value.slice(0, 77)}...` : value);
  if (typeof value === "function") return value.name === "" ? "a function" : `function ${value.name}`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === "object" && value !== null) return `an object (${value.constructor?.name ?? "no prototype"})`;
  return `${String(value)} (${typeof value})`;
}
