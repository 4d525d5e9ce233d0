import { expect, it } from "vitest";
import { Pace } from "../../../bench/pace.ts";

const MINUTE = 60_000;

it("measures all that is due while there is time for every round after it", () => {
  const pace = new Pace({ minutes: 25, rounds: 8 });
  expect(pace.next(0, 0)).toBe("all");
  pace.took(0, 6 * MINUTE);
  pace.took(1, MINUTE);
  expect(pace.next(2, 7 * MINUTE)).toBe("all");
});

it("leaves out rows that scatter little when time gets scarce, then rounds", () => {
  const pace = new Pace({ minutes: 25, rounds: 8 });
  pace.took(0, 10 * MINUTE);
  expect(pace.next(1, 10 * MINUTE)).toBe("steady");
  pace.took(1, 4 * MINUTE);
  expect(pace.next(4, 22 * MINUTE)).toBe("nothing");
});
