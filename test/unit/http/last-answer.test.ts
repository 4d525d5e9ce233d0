import { expect, test } from "vitest";
import { withClose } from "../../../src/http/last-answer.ts";

test.each<[object, object]>([
  [{}, { Connection: "close" }],
  [
    { connection: "keep-alive", "x-a": ["1", "2"] },
    { "x-a": ["1", "2"], Connection: "close" },
  ],
  [[], ["Connection", "close"]],
  [
    ["CONNECTION", "keep-alive", "x-a", "1"],
    ["x-a", "1", "Connection", "close"],
  ],
  [
    [
      ["Connection", "keep-alive"],
      ["x-a", "1"],
    ],
    [
      ["x-a", "1"],
      ["Connection", "close"],
    ],
  ],
])("headers keep their form and all but Connection: %j", (headers, expected) => {
  const before = structuredClone(headers);
  expect(withClose(headers)).toEqual(expected);
  expect(headers).toEqual(before);
});
