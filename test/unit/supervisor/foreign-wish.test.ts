// What instances of another user get from a supervisor that is root.
import path from "node:path";
import { expect, it } from "vitest";
import type { SocketWish } from "../../../src/protocol.ts";
import { checkForeignWish } from "../../../src/supervisor/foreign-wish.ts";
import type { SocketOptions } from "../../../src/supervisor/sockets.ts";

const OPTIONS = {
  address: ["127.0.0.1", "unix:/run/app.sock", "unix:here.sock"],
  port: 843,
} as unknown as SocketOptions;
const OWNER = { uid: 1000, gid: 1000 };
const DEFAULT: SocketWish = { kind: "default" };
const tcp = (port: number): SocketWish => ({ kind: "tcp", host: null, port, ordinal: 0, ipv6Only: false });
const unix = (file: string): SocketWish => ({ kind: "unix", path: file });

it.each([
  [DEFAULT],
  [tcp(843)],
  [tcp(80)],
  [tcp(443)],
  [tcp(0)],
  [tcp(1024)],
  [unix("/run/app.sock")],
  [unix(path.resolve("here.sock"))],
])("%j is theirs", (wish) => {
  expect(() => checkForeignWish(wish, { ...OPTIONS, owner: OWNER })).not.toThrow();
});

it.each([
  [tcp(22), /"port 22".*--user/],
  [tcp(1023), /"port 1023"/],
  [unix("/root/.ssh/agent"), /"unix:\/root\/.ssh\/agent"/],
  [unix("/run/app.sock2"), /app.sock2/],
])("%j is not, but is for instances of the supervisor's own user", (wish, message) => {
  expect(() => checkForeignWish(wish, { ...OPTIONS, owner: OWNER })).toThrow(message);
  expect(() => checkForeignWish(wish, { ...OPTIONS, owner: undefined })).not.toThrow();
});
