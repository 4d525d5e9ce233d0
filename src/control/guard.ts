/** Tells requests that another site made a browser send. Used in the supervisor, by what listens on a port; pure. */
import type { IncomingHttpHeaders } from "node:http";
import { isIP } from "node:net";
import { quote } from "../errors.ts";

/**
 * Why a request is not to be served; undefined when it is. A page of another site has its Origin. One whose own name was made to point
 * here (DNS rebinding) has its name as Host: on a loopback address nobody has a reason to use a name other than localhost.
 */
export function foreignRequest(headers: IncomingHttpHeaders, isLoopback: boolean): string | undefined {
  const { host, origin } = headers;
  if (origin !== undefined && origin !== `http://${host}`) return `A page of ${quote(origin)} may not ask this`;
  const site = headers["sec-fetch-site"];
  if (site === "cross-site" || site === "same-site") return "A page of another site may not ask this";
  if (!isLoopback) return undefined;
  const name = hostName(host ?? "");
  if (name === "localhost" || isIP(name) > 0) return undefined;
  return `Ask with an IP address or localhost as host, not with ${quote(host)}`;
}

/** The name in a Host header, in lower case, without port and brackets. */
export function hostName(host: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(host)?.[1];
  return (bracketed ?? host.replace(/:\d{1,5}$/, "")).toLowerCase();
}
