/** Drives HTTP/2 with h2load, of Debian's package nghttp2-client. */
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
