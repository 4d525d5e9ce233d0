/**
 * Everything a person can get wrong: one clear message that names the option or slot, the value, where it came from and the remedy,
 * the right exit code, and nothing left behind.
 */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { makeCertificate } from "../helpers/certificates.ts";
import { type StartOptions, startRunner } from "../helpers/start-runner.ts";

interface Case {
  readonly what: string;
  readonly app?: string;
  readonly options?: StartOptions;
  readonly code: number;
  /** All of these are on stderr. */
  readonly says: readonly (string | RegExp)[];
}

const fast = { args: ["--start-timeout", "300ms"] };

const PASSWORD = "a secret of mine";
const ONE = makeCertificate();
const OTHER = makeCertificate();
const ROOT = makeCertificate({ name: "root", authority: true });
const SIGNED = makeCertificate({ issuer: ROOT });

/** The files of the cases about TLS: in a folder of their own. */
const TLS_FILES: Readonly<Record<string, string | Buffer>> = {
  "cert.pem": ONE.pem,
  "key.pem": ONE.keyPem,
  "other.key": OTHER.keyPem,
  "encrypted.key": ONE.encryptedKey(PASSWORD),
  "all.p12": ONE.pkcs12(PASSWORD),
  "cut.p12": ONE.pkcs12(PASSWORD).subarray(0, 900),
  "cert.der": Buffer.from(ONE.pem.replaceAll(/-----.*-----|\s/g, ""), "base64"),
  "cut.pem": ONE.pem.slice(0, 400),
  "damaged.pem": ONE.pem.replace(/\n.{20}/, "\nAAAAAAAAAAAAAAAAAAAA"),
  "damaged.key": ONE.keyPem.replace(/\n.{20}/, "\nAAAAAAAAAAAAAAAAAAAA"),
  "wrong-order.pem": ROOT.pem + SIGNED.pem,
  "signed.key": SIGNED.keyPem,
  "wrong-password": "not the one\n",
  empty: "",
  noise: "hello, this is no certificate",
};

function tlsCase(what: string, args: string, says: Case["says"], code = 78): Case {
  // Each is a file name of those above, or a flag.
  const words = args
    .split(" ")
    .map((word) => (word in TLS_FILES || word === "missing" || word === "." ? `tls/${word}` : word));
  return { what, options: { args: ["--ssl", ...words] }, code, says };
}

const CERT = "--certificate-file";
const BOTH = `${CERT} cert.pem --key-file`;

const TLS_CASES: readonly Case[] = [
  { what: "TLS without a certificate", options: { args: ["--ssl"] }, code: 64, says: ["--ssl", CERT] },
  { what: "HTTP/2 without a certificate", options: { args: ["--http2"] }, code: 64, says: ["--http2", CERT] },
  { what: "a certificate without TLS", options: { args: [CERT, "x"] }, code: 64, says: [CERT, "--ssl"] },
  tlsCase("a certificate without its key", `${CERT} cert.pem`, ["--key-file", "cert.pem", "no private key"], 64),
  tlsCase(
    "a password twice",
    `${BOTH} key.pem --key-password secretly --key-password-file noise`,
    ["--key-password"],
    64,
  ),
  tlsCase("two words of a password", `${BOTH} key.pem --key-password two secretly`, ["Unexpected argument"], 64),
  tlsCase("no file at the certificate's path", `${CERT} missing`, [CERT, "tls/missing", "does not exist"]),
  tlsCase("no file at the key's path", `${BOTH} missing`, ["--key-file", "tls/missing", "does not exist"]),
  tlsCase("a directory as certificate", `${CERT} .`, [CERT, "is a directory"]),
  tlsCase("a directory as key", `${BOTH} .`, ["--key-file", "is a directory"]),
  tlsCase("a device as certificate", `${CERT} /dev/null`, [CERT, "/dev/null", "not a regular file"]),
  tlsCase("an empty certificate", `${CERT} empty`, [CERT, "tls/empty", "is empty"]),
  tlsCase("an empty key", `${BOTH} empty`, ["--key-file", "tls/empty", "is empty"]),
  tlsCase("something else as certificate", `${CERT} noise`, [CERT, "neither PEM nor PKCS#12"]),
  tlsCase("a certificate in DER form", `${CERT} cert.der`, [CERT, "DER form"]),
  tlsCase("something else as key", `${BOTH} noise`, ["tls/noise", "not in PEM form"]),
  tlsCase("half a certificate", `${CERT} cut.pem`, ["tls/cut.pem", "no whole certificate"]),
  tlsCase("a damaged certificate", `${CERT} damaged.pem --key-file key.pem`, ["tls/damaged.pem", "no. 1"]),
  tlsCase("a damaged key", `${BOTH} damaged.key`, ["tls/damaged.key", "damaged"]),
  tlsCase("key and certificate swapped", `${CERT} key.pem --key-file cert.pem`, ["tls/key.pem", "private key"]),
  tlsCase("a certificate as key", `${BOTH} cert.pem`, ["tls/cert.pem", "no private key"]),
  tlsCase("the key of another certificate", `${BOTH} other.key`, ["tls/cert.pem", "tls/other.key", "does not belong"]),
  tlsCase("a chain in the wrong order", `${CERT} wrong-order.pem --key-file signed.key`, ["place 2", "first"]),
  tlsCase("an encrypted key without a password", `${BOTH} encrypted.key`, ["encrypted.key", "--key-password"]),
  tlsCase("a key with a wrong password", `${BOTH} encrypted.key --key-password secretly`, ["--key-password", "wrong"]),
  tlsCase("a key with a wrong password in a file", `${BOTH} encrypted.key --key-password-file wrong-password`, [
    "tls/wrong-password",
    "wrong",
  ]),
  tlsCase("a password file that is not there", `${BOTH} encrypted.key --key-password-file missing`, [
    "--key-password-file",
    "does not exist",
  ]),
  tlsCase("PKCS#12 without a password", `${CERT} all.p12`, ["all.p12", "--certificate-password"]),
  tlsCase("PKCS#12 with a wrong password", `${CERT} all.p12 --certificate-password secretly`, [
    "--certificate-password",
    "wrong",
  ]),
  tlsCase("half a PKCS#12 file", `${CERT} cut.p12 --certificate-password secretly`, ["cut.p12", "cannot be used"]),
  {
    what: "an empty password in code",
    app: "empty-password.mjs",
    options: { bare: true },
    code: 64,
    says: ["keyPassword", "the Runner's options"],
  },
];

