import { expect, it } from "vitest";
import { checkLease } from "../../../../src/messaging/bridges/nats-locks.ts";

it("a lease is the TTL of its bucket, when that is long enough to be renewed", () => {
  expect(checkLease("b", 30_000)).toBe(30_000);
  expect(() => checkLease("b", 0)).toThrow(/bucket b has no TTL, and locks need one of 2000 ms/);
  expect(() => checkLease("b", 500)).toThrow(/a TTL of 500 ms/);
});
