/**
 * Who may do what on the dashboard's port. A browser is the danger: any page can make it send requests here, and one whose name was made
 * to point here (DNS rebinding) may even read the answers. Used in the supervisor; pure.
 */
import type { IncomingHttpHeaders } from "node:http";
import { quote } from "../../errors.ts";
import { hostName } from "../guard.ts";

export interface AccessRules {
  /** The host that --dashboard-address names, without brackets. */
  readonly host: string;
  /** Whether only this machine reaches it. */
  readonly isLoopback: boolean;
  /** Undefined: there is none, and nobody may change anything. */
  readonly token: { matches(given: string): boolean } | undefined;
}

/** What a request wants: a file of the page, which tells nothing; to know what it may; to see the app; or to change something. */
export type Wish = "page" | "session" | "view" | "change";

/** Why a request is not served. */
export interface Denial {
  readonly status: 401 | 403;
  readonly message: string;
}

/** What a client may do, as the page asks for it. */
export interface Session {
  readonly view: boolean;
  readonly change: boolean;
  /** `none`: there is no token, and nothing can be changed here. */
  readonly token: "none" | "missing" | "wrong" | "right";
}

/** Decides about a request; undefined when it is to be served. */
export function denialOf(headers: IncomingHttpHeaders, wish: Wish, rules: AccessRules): Denial | undefined {
  const foreign = foreignPage(headers, wish);
  if (foreign !== undefined) return { status: 403, message: foreign };
  if (rules.token === undefined && !isOwnHost(headers.host, rules))
    return { status: 403, message: `Ask with 127.0.0.1, [::1] or localhost as host, not with ${quote(headers.host)}` };
  if (wish === "page" || wish === "session") return undefined;
  const { view, change, token } = sessionOf(headers, rules);
  if (wish === "view" ? view : change) return undefined;
  if (token === "none") return { status: 403, message: "This dashboard only shows: it was given no --dashboard-token" };
  return {
    status: 401,
    message: token === "wrong" ? "This is not the dashboard's token" : "This needs the dashboard's token",
  };
}

/** Tells what a client may do. */
export function sessionOf(headers: IncomingHttpHeaders, rules: AccessRules): Session {
  const token = tokenState(headers.authorization, rules.token);
  const change = token === "right";
  return { view: change || (rules.isLoopback && isOwnHost(headers.host, rules)), change, token };
}

function tokenState(authorization: string | undefined, token: AccessRules["token"]): Session["token"] {
  if (token === undefined) return "none";
  const [, given] = /^Bearer ([\x21-\x7E]+)$/i.exec(authorization ?? "") ?? [];
  if (given === undefined) return "missing";
  return token.matches(given) ? "right" : "wrong";
}

/** Why a page of another site sent this; undefined when none did. Browsers say so by themselves, and pages cannot change it. */
function foreignPage({ host, origin, ...others }: IncomingHttpHeaders, wish: Wish): string | undefined {
  // With https there is a proxy in front, which speaks TLS.
  if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`)
    return `A page of ${quote(origin)} may not ask this`;
  const site = others["sec-fetch-site"];
  if (site !== "cross-site" && site !== "same-site") return undefined;
  // A link to the dashboard on another page: the browser shows it as a page of its own, and framing is forbidden by its policy.
  const isLink = others["sec-fetch-mode"] === "navigate" && others["sec-fetch-dest"] === "document";
  return wish === "page" && isLink ? undefined : "A page of another site may not ask this";
}

/** Whether a Host header names this machine, or what --dashboard-address says. */
function isOwnHost(host: string | undefined, rules: AccessRules): boolean {
  const name = hostName(host ?? "");
  return name === rules.host.toLowerCase() || ["localhost", "127.0.0.1", "::1"].includes(name);
}
