import { expect, test } from "vitest";
import { closePacketFor } from "../../../src/http/engine-polls.ts";

test.each([
  ["GET", "/socket.io/?EIO=4&transport=polling&t=abc&sid=xyz", "1"],
  ["GET", "/chat?sid=xyz&transport=polling&EIO=3", "1:1"],
  // Asks for a session.
  ["GET", "/socket.io/?EIO=4&transport=polling&t=abc", undefined],
  ["POST", "/socket.io/?EIO=4&transport=polling&sid=xyz", undefined],
  ["GET", "/socket.io/?EIO=4&transport=websocket&sid=xyz", undefined],
  ["GET", "/socket.io/?EIO=5&transport=polling&sid=xyz", undefined],
  ["GET", "/poll?transport=polling&sid=xyz", undefined],
  ["GET", "/search?q=transport=polling", undefined],
  ["GET", "/transport=polling", undefined],
])("%s %s is ended with %s", (method, url, packet) => {
  expect(closePacketFor({ method, url })).toBe(packet);
});
