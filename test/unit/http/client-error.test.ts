import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { clientErrorHandler, statusFor } from "../../../src/http/client-error.ts";
import { compileHeaderPolicy, type HeaderPolicyOptions } from "../../../src/http/headers.ts";

function answer(options: HeaderPolicyOptions, message?: { headersSent: boolean }): string {
  const socket = Object.assign(new PassThrough(), { _httpMessage: message ?? null });
  socket.on("error", () => {});
  let sent = "";
  const write = socket.write.bind(socket);
  socket.write = (chunk: string) => {
    sent += chunk;
    return write(chunk);
  };
  clientErrorHandler(compileHeaderPolicy(options))(new Error("broken"), socket);
  expect(socket.destroyed).toBe(true);
  return sent;
}

test.each([
  ["HPE_HEADER_OVERFLOW", 431],
  ["HPE_CHUNK_EXTENSIONS_OVERFLOW", 413],
  ["ERR_HTTP_REQUEST_TIMEOUT", 408],
  ["HPE_INVALID_METHOD", 400],
  [undefined, 400],
])("%s is answered with %i", (code, status) => {
  expect(statusFor(code)).toBe(status);
});

test("answers as Node does, with what is added", () => {
  expect(answer({ responseHeaders: { "X-A": ["1", "2"], Connection: "keep-alive" } })).toBe(
    "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nX-A: 1\r\nX-A: 2\r\n\r\n",
  );
});

test("leaves out what is removed", () => {
  expect(answer({ removeResponseHeaders: ["Connection"] })).toBe("HTTP/1.1 400 Bad Request\r\n\r\n");
  expect(answer({ removeResponseHeaders: { connection: "close" } })).toBe("HTTP/1.1 400 Bad Request\r\n\r\n");
});

test("says nothing in the middle of another answer", () => {
  expect(answer({ responseHeaders: { "X-A": "1" } }, { headersSent: true })).toBe("");
  expect(answer({ responseHeaders: { "X-A": "1" } }, { headersSent: false })).toContain("400");
});
