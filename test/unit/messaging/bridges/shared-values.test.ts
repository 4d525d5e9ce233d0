import * as fc from "fast-check";
import { expect, it } from "vitest";
import { MARK, openEnvelope, sealEnvelope } from "../../../../src/messaging/bridges/envelope.ts";
import { SharedValues } from "../../../../src/messaging/bridges/shared-values.ts";
import { FakeClock } from "../../../helpers/fake-clock.ts";

const create = () => new SharedValues({ clock: new FakeClock(), onNewer: () => {}, onWarning: () => {} });

function record(version: number, origin: number, clear: boolean): Buffer {
  const marks = clear ? MARK.clear : MARK.retain;
  return sealEnvelope(
    { marks, origin: String(origin).padStart(16, "0"), sequence: 1, version },
    Buffer.from(clear ? "" : "x"),
  );
}

it("ends with the same value, or none, in whatever order values and clears arrive", () => {
  const update = fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 0, max: 2 }), fc.boolean());
  // What one supervisor makes at one time is one thing.
  const updates = fc.uniqueArray(update, { minLength: 1, selector: ([version, origin]) => version * 10 + origin });
  const order = updates.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })));
  fc.assert(
    fc.property(order, ([one, other]) => {
      const ends = [one, other].map((arrivals) => {
        const values = create();
        for (const [version, origin, clear] of [...arrivals, arrivals[0]!]) {
          values.merge("topic", openEnvelope(record(version, origin, clear))!);
        }
        return values.record("topic");
      });
      expect(ends[0]).toEqual(ends[1]);
    }),
  );
});

it("gives what is retained here a version above all that were seen, also when another machine's clock is ahead", () => {
  const values = create();
  const ahead = 2_000_000_000_000 * 1000;
  expect(values.nextVersion()).toBeLessThan(ahead);
  expect(values.merge("topic", openEnvelope(record(ahead, 1, false))!)).toBe("newest");
  expect(values.nextVersion()).toBe(ahead + 1);
  expect(values.nextVersion()).toBe(ahead + 2);
});