const CASES: readonly Case[] = [
  ...TLS_CASES,
  {
    what: "a part of Choir that cannot be loaded",
    options: { execArgv: ["--import", fileURLToPath(new URL("../fixtures/unloadable.mjs", import.meta.url))] },
    code: 1,
    says: ["hello: Choir cannot be loaded: no such luck"],
  },
  {
    what: "two Runners in one file",
    app: "two-runners.mjs",
    code: 69,
    says: ["run() was called for a second time", '"second"'],
  },
  {
    what: "text for a port",
    options: { args: ["--port", "http"] },
    code: 64,
    says: ["--port", '"http"', "0 to 65535"],
  },
  { what: "a port out of range", options: { args: ["-p", "65536"] }, code: 64, says: ["--port", "65536", "65535"] },
  {
    what: "a wrong port in the environment",
    options: { bare: true, env: { PORT: "80a" } },
    code: 64,
    says: ["--port", '"80a"', "PORT"],
  },
  {
    what: "a dashboard that others reach, without a token",
    options: { args: ["--dashboard", "--dashboard-address", "0.0.0.0:0"] },
    code: 64,
    says: ["--dashboard-address", "0.0.0.0:0", "--dashboard-token-file"],
  },
  { what: "zero instances", options: { args: ["-j", "0"] }, code: 64, says: ["--concurrency", '"0"', "auto"] },
  { what: "an unknown option", options: { args: ["--prot", "80"] }, code: 64, says: ["--prot", "--port"] },
  { what: "an option of the next version", options: { args: ["--ssl-nonsense"] }, code: 64, says: ["--ssl-nonsense"] },
  { what: "a missing argument", options: { args: ["--port"] }, code: 64, says: ["--port"] },
  { what: "a value for a flag", options: { args: ["--quiet=yes"] }, code: 64, says: ["--quiet"] },
  { what: "a flag that cannot be negated", options: { args: ["--no-quiet"] }, code: 64, says: ["--no-quiet"] },
  { what: "a positional argument", options: { args: ["serve"] }, code: 64, says: ['"serve"'] },
  {
    what: "a duration without unit",
    options: { args: ["--start-timeout", "10"] },
    code: 64,
    says: ["--start-timeout", '"10"', "10s"],
  },
  {
    what: "a wrong mode",
    options: { args: ["--socket-mode", "rw"] },
    code: 64,
    says: ["--socket-mode", '"rw"', "0660"],
  },
  {
    what: "a wrong choice",
    options: { args: ["--log-format", "xml"] },
    code: 64,
    says: ["--log-format", '"xml"', "pretty"],
  },
  { what: "a wrong backlog", options: { args: ["--backlog", "-1"] }, code: 64, says: ["--backlog"] },
  { what: "a wrong value in code", app: "wrong-option.mjs", options: { bare: true }, code: 64, says: ["port", '"80"'] },
  {
    what: "an address that is not ours",
    options: { args: ["-a", "192.0.2.1"] },
    code: 78,
    says: ["192.0.2.1", "not an address of this machine"],
  },
  {
    what: "an address with a port",
    options: { args: ["-a", "127.0.0.1:80"] },
    code: 78,
    says: ["127.0.0.1:80", "--port"],
  },
  {
    what: "a name that does not exist",
    options: { args: ["-a", "no-such-host.invalid"] },
    code: 78,
    says: ["no-such-host.invalid"],
  },
  {
    what: "a Unix path in a folder that is not there",
    options: { args: ["-a", "unix:nowhere/app.sock"] },
    code: 78,
    says: ["nowhere/app.sock", "does not exist"],
  },
  {
    what: "a Unix path that is a folder",
    options: { args: ["-a", "unix:folder"] },
    code: 78,
    says: ["folder", "a directory"],
  },
  {
    what: "a Unix path that is a regular file",
    options: { args: ["-a", "unix:file"] },
    code: 78,
    says: ["file", "no socket"],
  },
  {
    what: "a Unix path that is too long",
    options: { args: ["-a", `unix:${"x".repeat(200)}`] },
    code: 78,
    says: ["too long", "107"],
  },
  { what: "configureServer throws", app: "throws-on-start.mjs", code: 69, says: ["the database is not there"] },
  { what: "configureServer rejects", app: "rejects-on-start.mjs", code: 69, says: ["rejected on start"] },
  { what: "the process exits in configureServer", app: "exits-on-start.mjs", code: 69, says: ["exit code 3"] },
  {
    what: "configureServer never returns",
    app: "never-ready.mjs",
    options: fast,
    code: 69,
    says: ["--start-timeout", "configureServer"],
  },
  { what: "configureServer returns no app", app: "returns-no-app.mjs", code: 69, says: ["configureServer", "Object"] },
  { what: "a handler in its place", app: "handler-instead.mjs", code: 78, says: ["configureServer"] },
  { what: "a header name with a newline", app: "bad-header.mjs", code: 78, says: ["responseHeaders", "X-Bad"] },
];

