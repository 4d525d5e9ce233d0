// Merging: every option from every place, who wins, and where a message says that a value came from.
import { describe, expect, it } from "vitest";
import { ChoirError } from "../../../src/errors.ts";
import { resolveOptions, type ResolveInput } from "../../../src/options/resolve.ts";
import {
  flagOf,
  OPTION_NAMES,
  OPTIONS,
  type OptionName,
  type ResolvedOptions,
  type TableOptions,
  variableOf,
} from "../../../src/options/table.ts";

function resolve(input: Partial<ResolveInput>) {
  const resolution = resolveOptions({ args: [], environment: {}, code: {}, ...input });
  if (resolution.kind === "help") throw new Error("Got help");
  return resolution;
}

function refusal(input: Partial<ResolveInput>): string {
  try {
    resolve(input);
  } catch (thrown) {
    if (!(thrown instanceof ChoirError)) throw thrown;
    expect(thrown.code).toBe("ERR_CHOIR_OPTION");
    return thrown.message;
  }
  return "nothing was refused";
}

/** A value of every option, none its default: the compiler asks for each row. */
const SAMPLES: { [N in OptionName]: { flag: string[]; text: string; value: ResolvedOptions[N] } } = {
  respawn: { flag: ["--no-respawn"], text: "no", value: false },
  quiet: { flag: ["--quiet"], text: "1", value: true },
  useZone: { flag: ["--use-zone"], text: "yes", value: true },
  trustRequestId: { flag: ["--trust-request-id"], text: "1", value: true },
  config: { flag: ["--config", "off"], text: "off", value: "off" },
  control: { flag: ["--control", "/run/example.sock"], text: "/run/example.sock", value: "/run/example.sock" },
  address: { flag: ["-a", "::1"], text: "::1", value: ["::1"] },
  concurrency: { flag: ["-j3"], text: "3", value: 3 },
  port: { flag: ["--port=8080"], text: "8080", value: 8080 },
  socketMode: { flag: ["--socket-mode", "0600"], text: "0600", value: 0o600 },
  backlog: { flag: ["--backlog", "16"], text: "16", value: 16 },
  bindRetry: { flag: ["--bind-retry", "0s"], text: "0s", value: 0 },
  user: { flag: ["--user", "app"], text: "app", value: "app" },
  group: { flag: ["--group=www"], text: "www", value: "www" },
  healthAddress: { flag: ["--health-address", "9000"], text: "9000", value: "9000" },
  ssl: { flag: ["--ssl"], text: "yes", value: true },
  http2: { flag: ["--http2"], text: "true", value: true },
  certificateFile: { flag: ["--certificate-file=a.pem"], text: "a.pem", value: "a.pem" },
  certificatePassword: { flag: ["--certificate-password", "a"], text: "a", value: "a" },
  certificatePasswordFile: { flag: ["--certificate-password-file", "a"], text: "a", value: "a" },
  keyFile: { flag: ["--key-file=a.key"], text: "a.key", value: "a.key" },
  keyPassword: { flag: ["--key-password", "a"], text: "a", value: "a" },
  keyPasswordFile: { flag: ["--key-password-file", "a"], text: "a", value: "a" },
  keepAliveTimeout: { flag: ["--keep-alive-timeout", "65s"], text: "65s", value: 65_000 },
  requestTimeout: { flag: ["--request-timeout", "0s"], text: "0s", value: 0 },
  headersTimeout: { flag: ["--headers-timeout", "5s"], text: "5s", value: 5000 },
  maxRequestsPerSocket: { flag: ["--max-requests-per-socket", "9"], text: "9", value: 9 },
  maxHeaderSize: { flag: ["--max-header-size", "32KiB"], text: "32KiB", value: 32_768 },
  ready: { flag: ["--ready", "manual"], text: "manual", value: "manual" },
  readinessPath: { flag: ["--readiness-path", "/healthz"], text: "/healthz", value: "/healthz" },
  startTimeout: { flag: ["--start-timeout", "2m"], text: "2m", value: 120_000 },
  shutdownTimeout: { flag: ["--shutdown-timeout=9s"], text: "9s", value: 9000 },
  idleGrace: { flag: ["--idle-grace=1s"], text: "1s", value: 1000 },
  drainDelay: { flag: ["--drain-delay", "2s"], text: "2s", value: 2000 },
  closeSpread: { flag: ["--close-spread=1s"], text: "1s", value: 1000 },
  maxSurge: { flag: ["--max-surge", "50%"], text: "50%", value: "50%" },
  canaryTime: { flag: ["--canary-time", "0s"], text: "0s", value: 0 },
  uncaught: { flag: ["--uncaught=exit"], text: "exit", value: "exit" },
  unresponsiveTimeout: { flag: ["--unresponsive-timeout=5s"], text: "5s", value: 5000 },
  maxRequests: { flag: ["--max-requests", "1000"], text: "1000", value: 1000 },
  maxAge: { flag: ["--max-age=1d"], text: "1d", value: 86_400_000 },
  maxMemory: { flag: ["--max-memory", "25%"], text: "25%", value: "25%" },
  metrics: { flag: ["--metrics"], text: "yes", value: true },
  metricsAddress: { flag: ["--metrics-address=[::]:0"], text: "[::]:0", value: "[::]:0" },
  appMetrics: { flag: ["--app-metrics", "off"], text: "off", value: "off" },
  dashboard: { flag: ["--dashboard"], text: "yes", value: true },
  dashboardAddress: { flag: ["--dashboard-address=[::]:0"], text: "[::]:0", value: "[::]:0" },
  dashboardToken: { flag: ["--dashboard-token", "a"], text: "a", value: "a" },
  dashboardTokenFile: { flag: ["--dashboard-token-file", "a"], text: "a", value: "a" },
  pubSubUrl: { flag: ["--pub-sub-url", "nats://h"], text: "nats://h", value: "nats://h" },
  pubSubPassword: { flag: ["--pub-sub-password", "a"], text: "a", value: "a" },
  pubSubPasswordFile: { flag: ["--pub-sub-password-file", "a"], text: "a", value: "a" },
  pubSubCredentialsFile: { flag: ["--pub-sub-credentials-file", "a"], text: "a", value: "a" },
  pubSubCaFile: { flag: ["--pub-sub-ca-file", "a"], text: "a", value: "a" },
  pubSubCertificateFile: { flag: ["--pub-sub-certificate-file", "a"], text: "a", value: "a" },
  pubSubKeyFile: { flag: ["--pub-sub-key-file", "a"], text: "a", value: "a" },
  pubSubPrefix: { flag: ["--pub-sub-prefix", "a"], text: "a", value: "a" },
  pubSubBuffer: { flag: ["--pub-sub-buffer", "1MiB"], text: "1MiB", value: 1_048_576 },
  logFormat: { flag: ["--log-format", "json"], text: "json", value: "json" },
  logLevel: { flag: ["--log-level", "warn"], text: "warn", value: "warn" },
  logFile: { flag: ["--log-file", "a.log"], text: "a.log", value: "a.log" },
  errorLogFile: { flag: ["--error-log-file", "a.log"], text: "a.log", value: "a.log" },
  logFileFormat: { flag: ["--log-file-format", "raw"], text: "raw", value: "raw" },
  logFileMode: { flag: ["--log-file-mode", "0600"], text: "0600", value: 0o600 },
  logFileOwner: { flag: ["--log-file-owner", "www:adm"], text: "www:adm", value: "www:adm" },
  logRotateSize: { flag: ["--log-rotate-size", "10MB"], text: "10MB", value: 10_000_000 },
  logRotateEvery: { flag: ["--log-rotate-every", "1d"], text: "1d", value: 86_400_000 },
  logRotateUtc: { flag: ["--log-rotate-utc"], text: "1", value: true },
  logKeep: { flag: ["--log-keep", "14"], text: "14", value: 14 },
  logKeepAge: { flag: ["--log-keep-age", "30d"], text: "30d", value: 2_592_000_000 },
  logKeepSize: { flag: ["--log-keep-size", "1GB"], text: "1GB", value: 1_000_000_000 },
  logCompress: { flag: ["--log-compress"], text: "yes", value: true },
  logOverflow: { flag: ["--log-overflow", "drop"], text: "drop", value: "drop" },
  accessLog: { flag: ["--access-log", "json"], text: "json", value: "json" },
  accessLogQuery: { flag: ["--access-log-query"], text: "1", value: true },
  logRedact: { flag: ["--log-redact", "*.password"], text: "*.password", value: ["*.password"] },
  logLineLimit: { flag: ["--log-line-limit", "1MiB"], text: "1MiB", value: 1_048_576 },
};

