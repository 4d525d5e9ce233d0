/** The same routes in every kind of app: what the header policy has to hold for. In the test's own process. */
import http, { type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from "node:http";
import { Readable } from "node:stream";
import express from "express";
import fastify from "fastify";
import { recogniseApp, type ServedApp } from "../../src/instance/app.ts";

/** Of these the policy under test leaves X-Clash, and the good value of X-Some. */
const OWN_HEADERS = { "X-Clash": "own", "X-Gone": "1", "x-some": ["bad", "good"] };

function plain(request: IncomingMessage, response: ServerResponse): void {
  switch (request.url) {
    case "/ok":
      response.end("ok");
      return;
    case "/own":
      for (const [name, value] of Object.entries(OWN_HEADERS)) response.setHeader(name, value);
      response.end("own");
      return;
    case "/stream":
      Readable.from(["one", "two"]).pipe(response);
      return;
    case "/redirect":
      response.writeHead(302, { Location: "/ok" }).end();
      return;
    case "/empty":
      response.writeHead(204).end();
      return;
    case "/not-modified":
      response.writeHead(304, "Not Modified", { ETag: '"1"' }).end();
      return;
    case "/error":
      response.writeHead(500, "Broken").end("broken");
      return;
    default:
      if (!heads(request.url, response)) response.writeHead(404).end("not found");
  }
}

/** Every form of writeHead, with headers of its own; false for another path. */
function heads(path: string | undefined, response: ServerResponse): boolean {
  const own: OutgoingHttpHeaders = OWN_HEADERS;
  const flat = ["X-Clash", "own", "X-Gone", "1", "X-Some", "bad", "X-Some", "good"];
  const pairs = [0, 2, 4, 6].map((index) => flat.slice(index, index + 2));
  if (path === "/head-object") response.writeHead(200, own);
  else if (path === "/head-reason") response.writeHead(200, "Fine", own);
  else if (path === "/head-flat") response.writeHead(200, flat);
  else if (path === "/head-pairs") response.writeHead(200, pairs as never);
  else if (path === "/head-mixed")
    response.setHeader("X-Clash", "before").setHeader("X-Some", "set").writeHead(200, own);
  else if (path === "/head-append") response.appendHeader("X-Some", "bad").appendHeader("X-Some", "good");
  else return false;
  response.end("head");
  return true;
}

function expressApp(): ServedApp {
  const app = express();
  // Its default would print the error.
  app.set("env", "test");
  app.get("/ok", (_request, response) => void response.send("ok"));
  app.get("/own", (_request, response) => void response.set(OWN_HEADERS).send("own"));
  app.get("/stream", (_request, response) => Readable.from(["one", "two"]).pipe(response));
  app.get("/redirect", (_request, response) => response.redirect("/ok"));
  app.get("/empty", (_request, response) => void response.status(204).end());
  app.get("/not-modified", (_request, response) => void response.status(304).end());
  app.get("/error", () => {
    throw new Error("broken");
  });
  app.use((request, response, next) => (heads(request.path, response) ? undefined : next()));
  return recogniseApp(app);
}

function fastifyApp(): ServedApp {
  const app = fastify({ exposeHeadRoutes: true });
  app.get("/ok", () => "ok");
  app.get("/own", (_request, reply) => reply.headers(OWN_HEADERS).send("own"));
  app.get("/stream", (_request, reply) => reply.send(Readable.from(["one", "two"])));
  app.get("/redirect", (_request, reply) => reply.redirect("/ok"));
  app.get("/empty", (_request, reply) => reply.code(204).send());
  app.get("/not-modified", (_request, reply) => reply.code(304).send());
  app.get("/error", () => {
    throw new Error("broken");
  });
  for (const form of ["object", "reason", "flat", "pairs", "mixed", "append"]) {
    app.get(`/head-${form}`, (request, reply) => {
      reply.hijack();
      heads(request.url, reply.raw);
    });
  }
  return recogniseApp(app);
}

function fetchApp(): ServedApp {
  const own = { "X-Clash": "own", "X-Gone": "1", "X-Some": "good" };
  return recogniseApp({
    fetch(request: Request): Response {
      switch (new URL(request.url).pathname) {
        case "/ok":
          return new Response("ok");
        case "/own":
          return new Response("own", { headers: own });
        case "/stream":
          return new Response(
            Readable.toWeb(Readable.from([Buffer.from("one"), Buffer.from("two")])) as ReadableStream,
          );
        case "/redirect":
          return new Response(null, { status: 302, headers: { location: "/ok" } });
        case "/empty":
          return new Response(null, { status: 204 });
        case "/not-modified":
          return new Response(null, { status: 304 });
        case "/error":
          throw new Error("broken");
        default:
          return new Response("not found", { status: 404 });
      }
    },
  });
}

export const APPS: Readonly<Record<string, () => ServedApp>> = {
  "a listener": () => recogniseApp(plain),
  "an http.Server": () => recogniseApp(http.createServer(plain)),
  Express: expressApp,
  Fastify: fastifyApp,
  "an object with fetch": fetchApp,
};