describe("bad input", () => {
  it.each(CASES)("$what: exit $code", async ({ app = "hello.mjs", options = {}, code, says }) => {
    await using runner = startRunner(app, options);
    mkdirSync(path.join(runner.temp, "folder"));
    writeFileSync(path.join(runner.temp, "file"), "precious");
    mkdirSync(path.join(runner.temp, "tls"));
    for (const [name, content] of Object.entries(TLS_FILES))
      writeFileSync(path.join(runner.temp, "tls", name), content);
    expect(await runner.exit(), runner.transcript()).toEqual({ code, signal: null });
    for (const text of says) expect(runner.stderr).toMatch(typeof text === "string" ? new RegExp(escape(text)) : text);
    // One message, not one per instance, and no stack of Choir's own.
    expect(runner.stderr.trim().split("\n").length).toBeLessThanOrEqual(4);
    expect(runner.stderr).not.toMatch(/^\s+at /m);
    expect(runner.survivors()).toEqual([]);
    expect(readdirSync(runner.temp).sort()).toEqual(["file", "folder", "tls"]);
    expect(runner.transcript()).not.toMatch(/secretly|a secret of mine|not the one/);
  });

  it("an address in use: exit 69 after --bind-retry, with the address and the remedy", async () => {
    const blocker = net.createServer();
    await new Promise<void>((resolve) => {
      blocker.listen(0, "127.0.0.1", resolve);
    });
    const { port } = blocker.address() as net.AddressInfo;
    await using runner = startRunner("hello.mjs", { bare: true, args: ["-p", String(port), "--bind-retry", "250ms"] });
    expect(await runner.exit()).toEqual({ code: 69, signal: null });
    expect(runner.stderr).toContain(`127.0.0.1:${port}`);
    expect(runner.stderr).toContain("--port");
    blocker.close();
  });

  it("says the cause of a failing start at the first failure, once, however many instances fail", async () => {
    await using runner = startRunner("throws-on-start.mjs", { instances: 4 });
    const failed = await runner.event("instance-start-failed");
    expect(failed).toMatchObject({
      error: "the database is not there",
      stack: expect.stringContaining("throws-on-start.mjs"),
    });
    // Said while it still tries again.
    expect(runner.child.exitCode).toBeNull();
    expect(await runner.exit()).toEqual({ code: 69, signal: null });
    expect(runner.events("instance-start-failed")).toHaveLength(1);
  });
});

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
