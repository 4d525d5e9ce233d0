// Passwords are in no message, no help and no environment that is handed on; and what TLS is read from.
import { describe, expect, it } from "vitest";
import { forgetSecrets, instanceEnvironment } from "../../../src/options/environment.ts";
import { renderHelp } from "../../../src/options/help.ts";
import { resolveOptions, type ResolveInput } from "../../../src/options/resolve.ts";
import { OPTION_NAMES, OPTIONS, specOf, type TableOptions, variableOf } from "../../../src/options/table.ts";
import { tlsSources, withoutSecrets } from "../../../src/options/tls-sources.ts";

function sources(input: Partial<ResolveInput>) {
  const resolution = resolveOptions({ args: [], environment: {}, code: {}, ...input });
  if (resolution.kind === "help") throw new Error("Got help");
  return tlsSources(resolution.options, { origins: resolution.origins, environment: input.environment ?? {} });
}

const SECRETS = OPTION_NAMES.filter((name) => specOf(name).secret === true);

describe("a secret option", () => {
  it("is every one whose value is a password or a token, or may hold one, and no other", () => {
    expect(SECRETS).toEqual(OPTION_NAMES.filter((name) => /password$|url$|token$/i.test(name)));
  });

  it.each(SECRETS)("%s is not in the message about a wrong value", (name) => {
    for (const wrong of [12_345_678, ["12345678"], { a: "12345678" }]) {
      const code = { [name]: wrong } as unknown as TableOptions;
      expect(() => sources({ code })).toThrow(`${name} must be a text that is not empty, got something else`);
    }
  });

  it.each(SECRETS)("%s is not shown as a default of the program's", (name) => {
    expect(renderHelp({ program: "x", name: "x", defaults: { [name]: "12345678" } })).not.toContain("12345678");
  });

  it("is deleted from the supervisor's environment, and reaches no instance", () => {
    const environment: NodeJS.ProcessEnv = { PATH: "/bin", CHOIR_PORT: "1" };
    for (const name of SECRETS) environment[variableOf(name)] = "12345678";
    forgetSecrets(environment);
    expect(environment).toEqual({ PATH: "/bin", CHOIR_PORT: "1" });
    for (const name of SECRETS) environment[variableOf(name)] = "12345678";
    const birth = { info: { id: 0 } } as unknown as Parameters<typeof instanceEnvironment>[0];
    expect(JSON.stringify(instanceEnvironment(birth, environment))).not.toContain("12345678");
  });

  it("is not among the options that all but the certificate's reader get", () => {
    const code = { keyPassword: "12345678", certificatePassword: "12345678", keyFile: "a" };
    const resolution = resolveOptions({ args: [], environment: {}, code });
    if (resolution.kind === "help") throw new Error("Got help");
    const kept = withoutSecrets(resolution.options);
    expect(JSON.stringify(kept)).not.toContain("12345678");
    expect(kept).toMatchObject({ keyFile: "a", port: 3000 });
  });

  it("is not quoted when its second word is taken for an argument", () => {
    expect(() => sources({ args: ["--key-password", "two", "words"] })).toThrow(/^Unexpected argument: /);
    expect(() => sources({ args: ["--key-file", "two", "words"] })).toThrow(/^Unexpected argument "words": /);
  });
});

describe("where TLS comes from", () => {
  const ssl = { ssl: true, certificateFile: "/a.pem", keyFile: "/a.key" };

  it("is nothing without --ssl and --http2, whatever else is there", () => {
    const code = { ...ssl, ssl: false };
    expect(sources({ code })).toBeUndefined();
    expect(sources({ code, environment: { CHOIR_CERTIFICATE_FILE: "/b.pem" } })).toBeUndefined();
    expect(() => sources({ code, args: ["--certificate-file", "/c.pem"] })).toThrow(/--ssl/);
    expect(sources({ code, args: ["--http2"] })).toMatchObject({ certificateFile: "/a.pem" });
  });

  it("is absolute paths", () => {
    expect(sources({ code: { ssl: true, certificateFile: "a.pem" } })).toMatchObject({
      certificateFile: `${process.cwd()}/a.pem`,
      keyFile: undefined,
    });
  });

  it("is, for a password, itself, its file, or a credential that need not be there", () => {
    const environment = { CREDENTIALS_DIRECTORY: "/run/credentials/a" };
    const passwordOf = (input: Partial<ResolveInput>) => sources({ code: ssl, environment, ...input })?.keyPassword;
    expect(passwordOf({})).toMatchObject({ file: "/run/credentials/a/key-password", optional: true });
    expect(passwordOf({ environment: {} })).toMatchObject({ value: undefined, file: undefined });
    expect(passwordOf({ args: ["--key-password", "x"] })).toMatchObject({ value: "x", file: undefined });
    expect(passwordOf({ args: ["--key-password-file", "/x"] })).toMatchObject({ file: "/x", optional: false });
    expect(() => passwordOf({ args: ["--key-password-file", "/x", "--key-password", "y"] })).toThrow(
      "--key-password and --key-password-file are both given",
    );
  });
});

it("none of the rows for TLS has a default that opens anything", () => {
  expect([OPTIONS.ssl.default, OPTIONS.http2.default]).toEqual([false, false]);
});
