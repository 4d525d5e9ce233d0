/** Clients over TLS, HTTP/1.1 and HTTP/2, each request on a connection of its own unless it says otherwise. */
import { once } from "node:events";
import http2 from "node:http2";
import https from "node:https";
import tls from "node:tls";
import { within } from "./within.ts";

export interface TlsAnswer {
  readonly status: number;
  /** Names in lower case; several values of one are an array. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  readonly reused: boolean;
  /** Of the server's certificate; of a resumed TLS 1.3 session the client knows it too. */
  readonly serial: string;
}

export interface TlsAskOptions {
  readonly ca: string;
  readonly session?: Buffer | undefined;
  readonly version?: tls.SecureVersion;
  readonly method?: string;
}

/** One request over HTTP/1.1. */
export function askTls(url: string, { ca, session, version, method = "GET" }: TlsAskOptions): Promise<TlsAnswer> {
  const versions = version === undefined ? {} : { minVersion: version, maxVersion: version };
  const request = https.request(url, {
    agent: false,
    method,
    ca,
    servername: "localhost",
    ...(session === undefined ? {} : { session }),
    ...versions,
  });
  const answer = new Promise<TlsAnswer>((resolve, reject) => {
    request.on("response", (response) => {
      const socket = response.socket as tls.TLSSocket;
      const reused = socket.isSessionReused();
      const serial = socket.getPeerCertificate().serialNumber;
      let body = "";
      response.setEncoding("latin1").on("data", (chunk: string) => (body += chunk));
      response.on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode!, headers: response.headers, body, reused, serial }),
      );
    });
    request.on("error", reject);
  });
  request.end();
  return within(answer, `an answer from ${url}`);
}

/** A session of HTTP/2, for several requests. */
export async function connectHttp2(url: string, ca: string): Promise<http2.ClientHttp2Session> {
  const session = http2.connect(url, { ca, servername: "localhost" });
  session.on("error", () => {});
  await within(once(session, "connect"), "a session");
  return session;
}

/** One request on a session of HTTP/2. */
export async function askHttp2(
  session: http2.ClientHttp2Session,
  path: string,
  headers: http2.OutgoingHttpHeaders = {},
): Promise<Pick<TlsAnswer, "status" | "headers" | "body">> {
  const stream = session.request({ ":path": path, ...headers }, { endStream: true });
  let body = "";
  stream.setEncoding("latin1").on("data", (chunk: string) => (body += chunk));
  const [received] = (await within(once(stream, "response"), `the head of ${path}`)) as [http2.IncomingHttpHeaders];
  if (!stream.closed) await within(once(stream, "close"), `the body of ${path}`);
  const { ":status": status, ...rest } = received;
  return { status: Number(status), headers: rest, body };
}

export interface Resumption {
  readonly body: string;
  readonly reused: boolean;
  /** For the next connection. */
  readonly session: Buffer;
}

/** One request on a connection that resumes a session, or begins one. */
export async function resume(
  port: number,
  { path, ca, version, session }: TlsAskOptions & { readonly path: string },
): Promise<Resumption> {
  const versions = version === undefined ? {} : { minVersion: version, maxVersion: version };
  const resuming = session === undefined ? {} : { session };
  const socket = tls.connect({ port, host: "127.0.0.1", ca, servername: "localhost", ...versions, ...resuming });
  let text = "";
  let latest = session;
  socket.setEncoding("latin1").on("data", (chunk: string) => (text += chunk));
  // With TLS 1.3 tickets come after the handshake; a resumed session of TLS 1.2 keeps its own.
  socket.on("session", (ticket: Buffer) => (latest = ticket));
  await within(once(socket, "secureConnect"), "a handshake");
  const reused = socket.isSessionReused();
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
  await within(once(socket, "close"), () => `the end of the answer, after ${text}`);
  if (latest === undefined) throw new Error("no session ticket came");
  return { body: text.split("\r\n\r\n")[1] ?? "", reused, session: latest };
}
