// What every process of a log row does, given a logger: writes lines at the harness's order, which comes over a Unix socket.
import net from "node:net";
import { createInterface } from "node:readline";

/** Lines in a row, before the event loop turns. */
const AT_ONCE = 200;

export function write(number, logger) {
  let total = 0;
  const order = async ({ ms }) => {
    const startAt = Date.now();
    const end = performance.now() + ms;
    const before = total;
    while (performance.now() < end) {
      for (let n = 0; n < AT_ONCE; n++) {
        const fields = {
          requestId: "4f2a-1",
          path: "/orders/17",
          status: 200,
          ms: 12.5,
          user: { id: 5, tags: ["a", "b"] },
        };
        logger.info(fields, "request completed");
      }
      total += AT_ONCE;
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    }
    return { startAt, lines: total - before, total };
  };
  const socket = net.connect(process.env.BENCH_CONTROL);
  socket.on("close", () => process.exit(0));
  const obey = async (line) => void socket.write(`${JSON.stringify(await order(JSON.parse(line)))}\n`);
  createInterface({ input: socket }).on("line", (line) => void obey(line));
  socket.write(`${JSON.stringify({ participant: number })}\n`);
}
