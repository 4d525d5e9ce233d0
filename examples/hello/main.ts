// The original's example: a greeting that every instance knows, and a crash that costs nobody else anything.
import { type App, Runner } from "choir";

await new Runner("example", configureServer).run();

async function configureServer(app: App) {
  const { pubSub, instance } = app.container.cradle;
  let greeting = "Hello! This is the default greeting.";
  // The value is retained: an instance that starts later, after a crash for one, gets it at once.
  await pubSub.subscribe<string>("greeting_changed", (next) => {
    greeting = next;
  });

  app.get("/", () => "Hello, production world!");
  app.get("/greeting", () => greeting);
  app.get<{ Params: { next: string } }>("/change_greeting/:next", async (request) => {
    greeting = request.params.next;
    await pubSub.publish("greeting_changed", greeting, { retain: true });
    return `Changed greeting -> ${greeting}`;
  });
  app.get("/crash", () => {
    // Ends this instance deliberately; the supervisor starts another one in its place.
    setTimeout(() => process.exit(1), 3000);
    return "Crashing in 3s...";
  });
  app.get("/instance", () => instance);
}