describe.each(OPTION_NAMES)("%s", (name) => {
  const { flag, text, value } = SAMPLES[name];
  const variable = variableOf(name);

  it("is its default when nothing says otherwise", () => {
    const { options, origins } = resolve({});
    expect(options[name]).toEqual(OPTIONS[name].default);
    expect(origins[name]).toEqual({ from: "default" });
    expect(value).not.toEqual(OPTIONS[name].default);
  });

  it("comes from its flag, and from nothing else", () => {
    const { options, origins } = resolve({ args: flag });
    expect(options).toEqual({ ...resolve({}).options, [name]: value });
    expect(origins[name]).toEqual({ from: "flag", name: flagOf(name) });
  });

  it("comes from the environment", () => {
    const { options, origins } = resolve({ environment: { [variable]: text } });
    expect(options).toEqual({ ...resolve({}).options, [name]: value });
    expect(origins[name]).toEqual({ from: "environment", name: variable });
  });

  it("comes from code", () => {
    const { options, origins } = resolve({ code: { [name]: value } });
    expect(options).toEqual({ ...resolve({}).options, [name]: value });
    expect(origins[name]).toEqual({ from: "code" });
  });
});

describe("precedence", () => {
  const code: TableOptions = { port: 1, address: ["10.0.0.1"] };
  const environment = { PORT: "2", HOST: "10.0.0.2" };

  it("is flag, environment, code, default", () => {
    expect(resolve({ args: ["-p3"], environment, code }).options.port).toBe(3);
    expect(resolve({ environment, code }).options.port).toBe(2);
    expect(resolve({ code }).options.port).toBe(1);
    expect(resolve({ code: { port: undefined } }).options.port).toBe(3000);
  });

  it("replaces lists, and adds to them only on the command line", () => {
    const args = ["-a", "::1", "-a", "::2", "-a", "::1"];
    expect(resolve({ args, environment, code }).options.address).toEqual(["::1", "::2"]);
  });

  it("needs an environment value to be right only where it wins", () => {
    expect(resolve({ args: ["-p3"], environment: { PORT: "x" } }).options.port).toBe(3);
    expect(resolve({ environment: { CHOIR_PORT: "3", PORT: "x" } }).options.port).toBe(3);
  });

  it("gives the rest to the app, and help before any other message", () => {
    expect(resolve({ args: ["-p3", "--", "-x"] }).rest).toEqual(["-x"]);
    const wrong = { environment: { PORT: "x" }, code: { port: "x" } as unknown as TableOptions };
    expect(resolveOptions({ args: ["--help"], ...wrong })).toEqual({ kind: "help" });
  });
});

