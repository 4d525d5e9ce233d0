// Node's own IPC: the parent forwards each value to all children but the one it came from.
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { participate, windowed } from "./participant.mjs";

if (process.send === undefined) forward();
else {
  const handlers = new Map();
  process.on("message", ({ topic, value }) => handlers.get(topic)?.(value));
  const send = (topic, value) =>
    new Promise((resolve) => {
      process.send({ topic, value }, resolve);
    });
  await participate(Number(process.argv[2]), {
    publish: windowed(send, 100),
    subscribe: async (topic, handler) => void handlers.set(topic, handler),
    flush: () => send("nobody", ""),
  });
}

function forward() {
  const children = Array.from({ length: Number(process.env.BENCH_PARTICIPANTS) }, (_, number) =>
    fork(fileURLToPath(import.meta.url), [String(number)]),
  );
  for (const child of children) {
    child.on("message", (message) => {
      for (const other of children) if (other !== child) other.send(message);
    });
  }
  process.on("SIGTERM", () => process.exit(0));
}
