import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { watchRawAnswer } from "../../../src/http/raw-answer.ts";

describe("watchRawAnswer", () => {
  it("reads the first thing that is written, as text or bytes, and nothing behind it", () => {
    const upgraded = new PassThrough();
    let calls = 0;
    const answer = watchRawAnswer(upgraded, () => (calls += 1));
    expect(answer.status).toBeUndefined();
    upgraded.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nfirst");
    upgraded.write("HTTP/1.1 500 of the app's own protocol\r\n\r\n");
    expect(answer).toMatchObject({ status: 101, headBytes: 48 });
    expect(calls).toBe(1);
    const refused = new PassThrough();
    const bytes = watchRawAnswer(refused);
    refused.end(Buffer.from("HTTP/1.1 403 Forbidden\r\n\r\n"));
    expect(bytes).toMatchObject({ status: 403, headBytes: 26 });
    expect(refused.read()).toHaveLength(26);
  });

  it("knows no status of what is no answer", () => {
    const socket = new PassThrough();
    const answer = watchRawAnswer(socket);
    socket.write(Buffer.from([1, 2, 3]));
    expect(answer).toMatchObject({ status: undefined, headBytes: 0 });
  });
});