describe("messages", () => {
  const wrong = (code: object) => ({ code: code as TableOptions });
  it.each<[Partial<ResolveInput>, string]>([
    [{ args: ["--port", "x"] }, '--port must be a whole number from 0 to 65535, got "x" (from the command line)'],
    [
      { environment: { PORT: "x" } },
      '--port must be a whole number from 0 to 65535, got "x" (from the environment variable PORT)',
    ],
    [
      { environment: { CHOIR_PORT: "tcp://10.0.0.1:80", PORT: "80" } },
      '--port must be a whole number from 0 to 65535, got "tcp://10.0.0.1:80" (from the environment variable CHOIR_PORT)',
    ],
    [
      wrong({ port: "80" }),
      'port must be a whole number from 0 to 65535, got the string "80" (from the Runner\'s options)',
    ],
    [
      { ...wrong({ startTimeout: "5s" }), args: ["--start-timeout", "5s"] },
      'startTimeout must be a whole number of milliseconds of at least 1, got the string "5s" (from the Runner\'s options): write 5000',
    ],
    [wrong({ prot: 80 }), 'Unknown option "prot" in the Runner\'s options, did you mean port?'],
    [wrong({ zzzzzzzz: 1 }), 'Unknown option "zzzzzzzz" in the Runner\'s options; --help lists all options'],
    [
      { ...wrong({ responseHeader: {} }), otherNames: ["responseHeaders"] },
      'Unknown option "responseHeader" in the Runner\'s options, did you mean responseHeaders?',
    ],
  ])("%#", (input, message) => {
    expect(refusal(input)).toBe(message);
  });
});
