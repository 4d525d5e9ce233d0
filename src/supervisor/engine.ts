/**
 * Opens the bridge to other machines: reads the secrets, loads the engine's client.
 * Runs in the supervisor, which loads it only with --pub-sub-url.
 */
import { hostname } from "node:os";
import type { Clock } from "../clock.ts";
import type { ChoirEvent } from "../events.ts";
import type { EngineAccess } from "../messaging/bridges/access.ts";
import { Bridge } from "../messaging/bridges/bridge.ts";
import { machineName } from "../messaging/bridges/directory.ts";
import { Names } from "../messaging/bridges/names.ts";
import { SharedLocks } from "../messaging/bridges/shared-locks.ts";
import { Broker } from "../messaging/broker.ts";
import type { EngineSource } from "../options/engine-source.ts";
import { readCertificateFile, readPassword } from "./certificate-files.ts";

export interface EngineSetup {
  readonly clock: Clock;
  readonly emit: (event: ChoirEvent) => void;
}

/** A broker whose messages, retained values and locks are those of all machines. */
export interface BridgedBroker {
  readonly broker: Broker;
  /** Connects by `start`. */
  readonly bridge: Bridge;
}

/** Makes both. Rejects with ChoirError when a file or the engine's client is missing. */
export async function openBridge(source: EngineSource, { clock, emit }: EngineSetup): Promise<BridgedBroker> {
  const access = await engineAccess(source);
  const { prefix, bufferLimit } = source;
  const engine =
    source.kind === "nats"
      ? await (await import("../messaging/bridges/nats.ts")).openNats(access, prefix)
      : await (await import("../messaging/bridges/redis.ts")).openRedis(access, prefix);
  const names = new Names(prefix);
  const locks = new SharedLocks({ names, clock, hasLocks: engine.hasLocks });
  const broker = new Broker({ clock, locks });
  const machine = machineName(hostname(), process.pid);
  return { broker, bridge: new Bridge({ broker, engine, locks, names, machine, bufferLimit, clock, report: emit }) };
}

async function engineAccess(source: EngineSource): Promise<EngineAccess> {
  const { kind, shown, servers, user, urlPassword, encrypted, caFile, certificateFile, keyFile, credentialsFile } =
    source;
  const [ca, cert, key, credentials] = await Promise.all([
    read("--pub-sub-ca-file", caFile),
    read("--pub-sub-certificate-file", certificateFile),
    read("--pub-sub-key-file", keyFile),
    read("--pub-sub-credentials-file", credentialsFile),
  ]);
  const tls = { ...(ca && { ca: text(ca) }), ...(cert && { cert: text(cert) }), ...(key && { key: text(key) }) };
  const password = urlPassword ?? (await readPassword(source.password));
  return { kind, shown, servers, user, password, credentials, tls: encrypted ? tls : undefined };
}

async function read(flag: string, file: string | undefined): Promise<Buffer | undefined> {
  return file === undefined ? undefined : readCertificateFile(flag, file);
}

function text(content: Buffer): string {
  return content.toString("utf8");
}
