/** What configureServer may take and return: compiled by `tsc -p test`, never run. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { NestFactory } from "@nestjs/core";
import { type App, type ConfigureServer, Runner } from "choir";
import express from "express";
import fastify from "fastify";
import { Hono } from "hono";

const use = (configureServer: ConfigureServer): Runner => new Runner("example", configureServer);

// The default app, given back or not, at once or later.
use((app) => void app.get("/", () => "hello"));
use((app) => app);
use((app: App) => {
  app.get<{ Params: { id: string } }>("/:id", (request) => request.params.id.toUpperCase());
});
use(async (app) => {
  await app.register(async (inner) => void inner.get("/inner", () => inner.container.cradle.instance.id));
});

// An app of its own.
use(() => (_request: IncomingMessage, response: ServerResponse) => void response.end("hello"));
use(async () => express());
use(() => createServer());
use(() => new Hono());
use(() => fastify());
use(() => NestFactory.create({ module: Map }));
use(() => ({ fetch: (request: Request) => new Response(request.url) }));
use(() => ({ fetch: async () => new Response("hello") }));

// @ts-expect-error a text is no app
use(() => "hello");
// @ts-expect-error neither is a number, later
use(async () => 1);
// @ts-expect-error a listener in the place of configureServer: write () => listener
use((_request: IncomingMessage, response: ServerResponse) => void response.end("hello"));
// @ts-expect-error an app in its place: write () => app
use(new Hono());
// @ts-expect-error fetch answers with a Response
use(() => ({ fetch: () => "hello" }));
