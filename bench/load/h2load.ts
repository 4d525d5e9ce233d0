/** Drives HTTP/2, or a number of requests, with h2load, of Debian's package nghttp2-client. */
import type { Processes } from "../processes.ts";

export interface H2loadOptions {
  readonly url: string;
  readonly seconds: number;
  readonly connections: number;
  /** On each connection at the same time. */
  readonly streams: number;
}

/** Requests that succeeded, per second; throws when it was not HTTP/2 that was spoken. */
export async function h2load(
  processes: Processes,
  { url, seconds, connections, streams }: H2loadOptions,
): Promise<{ readonly perSecond: number; readonly failed: number }> {
  const args = [`-c${connections}`, `-m${streams}`, `-D${seconds}`, `${url}/`];
  const text = await processes.run("h2load", args);
  if (!text.includes("Application protocol: h2")) throw new Error(`Not HTTP/2:\n${text}`);
  const [, succeeded, failed] = /(\d+) succeeded, (\d+) failed/.exec(text) ?? [];
  if (succeeded === undefined) throw new Error(`h2load counted nothing:\n${text}`);
  return { perSecond: Number(succeeded) / seconds, failed: Number(failed) };
}

/** Makes so many requests by HTTP/1.1 on 64 kept connections: the same work for everybody, however long it takes. */
export async function requests(
  processes: Processes,
  { url, count }: { readonly url: string; readonly count: number },
): Promise<void> {
  const text = await processes.run("h2load", ["--h1", "-c64", `-n${count}`, `${url}/`]);
  if (!text.includes(`${count} succeeded`)) throw new Error(`Not all of ${count} requests were answered:\n${text}`);
}
