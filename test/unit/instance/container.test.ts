import { asFunction, asValue } from "awilix";
import { expect, test } from "vitest";
import { createAppContainer } from "../../../src/instance/container.ts";
import { fakeServices } from "../../helpers/services.ts";

test("holds Choir's services as they are", () => {
  const { services } = fakeServices();
  const { cradle } = createAppContainer(services);
  expect(cradle.pubSub).toBe(services.pubSub);
  expect(cradle.locks).toBe(services.locks);
  expect(cradle.instance).toBe(services.instance);
  expect(cradle.logger).toBe(services.logger);
  expect(cradle.onShutdown).toBe(services.onShutdown);
});

test("builds the app's own of them", () => {
  const container = createAppContainer(fakeServices().services).register({
    greeting: asFunction(({ instance }: { instance: { name: string } }) => `hello from ${instance.name}`).singleton(),
  });
  expect(container.cradle.greeting).toBe("hello from test");
});

test("refuses a singleton that would keep what belongs to one request", () => {
  const container = createAppContainer(fakeServices().services).register({
    user: asFunction(() => ({})).scoped(),
    cache: asFunction(({ user }: { user: object }) => user).singleton(),
    limit: asValue(1),
  });
  expect(() => container.createScope().resolve("cache")).toThrow(/lifetime/);
});
