/** Makes TLS handshakes with several `openssl s_time` at once. */
import type { Processes } from "../processes.ts";

export interface HandshakesOptions {
  readonly url: string;
  readonly seconds: number;
  /** Each client makes one connection after the other, with one request on it. */
  readonly clients: number;
  /** Whether clients come back with the session of their first connection. */
  readonly resume: boolean;
}

export interface Handshakes {
  readonly perSecond: number;
  /** Of 1: those that resumed the session. */
  readonly resumed: number;
}

export async function handshakes(processes: Processes, options: HandshakesOptions): Promise<Handshakes> {
  const { host } = new URL(options.url);
  const mode = options.resume ? "-reuse" : "-new";
  const args = ["s_time", "-connect", host, mode, "-www", "/", "-time", String(options.seconds)];
  // It looks at a clock of whole seconds: how long it really took is for us to see.
  const runs = Array.from({ length: options.clients }, async () => {
    const start = performance.now();
    const made = count(await processes.run("openssl", args));
    return { ...made, perSecond: (made.full + made.resumed) / ((performance.now() - start) / 1000) };
  });
  const made = await Promise.all(runs);
  const sum = (of: (each: (typeof made)[number]) => number): number => made.reduce((all, each) => all + of(each), 0);
  return {
    perSecond: sum(({ perSecond }) => perSecond),
    resumed:
      sum(({ resumed }) => resumed) /
      Math.max(
        1,
        sum(({ full, resumed }) => full + resumed),
      ),
  };
}

/** It prints a letter for each connection: `r` for one that resumed a session, another for a full handshake. */
function count(text: string): { readonly full: number; readonly resumed: number } {
  const all = [...text.matchAll(/^[*rstu.]+$/gm)].map(([line]) => line).join("");
  const resumed = all.replaceAll(/[^r]/g, "").length;
  return { full: all.length - resumed, resumed };
}
