/** The types of messages, as apps and their tests see them: compiled by `tsc -p test`, never run. */
import type { InstanceInfo, Message, MessageStream, PubSub, Subscription } from "choir";
import { instance, onShutdown, pubSub } from "choir/instance";
import { createTestInstances } from "choir/testing";
import { expectTypeOf } from "vitest";

interface User {
  readonly name: string;
}

expectTypeOf(pubSub).toEqualTypeOf<PubSub>();
expectTypeOf(instance).toEqualTypeOf<InstanceInfo>();

export async function messages(): Promise<void> {
  const subscription = await pubSub.subscribe<User>("user_upgraded", (user, { topic, retained }) => {
    expectTypeOf(user).toEqualTypeOf<User>();
    expectTypeOf(topic).toEqualTypeOf<string>();
    expectTypeOf(retained).toEqualTypeOf<boolean>();
  });
  expectTypeOf(subscription).toEqualTypeOf<Subscription>();
  await subscription.unsubscribe();

  // Without a type the value is unknown: it comes from another process.
  await pubSub.subscribe("user_upgraded", (user) => {
    expectTypeOf(user).toBeUnknown();
    // @ts-expect-error so it has no properties
    void user.name;
  });

  const stream = pubSub.subscribe<User>("user_*");
  expectTypeOf(stream).toEqualTypeOf<MessageStream<User>>();
  await stream.ready;
  for await (const message of stream) {
    expectTypeOf(message).toEqualTypeOf<Message<User>>();
  }
  // @ts-expect-error it is active at once and not awaited: `await` would hide the stream
  void stream.then;

  await pubSub.publish("user_upgraded", { name: "Ada" }, { retain: true });
  await pubSub.clear("user_upgraded");
  await pubSub.flush();
  // @ts-expect-error a topic is a text
  await pubSub.publish(1, "value");
  // @ts-expect-error an option that does not exist
  await pubSub.publish("topic", "value", { retained: true });
  // @ts-expect-error metadata are read only
  instance.id = 1;
  // @ts-expect-error a hook is a function
  onShutdown("close");
}

export async function tests(): Promise<void> {
  await using all = createTestInstances(2, { name: "example", logTo: process.stdout });
  const [first] = all.instances;
  const app = await first?.app((given) => void given.get("/", () => given.container.cradle.instance.id));
  expectTypeOf(app?.inject("/")).not.toBeAny();
  expectTypeOf(first?.logs[0]?.level).toEqualTypeOf<number | undefined>();
  // @ts-expect-error how many, not which
  createTestInstances("2");
}
