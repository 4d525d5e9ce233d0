// What is read out of a file's source.
import { expect, it } from "vitest";
import { scanSource } from "../../../src/instance/own-signals.ts";

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
