/** How values get from one process to others: Choir's pub/sub, Node's IPC through a parent, Redis, NATS. */
import type { ChildProcess } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { ControlLine } from "../control.ts";
import { toolVersion } from "../machine.ts";
import type { MessageContestant, MessageServing, MessageSetup } from "../messages.ts";
import { terminate } from "../processes.ts";
import { freePort, installed, pause, program, type Surroundings } from "../serving.ts";

type Start = (count: number, env: NodeJS.ProcessEnv) => Promise<readonly ChildProcess[]>;

export function messageContestants(surroundings: Surroundings): MessageContestant[] {
  return [
    contestant(surroundings, { name: "choir", title: "Choir", start: choir(surroundings) }),
    contestant(surroundings, { name: "ipc", title: "Node IPC through the parent", start: ipc(surroundings) }),
    contestant(surroundings, {
      name: "redis",
      title: "Redis",
      start: served(surroundings, {
        file: "messages/redis.mjs",
        server: "redis-server",
        // A subscriber that falls behind would be cut off by default.
        args: [
          "--save",
          "",
          "--appendonly",
          "no",
          "--client-output-buffer-limit",
          "pubsub 0 0 0",
          "--bind",
          "127.0.0.1",
          "--port",
        ],
      }),
      needs: { server: "redis-server", module: "redis" },
    }),
    contestant(surroundings, {
      name: "nats",
      title: "NATS",
      start: served(surroundings, {
        file: "messages/nats.mjs",
        server: "nats-server",
        args: ["-a", "127.0.0.1", "-p"],
      }),
      needs: { server: "nats-server", module: "@nats-io/transport-node" },
    }),
  ];
}

interface Description {
  readonly name: string;
  readonly title: string;
  readonly start: Start;
  readonly needs?: { readonly server: string; readonly module: string };
}

function contestant({ processes }: Surroundings, { name, title, start, needs }: Description): MessageContestant {
  return {
    name,
    title,
    unable() {
      if (needs === undefined) return undefined;
      if (toolVersion(needs.server) === undefined)
        return `${needs.server} not installed (apt-get install ${needs.server})`;
      return existsSync(installed(needs.module)) ? undefined : "bench/ is not installed";
    },
    async start({ publishers, subscribers }: MessageSetup): Promise<MessageServing> {
      const line = await ControlLine.open(processes.temp);
      const count = publishers + subscribers;
      const children = await start(count, { BENCH_CONTROL: line.address, BENCH_PARTICIPANTS: String(count) });
      const participants = await line.participants(count);
      return {
        participants,
        async stop() {
          await Promise.all(children.map((child) => terminate(child)));
          line.close();
        },
      };
    },
  };
}

function choir({ processes, node }: Surroundings): Start {
  return (count, env) => {
    const runtime = path.join(processes.temp, "run");
    mkdirSync(runtime, { recursive: true, mode: 0o700 });
    const args = [program("messages/choir.mjs"), "--port", "0", "--concurrency", String(count), "--quiet"];
    const child = processes.spawn(node, args, { stdio: "inherit", env: { ...env, XDG_RUNTIME_DIR: runtime } });
    return Promise.resolve([child]);
  };
}

function ipc({ processes, node }: Surroundings): Start {
  return (_, env) => Promise.resolve([processes.spawn(node, [program("messages/ipc.mjs")], { stdio: "inherit", env })]);
}

/** A server, and a process for each participant. */
function served(
  { processes, node }: Surroundings,
  { file, server, args }: { readonly file: string; readonly server: string; readonly args: readonly string[] },
): Start {
  return async (count, env) => {
    const port = await freePort();
    const broker = processes.spawn(server, [...args, String(port)], { stdio: "ignore" });
    await connectable(port);
    const participants = Array.from({ length: count }, (_, number) =>
      processes.spawn(node, [program(file), String(number)], {
        stdio: "inherit",
        env: { ...env, BENCH_PORT: String(port) },
      }),
    );
    return [...participants, broker];
  };
}

/** Waits until a server listens. */
async function connectable(port: number): Promise<void> {
  for (let tries = 0; tries < 1000; tries++) {
    const connected = await new Promise<boolean>((resolve) => {
      const socket = net.connect(port, "127.0.0.1", () => resolve(true));
      socket.on("error", () => resolve(false)).unref();
      socket.once("connect", () => socket.destroy());
    });
    if (connected) return;
    await pause(10);
  }
  throw new Error(`Nobody listens on port ${port}`);
}
