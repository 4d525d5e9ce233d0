// The limit: one socket bound here, handed to instances that listen on it, and nothing else. Its instances are standalone.mjs.
import { spawn } from "node:child_process";
import net from "node:net";
import { fileURLToPath } from "node:url";

const handle = net._createServerHandle("127.0.0.1", Number(process.env.BENCH_PORT), 4, undefined, 0);
if (typeof handle === "number") throw new Error(`The port cannot be bound: ${handle}`);
const children = Array.from({ length: Number(process.env.BENCH_INSTANCES) }, () =>
  spawn(process.execPath, [fileURLToPath(new URL("standalone.mjs", import.meta.url))], {
    stdio: ["ignore", "inherit", "inherit", handle.fd],
    env: { ...process.env, BENCH_FD: "3" },
  }),
);
let running = children.length;
for (const child of children) {
  child.on("exit", () => {
    if (--running === 0) process.exit(0);
  });
}
process.on("SIGTERM", () => {
  for (const child of children) child.kill("SIGTERM");
});
