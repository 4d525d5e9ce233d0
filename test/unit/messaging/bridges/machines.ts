/** Supervisors of several machines as far as messages go: a broker each, over an engine within the process. */
import { Bridge } from "../../../../src/messaging/bridges/bridge.ts";
import { Names } from "../../../../src/messaging/bridges/names.ts";
import type { BridgeReport } from "../../../../src/messaging/bridges/reports.ts";
import { SharedLocks } from "../../../../src/messaging/bridges/shared-locks.ts";
import type { PubSubClient } from "../../../../src/messaging/client.ts";
import { Harness, turns } from "../harness.ts";
import { FakeHub } from "./fake-engine.ts";

const NAMES = new Names("app");

export class Machine {
  readonly harness = new Harness();
  readonly reports: BridgeReport[] = [];
  readonly bridge: Bridge;

  constructor(hub: FakeHub, bufferLimit = 100_000) {
    this.bridge = new Bridge({
      broker: this.harness.broker,
      engine: hub.engine(),
      names: NAMES,
      machine: `machine-${machines.length}:1`,
      locks: new SharedLocks({ names: NAMES, clock: this.harness.clock, hasLocks: false }),
      bufferLimit,
      clock: this.harness.clock,
      report: (report) => this.reports.push(report),
    });
    machines.push(this);
  }

  static async start(hub: FakeHub, bufferLimit?: number): Promise<Machine> {
    const machine = new Machine(hub, bufferLimit);
    await machine.bridge.start();
    return machine;
  }

  connect(): PubSubClient {
    return this.harness.connect().client;
  }

  /** A client that has subscribed, and the values that it gets. */
  async subscriber(pattern: string): Promise<{ client: PubSubClient; got: unknown[] }> {
    const client = this.connect();
    const got: unknown[] = [];
    await client.subscribe(pattern, (value) => got.push(value));
    await turns();
    return { client, got };
  }

  /** Moves its clock on in small steps, so that what follows a timer happens in between. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 250) {
      this.harness.clock.advance(250);
      await turns(5);
    }
  }
}

let machines: Machine[] = [];
/** Closes every machine that was started. */
export async function closeMachines(): Promise<void> {
  const all = machines;
  machines = [];
  for (const { bridge, harness } of all) {
    const closed = bridge.close();
    await turns();
    harness.clock.advance(5000);
    await closed;
    harness.broker.close();
  }
}

export async function pair(bufferLimit?: number): Promise<{ hub: FakeHub; here: Machine; there: Machine }> {
  const hub = new FakeHub();
  return { hub, here: await Machine.start(hub, bufferLimit), there: await Machine.start(hub) };
}
