/** What a bridge tells its owner: what happened, as events of the supervisor, and what it holds. Types only; used in the supervisor. */

export type BridgeReport =
  /** Others can be reached from now on. */
  | { readonly event: "engine-connected"; readonly engine: string; readonly url: string }
  /** Local delivery goes on; the engine is tried again until it answers. Said once for each outage and cause. */
  | { readonly event: "engine-unreachable"; readonly engine: string; readonly url: string; readonly error: string }
  | {
      readonly event: "engine-dropped";
      /** Messages to other machines, the oldest of those that waited. */
      readonly dropped: number;
      readonly droppedBytes: number;
      /** Whether this is all that was lost, now that there is room again; otherwise it has just begun. */
      readonly over: boolean;
    }
  /** Something works less than it should. */
  | { readonly event: "engine-warning"; readonly engine: string; readonly warning: string };

/** What a bridge holds and has done since the supervisor's start: for the status and for metrics. */
export interface BridgeStats {
  readonly engine: "nats" | "redis";
  /** Without user and password. */
  readonly url: string;
  /** `gathering`: connected again after an outage, and waiting for the other supervisors before it sends. */
  readonly state: "connecting" | "connected" | "gathering" | "closed";
  /** Other supervisors of the app that are connected. */
  readonly peers: number;
  /** Messages that the engine has got. */
  readonly sent: number;
  readonly sentBytes: number;
  /** Messages of other supervisors. */
  readonly received: number;
  readonly receivedBytes: number;
  /** Of these, what the instances were too slow for. */
  readonly receivedLost: number;
  /** What came on the app's subjects and was not Choir's. */
  readonly malformed: number;
  /** Messages that found no room while they waited for the engine. */
  readonly dropped: number;
  readonly droppedBytes: number;
  /** Messages that wait for the engine. */
  readonly waiting: number;
  readonly waitingBytes: number;
  /** How often it was connected anew. */
  readonly reconnects: number;
}
