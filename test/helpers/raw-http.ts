/** HTTP as bytes: what a server really sends, header by header. In the test's own process. */
import net, { type Server, type Socket } from "node:net";
import { once } from "node:events";

export interface RawResponse {
  status: number;
  /** Name (lower case) and value of each header line, in order. */
  headers: [string, string][];
  /** Everything after the head, as sent. */
  body: string;
  text: string;
}

/** What to send when the answer so far ends with something. */
export interface Continuation {
  after: string;
  bytes: string;
}

/** Sends bytes and collects all that comes until the server ends the connection. */
export async function rawExchange(port: number, bytes: string, next?: Continuation): Promise<string> {
  const socket = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  socket.setTimeout(10_000, () => socket.destroy(new Error("the server neither answered nor ended the connection")));
  socket.setEncoding("latin1");
  let text = "";
  socket.on("data", (chunk: string) => {
    text += chunk;
    if (next !== undefined && text.endsWith(next.after)) socket.write(next.bytes);
  });
  socket.write(bytes);
  try {
    await once(socket, "end");
  } catch (error) {
    // The server destroys a connection it gave up; a reset after its answer is part of that.
    if ((error as NodeJS.ErrnoException).code !== "ECONNRESET" && (error as NodeJS.ErrnoException).code !== "EPIPE")
      throw error;
  } finally {
    socket.destroy();
  }
  return text;
}

/** One request on a connection of its own. */
export async function rawRequest(port: number, path: string, options: { method?: string } = {}): Promise<RawResponse> {
  const { method = "GET" } = options;
  return parseResponse(
    await rawExchange(port, `${method} ${path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n`),
  );
}

export function parseResponse(text: string): RawResponse {
  const [head = "", ...rest] = text.split("\r\n\r\n");
  const [first = "", ...lines] = head.split("\r\n");
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return { status: Number(first.split(" ")[1]), headers, body: rest.join("\r\n\r\n"), text };
}

/** All values of one header, in order. */
export function valuesOf(response: RawResponse, name: string): string[] {
  return response.headers.filter(([key]) => key === name.toLowerCase()).map(([, value]) => value);
}

const accepted = new WeakMap<Server, Set<Socket>>();

/** Listens on a port that the system chooses. */
export async function listenAnywhere(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  accepted.set(server, sockets);
  server.prependListener("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** Ends a server and every connection of it. */
export async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, "close");
  server.close();
  for (const socket of accepted.get(server) ?? []) socket.destroy();
  await closed;
}
