// What is read out of a file's source.
import { expect, it } from "vitest";
import { scanSource } from "../../../src/instance/scan-source.ts";

it.each([
  ['process.send("ready")', true],
  ["if (process.send) process.send('ready');", true],
  ["process.send?.(`ready`)", true],
  ["process.send!('ready')", true],
  ['process.send({ ready: "ready" })', false],
  ['// process.send("ready")', false],
  ['/* process.send("ready") */', false],
  ['fetch("http://x"); process.send("ready")', true],
])("%s: sends ready is %s", (text, sendsReady) => {
  expect(scanSource(text).sendsReady).toBe(sendsReady);
});

it.each([
  ["app.listen(3000)", true],
  ["await app.listen ({ port })", true],
  ["app.listener(3000)", false],
  ["// app.listen(3000)", false],
])("%s: listens is %s", (text, listens) => {
  expect(scanSource(text).listens).toBe(listens);
});

it.each([
  ["bootstrap();", true],
  ["void bootstrap();", true],
  ["await bootstrap ()", true],
  ["connect().then(bootstrap)", true],
  ['db.once("open", bootstrap);', true],
  ["export default async function bootstrap() {}", false],
  ["async function* bootstrap() {}", false],
  ["server.bootstrap();", false],
  ["rebootstrap(); bootstraps();", false],
  ["export { bootstrap, other };", false],
  ["module.exports = bootstrap;", false],
  ["// bootstrap();", false],
])("%s: calls bootstrap is %s", (text, calls) => {
  expect(scanSource(text).calls("bootstrap")).toBe(calls);
});

it("calls nothing that has no name of its own", () => {
  expect(scanSource("export default () => {}; default(); (0, x)()").calls("default")).toBe(false);
  expect(scanSource("(() => {})()").calls("")).toBe(false);
});
