// What every process of a message row does, given a transport: obeys the harness, which it reaches over a Unix socket.
import net from "node:net";
import { createInterface } from "node:readline";

/** As much JSON text: two quotes are a part of it. */
const text = (bytes) => "x".repeat(bytes - 2);
/** When nothing has come for so long, nothing comes any more. */
const SILENCE_MS = 1500;

/** `transport` has `publish(topic, value)`, `subscribe(topic, handler)` and `flush()`, all with promises. */
export async function participate(number, transport) {
  const received = { count: 0, at: 0 };
  await transport.subscribe("load", () => {
    received.count++;
    received.at = now();
  });
  await transport.subscribe(`ping.${number}`, () => void transport.publish("pong", "x"));
  let onPong = () => {};
  await transport.subscribe("pong", () => onPong());
  const orders = {
    forget: () => {
      received.count = 0;
      return {};
    },
    publish: (order) => publish(transport, order),
    settle: async ({ expected }) => {
      await settled(received, expected);
      return { received: received.count, lastAt: received.at };
    },
    ping: ({ ms, to }) =>
      ping(ms, () => {
        const pong = new Promise((resolve) => {
          onPong = resolve;
        });
        void transport.publish(`ping.${to}`, text(100));
        return pong;
      }),
  };
  const socket = net.connect(process.env.BENCH_CONTROL);
  socket.on("close", () => process.exit(0));
  const obey = async (order) => void socket.write(`${JSON.stringify(await orders[order.do](order))}\n`);
  createInterface({ input: socket }).on("line", (line) => void obey(JSON.parse(line)));
  socket.write(`${JSON.stringify({ participant: number })}\n`);
}

/** The same clock in all processes of a machine, in milliseconds. */
function now() {
  return Number(process.hrtime.bigint()) / 1e6;
}

async function publish(transport, { ms, bytes }) {
  const value = text(bytes);
  const startAt = now();
  let sent = 0;
  while (now() - startAt < ms) {
    for (let n = 0; n < 50; n++) await transport.publish("load", value);
    sent += 50;
  }
  await transport.flush();
  return { sent, startAt, tookMs: now() - startAt };
}

async function settled(received, expected) {
  let before = -1;
  let since = now();
  while (received.count < expected && now() - since < SILENCE_MS) {
    if (received.count !== before) {
      before = received.count;
      since = now();
    }
    await new Promise((resolve) => {
      setTimeout(resolve, 10);
    });
  }
}

async function ping(ms, roundTrip) {
  const times = [];
  // The first ones find nothing compiled.
  for (let n = 0; n < 200; n++) await roundTrip();
  const start = now();
  while (now() - start < ms) {
    const before = now();
    await roundTrip();
    times.push(now() - before);
  }
  times.sort((a, b) => a - b);
  const at = (share) => times[Math.floor(times.length * share)] ?? 0;
  return { p50: at(0.5), p99: at(0.99) };
}

/** For transports that answer each value: `size` to twice as many are on their way at the same time. */
export function windowed(send, size = 1000) {
  let pending = [];
  let earlier;
  return async (...args) => {
    pending.push(send(...args));
    if (pending.length < size) return;
    const awaited = earlier;
    earlier = Promise.all(pending);
    pending = [];
    await awaited;
  };
}
