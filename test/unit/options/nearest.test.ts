// Suggestions for misspelt names.
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { editDistance, nearestName } from "../../../src/options/nearest.ts";

const KNOWN = ["--port", "--address", "--concurrency", "--no-respawn", "--respawn", "--quiet"];

it.each([
  ["--prot", "--port"],
  ["--prt", "--port"],
  ["--portt", "--port"],
  ["--adress", "--address"],
  ["--Quiet", "--quiet"],
  ["--conc", "--concurrency"],
  ["--norespawn", "--no-respawn"],
  ["--metrics", undefined],
  ["--", undefined],
  ["--x", undefined],
  ["--q", "--quiet"],
])("%s is near to %s", (typed, nearest) => {
  expect(nearestName(typed, KNOWN)).toBe(nearest);
});

it.each([
  ["", "", 0],
  ["", "abc", 3],
  ["port", "prot", 1],
  ["port", "pot", 1],
  ["port", "sport", 1],
  ["port", "part", 1],
  ["kitten", "sitting", 3],
])("the distance of %j and %j is %i", (a, b, distance) => {
  expect(editDistance(a, b)).toBe(distance);
});

it("measures the same both ways, and 0 for equal names only", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 8 }), fc.string({ maxLength: 8 }), (a, b) => {
      expect(editDistance(a, b)).toBe(editDistance(b, a));
      expect(editDistance(a, b) === 0).toBe(a === b);
    }),
  );
});
