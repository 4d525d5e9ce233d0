// Participants are the instances of one app; each value is published by `await pubSub.publish()`, as an app does.
import { Runner } from "../../../dist/src/index.js";
import { instance, pubSub } from "../../../dist/src/instance/api.js";
import { participate } from "./participant.mjs";

await new Runner("bench", async () => {
  await participate(instance.id, {
    publish: (topic, value) => pubSub.publish(topic, value),
    subscribe: (topic, handler) => pubSub.subscribe(topic, handler),
    flush: () => pubSub.flush(),
  });
  return (request, response) => response.end();
}).run();
