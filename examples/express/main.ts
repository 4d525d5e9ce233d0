// An Express app: configureServer takes no parameter, so no Fastify is loaded, and returns the app to serve.
import { Runner } from "choir";
import { instance, logger, onShutdown } from "choir/instance";
import express from "express";

await new Runner("express-example", createApp, {
  removeResponseHeaders: ["X-Powered-By"],
}).run();

function createApp() {
  const app = express();
  app.get("/", (_request, response) => {
    response.json({ hello: "from Express", instance: instance.id });
  });
  onShutdown(() => logger.info("Drained, closing"));
  return app;
}
