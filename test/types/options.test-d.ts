/** Which options a Runner program may write: compiled by `tsc -p test`, never run. */
import { type ErrorCode, Runner, type RunnerOptions, type TableOptions } from "choir";
import { expectTypeOf } from "vitest";

const configureServer = (): void => {};

void new Runner("example", configureServer);
void new Runner("example", configureServer, {
  port: 80,
  address: ["127.0.0.1", "unix:/run/app.sock"],
  concurrency: "auto",
  ready: "manual",
  startTimeout: 10_000,
  socketMode: 0o600,
  respawn: false,
  logFormat: "json",
  fastify: { bodyLimit: 1024, trustProxy: true },
  hooks: { startup: () => {}, shutdown: [async () => {}, () => 1] },
});
void new Runner("example", configureServer, {
  responseHeaders: { "X-One": "1", "Set-Cookie": ["a=1", "b=2"] },
  removeResponseHeaders: { "X-Frame-Options": "SAMEORIGIN", "X-Powered-By": true },
});
void new Runner("example", configureServer, { removeResponseHeaders: ["X-Frame-Options"] });

// @ts-expect-error a name is needed
void new Runner(configureServer);
// @ts-expect-error a port is a number
void new Runner("example", configureServer, { port: "80" });
// @ts-expect-error a duration in code is a number of milliseconds
void new Runner("example", configureServer, { startTimeout: "10s" });
// @ts-expect-error one address is a list of one
void new Runner("example", configureServer, { address: "::" });
// @ts-expect-error only auto or a number
void new Runner("example", configureServer, { concurrency: "all" });
// @ts-expect-error only what the option allows
void new Runner("example", configureServer, { ready: "later" });
// @ts-expect-error an option that does not exist
void new Runner("example", configureServer, { prot: 80 });
// @ts-expect-error a header is a string
void new Runner("example", configureServer, { responseHeaders: { "X-One": 1 } });
// @ts-expect-error false removes nothing: leave it away
void new Runner("example", configureServer, { removeResponseHeaders: { "X-One": false } });
// @ts-expect-error sockets are Choir's
void new Runner("example", configureServer, { fastify: { serverFactory: () => {} } });
// @ts-expect-error there is no such hook
void new Runner("example", configureServer, { hooks: { stop: () => {} } });

expectTypeOf<TableOptions["port"]>().toEqualTypeOf<number | undefined>();
expectTypeOf<TableOptions["concurrency"]>().toEqualTypeOf<number | "auto" | undefined>();
expectTypeOf<TableOptions["logFormat"]>().toEqualTypeOf<"auto" | "pretty" | "json" | "journal" | "raw" | undefined>();
expectTypeOf<RunnerOptions>().toExtend<TableOptions>();
expectTypeOf<"ERR_CHOIR_OPTION">().toExtend<ErrorCode>();
expectTypeOf(new Runner("example", configureServer).run()).resolves.toEqualTypeOf<void>();
// @ts-expect-error arguments are texts, as on a command line
void new Runner("example", configureServer).run([80]);
