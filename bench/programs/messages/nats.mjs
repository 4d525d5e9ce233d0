// NATS, with its own client: publishing there is a call that does not wait, so every so often the server is waited for.
import { connect } from "@nats-io/transport-node";
import { participate } from "./participant.mjs";

const WAIT_AFTER = 1000;
const connection = await connect({ servers: `127.0.0.1:${process.env.BENCH_PORT}`, noEcho: true });
let published = 0;
let earlier;
await participate(Number(process.argv[2]), {
  async publish(topic, value) {
    connection.publish(topic, value);
    if (++published % WAIT_AFTER > 0) return;
    // For the flush before: the connection is never without something to send.
    const awaited = earlier;
    earlier = connection.flush();
    await awaited;
  },
  async subscribe(topic, handler) {
    connection.subscribe(topic, { callback: (_, message) => handler(message.string()) });
    await connection.flush();
  },
  flush: () => connection.flush(),
});
