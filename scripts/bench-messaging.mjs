// Measures published messages per second, 1 publisher to 3 other processes, against Node's IPC in the same run: the parent
// forwards in both cases. Run `npm run build` first; `node scripts/bench-messaging.mjs [messages] [rounds] [string|object]`.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { Socket } from "node:net";
import { fileURLToPath } from "node:url";

const SUBSCRIBERS = 3;
const SELF = fileURLToPath(import.meta.url);
const role = process.env.BENCH_ROLE;
if (role === undefined) await parent();
else await child(role, Number(process.env.BENCH_COUNT));

async function parent() {
  const count = Number(process.argv[2] ?? 500_000);
  const rounds = Number(process.argv[3] ?? 3);
  const results = { ipc: [], choir: [] };
  for (let round = 0; round < rounds; round++) {
    results.ipc.push(await run("ipc", Math.ceil(count / 8)));
    results.choir.push(await run("choir", count));
    const [ipc, choir] = [results.ipc.at(-1), results.choir.at(-1)];
    console.log(
      `ipc ${text(ipc)}; choir ${text(choir)}; delivered ratio ${(choir.delivered / ipc.delivered).toFixed(1)}`,
    );
  }
  const [ipc, choir] = [median(results.ipc), median(results.choir)];
  console.log(
    `node ${process.version} median: ipc ${ipc.toFixed(0)}/s, choir ${choir.toFixed(0)}/s, ratio ${(choir / ipc).toFixed(1)}`,
  );
}

function text({ published, delivered, lost }) {
  return `${Math.round(published / 1000)} k/s published, ${Math.round(delivered / 1000)} k/s to the last delivery${lost > 0 ? `, LOST ${lost}` : ""}`;
}

function median(results) {
  return results.map(({ published }) => published).toSorted((a, b) => a - b)[results.length >> 1];
}

/** The publisher's rate, and the rate up to when every subscriber had its last message. */
async function run(kind, count) {
  const { Broker } = await import("../dist/src/messaging/broker.js");
  const broker = new Broker();
  const children = [];
  for (let id = 0; id <= SUBSCRIBERS; id++) {
    const env = {
      ...process.env,
      BENCH_ROLE: `${kind}-${id === SUBSCRIBERS ? "publish" : "subscribe"}`,
      BENCH_COUNT: String(count),
      BENCH_VALUE: process.argv[4] ?? "string",
    };
    const stdio = ["ignore", "inherit", "inherit", "ipc", "pipe"];
    const each = spawn(process.execPath, [SELF], { env, stdio, serialization: "json" });
    broker.connect({
      id,
      stream: each.stdio[4],
      onBroken: console.error,
      onOverload: (loss) => console.error("overload", id, loss),
    });
    await message(each, "ready");
    children.push(each);
  }
  const publisher = children[SUBSCRIBERS];
  const subscribers = children.slice(0, SUBSCRIBERS);
  if (kind === "ipc") {
    publisher.on("message", (value) => {
      if (value.type === undefined) for (const each of subscribers) each.send(value);
    });
  }
  const received = subscribers.map((each) => message(each, "received"));
  const published = message(publisher, "published");
  publisher.send({ type: "go" });
  const start = performance.now();
  const { ms } = await published;
  const ends = await Promise.all(received);
  const deliveredMs = performance.now() - start;
  const result = {
    published: count / (ms / 1000),
    delivered: count / (deliveredMs / 1000),
    lost: ends.reduce((lost, end) => lost + count - end.count, 0),
  };
  for (const each of children) {
    each.kill();
    if (each.exitCode === null && each.signalCode === null) await once(each, "exit");
  }
  return result;
}

function message(from, type) {
  return new Promise((resolve) => {
    from.on("message", function listener(value) {
      if (value.type !== type) return;
      from.off("message", listener);
      resolve(value);
    });
  });
}

async function child(role, count) {
  // 100 bytes of JSON text either way.
  const value =
    process.env.BENCH_VALUE === "object"
      ? { id: 123_456, name: "x".repeat(45), active: true, at: 1_700_000_000 }
      : "x".repeat(98);
  const [kind, part] = role.split("-");
  if (kind === "choir") {
    const { PubSubClient } = await import("../dist/src/messaging/client.js");
    const pubSub = new PubSubClient(new Socket({ fd: 4 }), {
      onHandlerError: console.error,
      onLeaderError: console.error,
    });
    if (part === "publish")
      await publish(
        count,
        () => pubSub.publish("bench.topic", value),
        () => pubSub.flush(),
      );
    else {
      const counter = receiver(count);
      await pubSub.subscribe("bench.topic", counter);
      process.send({ type: "ready" });
    }
  } else if (part === "publish")
    await publish(
      count,
      () => sendIpc({ topic: "bench.topic", value }),
      () => {},
    );
  else {
    const counter = receiver(count);
    process.on("message", counter);
    process.send({ type: "ready" });
  }
}

function receiver(count) {
  let seen = 0;
  const receive = () => {
    if (++seen === count) receive.end();
  };
  receive.end = () => process.send({ type: "received", count: seen });
  return receive;
}

/** Resolves when the channel has written the message. */
function sendIpc(value) {
  return new Promise((resolve) => {
    process.send(value, resolve);
  });
}

async function publish(count, send, settle) {
  process.send({ type: "ready" });
  await message(process, "go");
  const start = performance.now();
  for (let sent = 0; sent < count; sent++) await send();
  await settle();
  const ms = performance.now() - start;
  process.send({ type: "published", ms });
}
