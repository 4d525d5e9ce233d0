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

/** What never became a request, and was refused. */
export interface Refusal extends Pick<Access, "time" | "client" | "status"> {
  /** Why, as Node names it: `HPE_INVALID_METHOD`. */
  readonly error: string;
}

export interface AccessFormatterOptions {
  /** The slot's number. */
  readonly instance: number;
  /** Whether somebody gets the lines as they are here: else the supervisor puts the instance to what is JSON. */
  readonly isRaw: boolean;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/** pino's number of "info". */
const LEVEL = 30;

/** Makes the formatter of one instance; its lines end with a line break. */
export function createAccessFormatter(
  format: AccessFormat,
  { instance, isRaw }: AccessFormatterOptions,
): (access: Access | Refusal) => string {
  if (format === "json") {
    const own = isRaw ? { instance } : {};
    return (access) =>
      `${JSON.stringify({ ...("method" in access ? jsonOf(access) : jsonOfRefusal(access)), ...own })}\n`;
  }
  const timestamp = createTimestamp();
  const isCombined = format === "combined";
  return (access) => {
    const { client = "-", status, time } = access;
    const head = `${escape(client)} - - [${timestamp(time)}]`;
    // As nginx has it: there is no request, nor anything that is known of one.
    if (!("method" in access)) return `${head} "-" ${status} -${isCombined ? ' "-" "-"' : ""} - ${instance} -\n`;
    const { method, path, protocol, bytes, latencyMs, requestId, referer, userAgent } = access;
    const agent = isCombined ? ` "${escape(referer ?? "-")}" "${escape(userAgent ?? "-")}"` : "";
    const answer = `"${escape(`${method} ${path} ${protocol}`)}" ${status} ${bytes === 0 ? "-" : bytes}`;
    return `${head} ${answer}${agent} ${latencyMs.toFixed(3)} ${instance} ${escape(requestId)}\n`;
  };
}

function jsonOf({ time, client, latencyMs, isAborted, ...rest }: Access): object {
  return {
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
  };
}

function jsonOfRefusal({ time, status, client, error }: Refusal): object {
  return { level: LEVEL, time, msg: "request", status, client, error };
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
