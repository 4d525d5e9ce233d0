import { expect, it } from "vitest";
import { readRow } from "../../../src/supervisor/queue-length.ts";

const HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
const LISTENING =
  "   1: 0100007F:A0E1 00000000:0000 0A 00000000:0000000C 00:00000000 00000000     0        0 4460350 13 0 100 0 0 10 0";
const LISTENING_6 =
  "   2: 00000000000000000000000001000000:0BB8 00000000000000000000000000000000:0000 0A 00000000:00000002 00:00000000 00000000  1000        0 77 1 0 100 0 0 10 0";
const CONNECTED =
  "   3: 0100007F:A0E1 0100007F:9C40 01 00000000:00000005 00:00000000 00000000     0        0 99 1 0 20 4 30 10 -1";

it("takes down sockets that listen, and ends where they do", () => {
  const waiting = new Map<string, number>();
  expect([HEAD, LISTENING, LISTENING_6, CONNECTED, ""].map((line) => readRow(line, waiting))).toEqual([
    true,
    true,
    true,
    false,
    false,
  ]);
  expect([...waiting]).toEqual([
    ["4460350", 12],
    ["77", 2],
  ]);
});
