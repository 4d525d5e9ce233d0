/** Drives HTTP/1.1 with wrk, Debian's package of that name. */
import type { Processes } from "../processes.ts";

export interface WrkOptions {
  readonly url: string;
  readonly seconds: number;
  readonly connections: number;
  /** Asks for a connection of its own for each request. */
  readonly newConnections?: boolean;
}

export interface WrkResult {
  readonly perSecond: number;
  /** How many were answered. */
  readonly count: number;
  /** Milliseconds, of answered requests. */
  readonly p50: number;
  readonly p99: number;
  /** What went wrong, in wrk's words; empty when nothing did. */
  readonly errors: string;
}

export async function wrk(processes: Processes, options: WrkOptions): Promise<WrkResult> {
  const { url, seconds, connections, newConnections = false } = options;
  const close = newConnections ? ["-H", "Connection: close"] : [];
  // wrk takes whole seconds only.
  const duration = String(Math.max(1, Math.round(seconds)));
  const args = ["-t1", `-c${connections}`, `-d${duration}`, "--latency", ...close, `${url}/`];
  return parse(await processes.run("wrk", args));
}

function parse(text: string): WrkResult {
  const errors = [...text.matchAll(/^\s*(Socket errors:.*|Non-2xx.*)$/gm)].map(([, line]) => line).join("; ");
  return {
    perSecond: Number(find(text, /Requests\/sec:\s+([\d.]+)/)),
    count: Number(find(text, /(\d+) requests in /)),
    p50: milliseconds(find(text, /\n\s+50%\s+([\d.]+\w+)/)),
    p99: milliseconds(find(text, /\n\s+99%\s+([\d.]+\w+)/)),
    errors,
  };
}

const UNITS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000 };

function milliseconds(text: string): number {
  const [, value, unit = ""] = /^([\d.]+)(\w+)$/.exec(text) ?? [];
  return Number(value) * (UNITS[unit] ?? Number.NaN);
}

function find(text: string, pattern: RegExp): string {
  const value = pattern.exec(text)?.[1];
  if (value === undefined) throw new Error(`wrk printed nothing like ${pattern}:\n${text}`);
  return value;
}
