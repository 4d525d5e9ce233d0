import { expect, it } from "vitest";
import { describeBytes, statusText } from "../../../src/cli/status-text.ts";
import { SNAPSHOT } from "../../helpers/snapshots.ts";

const NOW = Date.parse("2027-01-15T09:00:00.000Z");

it("shows every process in a line, waiting slots too, and nothing that acts on the terminal", () => {
  expect(statusText(SNAPSHOT, NOW)).toBe(
    String.raw`
example is running: 1 of 2 ready, generation 2, up 1 h
supervisor pid 4000, Choir 1.2.3, at http://127.0.0.1:3000
Rolling restart taken back after 1.5 s, the old generation serves: x\x1b[2Jy

SLOT  STATE     GENERATION   PID      UPTIME  RESTARTS  MEMORY  REQUESTS  IN FLIGHT  LOOP DELAY  LAST EXIT
   0  ready              2  4010  4 min 10 s         3   58 MB    12,345          3       12 ms  crashed (SIGKILL) 1 min ago
   0  draining           1  4002         1 h         3       -         -          -           -  crashed (SIGKILL) 1 min ago
   1  waiting            -     -           -         0       -         -          -           -  crashed (exit code 1) 1 s ago
`.slice(1),
  );
});

it("writes bytes with a fitting unit", () => {
  expect([58_400_000, 999_000_000, 1_250_000_000].map(describeBytes)).toEqual(["58 MB", "999 MB", "1.3 GB"]);
});
