/** The lines of an access log: the Common Log Format, the combined one of Apache and nginx, and JSON. Runs in the instance; pure. */

export type AccessFormat = "common" | "combined" | "json";

/** A request that is over. */
export interface Access {
  /** Milliseconds since the epoch: when it was over. */
  readonly time: number;
  readonly method: string;
  /** With its query only where that is asked for. */
  readonly path: string;
  /** `HTTP/1.1`. */
  readonly protocol: string;
  readonly client: string | undefined;
  readonly status: number;
  /** Of the body. */
  readonly bytes: number;
  readonly latencyMs: number;
  readonly requestId: string;
  readonly referer: string | undefined;
  readonly userAgent: string | undefined;
  /** Whether the client, or the app, ended it before it was whole. */
  readonly isAborted: boolean;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/** pino's number of "info". */
const LEVEL = 30;

/** Makes the formatter of one instance; its lines end with a line break. */
export function createAccessFormatter(format: AccessFormat, instance: number): (access: Access) => string {
  // The supervisor puts the instance to what is JSON.
  if (format === "json") return jsonLine;
  const timestamp = createTimestamp();
  return (access) => {
    const { client = "-", method, path, protocol, status, bytes, latencyMs, requestId } = access;
    const request = escape(`${method} ${path} ${protocol}`);
    const head = `${escape(client)} - - [${timestamp(access.time)}] "${request}" ${status} ${bytes === 0 ? "-" : bytes}`;
    const agent =
      format === "combined" ? ` "${escape(access.referer ?? "-")}" "${escape(access.userAgent ?? "-")}"` : "";
    return `${head}${agent} ${latencyMs.toFixed(3)} ${instance} ${escape(requestId)}\n`;
  };
}

function jsonLine(access: Access): string {
  const { time, client, latencyMs, isAborted, ...rest } = access;
  return `${JSON.stringify({
    level: LEVEL,
    time,
    msg: "request",
    method: rest.method,
    path: rest.path,
    protocol: rest.protocol,
    status: rest.status,
    bytes: rest.bytes,
    latencyMs: Math.round(latencyMs * 1000) / 1000,
    client,
    requestId: rest.requestId,
    referer: rest.referer,
    userAgent: rest.userAgent,
    aborted: isAborted ? true : undefined,
  })}\n`;
}

/** Nothing that a client sends may end the line or a field of it, or steer a terminal; as Apache writes it. */
function escape(text: string): string {
  return text.replaceAll(/["\\\p{Cc}]/gu, (character) => {
    if (character === '"' || character === "\\") return `\\${character}`;
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}

/** `22/Nov/2026:17:25:44 +0000`, kept for the requests of the same second. */
function createTimestamp(): (time: number) => string {
  let second = Number.NaN;
  let text = "";
  return (time) => {
    const current = Math.floor(time / 1000);
    if (current === second) return text;
    second = current;
    const date = new Date(time);
    const day = `${pad(date.getUTCDate())}/${MONTHS[date.getUTCMonth()]}/${date.getUTCFullYear()}`;
    text = `${day}:${pad(date.getUTCHours())}:${pad(date.getUTCMinutes())}:${pad(date.getUTCSeconds())} +0000`;
    return text;
  };
}

function pad(value: number): string {
  return String(value).padStart(2, "0");
}
