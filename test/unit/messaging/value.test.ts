import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeValue } from "../../../src/messaging/value.ts";

class User {
  readonly name = "Ada";
  greet(): string {
    return this.name;
  }
}
function Legacy(this: { a: number }): void {
  this.a = 1;
}
Legacy.prototype.method = () => {};

function cyclic(): unknown {
  const value: { list: unknown[] } = { list: [1] };
  value.list.push({ back: value });
  return value;
}

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) value = [value];
  return value;
}

describe("encodeValue", () => {
  it("sends any JSON value as JSON.stringify writes it", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        expect(encodeValue(value)).toBe(JSON.stringify(value));
      }),
    );
  });

  it.each([
    ["undefined properties, left out", { a: 1, b: undefined }, '{"a":1}'],
    ["dates", { at: new Date(0) }, '{"at":"1970-01-01T00:00:00.000Z"}'],
    ["URLs", [new URL("http://a/")], '["http://a/"]'],
    ["toJSON", { toJSON: () => ({ a: 1 }) }, '{"a":1}'],
    ["instances of classes", new User(), '{"name":"Ada"}'],
    ["functions that are inherited", Reflect.construct(Legacy, []), '{"a":1}'],
    ["objects without a prototype", Object.assign(Object.create(null), { a: null }), '{"a":null}'],
    ["the same object twice", ((one) => [one, one])({ a: 1 }), '[{"a":1},{"a":1}]'],
    ["deep nesting", nested(900), JSON.stringify(nested(900))],
    ["lone surrogates", "\ud800", '"\\ud800"'],
  ])("sends %s", (_, value, text) => {
    expect(encodeValue(value)).toBe(text);
  });

  it("sends bytes as they are", () => {
    const bytes = new Uint8Array([1, 2]);
    expect(encodeValue(bytes)).toBe(bytes);
    const buffer = Buffer.from("a");
    expect(encodeValue(buffer)).toBe(buffer);
  });

  it.each([
    [undefined, "value is undefined"],
    [() => {}, "value is a function"],
    [{ user: { tags: ["a", "b", () => {}] } }, "value.user.tags[2] is a function"],
    [{ "a b": [Symbol("s")] }, 'value["a b"][0] is a symbol'],
    [[1, undefined], "value[1] is undefined"],
    // oxlint-disable-next-line no-sparse-arrays
    [[1, , 2], "value[1] is undefined"],
    [{ n: 10n }, "value.n is a bigint"],
    [{ n: Number.NaN }, "value.n is NaN"],
    [-Infinity, "value is -Infinity"],
    [cyclic(), "value.list[1].back refers back"],
    [{ m: new Map([[1, 2]]) }, "value.m is a Map"],
    [new Set(), "value is a Set"],
    [{ e: new Error("x") }, "value.e is an Error"],
    [/x/, "value is a RegExp"],
    [Promise.resolve(), "value is a Promise"],
    [{ at: new Date(Number.NaN) }, "value.at is an invalid Date"],
    [{ b: new Uint8Array(1) }, "value.b is a Uint8Array; bytes are sent only"],
    [{ b: Buffer.alloc(1) }, "value.b is a Buffer; bytes are sent only"],
    [new Float64Array(1), "value is a Float64Array"],
    [new ArrayBuffer(1), "value is an ArrayBuffer"],
    [{ toJSON: () => new Map() }, "value is a Map"],
    [{ a: { toJSON: () => ({ b: 1n }) } }, "value.a.b is a bigint"],
    [nested(1200), "is nested more than 1000 levels deep"],
  ])("refuses %s: %s", (value, message) => {
    expect(() => encodeValue(value)).toThrow(
      expect.objectContaining({ code: "ERR_CHOIR_VALUE", message: expect.stringContaining(message) }),
    );
  });

  it("keeps what a getter throws as the cause", () => {
    const cause = new Error("no database");
    const value = {
      get a(): never {
        throw cause;
      },
    };
    expect(() => encodeValue(value)).toThrow(expect.objectContaining({ code: "ERR_CHOIR_VALUE", cause }));
  });

  it("refuses too many bytes", () => {
    expect(() => encodeValue(new Uint8Array(1024 * 1024 + 1))).toThrow(
      "Value is 1048577 bytes when encoded, at most 1048576",
    );
  });
});
