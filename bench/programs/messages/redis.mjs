// Redis, with the client that its makers recommend: a connection to publish and one to subscribe, as the protocol wants it.
import { createClient } from "redis";
import { participate, windowed } from "./participant.mjs";

const url = `redis://127.0.0.1:${process.env.BENCH_PORT}`;
const [publisher, subscriber] = [createClient({ url }), createClient({ url })];
await Promise.all([publisher.connect(), subscriber.connect()]);
await participate(Number(process.argv[2]), {
  publish: windowed((topic, value) => publisher.publish(topic, value)),
  subscribe: (topic, handler) => subscriber.subscribe(topic, handler),
  flush: () => publisher.ping(),
});
