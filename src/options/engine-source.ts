/** Which engine carries messages between machines and where its secrets are, by the options. Reads no file. Supervisor only. */
import path from "node:path";
import { optionError, type Origin } from "./origin.ts";
import type { OptionName, ResolvedOptions } from "./table.ts";
import { passwordSource, type PasswordSource } from "./tls-sources.ts";

/** What the supervisor needs to reach the engine; paths are absolute. */
export interface EngineSource {
  readonly kind: "nats" | "redis";
  /** The URL without user and password. */
  readonly shown: string;
  /** `host` or `host:port`, at least one. */
  readonly servers: readonly string[];
  readonly encrypted: boolean;
  readonly user: string | undefined;
  /** What stands in the URL. */
  readonly urlPassword: string | undefined;
  readonly password: PasswordSource;
  readonly credentialsFile: string | undefined;
  readonly caFile: string | undefined;
  readonly certificateFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly prefix: string;
  /** Bytes. */
  readonly bufferLimit: number;
}

type Origins = Readonly<Partial<Record<OptionName, Origin>>>;

const PROTOCOLS: Readonly<Record<string, { kind: "nats" | "redis"; encrypted: boolean }>> = {
  nats: { kind: "nats", encrypted: false },
  tls: { kind: "nats", encrypted: true },
  redis: { kind: "redis", encrypted: false },
  rediss: { kind: "redis", encrypted: true },
};
const FORMS = "nats://, tls://, redis:// or rediss://, a host and perhaps a port, such as nats://127.0.0.1:4222";
const PREFIX = /^[\w.@-]{1,64}$/;
/** What has no effect without a URL. */
const COMPANIONS = [
  ["pubSubPassword", "--pub-sub-password"],
  ["pubSubPasswordFile", "--pub-sub-password-file"],
  ["pubSubCredentialsFile", "--pub-sub-credentials-file"],
  ["pubSubCaFile", "--pub-sub-ca-file"],
  ["pubSubCertificateFile", "--pub-sub-certificate-file"],
] as const;

/** Tells how the engine is reached; undefined without --pub-sub-url. Throws ERR_CHOIR_OPTION, which quotes no part of the URL. */
export function engineSource(
  options: ResolvedOptions,
  { name, origins, environment }: { name: string; origins: Origins; environment: NodeJS.ProcessEnv },
): EngineSource | undefined {
  const { pubSubUrl, pubSubPrefix: prefix = name, pubSubCaFile, pubSubCertificateFile, pubSubKeyFile } = options;
  if (pubSubUrl === undefined) {
    const idle = COMPANIONS.find(([option]) => origins[option]?.from === "flag");
    if (idle !== undefined) throw optionError(`${idle[1]} has no effect without --pub-sub-url`);
    return undefined;
  }
  if (!PREFIX.test(prefix)) throw optionError('--pub-sub-prefix must be 1 to 64 letters, digits, "_", ".", "@" or "-"');
  const url = parseEngineUrl(pubSubUrl);
  const password = passwordSource("pub-sub-password", environment, {
    value: options.pubSubPassword,
    file: options.pubSubPasswordFile,
  });
  checkTogether(url, options);
  return {
    ...url,
    encrypted: url.encrypted || pubSubCaFile !== undefined || pubSubCertificateFile !== undefined,
    password,
    credentialsFile: absolute(options.pubSubCredentialsFile),
    caFile: absolute(pubSubCaFile),
    certificateFile: absolute(pubSubCertificateFile),
    keyFile: absolute(pubSubKeyFile),
    prefix,
    bufferLimit: options.pubSubBuffer,
  };
}

type EngineUrl = Pick<EngineSource, "kind" | "encrypted" | "shown" | "servers" | "user" | "urlPassword">;

function parseEngineUrl(text: string): EngineUrl {
  const [first = "", ...others] = text.split(",").map((part) => part.trim());
  const [scheme = ""] = first.split("://");
  const protocol = PROTOCOLS[scheme];
  if (protocol === undefined || (others.length > 0 && protocol.kind === "redis")) throw wrongUrl();
  const urls = [first, ...others.map((other) => (other.includes("://") ? other : `${scheme}://${other}`))].map(
    parseOne,
  );
  const { username, password } = urls.find((url) => url.username !== "" || url.password !== "") ?? {
    username: "",
    password: "",
  };
  if (urls.some((url) => url.protocol !== `${scheme}:` || url.hostname === "" || url.search !== "")) throw wrongUrl();
  const servers = urls.map(({ host }) => host);
  return {
    ...protocol,
    shown: `${scheme}://${servers.join(",")}`,
    servers,
    user: username === "" ? undefined : decodeURIComponent(username),
    urlPassword: password === "" ? undefined : decodeURIComponent(password),
  };
}

function parseOne(text: string): URL {
  try {
    const url = new URL(text);
    decodeURIComponent(url.username + url.password);
    return url;
  } catch {
    throw wrongUrl();
  }
}

function checkTogether(url: EngineUrl, options: ResolvedOptions): void {
  const given = options.pubSubPassword !== undefined || options.pubSubPasswordFile !== undefined;
  if (given && url.urlPassword !== undefined) {
    throw optionError("--pub-sub-url has a password, and --pub-sub-password is given too: leave one of them away");
  }
  if (url.kind === "redis" && options.pubSubCredentialsFile !== undefined) {
    throw optionError("--pub-sub-credentials-file is for NATS, and --pub-sub-url is one of Redis");
  }
  if ((options.pubSubCertificateFile === undefined) !== (options.pubSubKeyFile === undefined)) {
    throw optionError("--pub-sub-certificate-file and --pub-sub-key-file belong together: one of them is missing");
  }
}

/** Says nothing of what was got: a password may stand anywhere in it. */
function wrongUrl() {
  return optionError(`--pub-sub-url must be ${FORMS}; what was given is not shown, since it may hold a password`);
}

function absolute(file: string | undefined): string | undefined {
  return file === undefined ? undefined : path.resolve(file);
}
